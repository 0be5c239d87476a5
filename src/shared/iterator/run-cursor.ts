/**
 * The calling thread's side of a cursor over one run (kernel `assembly/run-cursor.ts`): where its tables are, and the
 * blocks that it wants. The thread that owns the merge; scans and compactions alike.
 *
 * A block that the cache holds is pinned there and read in place. Any other one is copied into a buffer of the cursor's
 * own, so that it stays whatever the cache does meanwhile.
 */
import { SOURCE_CURSOR, SOURCE_STATE, SOURCE_WANTS_BLOCK, WANTED_DATA } from '../kernel/layout.js'
import {
  RUN_CURSOR_BYTES,
  RUN_CURSOR_TABLE,
  RUN_CURSOR_TABLE_COUNT,
  RUN_CURSOR_TABLES,
  RUN_CURSOR_WANTED_KIND,
  RUN_CURSOR_WANTED_OFFSET,
  RUN_CURSOR_WANTED_SIZE,
  RUN_CURSOR_WINDOW,
} from '../kernel/layout-cursor.js'
import type { ThreadEpoch } from '../memory/epochs.js'
import type { Heap } from '../memory/heap.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'
import type { BlockLoader, LoadedBlock } from '../table/block-loader.js'
import type { TableFile } from '../table/table-file.js'
import type { ViewTable } from '../table/view-table.js'
import { BlockWindow } from './block-window.js'

/** A block in memory, and whether it lies in the cache. */
export interface GivenBlock extends LoadedBlock {
  readonly isCached: boolean
}

/** Where cursors get their blocks from; what it gives is valid until it is asked again. */
export interface BlockGiver {
  /** The cache that cursors look into by themselves; 0 for none. */
  readonly cacheAddress: number
  /** Where cursors count what they found there; nowhere where it is left out. */
  readonly countersAddress?: number
  /** What the reader is in while it uses what the giver, or that cache, gives; none where no other thread fills it. */
  readonly epoch?: ThreadEpoch | undefined
  /** Undefined where the block is not at hand yet: the reader comes back when it is. */
  get(table: ViewTable, kind: number, offset: number, size: number): GivenBlock | undefined
}

/** First size of a cursor's block buffer: two default ones. */
const BLOCK_BYTES_FIRST = 8 * 1024

/** First size of the buffer for index partitions: one of the size that they are cut at, made resident. */
const PARTITION_BYTES_FIRST = 8 * 1024

/** A cursor's own buffers, made when they are first needed: for a data block, and for an index partition. */
export class CursorBuffers {
  readonly #heap: Heap
  #block: GrowingBuffer | undefined
  #partition: GrowingBuffer | undefined

  constructor(heap: Heap) {
    this.#heap = heap
  }

  get capacity(): number {
    return (this.#block?.capacity ?? 0) + (this.#partition?.capacity ?? 0)
  }

  /** The buffer for a block of this kind, with room for `bytes`. */
  reserve(kind: number, bytes: number): number {
    let buffer: GrowingBuffer
    if (kind === WANTED_DATA) {
      this.#block ??= new GrowingBuffer(this.#heap, BLOCK_BYTES_FIRST)
      buffer = this.#block
    } else {
      this.#partition ??= new GrowingBuffer(this.#heap, bytes)
      buffer = this.#partition
    }
    buffer.reserve(bytes)
    return buffer.address
  }

  dispose(): void {
    this.#block?.dispose()
    this.#partition?.dispose()
    this.#block = undefined
    this.#partition = undefined
  }
}

/** Gives a source in the state SOURCE_WANTS_BLOCK what it wants; false where the giver has it not at hand. */
export function feedSource(
  { shared }: Workspace,
  giver: BlockGiver,
  source: number,
  tables: readonly ViewTable[],
  buffers: CursorBuffers,
): boolean {
  const { kernel } = shared
  const cursor = shared.getU32(source + SOURCE_CURSOR)
  const number = shared.getI32(cursor + RUN_CURSOR_TABLE)
  const table = tables[number] as ViewTable
  const kind = shared.getU32(cursor + RUN_CURSOR_WANTED_KIND)
  const offset = shared.getU64(cursor + RUN_CURSOR_WANTED_OFFSET)
  const size = shared.getU32(cursor + RUN_CURSOR_WANTED_SIZE)
  const block = giver.get(table, kind, offset, size)
  if (block === undefined) return false
  if (block.isCached) {
    kernel.run_cursor_give(cursor, source, 0)
    const isStillWanted =
      shared.getU32(source + SOURCE_STATE) === SOURCE_WANTS_BLOCK &&
      shared.getI32(cursor + RUN_CURSOR_TABLE) === number &&
      shared.getU64(cursor + RUN_CURSOR_WANTED_OFFSET) === offset &&
      shared.getU32(cursor + RUN_CURSOR_WANTED_KIND) === kind
    if (!isStillWanted) return true
    // As many blocks are pinned as the cache lets be.
  }
  const target = buffers.reserve(kind, block.length)
  shared.bytes.copyWithin(target, block.address, block.address + block.length)
  kernel.run_cursor_give(cursor, source, target)
  return true
}

/**
 * A cursor over a whole run, front to back and past the cache, for merges that are put together source by source. Its data
 * blocks come through a window of its own; `partitions` loads what index partitions there are.
 */
export class RunCursor {
  readonly #workspace: Workspace
  readonly #partitions: BlockLoader
  readonly #tables: readonly ViewTable[]
  readonly #window: BlockWindow
  readonly #partition: GrowingBuffer
  readonly #cursor: number
  readonly #list: number
  readonly #onRead: (bytes: number) => void
  /** What was told of the window's blocks so far. */
  #taken = 0

