/**
 * Building the compact filter (format in `ribbon.ts`). One thread per build; scratch and target are
 * the caller's.
 *
 * Bumping (Dillinger, Huebschle-Schneider, Sanders, Walzer 2022): a layer has about as many slots
 * as keys. Blocks are filled from left to right, each from its highest offset down; the first
 * offset whose equations contradict those before is bumped to the next layer together with all
 * lower ones, which overlap most with the block to the left. So nearly every slot of a layer is
 * used, and a small last layer takes what is left.
 *
 * I1: the bytes depend on the multiset of hashes and on r alone. Keys are taken offset by offset,
 *     and whether an offset's equations agree with those before does not depend on their order; nor
 *     does the solution, since slots without an equation are zero.
 * I2: an equation that follows from others is kept: repeated hashes are harmless, they only cost
 *     space.
 * I3: a layer leaves its input alone, so that its seed can be tried again; what it bumps comes to
 *     lie at the front of its own sorted words, over words already dealt with.
 */
import { RIBBON_FAILED, RIBBON_MAGIC, RIBBON_NO_SPACE } from '../layout'
import {
  BAND,
  BAND_BITS,
  blockBytes,
  HEADER_BYTES,
  LAYER_BYTES,
  LAYERS_MAX,
  SEED_COUNT,
  SEED_SHIFT,
  startSlot,
} from './ribbon-equation'
import { fillBlock, SLOT_BITS } from './ribbon-fill'
import { substituteBack } from './ribbon-solve'
import { GROUPS_BYTES, sortByBlock, sortByOffset } from './ribbon-sort'

/**
 * Up to this many keys one layer that bumps nothing is the smallest filter, and the quickest to
 * build.
 */
const FLAT_COUNT_MAX: u32 = 400
/**
 * Slots that a flat layer has over its keys: at 3, an eighth of the seeds fail where the layer is
 * one block.
 */
const FLAT_SPARE_SLOTS: u32 = 3
/** Seeds of a flat layer before it grows, and of a dense layer before its waste is accepted. */
const SEEDS_PER_SIZE: u32 = 8
/**
 * Slots per hundred keys of a bumping layer. Fewer slots bump more and leave fewer empty: 97 is the
 * least size, 1.3 % over r bits, at 42 ns a key; 102 is 3.5 % over at 30 ns. Small filters need the
 * former to stay under 5 %, as there every block of rounding counts.
 */
const DENSE_COUNT_MAX: u32 = 16384
const DENSE_SLOTS_PERCENT: u64 = 97
const SPARSE_SLOTS_PERCENT: u64 = 102
/**
 * Slots that a dense layer may leave empty, and one more for so many keys; with more, it tries
 * another seed, as one set in seven does. At 3,039 keys 30 + 3 slots are all that can be spared
 * before the last layer needs a block more than 5 % allow; no other count from 3,000 up is tighter.
 */
const WASTE_SLOTS: u32 = 23
const KEYS_PER_WASTE_SLOT: u32 = 400

// Scratch: groups of `sortByOffset` | of the layer at work: 16 bytes a slot; block ends, u32 a block |
// two lists of words, u64 a key | of one block, which may have all keys: words, u64; slots, u32.

/** Blocks of the largest layer, and of all layers together, with room for a flat layer to grow. */
function blocksMax(count: u32): u32 {
  return <u32>((<u64>count * 5) >> 8) + 8
}

// @ts-ignore: decorator
@inline
function rowsAt(scratch: usize): usize {
  return scratch + GROUPS_BYTES
}

// @ts-ignore: decorator
@inline
function endsAt(scratch: usize, blocks: u32): usize {
  return rowsAt(scratch) + (<usize>blocks << (<usize>BAND_BITS + SLOT_BITS))
}

// @ts-ignore: decorator
@inline
function wordsAt(scratch: usize, count: u32): usize {
  const blocks = blocksMax(count)
  return endsAt(scratch, blocks) + (<usize>blocks << 2)
}

/** Scratch for a build: about 48 bytes a key. */
export function ribbon_scratch_bytes(count: u32): u32 {
  return <u32>wordsAt(0, count) + count * 28
}

/**
 * The capacity that a build needs. The filter takes less: see the table of bits a key in
 * `ribbon.ts`.
 */
export function ribbon_size_max(count: u32, width: u32): u32 {
  return HEADER_BYTES + LAYERS_MAX * LAYER_BYTES + blocksMax(count) * blockBytes(width)
}

/**
 * Fills the echelon form of a layer from its sorted words, by way of `placed` for each block, and
 * writes its thresholds. RETURNS the count of words bumped, now at the front of `sorted`; or RIBBON_FAILED where a flat layer would
 * have to bump.
 */
