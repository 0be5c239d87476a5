/**
 * Putting a layer's words into the order in which the compact filter's build takes them: by block
 * ascending, within a block by offset descending. One thread, as the build it belongs to.
 */
import { BAND, BAND_BITS, mixWord, startSlot } from './ribbon-equation'

/** Bytes of the 64 heads and the 64 tails that `sortByOffset` works with. */
export const GROUPS_BYTES: usize = 512
const HEADS_BYTES: usize = 256

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
 * Sorts one block's words by offset, descending, in place: a word that lies wrong is carried to the
 * next free place of its group, the one found there carried on, until one comes home to where the
 * round began.
 */
export function sortByOffset(words: usize, count: u32, slots: u32, groups: usize): void {
  const heads = groups
  const tails = groups + HEADS_BYTES
  memory.fill(heads, 0, HEADS_BYTES)
  const end = words + (<usize>count << 3)
  for (let at = words; at < end; at += 8) {
    const counter = heads + groupOf(load<u64>(at), slots)
    store<u32>(counter, load<u32>(counter) + 8)
  }
  let place = words
  for (let group: usize = 0; group < HEADS_BYTES; group += 4) {
    const bytes = load<u32>(heads + group)
    store<u32>(heads + group, <u32>place)
    place += <usize>bytes
    store<u32>(tails + group, <u32>place)
  }
  for (let group: usize = 0; group < HEADS_BYTES; group += 4) {
    const tail = <usize>load<u32>(tails + group)
    for (let head = <usize>load<u32>(heads + group); head < tail; head += 8) {
      let word = load<u64>(head)
      let home = groupOf(word, slots)
      while (home != group) {
        const free = <usize>load<u32>(heads + home)
        store<u32>(heads + home, <u32>free + 8)
        const carried = load<u64>(free)
        store<u64>(free, word)
        word = carried
        home = groupOf(word, slots)
      }
      store<u64>(head, word)
    }
  }
}
