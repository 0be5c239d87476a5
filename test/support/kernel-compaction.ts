/**
 * Drives the compaction kernel over a {@link KernelMerge} as the actor does, but keeps the finished
 * blocks as lists of versions instead of writing them to a file.
 */
import {
  EVENT_BLOCK_FULL,
  EVENT_DONE,
  EVENT_HASHES_FULL,
  EVENT_NO_SPACE,
  EVENT_ROTATE,
  EVENT_WANTS_BLOCK,
  EVENT_YIELD,
  TABLE_SUMS_BYTES,
  TABLE_SUMS_HASHES,
  TABLE_SUMS_HASHES_CAPACITY,
  TABLE_SUMS_HASHES_COUNT,
  TABLE_SUMS_ITEM_COUNT,
  TABLE_SUMS_KEY_BYTES,
  TABLE_SUMS_KEY_COUNT,
  TABLE_SUMS_LAST_KEY,
  TABLE_SUMS_SEQNO_MAX,
  TABLE_SUMS_SEQNO_MIN,
  TABLE_SUMS_TOMBSTONE_COUNT,
  TABLE_SUMS_VALUE_BYTES,
  TABLE_SUMS_WEAK_COUNT,
  TABLE_SUMS_WEAK_RECLAIMABLE,
} from '../../src/shared/kernel/layout.js'
import {
  COMPACTION_BLOCK_SIZE,
  COMPACTION_BYTES,
  COMPACTION_ENTRIES_DROPPED,
  COMPACTION_ENTRIES_IN,
  COMPACTION_EVICT,
  COMPACTION_EXACT,
  COMPACTION_KEY,
  COMPACTION_MERGE,
  COMPACTION_ROTATE,
  COMPACTION_SUMS,
  COMPACTION_WATERMARK,
  COMPACTION_WRITER,
} from '../../src/shared/kernel/layout-compaction.js'
import { decodeDataBody } from '../../src/shared/kernel/reference/restart-block.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import type { Workspace } from '../../src/shared/memory/workspace.js'
import { BlockBuilder } from '../../src/shared/table/block-builder.js'
import type { KernelMerge } from './kernel-merge.js'

const KEY_ROOM = 65_535 + 8

export interface CompactionCall {
  readonly watermark: number
  readonly evicts: boolean
  readonly isExact?: boolean
  readonly blockSize: number
  readonly restartInterval?: number
  readonly hashRatio?: number
  /** First size of the block buffer. */
  readonly bufferBytes?: number
  /** Hashes that fit at a time; 0 for none. */
  readonly hashCapacity?: number
  /** Asked after each sealed block: is the table large enough? */
  readonly rotates?: () => boolean
}

/** What the kernel summed up for one table. */
export interface TableSums {
  readonly itemCount: number
  readonly keyCount: number
  readonly tombstoneCount: number
  readonly weakCount: number
  readonly weakReclaimable: number
  readonly keyBytes: number
  readonly valueBytes: number
  readonly seqnoMin: number
  readonly seqnoMax: number
}

export interface CompactedTable {
  readonly blocks: Version[][]
  readonly hashes: bigint[]
  readonly sums: TableSums
}

export interface CompactionOutcome {
  readonly tables: CompactedTable[]
  readonly events: Map<number, number>
  readonly entriesIn: number
  readonly entriesDropped: number
}

class CompactionRun {
  readonly tables: CompactedTable[] = []
  readonly events = new Map<number, number>()
  readonly #workspace: Workspace
  readonly #builder: BlockBuilder
  readonly #sums: number
  readonly #compaction: number
  readonly #pieces: number[] = []
  #blocks: Version[][] = []
  #hashes: bigint[] = []

