/**
 * The compact filter's arithmetic: how a hash becomes an equation in a layer. Any thread, no state.
 *
 * A layer mixes the word that the layer before it has mixed, not the hash again: what is bumped can
 * then travel as that word, and nothing must be looked up or undone.
 */
import {
  RIBBON_BLOCK_COUNT_BITS,
  RIBBON_HEADER_BYTES,
  RIBBON_LAYER_BYTES,
  RIBBON_LAYERS_MAX,
} from '../layout'

// The shared layout's numbers are signed where a comparison with a length wants them unsigned.
export const HEADER_BYTES: u32 = RIBBON_HEADER_BYTES
export const LAYER_BYTES: u32 = RIBBON_LAYER_BYTES
export const LAYERS_MAX: u32 = RIBBON_LAYERS_MAX
export const SEED_SHIFT: u32 = RIBBON_BLOCK_COUNT_BITS
/** 2^26 blocks are 2^32 slots, one more than a slot number can count. */
export const BLOCKS_MAX: u32 = (1 << RIBBON_BLOCK_COUNT_BITS) - 1
export const SEED_COUNT: u32 = 1 << (32 - RIBBON_BLOCK_COUNT_BITS)

/** Slots of a block, and the slots that one equation spans. */
export const BAND: u32 = 64
/** log2 of BAND. */
export const BAND_BITS: u32 = 6

/** Bytes of a block: its threshold, then one word a column. */
// @ts-ignore: decorator
@inline
export function blockBytes(width: u32): u32 {
  return 1 + (width << 3)
}

/**
 * The word that a layer with this seed makes of the one before it; a bijection, so distinct keys
 * stay distinct.
 */
// @ts-ignore: decorator
@inline
export function mixWord(word: u64, seed: u32): u64 {
  const seeded = word ^ ((<u64>seed + 1) * 0x9e3779b97f4a7c15)
  const first = (seeded ^ (seeded >> 32)) * 0xbea225f9eb34556d
  const second = (first ^ (first >> 29)) * 0xbea225f9eb34556d
  return second ^ (second >> 32)
}

/** The first slot, at most slots - 64, ascending with the word. */
// @ts-ignore: decorator
@inline
export function startSlot(word: u64, slots: u32): u32 {
  return <u32>(((word >> 32) * <u64>(slots - (BAND - 1))) >> 32)
}

/**
 * The row: bit k stands for slot start + k; bit 0 is always set, so that elimination has its pivot.
 */
// @ts-ignore: decorator
@inline
export function rowBits(word: u64): u64 {
  const product = word * 0xd6e8feb86659fd93
  return product ^ (product >> 32) | 1
}

/**
 * The right-hand side, `width` bits: the top of a product, which all bits of the word have a say
 * in.
 */
// @ts-ignore: decorator
@inline
export function fingerprint(word: u64, width: u32): u32 {
  return <u32>((word * 0xa0761d6478bd642f) >> <u64>(64 - width))
}
