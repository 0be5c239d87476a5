/**
 * Back substitution of a ribbon layer into its interleaved form: four columns at a time, each with
 * the 64 solution bits after the current slot in one register. One thread, as the build it belongs
 * to.
 */
import { BAND, blockBytes } from './ribbon-equation'
import { SLOT_BITS, SLOT_VALUE } from './ribbon-fill'

/** The next solution bit of a column put in front of those after it. */
// @ts-ignore: decorator
@inline
function solveSlot(after: u64, row: u64, value: u32): u64 {
  return (after << 1) | ((popcnt<u64>(row & after) ^ <u64>value) & 1)
}

/**
 * Writes the words of all blocks of a layer at `layer`. A slot without an equation has row and
 * value 0 and so comes out as 0. Columns beyond the width are computed in the last group of four,
 * and come out as zeros not stored.
 */
export function substituteBack(
  rows: usize,
  blocks: u32,
  width: u32,
  layer: usize,
): void {
  const stride = <usize>blockBytes(width)
  for (let column: u32 = 0; column < width; column += 4) {
    let after0: u64 = 0
    let after1: u64 = 0
    let after2: u64 = 0
    let after3: u64 = 0
    let slot = rows + ((<usize>blocks * BAND) << SLOT_BITS)
    let words = layer + <usize>blocks * stride + 1 + ((<usize>column) << 3)
    for (let block = blocks; block > 0; block--) {
      const first = slot - (<usize>BAND << SLOT_BITS)
      do {
        slot -= 1 << SLOT_BITS
        // Bit 0 is the slot itself; what is left lines up with the bits after it.
        const row = load<u64>(slot) >> 1
        const value = load<u32>(slot, SLOT_VALUE) >> column
        after0 = solveSlot(after0, row, value)
        after1 = solveSlot(after1, row, value >> 1)
        after2 = solveSlot(after2, row, value >> 2)
        after3 = solveSlot(after3, row, value >> 3)
      } while (slot > first)
      words -= stride
      store<u64>(words, after0)
      if (column + 1 < width) store<u64>(words, after1, 8)
      if (column + 2 < width) store<u64>(words, after2, 16)
      if (column + 3 < width) store<u64>(words, after3, 24)
    }
  }
}
