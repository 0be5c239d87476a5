/**
 * Range tombstones out of a memtable's arena, as plain copies: for flushes and change data capture. Any thread.
 */
import type { RangeTombstone } from '../format/range-tombstone.js'
import {
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_LINK,
  ENTRY_SEQNO,
  ENTRY_VALUE_LENGTH,
} from '../kernel/layout.js'
import { MEMTABLE_RANGE_NEWEST } from '../kernel/layout-ranges.js'
import type { SharedMemory } from '../memory/shared-memory.js'

/** The range tombstones of the memtable at `address`, in order of insertion. */
export function readRangeRecords(shared: SharedMemory, address: number): RangeTombstone[] {
  const found: RangeTombstone[] = []
  let record = shared.loadU32(address + MEMTABLE_RANGE_NEWEST)
  while (record !== 0) {
    const startLength = shared.getU32(record + ENTRY_KEY_LENGTH) & 0xffff
    const endLength = shared.getU32(record + ENTRY_VALUE_LENGTH)
    const start = record + ENTRY_KEY
    found.push({
      start: shared.copy(start, startLength),
      end: shared.copy(start + startLength, endLength),
      seqno: shared.getU64(record + ENTRY_SEQNO),
    })
    record = shared.getU32(record + ENTRY_LINK)
  }
  return found.reverse()
}
