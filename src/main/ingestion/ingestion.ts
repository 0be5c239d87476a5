/**
 * Bulk ingestion by one writer: keys in ascending order, straight into tables, past the memtable (semantics.md 9). Main
 * thread; workers write the tables.
 *
 *     write ─→ buffer ─ full ─→ job (two at once) ─→ tables, installed by nobody yet
 *     finish: last buffer, all jobs ─→ one seqno for everything, one install
 *     abort, a failure, a crash: files that nothing names
 *
 *     open ── finish ──→ finishing ──→ over
 *       │                   └─ fails ─→ open: finish again, or abort
 *       └── abort, or the tree closes ──→ over
 *
 * I1: nothing of it is visible before `finish` resolves, and then all of it is.
 * I2: a write that throws has changed nothing.
 */
import { rangeError, VarveError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import { KIND_TOMBSTONE, KIND_VALUE, KIND_WEAK_TOMBSTONE } from '../../shared/kernel/layout.js'
import {
  INGEST_BLOCK_COUNT,
  INGEST_ENTRY_COUNT,
  INGEST_HEADER_BYTES,
  INGEST_LAST_KEY,
  INGEST_LAST_KEY_LENGTH,
  INGEST_NOT_ASCENDING,
} from '../../shared/kernel/layout-ingest.js'
import { JOB_CANCEL } from '../../shared/kernel/layout-jobs.js'
import type { TableProposal } from '../../shared/table/table-proposal.js'
import { requireKeyLength } from '../options.js'
import { ingestJob, installIngested } from '../scheduling/ingest-task.js'
import { withJobMemory } from '../scheduling/job-region.js'
import type { Scheduler } from '../scheduling/scheduler.js'
import type { TreeCore } from '../tree-core.js'
import type { BytesLike } from '../writing/write-batch.js'
import { byteLengthOf, bytesOf, placeBytes } from '../writing/writer.js'

/** Full buffers that may be on their way into tables while the next one fills. */
const JOBS_MAX = 2

/** Room that a buffer must leave beside its largest entry: its header, a block's head, and lengths. */
const OVERHEAD_BYTES = 16 * 1024

/** What an ingestion brought. */
export interface IngestionResult {
  readonly entryCount: number
  readonly tableCount: number
  readonly bytesWritten: number
  /** The seqno of all entries; undefined where there were none, or where `clear` came in between. */
  readonly seqno: number | undefined
}

/**
 * Writes keys in ascending order straight into tables. Usable with `await using`: what was not finished is aborted.
 *
 * @example
 * ```ts
 * await using ingestion = tree.ingestion()
 * for (const [key, value] of sorted) {
 *   if (!ingestion.write(key, value)) await ingestion.drained()
 * }
 * await ingestion.finish()
 * ```
 */
export class Ingestion implements AsyncDisposable {
  readonly #core: TreeCore
  readonly #scheduler: Scheduler
  readonly #onEnd: (ingestion: Ingestion) => void
  readonly #bufferBytes: number
  /** A copy of the last key of the buffer before, KEY_BYTES_MAX bytes. */
  readonly #lastKey: number
  #lastKeyLength = 0
  #buffer = 0
  /** What each job wrote, in the order of their keys. */
  readonly #parts: (readonly TableProposal[])[] = []
  readonly #jobs = new Set<Promise<void>>()
  /** Cancel words of running jobs. */
  readonly #controls = new Set<number>()
  #failure: unknown
  #entryCount = 0
  #bytesWritten = 0
  #finishing: Promise<IngestionResult> | undefined
  #isOver = false

  /** Not for users: call `tree.ingestion()`. */
  constructor(core: TreeCore, scheduler: Scheduler, onEnd: (ingestion: Ingestion) => void) {
    this.#core = core
    this.#scheduler = scheduler
    this.#onEnd = onEnd
    this.#bufferBytes = core.runtime.memtableBytes
    this.#lastKey = core.workspace.heap.allocate(KEY_BYTES_MAX + 8)
  }

  /**
   * Adds an entry. Synchronous.
   * @param key above every key before, in the tree's order
   * @returns false when the caller should `await ingestion.drained()` before it goes on
   * @throws VARVE_INGEST_ORDER where the key is not above the last one; VARVE_STALLED when all buffers are full; what went
   *   wrong with an earlier buffer. Nothing was added then
   */
  write(key: BytesLike, value: BytesLike): boolean {
    return this.#add(KIND_VALUE, key, value)
  }

  /** Adds a delete of a key: what the tree holds of it goes. As {@link write} otherwise. */
  writeTombstone(key: BytesLike): boolean {
    return this.#add(KIND_TOMBSTONE, key, '')
  }

  /** Adds a weak delete, of a key that was inserted at most once. As {@link write} otherwise. */
  writeWeakTombstone(key: BytesLike): boolean {
    return this.#add(KIND_WEAK_TOMBSTONE, key, '')
  }

  /** Resolves when writes are welcome again. */
  async drained(): Promise<void> {
    while (this.#jobs.size >= JOBS_MAX) await Promise.race(this.#jobs)
    this.#requireSound()
  }

  /**
   * Makes everything visible at once, under one seqno, and durable: what is in the tree's memory is flushed first. Does
   * nothing where nothing was written. After a failure it may be called again.
   */
  async finish(): Promise<IngestionResult> {
    this.#requireOpen()
    this.#finishing = this.#finish()
    try {
      return await this.#finishing
    } finally {
      this.#finishing = undefined
    }
  }

  /**
   * Gives everything up. Nothing is left behind; a second call does nothing, and so does one that a `finish` has overtaken.
   */
  async abort(): Promise<void> {
    await Promise.allSettled([this.#finishing])
    if (this.#isOver) return
    this.#isOver = true
    for (const control of this.#controls) this.#core.shared.raise(control + JOB_CANCEL)
    await Promise.all(this.#jobs)
    this.#discard()
    this.#end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort()
  }

  #add(kind: number, key: BytesLike, value: BytesLike): boolean {
    this.#requireOpen()
    const keyLength = byteLengthOf(key, 'key')
    requireKeyLength(keyLength)
    this.#core.order.requireKey?.(bytesOf(key))
    const valueLength = byteLengthOf(value, 'value')
    const { shared } = this.#core
    const { kernel } = shared
    let address =
      this.#buffer === 0 ? 0 : kernel.ingest_reserve(this.#buffer, keyLength, valueLength)
    if (address === 0) {
      this.#turn(keyLength + valueLength)
      address = kernel.ingest_reserve(this.#buffer, keyLength, valueLength)
    }
    placeBytes(shared, key, address, keyLength)
    if (valueLength > 0) placeBytes(shared, value, address + keyLength, valueLength)
    if (kernel.ingest_commit(this.#buffer, keyLength, valueLength, kind) === INGEST_NOT_ASCENDING) {
      throw this.#orderError(shared.copy(address, keyLength))
    }
    return this.#jobs.size < JOBS_MAX
  }

  /** A fresh buffer; the full one becomes a job. */
  #turn(entryBytes: number): void {
    if (entryBytes + OVERHEAD_BYTES > this.#bufferBytes) {
      throw rangeError(
        `an entry of ${entryBytes} bytes does not fit an ingest buffer of ${this.#bufferBytes}; ` +
          'raise RuntimeConfig.memtableBytes before the ingestion begins',
      )
    }
    if (this.#buffer !== 0 && this.#jobs.size >= JOBS_MAX) {
      throw new VarveError(
        'VARVE_STALLED',
        `all ${JOBS_MAX + 1} ingest buffers are full; await ingestion.drained() and write again`,
        { details: { buffers: JOBS_MAX + 1, bytes: this.#bufferBytes } },
      )
    }
    this.#startJob()
    const { workspace, shared } = this.#core
    this.#buffer = workspace.heap.allocate(this.#bufferBytes)
    shared.kernel.ingest_init(this.#buffer, this.#bufferBytes, this.#lastKey, this.#lastKeyLength)
  }

  /** Hands the buffer at hand to a job, where it holds anything. */
  #startJob(): void {
    const buffer = this.#buffer
    if (buffer === 0) return
    this.#buffer = 0
    const { shared, workspace } = this.#core
    this.#lastKeyLength = shared.getU32(buffer + INGEST_LAST_KEY_LENGTH)
    const lastKey = shared.getU32(buffer + INGEST_LAST_KEY)
    shared.bytes.copyWithin(this.#lastKey, lastKey, lastKey + this.#lastKeyLength)
    const number = this.#parts.length
    this.#parts.push([])
    const job = this.#run(buffer, number)
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        workspace.heap.free(buffer)
        this.#jobs.delete(job)
      })
    this.#jobs.add(job)
  }

  async #run(buffer: number, number: number): Promise<void> {
    const core = this.#core
    const { shared } = core
    this.#entryCount += shared.getU32(buffer + INGEST_ENTRY_COUNT)
    const blockCount = shared.getU32(buffer + INGEST_BLOCK_COUNT)
    const firstBlock = (buffer + INGEST_HEADER_BYTES + 7) & ~7
    const result = await withJobMemory(core.environment, async ({ region, control }) => {
      this.#controls.add(control)
      try {
        if (this.#isOver) shared.raise(control + JOB_CANCEL)
        const job = ingestJob(core, { firstBlock, blockCount, bytes: this.#bufferBytes })
        return await this.#scheduler.runJob({ ...job, region, control })
      } finally {
        this.#controls.delete(control)
      }
    })
    this.#parts[number] = result.tables
    this.#bytesWritten += result.bytesWritten
  }

  async #finish(): Promise<IngestionResult> {
    const seqno = await this.#install()
    this.#end()
    return {
      entryCount: this.#entryCount,
      tableCount: this.#parts.reduce((sum, part) => sum + part.length, 0),
      bytesWritten: this.#bytesWritten,
      seqno,
    }
  }

  /** The seqno of the installed entries. */
  async #install(): Promise<number | undefined> {
    while (this.#jobs.size >= JOBS_MAX) await Promise.race(this.#jobs)
    this.#startJob()
    await Promise.all(this.#jobs)
    if (this.#failure !== undefined) throw this.#failure
    const proposals = this.#parts.flat()
    if (proposals.length === 0) return undefined
    const { seqno, isInstalled } = await this.#scheduler.betweenFlushes((executor) =>
      installIngested(this.#core, executor, proposals),
    )
    if (isInstalled) return seqno
    this.#discard()
    return undefined
  }

  /** Removes what the jobs wrote. What cannot be removed is an orphan, and goes at the next open. */
  #discard(): void {
    // A manifest whose write failed may name them all the same; the next open knows.
    if (!this.#core.isInstallable) return
    const folder = this.#core.tablesFolder()
    for (const { id } of this.#parts.splice(0).flat()) {
      try {
        this.#core.fs.remove(`${folder}/${id}`)
      } catch {
        // Nothing names it: the next open removes it.
      }
    }
  }

  #end(): void {
    this.#isOver = true
    const { heap } = this.#core.workspace
    if (this.#buffer !== 0) heap.free(this.#buffer)
    this.#buffer = 0
    heap.free(this.#lastKey)
    this.#onEnd(this)
  }

  /** @throws VARVE_CLOSED; the failure of an earlier buffer */
  #requireOpen(): void {
    this.#core.requireWritable()
    if (this.#isOver || this.#finishing !== undefined) {
      const state = this.#isOver ? 'over' : 'being finished'
      throw new VarveError('VARVE_CLOSED', `this ingestion is ${state}; begin another one`)
    }
    this.#requireSound()
  }

  #requireSound(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #orderError(key: Buffer): VarveError {
    return new VarveError(
      'VARVE_INGEST_ORDER',
      `keys of an ingestion must ascend: ${key.toString('hex')} does not come behind the key before it; sort them first`,
      { details: { key: key.toString('hex') } },
    )
  }
}
