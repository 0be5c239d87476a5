/**
 * Keys of a table, evenly spread, from the part of its index that lies in memory: where a merge can be cut. Any thread that
 * may read the resident table.
 */
import {
  INDEX_COUNT,
  INDEX_HEADS,
  INDEX_RECORD_BYTES,
  INDEX_RECORD_KEY,
  INDEX_RECORD_KEY_LENGTH,
  TABLE_INDEX,
} from '../kernel/layout.js'
import type { SharedMemory } from '../memory/shared-memory.js'
import type { ResidentTable } from './resident-table.js'

/** At most `count` end keys of blocks, or of index partitions, ascending; the last one is the table's last. */
export function sampleKeys(
  shared: SharedMemory,
  table: ResidentTable,
  count: number,
): Uint8Array[] {
  const index = shared.getU32(table.address + TABLE_INDEX)
  const entries = shared.getU32(index + INDEX_COUNT)
  const wanted = Math.min(count, entries)
  return Array.from({ length: wanted }, (_, i) => {
    const number = Math.ceil(((i + 1) * entries) / wanted) - 1
    const record = index + INDEX_HEADS + 8 * entries + number * INDEX_RECORD_BYTES
    const key = index + shared.getU32(record + INDEX_RECORD_KEY)
    return shared.copy(key, shared.getU32(record + INDEX_RECORD_KEY_LENGTH))
  })
}
