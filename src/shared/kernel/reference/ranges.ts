/**
 * Which range tombstone covers a key (semantics.md 21.1), by looking at all of them. The oracle of the range kernels. Any
 * thread; tests and benches only.
 */
import { compareBytes } from './memtable.js'

export interface ReferenceRange {
  /** Inclusive. */
  readonly start: Uint8Array
  /** Exclusive. */
  readonly end: Uint8Array
  readonly seqno: number
}

/** The highest seqno below `seqno` of a range tombstone that covers the key; -1 where none does. */
export function coverOf(ranges: readonly ReferenceRange[], key: Uint8Array, seqno: number): number {
  let highest = -1
  for (const range of ranges) {
    if (range.seqno >= seqno) continue
    if (compareBytes(range.start, key) > 0 || compareBytes(key, range.end) >= 0) continue
    highest = Math.max(highest, range.seqno)
  }
  return highest
}
