/**
 * The echelon form of a ribbon layer: adding equations to it, one block's at a time. One thread, as the build it belongs
 * to.
 *
 *     slot, 16 bytes: row u64, bit 0 standing for the slot itself; 0 where the slot is empty | value u32 | 4 unused
 *
 * An equation goes from pivot to pivot until it comes to an empty slot: a chain of dependent loads, two dozen of them, and
 * the build's main cost. So three equations go at once: with more there are not enough registers. One that has come to its empty slot stays there by itself: the
 * pivot 0 changes nothing. Only then do they enter, in order, and go on where the one before took their slot.
 *
 * I1: what is kept is what adding one equation after the other would keep: an equation is refuted or implied by pivots
 *     that are there already, which more pivots do not change.
 */
import { BAND, BAND_BITS, fingerprint, rowBits, startSlot } from './ribbon-equation'

/** log2 of the bytes of a slot. */
export const SLOT_BITS: usize = 4
/** Where a slot's value lies. */
export const SLOT_VALUE: usize = 8

/** Bytes of the list of slots that the equations of one offset took: they span 64 slots between them. */
const LISTED_BYTES: usize = 256
// A lane between the common and the single steps: bits u64 | address u32 | value u32 | first slot u32.
const LANE_AT: usize = 8
const LANE_VALUE: usize = 12
const LANE_START: usize = 16
const LANE_BYTES: usize = 24
/** Bytes of the list and of the lanes. */
export const FILLED_BYTES: usize = LISTED_BYTES + 3 * LANE_BYTES

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

// @ts-ignore: decorator
@inline
function keep(lane: usize, start: u32, at: usize, bits: u64, value: u32): void {
  store<u64>(lane, bits)
  store<u32>(lane, <u32>at, LANE_AT)
  store<u32>(lane, value, LANE_VALUE)
  store<u32>(lane, start, LANE_START)
}

/** Takes the slots of the offset at hand out again. */
function empty(filled: usize, end: usize): void {
  for (; filled < end; filled += 4) v128.store(<usize>load<u32>(filled), i64x2.splat(0))
}

/**
 * Adds the equations of one block, sorted by offset, until an offset's contradict. RETURNS the address of the first word
 * that is not kept: that offset's first, and its equations have been taken out again.
 */
export function fillBlock(
  rows: usize,
  filled: usize,
  words: usize,
  end: usize,
  slots: u32,
  width: u32,
): usize {
  const lane = filled + LISTED_BYTES
  let offset = BAND
  let offsetFirst = words
  let filledEnd = filled
  while (words < end) {
    const lanes = min<usize>(3, (end - words) >> 3)
    const word0 = load<u64>(words)
    const start0 = startSlot(word0, slots)
    let at0 = rows + (<usize>start0 << SLOT_BITS)
    let bits0 = rowBits(word0)
    let value0 = fingerprint(word0, width)
    const word1 = lanes > 1 ? load<u64>(words, 8) : word0
    const start1 = startSlot(word1, slots)
    let at1 = rows + (<usize>start1 << SLOT_BITS)
    let bits1 = rowBits(word1)
    let value1 = fingerprint(word1, width)
    const word2 = lanes > 2 ? load<u64>(words, 16) : word0
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
    keep(lane + 0 * LANE_BYTES, start0, at0, bits0, value0)
    keep(lane + 1 * LANE_BYTES, start1, at1, bits1, value1)
    keep(lane + 2 * LANE_BYTES, start2, at2, bits2, value2)
    const last = words + (lanes << 3)
    for (let at = lane; words < last; words += 8, at += LANE_BYTES) {
      const start = load<u32>(at, LANE_START)
      if ((start & (BAND - 1)) != offset) {
        offset = start & (BAND - 1)
        offsetFirst = words
        filledEnd = filled
      }
      const slot = enter(<usize>load<u32>(at, LANE_AT), load<u64>(at), load<u32>(at, LANE_VALUE))
      if (slot > EQUATION_REFUTED) {
        store<u32>(filledEnd, <u32>slot)
        filledEnd += 4
      } else if (slot == EQUATION_REFUTED) {
        empty(filled, filledEnd)
        return offsetFirst
      }
    }
  }
  return end
}