  /** @param onRead called for what was used of the file, now and then */
  constructor(
    workspace: Workspace,
    partitions: BlockLoader,
    tables: readonly ViewTable[],
    onRead: (bytes: number) => void,
  ) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    this.#partitions = partitions
    this.#tables = tables
    this.#onRead = onRead
    this.#window = new BlockWindow(workspace)
    this.#partition = new GrowingBuffer(heap, PARTITION_BYTES_FIRST)
    this.#cursor = heap.allocate(RUN_CURSOR_BYTES)
    this.#list = heap.allocate(4 * tables.length)
    tables.forEach(({ address }, i) => {
      shared.setU32(this.#list + 4 * i, address)
    })
    shared.bytes.fill(0, this.#cursor, this.#cursor + RUN_CURSOR_BYTES)
    shared.setU32(this.#cursor + RUN_CURSOR_TABLES, this.#list)
    shared.setU32(this.#cursor + RUN_CURSOR_TABLE_COUNT, tables.length)
    shared.setU32(this.#cursor + RUN_CURSOR_WINDOW, this.#window.address)
  }

  /** Makes `source` this run's, on its first entry; on the first one behind the key at `after`, where there is one. */
  open(source: number, after?: { readonly address: number; readonly length: number }): void {
    const { shared } = this.#workspace
    shared.setU32(source + SOURCE_CURSOR, this.#cursor)
    const { address, length } = after ?? { address: 0, length: 0 }
    shared.kernel.run_cursor_seek(this.#cursor, source, address, length, 1)
    while (shared.getU32(source + SOURCE_STATE) === SOURCE_WANTS_BLOCK) this.feed(source)
  }

  /** SOURCE_WANTS_BLOCK: gives the source the block that it wants; it may want the next one already. */
  feed(source: number): void {
    const { shared } = this.#workspace
    const number = shared.getI32(this.#cursor + RUN_CURSOR_TABLE)
    const { table } = this.#tables[number] as ViewTable
    const offset = shared.getU64(this.#cursor + RUN_CURSOR_WANTED_OFFSET)
    const size = shared.getU32(this.#cursor + RUN_CURSOR_WANTED_SIZE)
    if (shared.getU32(this.#cursor + RUN_CURSOR_WANTED_KIND) !== WANTED_DATA) {
      this.#onRead(size)
      this.#give(source, this.#loadPartition(table, offset, size))
      return
    }
    const before = this.#taken
    // Where the kernel does not take the block from the window, it is still wanted, and comes here again.
    const isThere = this.#window.moveTo(number, table, offset, size)
    this.#give(source, isThere ? 0 : this.#window.load(number, table, offset, size).address)
    this.#taken = this.#window.takenBytes
    this.#onRead(this.#taken - before)
  }

  dispose(): void {
    const { heap } = this.#workspace
    this.#window.dispose()
    this.#partition.dispose()
    heap.free(this.#cursor)
    heap.free(this.#list)
  }

  #give(source: number, block: number): void {
    this.#workspace.shared.kernel.run_cursor_give(this.#cursor, source, block)
  }

  /** An index partition, where it stays while its blocks are read. */
  #loadPartition(table: TableFile, offset: number, size: number): number {
    const { bytes } = this.#workspace.shared
    const block = this.#partitions.loadIndex(table, offset, size, 0, table.meta.dataBytes)
    this.#partition.reserve(block.length)
    bytes.copyWithin(this.#partition.address, block.address, block.address + block.length)
    return this.#partition.address
  }
}
