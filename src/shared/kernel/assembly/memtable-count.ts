// Counts the entries of a stretch of a memtable, for estimates. Lock-free, any thread; the cursor is the caller's.
import { MEMTABLE_CURSOR_ENTRY } from '../layout'
import { memtable_cursor_next } from './memtable-cursor'
import { entry_compare_key, entry_seqno } from './memtable-entry'

/**
 * The number of entries with a seqno below `seqno` from where the cursor stands up to `upper`, itself counted where
 * `isInclusive` is 1; to the end where `upper` is 0. The cursor is moved there.
 */
export function memtable_count_upto(
  cursor: usize,
  upper: usize,
  upperLength: i32,
  isInclusive: i32,
  seqno: f64,
): i32 {
  const limit = <u64>seqno
  let entry = <usize>load<u32>(cursor, MEMTABLE_CURSOR_ENTRY)
  let count = 0
  while (entry != 0) {
    if (upper != 0 && entry_compare_key(entry, upper, upperLength) >= isInclusive) break
    if (entry_seqno(entry) < limit) count++
    entry = memtable_cursor_next(cursor)
  }
  return count
}
