/**
 * One direction of a range read: sources over a {@link ReadView}, merged by the scan kernel into batches of rows. The
 * thread that reads. Iterators are made of one or two of these.
 *
 * I1: rows come in key order (or reversed), one for each visible key, tombstones and merge operands resolved.
 * I2: a row is valid until the next batch is asked for.
 */
import { VarveError } from '../base/errors.js'
import type { KeyBound, KeyRangeBounds } from '../base/key-order.js'
import {
  EVENT_BATCH_FULL,
  EVENT_DONE,
  EVENT_NO_SPACE,
  EVENT_OPERAND,
  EVENT_WANTS_BLOCK,
  KIND_VALUE,
  MERGE_COUNTERS,
  MERGE_PREFIX,
  MERGE_REVERSE,
  MERGE_ROWS,
  MERGE_SEQNO,
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
  SCAN_CACHE,
  SCAN_FLAGS,
  SCAN_KEY_LENGTH,
  SCAN_KEYS_ONLY,
  SCAN_ROWS,
  SCAN_ROWS_MAX,
  SCAN_SEQNO,
  SCAN_STAGE,
  SCAN_STAGE_APART,
  SCAN_STAGE_NEW,
  SCAN_START,
  SCAN_START_BEHIND,
  SCAN_START_LENGTH,
  SCAN_STATE,
  SCAN_TOP,
  SOURCE_BYTES,
} from '../kernel/layout.js'
import type { GrowingBuffer, Workspace } from '../memory/workspace.js'
import type { ReadView, ViewRun } from './read-view.js'
import { type BlockGiver, feedSource } from './run-cursor.js'
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
  /** A prefix that every key of the range has: tables whose filters say that none of theirs does are passed over. */
  readonly probe?: Uint8Array | undefined
  /** Rows that the reader is likely to take; it may take more. */
  readonly rowsWanted?: number
}

/** How a scan has a key's merge operands resolved: the value, or undefined where the key turns out to be absent. */
export type OperandResolver = (key: Uint8Array) => Uint8Array | undefined | typeof LATER

/** One row of a batch, by its place in the shared memory. */
export interface Row {
  readonly keyAddress: number
  readonly keyLength: number
  readonly valueAddress: number
  readonly valueLength: number
}

/** A row that a scan fills in. */
export type WritableRow = { -readonly [Field in keyof Row]: Row[Field] }

/** A resolver answers this where it has to wait; the scan asks again. */
export const LATER = Symbol('later')

export class RangeScan {
  readonly #workspace: Workspace
  readonly #view: ReadView
  readonly #range: ScanRange
  readonly #resolve: OperandResolver
  readonly #memory: ScanMemory
  readonly #giver: BlockGiver
  readonly #batch: GrowingBuffer
  /** A source wants a block that was not at hand. */
  #isHungry = false
  /** The batch at hand is being filled. */
  #isFilling = false
  /** A key's operands are to be resolved before the scan goes on. */
  #hasOperand = false
  #isDone = false
  /** What ends the scan behind the batch at hand. */
  #failure: { readonly error: unknown } | undefined
  #isWidening = false
  #isDisposed = false
  /** Offset of the next row in the batch, and of the end of its rows. */
  #at = 0
  #top = 0

