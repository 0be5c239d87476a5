/**
 * Keys of a table from its index: where a merge can be cut, and where in the file they lie. Any thread that may read the
 * resident table.
 */
import {
  INDEX_COUNT,
  INDEX_HEADS,
  INDEX_RECORD_BYTES,
  INDEX_RECORD_KEY,
  INDEX_RECORD_KEY_LENGTH,
  INDEX_RECORD_OFFSET,
  INDEX_RECORD_SIZE,
  TABLE_INDEX,
} from '../kernel/layout.js'
import type { SharedMemory } from '../memory/shared-memory.js'
import type { Workspace } from '../memory/workspace.js'
import type { BlockLoader } from './block-loader.js'
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

/** The entry of an index: how a block or a partition ends, and where it is. */
interface IndexEntry {
  readonly key: Uint8Array
  readonly offset: number
  readonly size: number
}

function entryOf(shared: SharedMemory, index: number, number: number): IndexEntry {
  const entries = shared.getU32(index + INDEX_COUNT)
  const record = index + INDEX_HEADS + 8 * entries + number * INDEX_RECORD_BYTES
  const key = index + shared.getU32(record + INDEX_RECORD_KEY)
  return {
    key: shared.view(key, shared.getU32(record + INDEX_RECORD_KEY_LENGTH)),
    offset: shared.getU64(record + INDEX_RECORD_OFFSET),
    size: shared.getU32(record + INDEX_RECORD_SIZE),
  }
}

/** The first entry of an index that ends at `key` or behind it; undefined where all end before. */
function firstReaching(
  shared: SharedMemory,
  index: number,
  key: Uint8Array,
): IndexEntry | undefined {
  let low = 0
  let high = shared.getU32(index + INDEX_COUNT)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (shared.order.compare(entryOf(shared, index, middle).key, key) < 0) low = middle + 1
    else high = middle
  }
  return low < shared.getU32(index + INDEX_COUNT) ? entryOf(shared, index, low) : undefined
}

/** Where the first data block begins that may hold `key` or something behind it; the end of all data where none may. */
export function dataOffsetOf(
  { shared }: Workspace,
  loader: BlockLoader,
  resident: ResidentTable,
  key: Uint8Array,
): number {
  const { table } = resident
  const { dataBytes } = table.meta
  const top = firstReaching(shared, shared.getU32(resident.address + TABLE_INDEX), key)
  if (top === undefined || !table.isTwoLevel) return top?.offset ?? dataBytes
  const partition = loader.loadIndex(table, top.offset, top.size, 0, dataBytes)
  return firstReaching(shared, partition.address, key)?.offset ?? dataBytes
}

/** A key at which a table can be cut: the last one of a block, or of an index partition. */
export interface CutKey {
  readonly key: Uint8Array
  /** Bytes of the table's data between the cut before and this one, as far as they are this table's. */
  readonly bytes: number
}

/** An index of so many partitions is fine enough to cut at their ends. */
const PARTITIONS_FINE = 32

/** The cut keys of a table, ascending, those below its restriction left out; the last one is the table's last key. */
export function cutKeys(
  { shared }: Workspace,
  loader: BlockLoader,
  resident: ResidentTable,
): CutKey[] {
  const { table } = resident
  const { dataBytes } = table.meta
  const { restriction } = resident.placement
  const top = shared.getU32(resident.address + TABLE_INDEX)
  const count = shared.getU32(top + INDEX_COUNT)
  const cuts: CutKey[] = []
  const add = (key: Uint8Array, bytes: number): void => {
    if (restriction !== undefined && shared.order.compare(key, restriction) < 0) return
    cuts.push({ key: Uint8Array.from(key), bytes })
  }
  for (let i = 0; i < count; i++) {
    const { key, offset, size } = entryOf(shared, top, i)
    if (!table.isTwoLevel) {
      add(key, size)
    } else if (count >= PARTITIONS_FINE) {
      // Partitions do not tell how much their data is: about the same each.
      add(key, Math.ceil(dataBytes / count))
    } else {
      const { address } = loader.loadIndex(table, offset, size, 0, dataBytes)
      for (let block = 0; block < shared.getU32(address + INDEX_COUNT); block++) {
        const entry = entryOf(shared, address, block)
        add(entry.key, entry.size)
      }
    }
  }
  return cuts
}