function fillLayer(
  scratch: usize,
  sorted: usize,
  placed: usize,
  taken: usize,
  blocks: u32,
  width: u32,
  layer: usize,
  flat: bool,
): i32 {
  const ends = endsAt(scratch, blocks)
  const slots = blocks << BAND_BITS
  const rows = rowsAt(scratch)
  memory.fill(rows, 0, <usize>slots << SLOT_BITS)
  let bumpedEnd = sorted
  let first = sorted
  for (let block: u32 = 0; block < blocks; block++) {
    const end = sorted + (<usize>load<u32>(ends + (<usize>block << 2)) << 3)
    const placedEnd = placed + (end - first)
    sortByOffset(first, end, slots, scratch, placed)
    const refuted = fillBlock(rows, taken, placed, placedEnd, slots, width)
    let threshold: u32 = 0
    if (refuted < placedEnd) {
      if (flat) return RIBBON_FAILED
      threshold = (startSlot(load<u64>(refuted), slots) & (BAND - 1)) + 1
      memory.copy(bumpedEnd, refuted, placedEnd - refuted)
      bumpedEnd += placedEnd - refuted
    }
    store<u8>(layer + block * blockBytes(width), <u8>threshold)
    first = end
  }
  return <i32>((bumpedEnd - sorted) >> 3)
}

/** Blocks that a layer of `count` keys begins with. */
function layerBlocks(count: u32, flat: bool): u32 {
  if (flat) return (count + FLAT_SPARE_SLOTS + BAND - 1) >> BAND_BITS
  const percent = count <= DENSE_COUNT_MAX ? DENSE_SLOTS_PERCENT : SPARSE_SLOTS_PERCENT
  return <u32>((<u64>count * percent) / 100) >> BAND_BITS
}

/** Whether a layer that bumped so many keys should be given another seed. */
// @ts-ignore: decorator
@inline
function isWasteful(count: u32, bumped: u32, blocks: u32): bool {
  if (count > DENSE_COUNT_MAX) return false
  const kept = count - bumped
  return (blocks << BAND_BITS) > kept + WASTE_SLOTS + count / KEYS_PER_WASTE_SLOT
}

/**
 * Builds the filter of `count` hashes, repeats allowed, with fingerprints of `width` bits (1..32).
 * RETURNS its length; RIBBON_NO_SPACE where target or scratch are smaller than `ribbon_size_max`
 * and `ribbon_scratch_bytes` say; RIBBON_FAILED where no seed serves, which takes 64 misfortunes in
 * a row.
 */
export function ribbon_build(
  hashes: usize,
  count: u32,
  width: u32,
  target: usize,
  capacity: u32,
  scratch: usize,
  scratchBytes: u32,
): i32 {
  const tableBytes = LAYERS_MAX * LAYER_BYTES
  if (scratchBytes < ribbon_scratch_bytes(count)) return RIBBON_NO_SPACE
  if (capacity < HEADER_BYTES + tableBytes) return RIBBON_NO_SPACE
  // Layers are written behind a table of the largest size and moved down when their number is
  // known.
  const table = target + HEADER_BYTES
  const room = capacity - HEADER_BYTES - tableBytes
  const stride = blockBytes(width)
  let input = hashes
  let sorted = wordsAt(scratch, count)
  let spare = sorted + (<usize>count << 3)
  const placed = spare + (<usize>count << 3)
  const taken = placed + (<usize>count << 3)
  let length: u32 = 0
  let index: u32 = 0
  for (let left = count; left > 0; index++) {
    const flat = left <= FLAT_COUNT_MAX || index + 1 == LAYERS_MAX
    const layer = table + tableBytes + length
    let blocks = layerBlocks(left, flat)
    let seed: u32 = 0
    let bumped: i32 = RIBBON_FAILED
    while (true) {
      if (blocks > blocksMax(count) || blocks * stride > room - length) return RIBBON_NO_SPACE
      sortByBlock(input, left, seed, blocks, endsAt(scratch, blocks), sorted)
      bumped = fillLayer(scratch, sorted, placed, taken, blocks, width, layer, flat)
      if (bumped >= 0) {
        const isLast = seed + 1 == SEEDS_PER_SIZE
        if (flat || isLast || !isWasteful(left, <u32>bumped, blocks)) break
      }
      if (++seed == SEED_COUNT) return RIBBON_FAILED
      if (seed % SEEDS_PER_SIZE == 0) blocks += 1 + (blocks >> 4)
    }
    substituteBack(rowsAt(scratch), blocks, width, layer)
    store<u32>(table + index * LAYER_BYTES, blocks | (seed << SEED_SHIFT))
    length += blocks * stride
    left = <u32>bumped
    // The words just sorted are the next layer's input; the list before them is free again.
    input = sorted
    sorted = spare
    spare = input
  }
  store<u32>(target, RIBBON_MAGIC)
  store<u8>(target, <u8>width, 4)
  store<u8>(target, <u8>index, 5)
  store<u16>(target, 0, 6)
  store<u32>(target, count, 8)
  const body = table + index * LAYER_BYTES
  memory.copy(body, table + tableBytes, length)
  return <i32>(body + length - target)
}