  /** Reads nothing yet. */
  constructor(
    workspace: Workspace,
    giver: BlockGiver,
    view: ReadView,
    range: ScanRange,
    resolve: OperandResolver,
  ) {
    const { shared } = workspace
    this.#workspace = workspace
    this.#giver = giver
    this.#view = view
    this.#range = range
    this.#resolve = resolve
    const memory = ScanMemory.take(workspace)
    this.#memory = memory
    this.#batch = memory.batch
    const { isReverse, lower, upper, seqno, flags, rowsWanted = BATCH_ROWS_FIRST } = range
    const { scan, merge } = memory
    shared.setU32(scan + SCAN_STATE, view.stateAddress)
    shared.setU32(scan + SCAN_CACHE, giver.cacheAddress)
    shared.setU32(scan + SCAN_FLAGS, flags)
    shared.setU64(scan + SCAN_SEQNO, seqno)
    const rows = Math.min(BATCH_ROWS_FIRST, Math.max(1, rowsWanted))
    shared.setU32(merge + MERGE_ROWS, rows)
    shared.setU32(merge + MERGE_REVERSE, isReverse ? 1 : 0)
    shared.setU32(merge + MERGE_SOURCES, memory.sources(view.memtables.length, view.runs.length))
    shared.setU64(merge + MERGE_SEQNO, seqno)
    shared.setU32(merge + MERGE_COUNTERS, giver.countersAddress ?? 0)
    shared.setU32(merge + MERGE_PREFIX, this.#placeProbe(range.probe))
    this.#placeEnd(isReverse ? lower : upper)
    this.#startAt(isReverse ? upper : lower, rows)
    shared.setU32(scan + SCAN_STAGE, SCAN_STAGE_NEW)
  }

  /**
   * Starts anew at `start`, in the same direction, towards the same end; what was read ahead is dropped.
   * REQUIRES: `start` lies inside the range.
   */
  seek(start: KeyBound | undefined): void {
    const { shared } = this.#workspace
    const { scan, merge } = this.#memory
    this.#isHungry = false
    this.#isFilling = false
    this.#hasOperand = false
    this.#failure = undefined
    this.#isDone = false
    this.#isWidening = false
    this.#at = 0
    this.#top = 0
    this.#startAt(start, shared.getU32(merge + MERGE_ROWS))
    if (shared.getU32(scan + SCAN_STAGE) !== SCAN_STAGE_NEW)
      shared.setU32(scan + SCAN_STAGE, SCAN_STAGE_APART)
  }

  /** Starts anew on other bounds. */
  move(lower: KeyBound | undefined, upper: KeyBound | undefined): void {
    this.#workspace.shared.kernel.scan_release(this.#memory.scan)
    const { isReverse } = this.#range
    this.#placeEnd(isReverse ? lower : upper)
    this.seek(isReverse ? upper : lower)
  }

  /**
   * Steps to the next row and reads its place into `row`; false at the end.
   * @throws VARVE_CHECKSUM_MISMATCH and other codes of damage where a block cannot be read
   */
  next(row: WritableRow): boolean {
    const isThere = this.tryNext(row)
    if (isThere === undefined) {
      throw new VarveError('VARVE_ASSERTION', 'a scan that cannot wait was told to wait')
    }
    return isThere
  }

  /** As {@link next}; undefined where it has to wait for a block or a resolved key: call again when that is at hand. */
  tryNext(row: WritableRow): boolean | undefined {
    const { shared } = this.#workspace
    for (;;) {
      while (this.#at < this.#top) {
        const address = this.#batch.address + this.#at
        this.#at += shared.getU32(address + ROW_BYTES)
        row.keyAddress = address + ROW_KEY
        row.keyLength = shared.getU32(address + ROW_KEY_LENGTH)
        row.valueAddress = row.keyAddress + row.keyLength
        row.valueLength = shared.getU32(address + ROW_VALUE_LENGTH)
        return true
      }
      if (this.#isDone) return false
      if (!this.#fill()) return undefined
    }
  }

  /** The kind of the row whose key lies at `keyAddress`: scans of every version ask. */
  kindOf(row: Row): number {
    return this.#workspace.shared.getU32(row.keyAddress - ROW_KEY + ROW_KIND)
  }

  seqnoOf(row: Row): number {
    return this.#workspace.shared.getU64(row.keyAddress - ROW_KEY + ROW_SEQNO)
  }

  /**
   * To the next batch, all of whose rows count as taken: true where there is one, false at the end, undefined where it has
   * to wait.
   */
  nextBatch(): boolean | undefined {
    this.#at = this.#top
    while (this.#at >= this.#top) {
      if (this.#isDone) return false
      if (!this.#fill()) return undefined
    }
    this.#at = this.#top
    return true
  }

  /** Where the batch at hand starts, and how long it is; good until it changes. */
  get batchAddress(): number {
    return this.#batch.address
  }

  get batchLength(): number {
    return this.#top
  }

  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#isDone = true
    this.#at = 0
    this.#top = 0
    this.#workspace.shared.kernel.scan_release(this.#memory.scan)
    this.#memory.give()
  }

  /** Where the walk starts, and how many rows it takes at first. */
  #startAt(bound: KeyBound | undefined, rows: number): void {
    const { shared } = this.#workspace
    const { scan, start } = this.#memory
    shared.setU32(scan + SCAN_ROWS_MAX, rows)
    if (bound === undefined) {
      shared.setU32(scan + SCAN_START, 0)
      return
    }
    const { key, isInclusive } = bound
    start.reserve(key.length)
    shared.bytes.set(key, start.address)
    shared.setU32(scan + SCAN_START, start.address)
    shared.setU32(scan + SCAN_START_LENGTH, key.length)
    shared.setU32(scan + SCAN_START_BEHIND, isInclusive === this.#range.isReverse ? 1 : 0)
  }

  /** Where it ends. */
  #placeEnd(bound: KeyBound | undefined): void {
    const { shared } = this.#workspace
    const { scan, end } = this.#memory
    if (bound === undefined) {
      shared.setU32(scan + SCAN_BOUND, 0)
      return
    }
    const { key, isInclusive } = bound
    end.reserve(key.length)
    shared.bytes.set(key, end.address)
    shared.setU32(scan + SCAN_BOUND, end.address)
    shared.setU32(scan + SCAN_BOUND_LENGTH, key.length)
    shared.setU32(scan + SCAN_BOUND_INCLUSIVE, isInclusive ? 1 : 0)
  }

  /** Where the hash of the probe lies; 0 without one. */
  #placeProbe(probe: Uint8Array | undefined): number {
    if (probe === undefined) return 0
    const { shared, hasher } = this.#workspace
    const { prefix } = this.#memory
    hasher.hash64Into(probe, shared.bytes, prefix)
    return prefix
  }

  /** Fills the batch anew; false where that has to wait. */
  #fill(): boolean {
    const { epoch } = this.#giver
    epoch?.enter()
    try {
      return this.#fillInside()
    } finally {
      epoch?.leave()
    }
  }

  #fillInside(): boolean {
    if (this.#failure !== undefined) this.#fail(this.#failure.error)
    if (this.#hasOperand) return this.#resolveOperand()
    if (this.#isHungry) {
      const isFed = this.#tryFeed()
      if (isFed === undefined) return this.#endBatch()
      if (!isFed) return false
    }
    const { shared } = this.#workspace
    const { scan } = this.#memory
    if (!this.#isFilling) {
      this.#isFilling = true
      if (this.#isWidening) this.#widenBatch()
      shared.setU32(scan + SCAN_TOP, 0)
      shared.setU32(scan + SCAN_ROWS, 0)
      this.#at = 0
      this.#top = 0
    }
    let event = shared.kernel.scan_run(scan)
    while (event === EVENT_WANTS_BLOCK || event === EVENT_NO_SPACE) {
      if (event === EVENT_NO_SPACE) {
        this.#memory.growBatch(this.#batch.capacity * 2)
      } else {
        const isFed = this.#tryFeed()
        if (isFed === undefined) return this.#endBatch()
        if (!isFed) return false
      }
      event = shared.kernel.scan_run(scan)
    }
    this.#isFilling = false
    this.#top = shared.getU32(scan + SCAN_TOP)
    if (event === EVENT_DONE) this.#isDone = true
    else if (event === EVENT_OPERAND) return this.#resolveOperand()
    else if (event === EVENT_BATCH_FULL) this.#isWidening = true
    return true
  }

  /** The second batch and those behind it are large. What the one before held has been read. */
  #widenBatch(): void {
    this.#isWidening = false
    this.#workspace.shared.setU32(this.#memory.scan + SCAN_ROWS_MAX, 0xffff_ffff)
    if (this.#batch.capacity < BATCH_BYTES_LAST) this.#memory.growBatch(BATCH_BYTES_LAST)
  }

  /** The rows found so far are the last ones. */
  #endBatch(): true {
    this.#isFilling = false
    this.#top = this.#workspace.shared.getU32(this.#memory.scan + SCAN_TOP)
    return true
  }

  /** As {@link #feed}; undefined where it fails behind rows that were found: those come first. */
  #tryFeed(): boolean | undefined {
    try {
      return this.#feed()
    } catch (error) {
      const { scan } = this.#memory
      const hasRows = this.#isFilling && this.#workspace.shared.getU32(scan + SCAN_ROWS) > 0
      if (!hasRows) this.#fail(error)
      this.#failure = { error }
      return undefined
    }
  }

  /** Nothing comes behind a failure, unless the scan is moved elsewhere. */
  #fail(error: unknown): never {
    this.#failure = undefined
    this.#isDone = true
    throw error
  }

