/**
 * The V5 filter's arithmetic: seeds, and the equation that a key's hash becomes in a layer. Any
 * thread, no state. Constants and formulas are the file format's; another choice would be another
 * format.
 */
import { BURR_HEADER_BYTES, BURR_LAYER_HEADER_BYTES } from '../layout'

const GOLDEN: u64 = 0x9e3779b97f4a7c15

/** Slots that one equation spans, and slots that one threshold byte governs in what we write. */
export const BAND: u32 = 64
export const LAYERS_MAX: u32 = 4
// The shared layout's numbers are signed where a comparison with a length wants them unsigned.
export const HEADER_BYTES: u32 = BURR_HEADER_BYTES
export const LAYER_HEADER_BYTES: u32 = BURR_LAYER_HEADER_BYTES

/** SplitMix64's output function. */
// @ts-ignore: decorator
@inline
export function finalize(word: u64): u64 {
  const first = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9
  const second = (first ^ (first >> 27)) * 0x94d049bb133111eb
  return second ^ (second >> 31)
}

/** The seed of layer `index`. */
// @ts-ignore: decorator
@inline
export function layerSeed(rootSeed: u64, index: u32): u64 {
  return finalize(rootSeed + <u64>index * GOLDEN)
}

/** What the three parts of an equation are drawn from. */
// @ts-ignore: decorator
@inline
export function equationRoot(hash: u64, seed: u64): u64 {
  return (hash ^ seed) * GOLDEN
}

/**
 * The first slot, at most slots - 64: the high half of a 96-bit product, since `slots` fits 32
 * bits.
 */
// @ts-ignore: decorator
@inline
export function startSlot(root: u64, slots: u32): u32 {
  const draw = finalize(root + GOLDEN)
  const range = <u64>(slots - (BAND - 1))
  return <u32>(((draw >> 32) * range + (((draw & 0xffffffff) * range) >> 32)) >> 32)
}

/** The row: bit k stands for slot start + k; bit 0 is always set. */
// @ts-ignore: decorator
@inline
export function rowBits(root: u64): u64 {
  return finalize(root + GOLDEN * 2) | 1
}

/** The right-hand side, `width` bits. */
// @ts-ignore: decorator
@inline
export function fingerprint(root: u64, width: u32): u64 {
  return finalize(root + GOLDEN * 3) & (~(<u64>0) >> <u64>(64 - width))
}
