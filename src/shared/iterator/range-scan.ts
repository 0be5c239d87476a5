/**
 * One direction of a range read: sources over a {@link ReadView}, merged by the scan kernel into batches of rows. The
 * thread that reads. Iterators are made of one or two of these.
 *
 * I1: rows come in key order (or reversed), one for each visible key, tombstones and merge operands resolved.
 * I2: a row is valid until the next batch is asked for.
 */
import { VarveError } from '../base/errors.js'
import type { CompareKeys, KeyBound, KeyRangeBounds } from '../base/key-order.js'
import {
  EVENT_BATCH_FULL,
  EVENT_DONE,
  EVENT_NO_SPACE,
  EVENT_OPERAND,
  EVENT_WANTS_BLOCK,
  KIND_VALUE,
  MERGE_HEAP,
  MERGE_REVERSE,
  MERGE_SOURCE_COUNT,
  MERGE_SOURCES,
  MERGE_WANTED,
  ROW_BYTES,
  ROW_KEY,
  ROW_KEY_LENGTH,
  ROW_KIND,
  ROW_SEQNO,
  ROW_VALUE_LENGTH,
  SCAN_BOUND,
  SCAN_BOUND_INCLUSIVE,
  SCAN_BOUND_LENGTH,
  SCAN_CAPACITY,
  SCAN_FLAGS,
  SCAN_HAS_KEY,
  SCAN_KEY,
  SCAN_KEY_LENGTH,
  SCAN_KEYS_ONLY,
  SCAN_MERGE,
  SCAN_OUT,
  SCAN_ROWS,
  SCAN_ROWS_MAX,
  SCAN_SEQNO,
  SCAN_TENTATIVE,
  SCAN_TOP,
  SOURCE_BYTES,
  SOURCE_CURSOR,
  SOURCE_RANK,
  SOURCE_TYPE,
  SOURCE_TYPE_MEMTABLE,
} from '../kernel/layout.js'
import type { GrowingBuffer, Workspace } from '../memory/workspace.js'
import type { ResidentTable } from '../table/resident-table.js'
import { coveringSeqno, type ReadView } from './read-view.js'
import { type BlockGiver, type BoundRef, RunCursor, type TableSpan } from './run-cursor.js'
import { ScanMemory } from './scan-memory.js'

/** A batch is as large as this while a scan goes on: what a cache of the processor holds beside everything else. */
const BATCH_BYTES_LAST = 32 * 1024

/** Rows of the first batch: a seek that reads a handful of entries merges no more than it needs. */
const BATCH_ROWS_FIRST = 16

/** What a scan covers: keys between the bounds, as seen below `seqno`. */
export interface ScanRange extends KeyRangeBounds {
  readonly seqno: number
  readonly isReverse: boolean
  /** SCAN_KEYS_ONLY, SCAN_EVERY_VERSION. */
  readonly flags: number
  /** Rows that the reader is likely to take; it may take more. */
  readonly rowsWanted?: number
}

/** How a scan has a key's merge operands resolved: the value, or undefined where the key turns out to be absent. */
export type OperandResolver = (key: Uint8Array) => Uint8Array | undefined

/** One row of a batch, by its place in the shared memory. */
export interface Row {
  readonly keyAddress: number
  readonly keyLength: number
  readonly valueAddress: number
  readonly valueLength: number
}

/** The number of the first table of a run for which `isAt` holds; it holds for all behind it too. */
function firstTable(
  tables: readonly ResidentTable[],
  isAt: (table: ResidentTable) => boolean,
): number {
  let low = 0
  let high = tables.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isAt(tables[middle] as ResidentTable)) high = middle
    else low = middle + 1
  }
  return low
}

