/**
 * One direction of a range read: sources over a {@link ReadView}, merged by the scan kernel into batches of rows. The
 * thread that reads. Iterators are made of one or two of these.
 *
 * I1: rows come in key order (or reversed), one for each visible key, tombstones and merge operands resolved.
 * I2: a row is valid until the next batch is asked for.
 */
import { VarveError } from '../base/errors.js'
import { KEY_BYTES_MAX } from '../base/limits.js'
import {
  EVENT_BATCH_FULL,
  EVENT_DONE,
  EVENT_NO_SPACE,
  EVENT_OPERAND,
  EVENT_WANTS_BLOCK,
  KIND_VALUE,
  MEMTABLE_CURSOR_BYTES,
  MERGE_BYTES,
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
  SCAN_BYTES,
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
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'
import type { ResidentTable } from '../table/resident-table.js'
import { coveringSeqno, type ReadView } from './read-view.js'
import { type BlockGiver, type KeyRef, RunCursor } from './run-cursor.js'

/** First size of a batch; it quadruples up to the last one while a scan goes on, so that short scans stay cheap. */
const BATCH_BYTES_FIRST = 4 * 1024
const BATCH_BYTES_LAST = 256 * 1024

/** Rows of the first batch: a seek that reads a handful of entries merges no more than it needs. */
const BATCH_ROWS_FIRST = 16

/** What a scan covers: keys at or above `lower` and below `upper`, as seen below `seqno`. */
export interface ScanRange {
  readonly lower: Uint8Array | undefined
  readonly upper: Uint8Array | undefined
  readonly seqno: number
  readonly isReverse: boolean
  /** SCAN_KEYS_ONLY, SCAN_EVERY_VERSION. */
  readonly flags: number
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

/** The tables of a run that may hold keys of the range. */
function tablesInRange(
  tables: readonly ResidentTable[],
  lower: Uint8Array | undefined,
  upper: Uint8Array | undefined,
): readonly ResidentTable[] {
  return tables.filter(({ table: { meta } }) => {
    if (lower !== undefined && Buffer.compare(meta.keyMax, lower) < 0) return false
    return upper === undefined || Buffer.compare(meta.keyMin, upper) < 0
  })
}

export class RangeScan {
  readonly #workspace: Workspace
  readonly #view: ReadView
  readonly #range: ScanRange
  readonly #resolve: OperandResolver
  readonly #scan: number
  readonly #merge: number
  readonly #sources: number
  readonly #key: number
  readonly #batch: GrowingBuffer
  /** Lower and upper bound in the shared memory. */
  readonly #bounds: readonly (KeyRef | undefined)[]
  readonly #cursors: readonly (RunCursor | undefined)[]
  readonly #pieces: number[] = []
  #isDone = false
  /** Offset of the next row in the batch, and of the end of its rows. */
  #at = 0
  #end = 0

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
    const runs = view.runs
      .map((run) => tablesInRange(run.tables, range.lower, range.upper))
      .filter((tables) => tables.length > 0)
    const memtableCount = view.memtables.length
    const sourceCount = memtableCount + runs.length
    this.#batch = new GrowingBuffer(workspace.heap, BATCH_BYTES_FIRST)
    this.#scan = this.#take(SCAN_BYTES)
    this.#merge = this.#take(MERGE_BYTES)
    this.#sources = this.#take(SOURCE_BYTES * sourceCount + 4 * sourceCount)
    this.#key = this.#take(KEY_BYTES_MAX + 8)
    this.#bounds = [this.#place(range.lower), this.#place(range.upper)]
    this.#cursors = [
      ...view.memtables.map(() => undefined),
      ...runs.map((tables) => new RunCursor(workspace, giver, tables, range.isReverse)),
    ]
    shared.setU32(this.#merge + MERGE_REVERSE, range.isReverse ? 1 : 0)
    shared.setU32(this.#merge + MERGE_SOURCES, this.#sources)
    shared.setU32(this.#merge + MERGE_SOURCE_COUNT, sourceCount)
    shared.setU32(this.#merge + MERGE_HEAP, this.#sources + SOURCE_BYTES * sourceCount)
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

  dispose(): void {
    this.#isDone = true
    this.#at = 0
    this.#end = 0
    for (const cursor of this.#cursors) cursor?.dispose()
    this.#batch.dispose()
    for (const piece of this.#pieces.splice(0)) this.#workspace.heap.free(piece)
  }

  #take(bytes: number): number {
    const address = this.#workspace.heap.allocate(bytes)
    this.#pieces.push(address)
    return address
  }

  #place(key: Uint8Array | undefined): KeyRef | undefined {
    if (key === undefined) return undefined
    const address = this.#take(key.length)
    this.#workspace.shared.bytes.set(key, address)
    return { address, length: key.length }
  }

  /** Places every source on its first entry and builds the heap. */
  #seekSources(): void {
    const { shared } = this.#workspace
    const { kernel } = shared
    const { isReverse } = this.#range
    const bound = this.#bounds[isReverse ? 1 : 0]
    this.#cursors.forEach((runCursor, number) => {
      const source = this.#sources + number * SOURCE_BYTES
      shared.setU32(source + SOURCE_RANK, number)
      if (runCursor !== undefined) {
        runCursor.seek(source, bound)
        return
      }
      const cursor = this.#take(MEMTABLE_CURSOR_BYTES)
      kernel.memtable_cursor_init(cursor, this.#view.memtables[number] as number)
      shared.setU32(source + SOURCE_TYPE, SOURCE_TYPE_MEMTABLE)
      shared.setU32(source + SOURCE_CURSOR, cursor)
      kernel.source_set_entry(source, this.#seekMemtable(cursor, bound))
    })
    kernel.merge_build(this.#merge)
  }

  #seekMemtable(cursor: number, bound: KeyRef | undefined): number {
    const { kernel } = this.#workspace.shared
    if (this.#range.isReverse) {
      if (bound === undefined) return kernel.memtable_cursor_last(cursor)
      return kernel.memtable_cursor_seek_before(cursor, bound.address, bound.length)
    }
    if (bound === undefined) return kernel.memtable_cursor_first(cursor)
    return kernel.memtable_cursor_seek(cursor, bound.address, bound.length)
  }

  #initScan(): void {
    const { shared } = this.#workspace
    const { isReverse, seqno, flags } = this.#range
    const bound = this.#bounds[isReverse ? 0 : 1]
    const set = (field: number, value: number): void => shared.setU32(this.#scan + field, value)
    set(SCAN_MERGE, this.#merge)
    set(SCAN_TOP, 0)
    set(SCAN_ROWS, 0)
    set(SCAN_ROWS_MAX, BATCH_ROWS_FIRST)
    set(SCAN_FLAGS, flags)
    // Forward scans end before `upper`; reverse ones take `lower` itself in.
    set(SCAN_BOUND, bound?.address ?? 0)
    set(SCAN_BOUND_LENGTH, bound?.length ?? 0)
    set(SCAN_BOUND_INCLUSIVE, isReverse ? 1 : 0)
    set(SCAN_KEY, this.#key)
    set(SCAN_HAS_KEY, 0)
    set(SCAN_TENTATIVE, 0)
    shared.setU64(this.#scan + SCAN_SEQNO, seqno)
    this.#nameBatch()
  }

  #nameBatch(): void {
    const { shared } = this.#workspace
    shared.setU32(this.#scan + SCAN_OUT, this.#batch.address)
    shared.setU32(this.#scan + SCAN_CAPACITY, this.#batch.capacity)
  }

  /** Fills the batch anew. */
  #fill(): void {
    const { shared } = this.#workspace
    shared.setU32(this.#scan + SCAN_TOP, 0)
    shared.setU32(this.#scan + SCAN_ROWS, 0)
    this.#at = 0
    let event = shared.kernel.scan_run(this.#scan)
    while (event === EVENT_WANTS_BLOCK || event === EVENT_NO_SPACE) {
      if (event === EVENT_WANTS_BLOCK) this.#giveBlock()
      else this.#growBatch(this.#batch.capacity * 2)
      event = shared.kernel.scan_run(this.#scan)
    }
    this.#end = shared.getU32(this.#scan + SCAN_TOP)
    if (event === EVENT_DONE) this.#isDone = true
    else if (event === EVENT_OPERAND) this.#resolveOperand()
    else if (event === EVENT_BATCH_FULL) this.#widenBatch()
  }

  /** The batch to come may be larger; what the current one holds is still to be read, so only its limits change. */
  #widenBatch(): void {
    const { shared } = this.#workspace
    shared.setU32(this.#scan + SCAN_ROWS_MAX, 0xffff_ffff)
    if (this.#batch.capacity >= BATCH_BYTES_LAST) return
    const rows = this.#end
    if (shared.getU32(this.#scan + SCAN_TENTATIVE) !== 0) return
    const previous = shared.copy(this.#batch.address, rows)
    this.#batch.reserve(this.#batch.capacity * 4)
    shared.bytes.set(previous, this.#batch.address)
    this.#nameBatch()
  }

  #growBatch(capacity: number): void {
    this.#batch.reserve(capacity)
    this.#nameBatch()
  }

  #giveBlock(): void {
    const number = this.#workspace.shared.getU32(this.#merge + MERGE_WANTED)
    this.#cursors[number]?.advance(this.#sources + number * SOURCE_BYTES)
  }

  /** Answers for a key whose newest version is a merge operand: its resolved value becomes the batch's only row. */
  #resolveOperand(): void {
    const { shared } = this.#workspace
    const keyLength = shared.getU32(this.#scan + SCAN_KEY_LENGTH)
    const key = shared.copy(this.#key, keyLength)
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
    return coveringSeqno(this.#view, key, this.#range.seqno) > seqno
  }
}

/** For scans that know that no operand can come. */
export function noOperands(): never {
  throw new VarveError('VARVE_ASSERTION', 'a scan of every version met an operand event')
}
