/**
 * Putting a layer's words into the order in which the compact filter's build takes them: by block
 * ascending, within a block by offset descending. One thread, as the build it belongs to.
 */
import { BAND, BAND_BITS, mixWord, startSlot } from './ribbon-equation'

/** Bytes of the 64 counters that `sortByOffset` works with. */
export const GROUPS_BYTES: usize = 256

/**
 * Mixes `count` input words under a seed and writes them to `sorted` by block. Afterwards the u32
 * at `ends + 4 * block` is the count of words up to that block's end.
 *
 * Two passes that mix each word twice: the mix costs less than storing it in between would.
 */
export function sortByBlock(
  input: usize,
  count: u32,
  seed: u32,
  blocks: u32,
  ends: usize,
  sorted: usize,
): void {
  const slots = blocks << BAND_BITS
  const inputEnd = input + (<usize>count << 3)
  memory.fill(ends, 0, <usize>blocks << 2)
  for (let at = input; at < inputEnd; at += 8) {
    const counter = ends + counterOf(mixWord(load<u64>(at), seed), slots)
    store<u32>(counter, load<u32>(counter) + 1)
  }
  let sum: u32 = 0
  const last = ends + (<usize>blocks << 2)
  for (let counter = ends; counter < last; counter += 4) {
    const words = load<u32>(counter)
    store<u32>(counter, sum)
    sum += words
  }
  for (let at = input; at < inputEnd; at += 8) {
    const word = mixWord(load<u64>(at), seed)
    const counter = ends + counterOf(word, slots)
    const place = load<u32>(counter)
    store<u64>(sorted + (<usize>place << 3), word)
    store<u32>(counter, place + 1)
  }
}

/** Where a word's block is counted. */
// @ts-ignore: decorator
@inline
function counterOf(word: u64, slots: u32): usize {
  return <usize>(startSlot(word, slots) >> BAND_BITS) << 2
}

/** Where a word's offset is counted: the highest offset is the first group. */
// @ts-ignore: decorator
@inline
function groupOf(word: u64, slots: u32): usize {
  return <usize>(~startSlot(word, slots) & (BAND - 1)) << 2
}

/**
 * Copies one block's words to `sorted` by offset, descending. Two passes that find each word's offset twice: a product,
 * which costs less than keeping it.
 */
export function sortByOffset(
  words: usize,
  end: usize,
  slots: u32,
  groups: usize,
  sorted: usize,
): void {
  memory.fill(groups, 0, GROUPS_BYTES)
  for (let at = words; at < end; at += 8) {
    const counter = groups + groupOf(load<u64>(at), slots)
    store<u32>(counter, load<u32>(counter) + 8)
  }
  let place = sorted
  for (let group = groups; group < groups + GROUPS_BYTES; group += 4) {
    const bytes = load<u32>(group)
    store<u32>(group, <u32>place)
    place += <usize>bytes
  }
  for (let at = words; at < end; at += 8) {
    const word = load<u64>(at)
    const counter = groups + groupOf(word, slots)
    const home = <usize>load<u32>(counter)
    store<u64>(home, word)
    store<u32>(counter, <u32>home + 8)
  }
}
