/**
 * A memtable's range tombstones: a chain of records in its arena, newest insertion first, beside the tree. One writer;
 * any number of readers.
 *
 * I1: a record is whole before MEMTABLE_RANGE_NEWEST leads to it; nothing of it changes afterwards.
 */

import { ENTRY_LINK } from '../layout'
import { KIND_RANGE_TOMBSTONE, MEMTABLE_RANGE_COUNT, MEMTABLE_RANGE_NEWEST } from '../layout-ranges'
import { memtable_take_entry } from './memtable'

/** Publishes the range tombstone whose start and end were copied to the address that `memtable_reserve` gave. */
export function memtable_commit_range(
  base: usize, startLength: i32, endLength: i32, seqno: f64,
): void {
  const record = memtable_take_entry(base, startLength, endLength, KIND_RANGE_TOMBSTONE, <u64>seqno)
  store<u32>(record, load<u32>(base, MEMTABLE_RANGE_NEWEST), ENTRY_LINK)
  store<u32>(base, load<u32>(base, MEMTABLE_RANGE_COUNT) + 1, MEMTABLE_RANGE_COUNT)
  atomic.store<u32>(base, <u32>record, MEMTABLE_RANGE_NEWEST)
}