  /** Gives the wanting source its block; false where that is not at hand. */
  #feed(): boolean {
    const { shared } = this.#workspace
    const { merge } = this.#memory
    const number = shared.getU32(merge + MERGE_WANTED)
    const source = shared.getU32(merge + MERGE_SOURCES) + number * SOURCE_BYTES
    const runNumber = number - this.#view.memtables.length
    const tables = (this.#view.runs[runNumber] as ViewRun).tables
    const buffers = this.#memory.buffers(runNumber)
    this.#isHungry = !feedSource(this.#workspace, this.#giver, source, tables, buffers)
    return !this.#isHungry
  }

  /**
   * Answers for a key whose newest version is a merge operand: its resolved value becomes the batch's only row. False
   * where that has to wait.
   */
  #resolveOperand(): boolean {
    const { shared } = this.#workspace
    const keyLength = shared.getU32(this.#memory.scan + SCAN_KEY_LENGTH)
    const key = shared.copy(this.#memory.key, keyLength)
    const value = this.#resolve(key)
    this.#top = 0
    this.#hasOperand = value === LATER
    if (value === LATER) return false
    if (value === undefined) return true
    const isKeyOnly = (this.#range.flags & SCAN_KEYS_ONLY) !== 0
    const bytes = (ROW_KEY + keyLength + (isKeyOnly ? 0 : value.length) + 7) & ~7
    if (bytes > this.#batch.capacity) this.#memory.growBatch(bytes)
    const row = this.#batch.address
    shared.setU32(row + ROW_BYTES, bytes)
    shared.setU32(row + ROW_KEY_LENGTH, keyLength)
    shared.setU32(row + ROW_VALUE_LENGTH, value.length)
    shared.setU32(row + ROW_KIND, KIND_VALUE)
    shared.setU64(row + ROW_SEQNO, Number.MAX_SAFE_INTEGER)
    shared.bytes.set(key, row + ROW_KEY)
    if (!isKeyOnly) shared.bytes.set(value, row + ROW_KEY + keyLength)
    this.#top = bytes
    return true
  }
}

/** For scans that know that no operand can come. */
export function noOperands(): never {
  throw new VarveError('VARVE_ASSERTION', 'a scan of every version met an operand event')
}