  constructor(workspace: Workspace, merge: KernelMerge, call: CompactionCall) {
    const { restartInterval = 4, hashRatio = 0, bufferBytes = 64, hashCapacity = 0 } = call
    const { shared } = workspace
    this.#workspace = workspace
    this.#builder = new BlockBuilder(workspace, { bytes: bufferBytes, restartInterval, hashRatio })
    this.#sums = this.#take(TABLE_SUMS_BYTES)
    this.#compaction = this.#take(COMPACTION_BYTES)
    const set = (field: number, value: number): void =>
      shared.setU32(this.#compaction + field, value)
    set(COMPACTION_MERGE, merge.address)
    set(COMPACTION_WRITER, this.#builder.address)
    set(COMPACTION_SUMS, this.#sums)
    set(COMPACTION_EVICT, call.evicts ? 1 : 0)
    set(COMPACTION_EXACT, call.isExact === true ? 1 : 0)
    set(COMPACTION_BLOCK_SIZE, call.blockSize)
    set(COMPACTION_KEY, this.#take(KEY_ROOM))
    shared.setU64(this.#compaction + COMPACTION_WATERMARK, call.watermark)
    shared.setU32(this.#sums + TABLE_SUMS_LAST_KEY, this.#take(KEY_ROOM))
    if (hashCapacity > 0) {
      shared.setU32(this.#sums + TABLE_SUMS_HASHES, this.#take(8 * hashCapacity))
      shared.setU32(this.#sums + TABLE_SUMS_HASHES_CAPACITY, hashCapacity)
    }
    shared.kernel.table_sums_reset(this.#sums)
  }

  /** Runs to the end; the entries that came in and those that went. */
  run(merge: KernelMerge, rotates: () => boolean): [entriesIn: number, dropped: number] {
    const { shared } = this.#workspace
    const setRotate = (): void => {
      shared.setU32(this.#compaction + COMPACTION_ROTATE, rotates() ? 1 : 0)
    }
    for (let event = -1; event !== EVENT_DONE; ) {
      event = shared.kernel.compaction_run(this.#compaction)
      this.events.set(event, (this.events.get(event) ?? 0) + 1)
      if (event === EVENT_WANTS_BLOCK) merge.giveWanted()
      else if (event === EVENT_NO_SPACE) this.#builder.grow()
      else if (event === EVENT_HASHES_FULL) this.#takeHashes()
      else if (event === EVENT_BLOCK_FULL) {
        this.#takeBlock()
        setRotate()
      } else if (event === EVENT_ROTATE) {
        this.#takeTable()
        shared.setU32(this.#compaction + COMPACTION_ROTATE, 0)
      } else if (event !== EVENT_YIELD && event !== EVENT_DONE) throw new Error(`event ${event}`)
    }
    this.#takeTable()
    const entriesIn = shared.getU64(this.#compaction + COMPACTION_ENTRIES_IN)
    const dropped = shared.getU64(this.#compaction + COMPACTION_ENTRIES_DROPPED)
    this.#builder.dispose()
    for (const piece of this.#pieces) this.#workspace.heap.free(piece)
    return [entriesIn, dropped]
  }

  #take(bytes: number): number {
    const address = this.#workspace.heap.allocate(bytes)
    this.#workspace.shared.bytes.fill(0, address, address + bytes)
    this.#pieces.push(address)
    return address
  }

  #takeBlock(): void {
    const { shared } = this.#workspace
    if (this.#builder.entryCount === 0) return
    const length = shared.kernel.block_writer_finish(this.#builder.address)
    const body = Uint8Array.from(shared.view(this.#builder.bodyAddress, length))
    const versions = decodeDataBody(body)
    if (typeof versions === 'number') throw new Error(`the block is malformed: ${versions}`)
    this.#blocks.push(versions)
    this.#builder.reset()
  }

  #takeHashes(): void {
    const { shared } = this.#workspace
    const count = shared.getU32(this.#sums + TABLE_SUMS_HASHES_COUNT)
    const at = shared.getU32(this.#sums + TABLE_SUMS_HASHES)
    for (let i = 0; i < count; i++) this.#hashes.push(shared.buffer.readBigUInt64LE(at + 8 * i))
    shared.setU32(this.#sums + TABLE_SUMS_HASHES_COUNT, 0)
  }

  #takeTable(): void {
    const { shared } = this.#workspace
    this.#takeBlock()
    this.#takeHashes()
    if (this.#blocks.length === 0) return
    const sum = (field: number): number => shared.getU64(this.#sums + field)
    const sums = {
      itemCount: sum(TABLE_SUMS_ITEM_COUNT),
      keyCount: sum(TABLE_SUMS_KEY_COUNT),
      tombstoneCount: sum(TABLE_SUMS_TOMBSTONE_COUNT),
      weakCount: sum(TABLE_SUMS_WEAK_COUNT),
      weakReclaimable: sum(TABLE_SUMS_WEAK_RECLAIMABLE),
      keyBytes: sum(TABLE_SUMS_KEY_BYTES),
      valueBytes: sum(TABLE_SUMS_VALUE_BYTES),
      seqnoMin: sum(TABLE_SUMS_SEQNO_MIN),
      seqnoMax: sum(TABLE_SUMS_SEQNO_MAX),
    }
    this.tables.push({ blocks: this.#blocks, hashes: this.#hashes, sums })
    this.#blocks = []
    this.#hashes = []
    shared.kernel.table_sums_reset(this.#sums)
  }
}

export function runCompaction(
  workspace: Workspace,
  merge: KernelMerge,
  call: CompactionCall,
): CompactionOutcome {
  const run = new CompactionRun(workspace, merge, call)
  const [entriesIn, entriesDropped] = run.run(merge, call.rotates ?? (() => false))
  return { tables: run.tables, events: run.events, entriesIn, entriesDropped }
}