/** The tables of a run that may hold keys of the range. */
function spanOf(
  tables: readonly ResidentTable[],
  { lower, upper }: KeyRangeBounds,
  compare: CompareKeys,
): TableSpan {
  let from = 0
  let to = tables.length
  if (lower !== undefined) {
    const least = lower.isInclusive ? 0 : 1
    from = firstTable(tables, ({ table }) => compare(table.meta.keyMax, lower.key) >= least)
  }
  if (upper !== undefined) {
    const least = upper.isInclusive ? 1 : 0
    to = firstTable(tables, ({ table }) => compare(table.meta.keyMin, upper.key) >= least)
  }
  return { tables, from, to }
}

export class RangeScan {
  readonly #workspace: Workspace
  readonly #view: ReadView
  readonly #range: ScanRange
  readonly #resolve: OperandResolver
  readonly #memory: ScanMemory
  readonly #sources: number
  readonly #batch: GrowingBuffer
  /** Lower and upper bound in the shared memory. */
  readonly #lower: BoundRef | undefined
  readonly #upper: BoundRef | undefined
  /** One for each run; their sources come behind those of the memtables. */
  readonly #cursors: RunCursor[] = []
  #isDone = false
  #isWidening = false
  #isDisposed = false
  /** Offset of the next row in the batch, and of the end of its rows. */
  #at = 0
  #end = 0
  #batchNumber = 0

