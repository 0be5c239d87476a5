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

/** Scratch for a build: one row a slot of the largest layer, and a list of bumped hashes. */
export function burr_scratch_bytes(count: u32): u32 {
  return layerSlots(count, LAYERS_MAX - 1) * 8 + count * 8
}

/**
 * Fills in a layer's thresholds: a bucket with more than 57 keys bumps from the offset of its 58th
 * key on. `counters` is one u32 a slot.
 */
function chooseThresholds(
  hashes: usize,
  count: u32,
  seed: u64,
  slots: u32,
  thresholds: usize,
  counters: usize,
): void {
  memory.fill(counters, 0, <usize>slots << 2)
  for (let i: usize = 0; i < <usize>count; i++) {
    const start = startSlot(equationRoot(load<u64>(hashes + (i << 3)), seed), slots)
    const counter = counters + (<usize>start << 2)
    store<u32>(counter, load<u32>(counter) + 1)
  }
  for (let bucket: u32 = 0; bucket < slots >> 6; bucket++) {
    const first = counters + (<usize>bucket << 8)
    let kept: u32 = 0
    let offset: u32 = 0
    while (offset < KEEP_ALL) {
      kept += load<u32>(first + (<usize>offset << 2))
      if (kept > BUCKET_KEEPS) break
      offset++
    }
    store<u8>(thresholds + bucket, <u8>offset)
  }
}

/** Adds one equation to the echelon form. RETURNS whether it agrees with the others. */
// @ts-ignore: decorator
@inline
function addEquation(rows: usize, values: usize, start: u32, row: u64, value: u64): bool {
  let at = <usize>start << 3
  let bits = row
  let rest = value
  for (;;) {
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
  return false
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

/** One attempt under one root seed. RETURNS the length, BURR_NO_SPACE or BURR_FAILED. */
function buildUnderSeed(
  hashes: usize,
  count: u32,
  width: u32,
  rootSeed: u64,
  target: usize,
  capacity: u32,
  rows: usize,
  bumped: usize,
): i32 {
  let current = hashes
  let left = count
  let index: u32 = 0
  let length: u32 = HEADER_BYTES
  for (; left > 0; index++) {
    const slots = layerSlots(left, index)
    const seed = layerSeed(rootSeed, index)
    if (layerBytes(slots) > capacity - length) return BURR_NO_SPACE
    const layer = target + length
    const thresholds = layer + LAYER_HEADER_BYTES
    const values = thresholds + (slots >> 6)
    store<u32>(layer, slots)
    store<u32>(layer, slots >> 6, 4)
    store<u32>(layer, slots << 3, 8)
    const last = index + 1 == LAYERS_MAX
    if (last) memory.fill(thresholds, <u8>KEEP_ALL, slots >> 6)
    else chooseThresholds(current, left, seed, slots, thresholds, rows)
    memory.fill(rows, 0, <usize>slots << 3)
    memory.fill(values, 0, <usize>slots << 3)
    // Bumped hashes are written behind the reading position, over hashes already dealt with.
    let next: u32 = 0
    for (let i: usize = 0; i < <usize>left; i++) {
      const hash = load<u64>(current + (i << 3))
      const root = equationRoot(hash, seed)
      const start = startSlot(root, slots)
      if ((start & 63) >= <u32>load<u8>(thresholds + (start >> 6))) {
        store<u64>(bumped + (<usize>next << 3), hash)
        next++
      } else if (!addEquation(rows, values, start, rowBits(root), fingerprint(root, width))) {
        return BURR_FAILED
      }
    }
    substituteBack(rows, values, slots)
    length += layerBytes(slots)
    current = bumped
    left = next
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
  const bumped = scratch + (<usize>layerSlots(count, LAYERS_MAX - 1) << 3)
  let result: i32 = BURR_FAILED
  for (let seed: u64 = 0; seed < ROOT_SEEDS && result == BURR_FAILED; seed++) {
    result = buildUnderSeed(hashes, count, width, seed, target, capacity, scratch, bumped)
  }
  return result
}
