/**
 * Reading the V5 filter ("BuRR"): validation and probe. Any thread, no state, reads only.
 *
 *     OFFSET  SIZE  FIELD
 *          0     4  magic 4C 53 4D 04
 *          4     1  kind: 2 = membership
 *          5     1  version: 1
 *          6     1  r: fingerprint bits, 1..64
 *          7     1  w: 64
 *          8     1  b: slots a threshold byte, 64 as written
 *          9     1  layer count, 1..4 as written
 *         10     8  root seed
 *         18        layers, back to back:
 *                   m u32 | ceil(m / b) u32 | 8 m u32 | thresholds | m solution words
 *
 * I1: `burr_validate` has accepted the filter before it is probed; then a probe reads nothing
 *     outside it, whatever the thresholds and words hold.
 */
import {
  BURR_INVALID_HEADER,
  BURR_INVALID_KIND,
  BURR_KIND_MEMBERSHIP,
  BURR_MAGIC,
} from '../layout'
import {
  BAND,
  equationRoot,
  fingerprint,
  HEADER_BYTES,
  LAYER_HEADER_BYTES,
  layerSeed,
  rowBits,
  startSlot,
} from './burr-equation'

/**
 * RETURNS 0 where all layers are well formed, else the negative reason. Bytes after the last layer
 * are ignored.
 */
export function burr_validate(address: usize, length: u32): i32 {
  if (length < HEADER_BYTES || load<u32>(address) != BURR_MAGIC) return BURR_INVALID_HEADER
  if (<i32>load<u8>(address, 4) != BURR_KIND_MEMBERSHIP) return BURR_INVALID_KIND
  const width = <u32>load<u8>(address, 6)
  const bucket = <u64>load<u8>(address, 8)
  const layers = <u32>load<u8>(address, 9)
  if (load<u8>(address, 5) != 1 || width < 1 || width > 64) return BURR_INVALID_HEADER
  if (<u32>load<u8>(address, 7) != BAND || bucket == 0 || layers == 0) return BURR_INVALID_HEADER
  // Sums of 32-bit fields are taken in 64 bits: a hostile length must not wrap.
  let at: u64 = HEADER_BYTES
  for (let i: u32 = 0; i < layers; i++) {
    if (at + LAYER_HEADER_BYTES > <u64>length) return BURR_INVALID_HEADER
    const layer = address + <usize>at
    const slots = <u64>load<u32>(layer)
    const buckets = <u64>load<u32>(layer, 4)
    if (slots < BAND || buckets != (slots + bucket - 1) / bucket) return BURR_INVALID_HEADER
    if (<u64>load<u32>(layer, 8) != slots * 8) return BURR_INVALID_HEADER
    at += LAYER_HEADER_BYTES + buckets + slots * 8
    if (at > <u64>length) return BURR_INVALID_HEADER
  }
  return 0
}

/** Whether the key with this hash may be in the set. REQUIRES: I1. */
export function burr_contains(address: usize, hash: u64): bool {
  const width = <u32>load<u8>(address, 6)
  const bucket = <u32>load<u8>(address, 8)
  const layers = <u32>load<u8>(address, 9)
  const rootSeed = load<u64>(address, 10)
  let layer = address + HEADER_BYTES
  for (let i: u32 = 0; i < layers; i++) {
    const slots = load<u32>(layer)
    const buckets = load<u32>(layer, 4)
    const thresholds = layer + LAYER_HEADER_BYTES
    const solution = thresholds + buckets
    const root = equationRoot(hash, layerSeed(rootSeed, i))
    const start = startSlot(root, slots)
    if (start % bucket < <u32>load<u8>(thresholds + start / bucket)) {
      const words = solution + (<usize>start << 3)
      let sum: u64 = 0
      for (let bits = rowBits(root); bits != 0; bits &= bits - 1) {
        sum ^= load<u64>(words + (<usize>ctz<u64>(bits) << 3))
      }
      return sum == fingerprint(root, width)
    }
    layer = solution + (<usize>slots << 3)
  }
  return false
}

/** `burr_contains` for the hash in the 8 bytes at `hashAddress`: 1 may be in the set, 0 is not. */
export function burr_contains_at(address: usize, hashAddress: usize): i32 {
  return burr_contains(address, load<u64>(hashAddress)) ? 1 : 0
}