  constructor(
    workspace: Workspace,
    giver: BlockGiver,
    view: ReadView,
    range: ScanRange,
    resolve: OperandResolver,
  ) {
    const { shared } = workspace
    this.#workspace = workspace
    this.#view = view
    this.#range = range
    this.#resolve = resolve
    const memory = ScanMemory.take(workspace)
    this.#memory = memory
    this.#batch = memory.batch
    this.#lower = this.#place(range.lower, memory.lower)
    this.#upper = this.#place(range.upper, memory.upper)
    for (const { tables } of view.runs) {
      const span = spanOf(tables, range, shared.order.compare)
      if (span.from >= span.to) continue
      const block = memory.block(this.#cursors.length)
      this.#cursors.push(new RunCursor(workspace, giver, span, range.isReverse, block))
    }
    const { merge } = memory
    const sourceCount = view.memtables.length + this.#cursors.length
    this.#sources = memory.sources(sourceCount)
    shared.setU32(merge + MERGE_REVERSE, range.isReverse ? 1 : 0)
    shared.setU32(merge + MERGE_SOURCES, this.#sources)
    shared.setU32(merge + MERGE_SOURCE_COUNT, sourceCount)
    shared.setU32(merge + MERGE_HEAP, this.#sources + SOURCE_BYTES * sourceCount)
    try {
      // Reads the first block of every run, any of which may be damaged.
      this.#seekSources()
    } catch (error) {
      this.dispose()
      throw error
    }
    this.#initScan()
  }

  /**
   * Steps to the next row and reads its place into `row`; false at the end.
   * @throws VARVE_CHECKSUM_MISMATCH and other codes of damage where a block cannot be read
   */
  next(row: { -readonly [Field in keyof Row]: Row[Field] }): boolean {
    const { shared } = this.#workspace
    for (;;) {
      while (this.#at < this.#end) {
        const address = this.#batch.address + this.#at
        this.#at += shared.getU32(address + ROW_BYTES)
        row.keyAddress = address + ROW_KEY
        row.keyLength = shared.getU32(address + ROW_KEY_LENGTH)
        row.valueAddress = row.keyAddress + row.keyLength
        row.valueLength = shared.getU32(address + ROW_VALUE_LENGTH)
        if (this.#view.rangeTombstones.length === 0) return true
        if (!this.#isCovered(row, shared.getU64(address + ROW_SEQNO))) return true
      }
      if (this.#isDone) return false
      this.#fill()
    }
  }

  /** The kind of the row whose key lies at `keyAddress`: scans of every version ask. */
  kindOf(row: Row): number {
    return this.#workspace.shared.getU32(row.keyAddress - ROW_KEY + ROW_KIND)
  }

  seqnoOf(row: Row): number {
    return this.#workspace.shared.getU64(row.keyAddress - ROW_KEY + ROW_SEQNO)
  }

  /** Counts the batches: rows whose places were read since it last changed lie in the batch at hand. */
  get batchNumber(): number {
    return this.#batchNumber
  }

  /** Where the batch at hand starts, and how long it is; good until it changes. */
  get batchAddress(): number {
    return this.#batch.address
  }

  get batchLength(): number {
    return this.#end
  }

  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#isDone = true
    this.#at = 0
    this.#end = 0
    for (const cursor of this.#cursors) cursor.dispose()
    this.#memory.give()
  }

  #place(bound: KeyBound | undefined, buffer: GrowingBuffer): BoundRef | undefined {
    if (bound === undefined) return undefined
    const { key, isInclusive } = bound
    buffer.reserve(key.length)
    this.#workspace.shared.bytes.set(key, buffer.address)
    return { address: buffer.address, length: key.length, isInclusive }
  }

  /** Places every source on its first entry and builds the heap. */
  #seekSources(): void {
    const { shared } = this.#workspace
    const { kernel } = shared
    const { memtables } = this.#view
    const bound = this.#range.isReverse ? this.#upper : this.#lower
    const sourceCount = memtables.length + this.#cursors.length
    let source = this.#sources
    for (let number = 0; number < sourceCount; number++) {
      shared.setU32(source + SOURCE_RANK, number)
      const memtable = memtables[number]
      if (memtable === undefined) {
        this.#cursors[number - memtables.length]?.seek(source, bound)
      } else {
        const cursor = this.#memory.cursor(sourceCount, number)
        kernel.memtable_cursor_init(cursor, memtable)
        shared.setU32(source + SOURCE_TYPE, SOURCE_TYPE_MEMTABLE)
        shared.setU32(source + SOURCE_CURSOR, cursor)
        kernel.source_set_entry(source, this.#seekMemtable(cursor, bound))
      }
      source += SOURCE_BYTES
    }
    kernel.merge_build(this.#memory.merge)
  }

  #seekMemtable(cursor: number, bound: BoundRef | undefined): number {
    const { kernel } = this.#workspace.shared
    const { isReverse } = this.#range
    if (bound === undefined) {
      return isReverse ? kernel.memtable_cursor_last(cursor) : kernel.memtable_cursor_first(cursor)
    }
    const { address, length, isInclusive } = bound
    if (isReverse) {
      return isInclusive
        ? kernel.memtable_cursor_seek_upto(cursor, address, length)
        : kernel.memtable_cursor_seek_before(cursor, address, length)
    }
    return isInclusive
      ? kernel.memtable_cursor_seek(cursor, address, length)
      : kernel.memtable_cursor_seek_behind(cursor, address, length)
  }

  #initScan(): void {
    const { shared } = this.#workspace
    const { isReverse, seqno, flags, rowsWanted = BATCH_ROWS_FIRST } = this.#range
    const bound = isReverse ? this.#lower : this.#upper
    const { scan, merge, key } = this.#memory
    shared.setU32(scan + SCAN_MERGE, merge)
    shared.setU32(scan + SCAN_TOP, 0)
    shared.setU32(scan + SCAN_ROWS, 0)
    shared.setU32(scan + SCAN_ROWS_MAX, Math.min(BATCH_ROWS_FIRST, Math.max(1, rowsWanted)))
    shared.setU32(scan + SCAN_FLAGS, flags)
    shared.setU32(scan + SCAN_BOUND, bound?.address ?? 0)
    shared.setU32(scan + SCAN_BOUND_LENGTH, bound?.length ?? 0)
    shared.setU32(scan + SCAN_BOUND_INCLUSIVE, bound?.isInclusive ? 1 : 0)
    shared.setU32(scan + SCAN_KEY, key)
    shared.setU32(scan + SCAN_HAS_KEY, 0)
    shared.setU32(scan + SCAN_TENTATIVE, 0)
    shared.setU64(scan + SCAN_SEQNO, seqno)
    this.#nameBatch()
  }

  #nameBatch(): void {
    const { shared } = this.#workspace
    shared.setU32(this.#memory.scan + SCAN_OUT, this.#batch.address)
    shared.setU32(this.#memory.scan + SCAN_CAPACITY, this.#batch.capacity)
  }

  /** Fills the batch anew. */
  #fill(): void {
    const { shared } = this.#workspace
    const { scan } = this.#memory
    if (this.#isWidening) this.#widenBatch()
    shared.setU32(scan + SCAN_TOP, 0)
    shared.setU32(scan + SCAN_ROWS, 0)
    this.#at = 0
    this.#batchNumber++
    let event = shared.kernel.scan_run(scan)
    while (event === EVENT_WANTS_BLOCK || event === EVENT_NO_SPACE) {
      if (event === EVENT_WANTS_BLOCK) this.#giveBlock()
      else this.#growBatch(this.#batch.capacity * 2)
      event = shared.kernel.scan_run(scan)
    }
    this.#end = shared.getU32(scan + SCAN_TOP)
    if (event === EVENT_DONE) this.#isDone = true
    else if (event === EVENT_OPERAND) this.#resolveOperand()
    else if (event === EVENT_BATCH_FULL) this.#isWidening = true
  }

  /** The second batch and those behind it are large. What the one before held has been read. */
  #widenBatch(): void {
    this.#isWidening = false
    this.#workspace.shared.setU32(this.#memory.scan + SCAN_ROWS_MAX, 0xffff_ffff)
    if (this.#batch.capacity < BATCH_BYTES_LAST) this.#growBatch(BATCH_BYTES_LAST)
  }

  #growBatch(capacity: number): void {
    this.#batch.reserve(capacity)
    this.#nameBatch()
  }

  #giveBlock(): void {
    const number = this.#workspace.shared.getU32(this.#memory.merge + MERGE_WANTED)
    this.#cursors[number - this.#view.memtables.length]?.advance(
      this.#sources + number * SOURCE_BYTES,
    )
  }

  /** Answers for a key whose newest version is a merge operand: its resolved value becomes the batch's only row. */
  #resolveOperand(): void {
    const { shared } = this.#workspace
    const keyLength = shared.getU32(this.#memory.scan + SCAN_KEY_LENGTH)
    const key = shared.copy(this.#memory.key, keyLength)
    const value = this.#resolve(key)
    this.#end = 0
    if (value === undefined) return
    const isKeyOnly = (this.#range.flags & SCAN_KEYS_ONLY) !== 0
    const bytes = (ROW_KEY + keyLength + (isKeyOnly ? 0 : value.length) + 7) & ~7
    if (bytes > this.#batch.capacity) this.#growBatch(bytes)
    const row = this.#batch.address
    shared.setU32(row + ROW_BYTES, bytes)
    shared.setU32(row + ROW_KEY_LENGTH, keyLength)
    shared.setU32(row + ROW_VALUE_LENGTH, value.length)
    shared.setU32(row + ROW_KIND, KIND_VALUE)
    // Range tombstones were seen to while resolving: no one may hide the result again.
    shared.setU64(row + ROW_SEQNO, Number.MAX_SAFE_INTEGER)
    shared.bytes.set(key, row + ROW_KEY)
    if (!isKeyOnly) shared.bytes.set(value, row + ROW_KEY + keyLength)
    this.#end = bytes
  }

  #isCovered(row: Row, seqno: number): boolean {
    const key = this.#workspace.shared.view(row.keyAddress, row.keyLength)
    const { compare } = this.#workspace.order
    return coveringSeqno(this.#view, key, this.#range.seqno, compare) > seqno
  }
}

/** For scans that know that no operand can come. */
export function noOperands(): never {
  throw new VarveError('VARVE_ASSERTION', 'a scan of every version met an operand event')
}
