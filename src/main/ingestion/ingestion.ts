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
import { VarveError } from '../../shared/base/errors.js'
import { KIND_TOMBSTONE, KIND_VALUE, KIND_WEAK_TOMBSTONE } from '../../shared/kernel/layout.js'
import { installIngested } from '../scheduling/ingest-task.js'
import type { Scheduler } from '../scheduling/scheduler.js'
import type { TreeCore } from '../tree-core.js'
import type { BytesLike } from '../writing/write-batch.js'
import { IngestBuffers } from './ingest-buffers.js'
import { IngestJobs } from './ingest-jobs.js'

/** Full buffers that may be on their way into tables while the next one fills. */
const JOBS_MAX = 2

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
  readonly #jobs: IngestJobs
  readonly #buffers: IngestBuffers
  #finishing: Promise<IngestionResult> | undefined
  #isOver = false

  /** Not for users: call `tree.ingestion()`. */
  constructor(core: TreeCore, scheduler: Scheduler, onEnd: (ingestion: Ingestion) => void) {
    this.#core = core
    this.#scheduler = scheduler
    this.#onEnd = onEnd
    this.#jobs = new IngestJobs(core, scheduler.executor, JOBS_MAX)
    this.#buffers = new IngestBuffers(core, this.#jobs)
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
    await this.#jobs.drained()
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
    await this.#jobs.cancel()
    this.#jobs.discard()
    this.#end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort()
  }

  #add(kind: number, key: BytesLike, value: BytesLike): boolean {
    this.#requireOpen()
    this.#buffers.add(kind, key, value)
    return !this.#jobs.isBusy
  }

  async #finish(): Promise<IngestionResult> {
    const seqno = await this.#install()
    this.#end()
    const { entryCount, parts, bytesWritten } = this.#jobs
    return { entryCount, tableCount: parts.flat().length, bytesWritten, seqno }
  }

  /** The seqno of the installed entries. */
  async #install(): Promise<number | undefined> {
    const jobs = this.#jobs
    await this.#buffers.complete()
    const proposals = jobs.parts.flat()
    if (proposals.length === 0) return undefined
    const { seqno, isInstalled } = await this.#scheduler.betweenFlushes((executor) =>
      installIngested(this.#core, executor, proposals),
    )
    if (isInstalled) return seqno
    jobs.discard()
    return undefined
  }

  #end(): void {
    this.#isOver = true
    this.#buffers.free()
    this.#onEnd(this)
  }

  /** @throws VARVE_CLOSED; the failure of an earlier buffer */
  #requireOpen(): void {
    this.#core.requireWritable()
    if (this.#isOver || this.#finishing !== undefined) {
      const state = this.#isOver ? 'over' : 'being finished'
      throw new VarveError('VARVE_CLOSED', `this ingestion is ${state}; begin another one`)
    }
    this.#jobs.requireSound()
  }
}
