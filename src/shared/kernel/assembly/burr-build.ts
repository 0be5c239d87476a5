/**
 * Building the V5 filter (format in `burr.ts`): a stack of at most four ribbon layers over GF(2),
 * each of which keeps most of its keys and bumps the rest to the next. One thread per build;
 * scratch and target are the caller's.
 *
 * I1: the bytes depend on the multiset of hashes and on r alone, not on their order: the solved row
 *     space decides which slots are free, free slots are zero, and the others then follow.
 * I2: root seed 0 is tried first, which is what the format's own writer uses; the next ones only
 *     where a layer's equations contradict each other, as readers honour any seed.
 */
import {
  BURR_FAILED,
  BURR_KIND_MEMBERSHIP,
  BURR_MAGIC,
  BURR_NO_SPACE,
} from '../layout'
import {
  BAND,
  equationRoot,
  fingerprint,
  HEADER_BYTES,
  LAYER_HEADER_BYTES,
  LAYERS_MAX,
  layerSeed,
  rowBits,
  startSlot,
} from './burr-equation'

/** Keys a bucket of 64 slots keeps. */
const BUCKET_KEEPS: u32 = 57
/** Bytes of the 64 offset counters. */
const COUNTERS_BYTES: usize = 256
/** Threshold that keeps a whole bucket. */
const KEEP_ALL: u32 = 64
/** 1 plus the binary32 nearest to 0.05. */
const OVERSIZING: f64 = 1.0500000007450581
const LAST_LAYER_SLOTS_MIN: u32 = 256
/**
 * A seed fails once in a hundred at worst (57 keys); after so many the set itself must be at fault.
 */
const ROOT_SEEDS: u64 = 64

/** Slots of a layer of `count` keys, a multiple of 64. */
function layerSlots(count: u32, index: u32): u32 {
  const oversized = max<u32>(<u32>ceil<f64>(<f64>count * OVERSIZING), BAND)
  const slots = (oversized + 63) & ~63
  return index + 1 < LAYERS_MAX ? slots : max<u32>(slots * 2, LAST_LAYER_SLOTS_MIN)
}

// @ts-ignore: decorator
@inline
function layerBytes(slots: u32): u32 {
  return LAYER_HEADER_BYTES + (slots >> 6) + slots * 8
}

/**
 * The largest filter of `count` hashes: everything bumped to the end, as by one hash many times
 * over.
 */
export function burr_size_max(count: u32): u32 {
  const lower = (LAYERS_MAX - 1) * layerBytes(layerSlots(count, 0))
  return HEADER_BYTES + lower + layerBytes(layerSlots(count, LAYERS_MAX - 1))
}

// Scratch: offset counters, 64 x u32 | of the layer at work: rows, u64 a slot; bucket ends, u32 a
// bucket | two lists of hashes, u64 a key.

// @ts-ignore: decorator
@inline
function rowsAt(scratch: usize): usize {
  return scratch + COUNTERS_BYTES
}

// @ts-ignore: decorator
@inline
function endsAt(scratch: usize, slots: u32): usize {
  return rowsAt(scratch) + (<usize>slots << 3)
}

// @ts-ignore: decorator
@inline
function listsAt(scratch: usize, count: u32): usize {
  const slots = layerSlots(count, LAYERS_MAX - 1)
  return endsAt(scratch, slots) + (<usize>(slots >> 6) << 2)
}

/** Scratch for a build: about 34 bytes a key. */
export function burr_scratch_bytes(count: u32): u32 {
  return <u32>listsAt(0, count) + count * 16
}

/** Where a hash's bucket is counted. */
// @ts-ignore: decorator
@inline
function counterOf(hash: u64, seed: u64, slots: u32): usize {
  return <usize>(startSlot(equationRoot(hash, seed), slots) >> 6) << 2
}

/**
 * Copies hashes to `sorted` by bucket, so that the layer is then filled from left to right, in
 * cache, instead of all over. Afterwards the u32 at `ends + 4 * bucket` counts the hashes up to its
 * end.
 */
function sortByBucket(
  input: usize,
  count: u32,
  seed: u64,
  slots: u32,
  ends: usize,
  sorted: usize,
): void {
  const inputEnd = input + (<usize>count << 3)
  const endsEnd = ends + (<usize>(slots >> 6) << 2)
  memory.fill(ends, 0, endsEnd - ends)
  for (let at = input; at < inputEnd; at += 8) {
    const counter = ends + counterOf(load<u64>(at), seed, slots)
    store<u32>(counter, load<u32>(counter) + 1)
  }
  let sum: u32 = 0
  for (let counter = ends; counter < endsEnd; counter += 4) {
    const hashes = load<u32>(counter)
    store<u32>(counter, sum)
    sum += hashes
  }
  for (let at = input; at < inputEnd; at += 8) {
    const hash = load<u64>(at)
    const counter = ends + counterOf(hash, seed, slots)
    const place = load<u32>(counter)
    store<u64>(sorted + (<usize>place << 3), hash)
    store<u32>(counter, place + 1)
  }
}

/** The threshold of a bucket: with more than 57 hashes, the offset of the 58th in order. */
function bucketThreshold(first: usize, end: usize, seed: u64, slots: u32, counters: usize): u32 {
  if (end - first <= BUCKET_KEEPS << 3) return KEEP_ALL
  memory.fill(counters, 0, COUNTERS_BYTES)
  for (let at = first; at < end; at += 8) {
    const offset = startSlot(equationRoot(load<u64>(at), seed), slots) & 63
    const counter = counters + (<usize>offset << 2)
    store<u32>(counter, load<u32>(counter) + 1)
  }
  let offset: u32 = 0
  let kept = load<u32>(counters)
  while (kept <= BUCKET_KEEPS) kept += load<u32>(counters + (<usize>++offset << 2))
  return offset
}

