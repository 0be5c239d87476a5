/**
 * The compact filter: bumped ribbon retrieval of r-bit fingerprints, about 1.03 r bits a key, a
 * false positive in 2^r. This file reads it; `ribbon-build.ts` builds it. Any thread, no state,
 * reads only.
 *
 *     OFFSET  SIZE  FIELD
 *          0     4  magic 56 52 42 31, "VRB1"; the digit is the version
 *          4     1  r: fingerprint bits, 1..32
 *          5     1  layer count L, 0..8; 0 for the empty set
 *          6     2  zero
 *          8     4  count of hashes at build, repeats included
 *         12   4 L  layer table, u32 each:
 *                   block count B (at least 1) in bits 0..25 | seed in bits 26..31
 *                   layers, back to back: B blocks each, nothing after them
 *
 *     block of 64 slots, 8 r + 1 bytes
 *          0     1  threshold 0..64: a key starting in this block at an offset below it is bumped
 *          1   8 r  r words, u64: bit i of word j is bit j of slot i's solution
 *
 * All numbers little-endian. A key's equation spans 64 slots from its start, so a probe reads two
 * neighbouring blocks: threshold and words lie together for that reason, even though words are then
 * unaligned. Columns, not rows, because then one AND and one population count answer a bit of the
 * fingerprint, and r costs exactly r bits.
 *
 *     keys at r = 10      1   10   60   100   200   500  1000  3000  5000  10 k  100 k    1 M
 *     bits a key        776 77.6 12.9  14.2  13.6  10.9  10.6  10.4  10.3  10.2  10.35  10.35
 *
 * I1: `ribbon_validate` has accepted the filter before it is probed; then a probe reads nothing
 *     outside it, whatever thresholds, seeds and words hold.
 * I2: the last layer bumps nothing.
 */
import { RIBBON_INVALID, RIBBON_MAGIC } from '../layout'
import {
  BAND,
  BAND_BITS,
  blockBytes,
  BLOCKS_MAX,
  fingerprint,
  HEADER_BYTES,
  LAYER_BYTES,
  LAYERS_MAX,
  mixWord,
  rowBits,
  SEED_SHIFT,
  startSlot,
} from './ribbon-equation'

/**
 * RETURNS 0 where the filter is well formed and takes exactly `length` bytes, else RIBBON_INVALID.
 */
export function ribbon_validate(address: usize, length: u32): i32 {
  if (length < HEADER_BYTES || load<u32>(address) != RIBBON_MAGIC) return RIBBON_INVALID
  const width = <u32>load<u8>(address, 4)
  const layers = <u32>load<u8>(address, 5)
  if (width < 1 || width > 32 || layers > LAYERS_MAX) return RIBBON_INVALID
  if (load<u16>(address, 6) != 0 || (layers == 0) != (load<u32>(address, 8) == 0)) {
    return RIBBON_INVALID
  }
  // Sums of 32-bit fields are taken in 64 bits: a hostile count must not wrap.
  let at = <u64>(HEADER_BYTES + layers * LAYER_BYTES)
  for (let i: u32 = 0; i < layers; i++) {
    if (<u64>(HEADER_BYTES + (i + 1) * LAYER_BYTES) > <u64>length) return RIBBON_INVALID
    const blocks = load<u32>(address + HEADER_BYTES + i * LAYER_BYTES) & BLOCKS_MAX
    if (blocks == 0) return RIBBON_INVALID
    const next = at + <u64>blocks * <u64>blockBytes(width)
    if (next > <u64>length) return RIBBON_INVALID
    const highest = i + 1 < layers ? BAND : 0
    for (let block = <u32>at; block < <u32>next; block += blockBytes(width)) {
      if (<u32>load<u8>(address + block) > highest) return RIBBON_INVALID
    }
    at = next
  }
  return at == <u64>length ? 0 : RIBBON_INVALID
}

/** Whether the key with this hash may be in the set. REQUIRES: I1. */
export function ribbon_contains(address: usize, hash: u64): bool {
  const width = <u32>load<u8>(address, 4)
  const layers = <u32>load<u8>(address, 5)
  const stride = blockBytes(width)
  const tableEnd = address + HEADER_BYTES + layers * LAYER_BYTES
  let layer = tableEnd
  let word = hash
  for (let entry = address + HEADER_BYTES; entry < tableEnd; entry += LAYER_BYTES) {
    const blocks = load<u32>(entry) & BLOCKS_MAX
    word = mixWord(word, load<u32>(entry) >> SEED_SHIFT)
    const start = startSlot(word, blocks << BAND_BITS)
    const offset = start & (BAND - 1)
    const block = layer + (start >> BAND_BITS) * stride
    if (offset >= <u32>load<u8>(block)) {
      // The row cut at the block's edge. At offset 0 all of it lies in this block, which may be the
      // last one: the other half is then empty, and read from the same block.
      const row = rowBits(word)
      const lowRow = row << <u64>offset
      const highRow = offset == 0 ? 0 : row >> <u64>(BAND - offset)
      const gap = offset == 0 ? 0 : stride
      let wanted = fingerprint(word, width)
      let differences: u32 = 0
      // In two halves: most of the hashes that are not in the set end with the first.
      const end = block + stride
      const middle = block + 1 + ((width >> 1) << 3)
      let column = block + 1
      for (; column < middle; column += 8) {
        const bits = (load<u64>(column) & lowRow) ^ (load<u64>(column + gap) & highRow)
        differences |= <u32>popcnt<u64>(bits) ^ wanted
        wanted >>= 1
      }
      if ((differences & 1) != 0) return false
      for (; column < end; column += 8) {
        const bits = (load<u64>(column) & lowRow) ^ (load<u64>(column + gap) & highRow)
        differences |= <u32>popcnt<u64>(bits) ^ wanted
        wanted >>= 1
      }
      return (differences & 1) == 0
    }
    layer += blocks * stride
  }
  return false
}

/**
 * `ribbon_contains` for the hash in the 8 bytes at `hashAddress`: 1 may be in the set, 0 is not.
 */
export function ribbon_contains_at(address: usize, hashAddress: usize): i32 {
  return ribbon_contains(address, load<u64>(hashAddress)) ? 1 : 0
}
