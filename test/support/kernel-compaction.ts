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
  MERGE_HEAP,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_SEQNO,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
} from '../../src/shared/kernel/layout.js'
import {
  COMPACTION_APPLIES,
  COMPACTION_BLOCK_SIZE,
  COMPACTION_BYTES,
  COMPACTION_ENTRIES_DROPPED,
  COMPACTION_ENTRIES_IN,
  COMPACTION_EVICT,
  COMPACTION_EXACT,
  COMPACTION_FILTERS,
  COMPACTION_FOLD,
  COMPACTION_KEY,
  COMPACTION_MERGE,
  COMPACTION_RANGES,
  COMPACTION_REPLACEMENT,
  COMPACTION_REPLACEMENT_LENGTH,
  COMPACTION_ROTATE,
  COMPACTION_SUMS,
  COMPACTION_UNSURE_RANGES,
  COMPACTION_VERDICT,
  COMPACTION_WATERMARK,
  COMPACTION_WRITER,
  EVENT_FILTER,
  EVENT_FOLD,
  EVENT_FOLD_SPACE,
  FOLD_AS_IT_IS,
  FOLD_BYTES,
  FOLD_CAPACITY,
  FOLD_DONE,
  FOLD_HAS_BASE,
  FOLD_OUT,
  FOLD_OUTCOME,
  FOLD_RESULT,
  FOLD_RESULT_LENGTH,
  FOLD_ROW_BYTES,
  FOLD_ROW_LENGTH,
  FOLD_ROW_VALUE,
  FOLD_ROWS,
  VERDICT_DESTROY,
  VERDICT_KEEP,
  VERDICT_REMOVE,
  VERDICT_REMOVE_WEAK,
  VERDICT_REPLACE,
} from '../../src/shared/kernel/layout-compaction.js'
import {
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
} from '../../src/shared/kernel/layout-sums.js'
import type { CompactionRules } from '../../src/shared/kernel/reference/compaction-stream.js'
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
  /** Address of a published state, and of a list of sets. */
  readonly rangesAddress?: number
  readonly unsureAddress?: number
  readonly applies?: boolean
  readonly fold?: CompactionRules['fold']
  readonly filter?: CompactionRules['filter']
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
  readonly #call: CompactionCall
  #fold = 0
  #foldBytes = 0
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
    set(COMPACTION_RANGES, call.rangesAddress ?? 0)
    set(COMPACTION_UNSURE_RANGES, call.unsureAddress ?? 0)
    set(COMPACTION_APPLIES, call.applies ? 1 : 0)
    set(COMPACTION_FILTERS, call.filter ? 1 : 0)
    this.#call = call
    if (call.fold !== undefined) {
      this.#fold = this.#take(FOLD_BYTES)
      set(COMPACTION_FOLD, this.#fold)
    }
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
      else if (event === EVENT_FOLD_SPACE) this.#growFold()
      else if (event === EVENT_FOLD) this.#foldRows()
      else if (event === EVENT_FILTER) this.#judge(merge)
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

  /** Ever so slowly, so that it happens often. */
  #growFold(): void {
    const { shared } = this.#workspace
    const old = shared.getU32(this.#fold + FOLD_OUT)
    const fresh = this.#take(this.#foldBytes + 40)
    shared.bytes.copyWithin(fresh, old, old + this.#foldBytes)
    this.#foldBytes += 40
    shared.setU32(this.#fold + FOLD_OUT, fresh)
    shared.setU32(this.#fold + FOLD_CAPACITY, this.#foldBytes)
  }

  #foldRows(): void {
    const { shared } = this.#workspace
    const values: Uint8Array[] = []
    let row = shared.getU32(this.#fold + FOLD_OUT)
    for (let i = shared.getU32(this.#fold + FOLD_ROWS); i > 0; i--) {
      const length = shared.getU32(row + FOLD_ROW_LENGTH)
      values.push(shared.copy(row + FOLD_ROW_VALUE, length))
      row += shared.getU32(row + FOLD_ROW_BYTES)
    }
    const base = shared.getU32(this.#fold + FOLD_HAS_BASE) === 1 ? values.pop() : undefined
    const result = this.#call.fold?.(base, values.reverse())
    const set = (field: number, value: number): void => shared.setU32(this.#fold + field, value)
    set(FOLD_OUTCOME, result === undefined ? FOLD_AS_IT_IS : FOLD_DONE)
    if (result === undefined) return
    const at = this.#take(result.length + 8)
    shared.bytes.set(result, at)
    set(FOLD_RESULT, at)
    set(FOLD_RESULT_LENGTH, result.length)
  }

  #judge(merge: KernelMerge): void {
    const { shared } = this.#workspace
    const source = shared.getU32(shared.getU32(merge.address + MERGE_HEAP))
    const at = (field: number): number => shared.getU32(source + field)
    const verdict = this.#call.filter?.({
      key: shared.copy(at(SOURCE_KEY), at(SOURCE_KEY_LENGTH)),
      seqno: shared.getU64(source + SOURCE_SEQNO),
      kind: at(SOURCE_KIND),
      value: shared.copy(at(SOURCE_VALUE), at(SOURCE_VALUE_LENGTH)),
    })
    const set = (field: number, value: number): void =>
      shared.setU32(this.#compaction + field, value)
    if (typeof verdict === 'object') {
      const place = this.#take(verdict.replace.length + 8)
      shared.bytes.set(verdict.replace, place)
      set(COMPACTION_REPLACEMENT, place)
      set(COMPACTION_REPLACEMENT_LENGTH, verdict.replace.length)
      set(COMPACTION_VERDICT, VERDICT_REPLACE)
      return
    }
    const codes = {
      keep: VERDICT_KEEP,
      remove: VERDICT_REMOVE,
      removeWeak: VERDICT_REMOVE_WEAK,
      destroy: VERDICT_DESTROY,
    }
    set(COMPACTION_VERDICT, codes[verdict ?? 'keep'])
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