/** Adds one equation to the echelon form. RETURNS whether it agrees with the others. */
// @ts-ignore: decorator
@inline
function addEquation(rows: usize, values: usize, start: u32, row: u64, value: u64): bool {
  let at = <usize>start << 3
  let bits = row
  let rest = value
  while (true) {
    const pivot = load<u64>(rows + at)
    if (pivot == 0) {
      store<u64>(rows + at, bits)
      store<u64>(values + at, rest)
      return true
    }
    bits ^= pivot
    rest ^= load<u64>(values + at)
    if (bits == 0) return rest == 0
    const step = ctz<u64>(bits)
    at += <usize>step << 3
    bits >>= step
  }
}

/** Turns right-hand sides into the solution, in place, from the last slot to the first. */
function substituteBack(rows: usize, values: usize, slots: u32): void {
  let at = <usize>slots << 3
  while (at > 0) {
    at -= 8
    // The row's own slot, bit 0, is what is being solved; an empty row leaves its slot zero.
    let value = load<u64>(values + at)
    for (let bits = load<u64>(rows + at) & ~1; bits != 0; bits &= bits - 1) {
      value ^= load<u64>(values + at + (<usize>ctz<u64>(bits) << 3))
    }
    store<u64>(values + at, value)
  }
}

/**
 * Fills and solves one layer, whose place is `layer`, from its sorted hashes. RETURNS the count of
 * hashes bumped, now at the front of `sorted`, over hashes already dealt with; or BURR_FAILED.
 */
function fillLayer(
  scratch: usize,
  sorted: usize,
  slots: u32,
  seed: u64,
  width: u32,
  layer: usize,
  last: bool,
): i32 {
  const rows = rowsAt(scratch)
  const ends = endsAt(scratch, slots)
  const buckets = slots >> 6
  const thresholds = layer + LAYER_HEADER_BYTES
  const values = thresholds + buckets
  memory.fill(rows, 0, <usize>slots << 3)
  memory.fill(values, 0, <usize>slots << 3)
  let bumpedEnd = sorted
  let first = sorted
  for (let bucket: u32 = 0; bucket < buckets; bucket++) {
    const end = sorted + (<usize>load<u32>(ends + (<usize>bucket << 2)) << 3)
    const threshold = last ? KEEP_ALL : bucketThreshold(first, end, seed, slots, scratch)
    store<u8>(thresholds + bucket, <u8>threshold)
    for (; first < end; first += 8) {
      const hash = load<u64>(first)
      const root = equationRoot(hash, seed)
      const start = startSlot(root, slots)
      if ((start & 63) >= threshold) {
        store<u64>(bumpedEnd, hash)
        bumpedEnd += 8
      } else if (!addEquation(rows, values, start, rowBits(root), fingerprint(root, width))) {
        return BURR_FAILED
      }
    }
  }
  substituteBack(rows, values, slots)
  store<u32>(layer, slots)
  store<u32>(layer, buckets, 4)
  store<u32>(layer, slots << 3, 8)
  return <i32>((bumpedEnd - sorted) >> 3)
}

/** One attempt under one root seed. RETURNS the length, BURR_NO_SPACE or BURR_FAILED. */
function buildUnderSeed(
  hashes: usize,
  count: u32,
  width: u32,
  rootSeed: u64,
  target: usize,
  capacity: u32,
  scratch: usize,
): i32 {
  let input = hashes
  let sorted = listsAt(scratch, count)
  let spare = sorted + (<usize>count << 3)
  let index: u32 = 0
  let length: u32 = HEADER_BYTES
  for (let left = count; left > 0; index++) {
    const slots = layerSlots(left, index)
    const seed = layerSeed(rootSeed, index)
    const last = index + 1 == LAYERS_MAX
    if (layerBytes(slots) > capacity - length) return BURR_NO_SPACE
    sortByBucket(input, left, seed, slots, endsAt(scratch, slots), sorted)
    const bumped = fillLayer(scratch, sorted, slots, seed, width, target + length, last)
    if (bumped < 0) return bumped
    length += layerBytes(slots)
    left = <u32>bumped
    // The hashes just sorted are the next layer's input; the list before them is free again.
    input = sorted
    sorted = spare
    spare = input
  }
  store<u32>(target, BURR_MAGIC)
  store<u8>(target, BURR_KIND_MEMBERSHIP, 4)
  store<u8>(target, 1, 5)
  store<u8>(target, <u8>width, 6)
  store<u8>(target, <u8>BAND, 7)
  store<u8>(target, 64, 8)
  store<u8>(target, <u8>index, 9)
  store<u64>(target, rootSeed, 10)
  return <i32>length
}

/**
 * Builds the filter of `count` 64-bit hashes, repeats allowed, with fingerprints of `width` bits
 * (1..64).
 * RETURNS its length, 0 where there are no hashes (no filter: everything may be there),
 * BURR_NO_SPACE where the target or the scratch is too small, BURR_FAILED where no root seed
 * serves.
 */
export function burr_build(
  hashes: usize,
  count: u32,
  width: u32,
  target: usize,
  capacity: u32,
  scratch: usize,
  scratchBytes: u32,
): i32 {
  if (count == 0) return 0
  if (scratchBytes < burr_scratch_bytes(count) || capacity < HEADER_BYTES) return BURR_NO_SPACE
  let result: i32 = BURR_FAILED
  for (let seed: u64 = 0; seed < ROOT_SEEDS && result == BURR_FAILED; seed++) {
    result = buildUnderSeed(hashes, count, width, seed, target, capacity, scratch)
  }
  return result
}
