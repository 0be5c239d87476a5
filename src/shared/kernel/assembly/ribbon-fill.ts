/**
 * The echelon form of a ribbon layer: adding equations to it, one block's at a time. One thread, as the build it belongs
 * to.
 *
 *     slot, 16 bytes: row u64, bit 0 standing for the slot itself; 0 where the slot is empty | value u32 | 4 unused
 *
 * An equation goes from pivot to pivot until it comes to an empty slot: a chain of dependent loads, two dozen of them, and
 * the build's main cost. So three equations go at once; for more there are not enough registers. One that has come to its
 * empty slot stays there by itself: the pivot 0 changes nothing. Only then do they enter, in order, and go on where the
 * one before took their slot.
 *
 * I1: what is kept is what adding one equation after the other would keep: an equation is refuted or implied by pivots
 *     that are there already, which more pivots do not change.
 */
import { fingerprint, rowBits, startSlot } from './ribbon-equation'

/** log2 of the bytes of a slot. */
export const SLOT_BITS: usize = 4
/** Where a slot's value lies. */
export const SLOT_VALUE: usize = 8

const EQUATION_IMPLIED: usize = 0
const EQUATION_REFUTED: usize = 1

// @ts-ignore: decorator
/**
 * Takes an equation on from where it stands, to the slot that it then holds. RETURNS that slot's address,
 * EQUATION_IMPLIED or EQUATION_REFUTED.
 */
@inline
function enter(at: usize, bits: u64, value: u32): usize {
  while (bits != 0) {
    const step = ctz<u64>(bits)
    at += <usize>step << SLOT_BITS
    bits >>= step
    const pivot = load<u64>(at)
    if (pivot == 0) {
      store<u64>(at, bits)
      store<u32>(at, value, SLOT_VALUE)
      return at
    }
    bits ^= pivot
    value ^= load<u32>(at, SLOT_VALUE)
  }
  return value == 0 ? EQUATION_IMPLIED : EQUATION_REFUTED
}

/**
 * The equation of the word at `at` is refuted: takes those of its offset before it out again. RETURNS the offset's first
 * word.
 */
function takeBack(words: usize, at: usize, slots: u32, taken: usize): usize {
  const start = startSlot(load<u64>(at), slots)
  while (at > words && startSlot(load<u64>(at - 8), slots) == start) {
    at -= 8
    const slot = <usize>load<u32>(taken + ((at - words) >> 1))
    if (slot != EQUATION_IMPLIED) v128.store(slot, i64x2.splat(0))
  }
  return at
}

/**
 * Adds the equations of one block, sorted by offset, until an offset's contradict. RETURNS the address of the first word
 * that is not kept: that offset's first, and its equations have been taken out again. `taken` takes 4 bytes a word: the
 * slot of each.
 */
export function fillBlock(
  rows: usize,
  taken: usize,
  words: usize,
  end: usize,
  slots: u32,
  width: u32,
): usize {
  let slotAt = taken
  for (let at = words; at < end; at += 24, slotAt += 12) {
    const lanes = min<usize>(3, (end - at) >> 3)
    const word0 = load<u64>(at)
    const start0 = startSlot(word0, slots)
    let at0 = rows + (<usize>start0 << SLOT_BITS)
    let bits0 = rowBits(word0)
    let value0 = fingerprint(word0, width)
    const word1 = lanes > 1 ? load<u64>(at, 8) : word0
    const start1 = startSlot(word1, slots)
    let at1 = rows + (<usize>start1 << SLOT_BITS)
    let bits1 = rowBits(word1)
    let value1 = fingerprint(word1, width)
    const word2 = lanes > 2 ? load<u64>(at, 16) : word0
    const start2 = startSlot(word2, slots)
    let at2 = rows + (<usize>start2 << SLOT_BITS)
    let bits2 = rowBits(word2)
    let value2 = fingerprint(word2, width)
    while (true) {
      const pivot0 = load<u64>(at0)
      const pivot1 = load<u64>(at1)
      const pivot2 = load<u64>(at2)
      if ((pivot0 | pivot1 | pivot2) == 0) break
      value0 ^= load<u32>(at0, SLOT_VALUE)
      value1 ^= load<u32>(at1, SLOT_VALUE)
      value2 ^= load<u32>(at2, SLOT_VALUE)
      bits0 ^= pivot0
      bits1 ^= pivot1
      bits2 ^= pivot2
      if (bits0 == 0 || bits1 == 0 || bits2 == 0) break
      const step0 = ctz<u64>(bits0)
      at0 += <usize>step0 << SLOT_BITS
      bits0 >>= step0
      const step1 = ctz<u64>(bits1)
      at1 += <usize>step1 << SLOT_BITS
      bits1 >>= step1
      const step2 = ctz<u64>(bits2)
      at2 += <usize>step2 << SLOT_BITS
      bits2 >>= step2
    }
    const slot0 = enter(at0, bits0, value0)
    if (slot0 == EQUATION_REFUTED) return takeBack(words, at, slots, taken)
    store<u32>(slotAt, <u32>slot0)
    if (lanes == 1) break
    const slot1 = enter(at1, bits1, value1)
    if (slot1 == EQUATION_REFUTED) return takeBack(words, at + 8, slots, taken)
    store<u32>(slotAt, <u32>slot1, 4)
    if (lanes == 2) break
    const slot2 = enter(at2, bits2, value2)
    if (slot2 == EQUATION_REFUTED) return takeBack(words, at + 16, slots, taken)
    store<u32>(slotAt, <u32>slot2, 8)
  }
  return end
}
