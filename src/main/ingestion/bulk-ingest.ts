/**
 * Bulk ingestion of a whole source, in any order, by all the workers there are (api.md, "Bulk ingestion"). Main thread,
 * which only hands on: pairs are packed, chunks are moved to the workers as they are.
 *
 *     sorted:    source ─→ chunks ─→ jobs ─→ tables ──────────────────────→ installed at one seqno
 *     unsorted:  source ─→ chunks ─→ jobs ─→ sorted runs ─→ merge in slices ─→ installed at one seqno
 *
 * The source is asked for more only as fast as the workers take it: while all are at work, one batch waits and another one
 * is gathered. So when the source ends, what is left can be cut for all of them to end at once.
 *
 * I1: all of it appears at once, or nothing of it; whatever ends it early leaves no file and no memory behind.
 */
import { typeError, VarveError } from '../../shared/base/errors.js'
import { ingestOrderError } from '../../shared/jobs/ingest-order.js'
import type { TableProposal } from '../../shared/table/table-proposal.js'
import type { BytesLike } from '../bytes-like.js'
import { installIngested } from '../scheduling/ingest-task.js'
import { removeTables } from '../scheduling/proposed-tables.js'
import type { Scheduler } from '../scheduling/scheduler.js'
import type { TreeCore } from '../tree-core.js'
import { ChunkBatch, cutEvenly, type GatheredChunks } from './chunk-batch.js'
import { ChunkMemory } from './chunk-memory.js'
import { chunksJob, IngestBudget } from './chunks-job.js'
import { IngestJobs } from './ingest-jobs.js'
import type { IngestionResult } from './ingestion.js'
import { CHUNK_BYTES_DEFAULT, ChunkPacker } from './packed-entries.js'
import { mergeRuns, type SortedRun } from './sorted-runs.js'
import { itemsOf } from './source-items.js'

/**
 * What a source yields: a pair, or many of them as a packed chunk (`packEntries`). The memory of a chunk goes with it, to
 * the thread that reads it, unless it is a SharedArrayBuffer: the source must not use it again.
 */
export type BulkItem = readonly [key: BytesLike, value: BytesLike] | Uint8Array

export type BulkSource = Iterable<BulkItem> | AsyncIterable<BulkItem>

/** How far a bulk ingestion is. */
export interface BulkIngestProgress {
  readonly phase: 'reading' | 'merging' | 'installing'
  /** Items of the source that were taken: pairs, or packed chunks. */
  readonly items: number
  /** Bytes of keys and values in them; of chunks, all bytes. */
  readonly bytes: number
  /** While merging: the part that is done, 0 to 1. */
  readonly merged: number
}

export interface BulkIngestOptions {
  /**
   * Jobs at once. Default: the threads of the tree's pool, but no more than there are processors. A flush waits for one
   * job at most, which takes a fraction of a second.
   */
  readonly parallelism?: number
  /**
   * True: the keys of the source ascend, none twice; it is faster, and VARVE_INGEST_ORDER where it is not so. Default
   * false: any order, and of pairs with the same key the last one counts.
   */
  readonly sorted?: boolean
  /**
   * Bytes of entries in memory at once: gathered, on their way, and being sorted; what does not fit is sorted in parts that
   * wait on disk. Beside it each job takes up to 64 MiB, for what it writes and for memory that the collector has not
   * taken back. A chunk of the source is never cut: very large ones take more.
   * Default `RuntimeConfig.memtableBytes` for each job and once more; 256 KiB … 1 GiB.
   */
  readonly memoryBytes?: number
  /** Aborted: everything is given up at once, with VARVE_ABORTED, also while the source makes it wait. */
  readonly signal?: AbortSignal
  /** Called a few times a second. What it throws ends the ingestion. */
  readonly onProgress?: (progress: BulkIngestProgress) => void
}

/** How long the source may keep the event loop at a time, and how many pairs come between two looks at the clock. */
const TURN_MS = 8
const PAIRS_A_LOOK = 1024

const PROGRESS_MS = 250

/**
 * A thread that has nothing to do gets a batch of this size, and as soon as that part of what there was is gathered: early
 * at first, and not in too many tables later.
 */
const BATCH_BYTES_MIN = 8 * 1024 * 1024
const BATCH_PART = 8

/** What is left when the source ends is cut for each thread; for each twice where the parts are larger than that. */
const LAST_BYTES_MAX = 16 * 1024 * 1024

export class BulkIngest {
  readonly #core: TreeCore
  readonly #scheduler: Scheduler
  readonly #options: BulkIngestOptions
  readonly #isSorted: boolean
  readonly #budget: IngestBudget
  readonly #jobs: IngestJobs
  readonly #batch: ChunkBatch
  /** Of the chunks that are packed here. */
  readonly #memory: ChunkMemory
  readonly #packer: ChunkPacker<SharedArrayBuffer>
  /** Aborted when nothing more is wanted of the source. */
  readonly #controller = new AbortController()
  /** Batches for which there was no thread yet, the oldest first. */
  #waiting: GatheredChunks[] = []
  /** Tables that no job knows of any more, until they are installed. */
  #merged: SortedRun = []
  #items = 0
  #chunks = 0
  #bytes = 0
  #turnEnds = 0
  #progressDue = 0

  /** @throws TypeError, RangeError for options that are none */
  constructor(core: TreeCore, scheduler: Scheduler, options: BulkIngestOptions) {
    const { sorted = false } = options
    const { executor } = scheduler
    this.#core = core
    this.#scheduler = scheduler
    this.#options = options
    this.#isSorted = sorted
    this.#budget = new IngestBudget(options, executor.threads, core.runtime.memtableBytes)
    this.#jobs = new IngestJobs(core, executor, this.#budget.parallelism)
    this.#batch = new ChunkBatch()
    const chunkBytes = Math.min(CHUNK_BYTES_DEFAULT, this.#budget.batchBytes)
    this.#memory = new ChunkMemory(chunkBytes)
    this.#packer = new ChunkPacker(chunkBytes, (chunk) => this.#memory.copy(chunk))
  }

  /** The signal, or the closing tree, ends it: jobs that run stop within a block, and the source is not waited for. */
  stop(): void {
    this.#controller.abort()
    this.#waiting = []
    void this.#jobs.cancel()
  }

  async run(source: BulkSource): Promise<IngestionResult> {
    const jobs = this.#jobs
    const { signal } = this.#options
    const onAbort = (): void => this.stop()
    signal?.addEventListener('abort', onAbort)
    try {
      this.#requireWanted()
      await this.#read(source)
      await jobs.complete()
      const { entryCount } = jobs
      const { tables, bytesWritten } = await this.#tables()
      if (tables.length === 0) return { entryCount, tableCount: 0, bytesWritten, seqno: undefined }
      this.#requireWanted()
      this.#tell('installing', 1)
      const { seqno, isInstalled } = await this.#scheduler.betweenFlushes((executor) =>
        installIngested(this.#core, executor, tables),
      )
      if (!isInstalled) this.#discard()
      const tableCount = isInstalled ? tables.length : 0
      return { entryCount, tableCount, bytesWritten, seqno: isInstalled ? seqno : undefined }
    } catch (error) {
      this.#waiting = []
      await jobs.cancel()
      this.#discard()
      // What was stopped says by whom, not that its job was stopped.
      if (VarveError.is(error, 'VARVE_ABORTED')) this.#requireWanted()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** What is to be installed. */
  async #tables(): Promise<{ tables: readonly TableProposal[]; bytesWritten: number }> {
    const { parts, bytesWritten } = this.#jobs
    const tables = parts.flat()
    if (this.#isSorted) {
      this.#requireAscending(tables)
      return { tables, bytesWritten }
    }
    if (tables.length === 0) return { tables: [], bytesWritten }
    const { signal } = this.#options
    this.#requireWanted()
    // Each table is a run: a job may have filled its buffer more than once.
    const runs = tables.map((table) => [table])
    const merged = await mergeRuns(this.#core, this.#scheduler.executor, runs, this.#budget, {
      signal,
      onProgress: ({ bytesRead, bytesTotal }) =>
        this.#tell('merging', bytesTotal === 0 ? 1 : bytesRead / bytesTotal),
    })
    this.#merged = merged.tables
    return { tables: merged.tables, bytesWritten: bytesWritten + merged.bytesWritten }
  }

  /** Jobs know the order of their own keys only. @throws VARVE_INGEST_ORDER */
  #requireAscending(tables: readonly TableProposal[]): void {
    const { compare } = this.#core.order
    for (const [i, { keyMin }] of tables.entries()) {
      const before = tables[i - 1]
      if (before === undefined || compare(before.keyMax, keyMin) < 0) continue
      throw ingestOrderError(Buffer.from(keyMin))
    }
  }

  async #read(source: BulkSource): Promise<void> {
    this.#turnEnds = performance.now() + TURN_MS
    if (typeof source === 'object' && source !== null && Symbol.iterator in source) {
      for (const item of source) {
        if (this.#take(item)) await this.#handOn()
        if (this.#items % PAIRS_A_LOOK === 0) await this.#look()
      }
    } else if (typeof source === 'object' && source !== null && Symbol.asyncIterator in source) {
      for await (const item of itemsOf(source, this.#controller.signal)) {
        if (this.#take(item)) await this.#handOn()
        if (this.#items % PAIRS_A_LOOK === 0) await this.#look()
      }
    } else {
      throw typeError(
        'a bulk ingestion takes an iterable or async iterable of [key, value] or of packed chunks',
      )
    }
    this.#pack(this.#packer.take())
    await this.#handOnRest()
  }

  /** Takes an item of the source; true where a job is to be started for what was gathered. */
  #take(item: BulkItem): boolean {
    this.#items++
    if (item instanceof Uint8Array) {
      // What came before it is older.
      this.#pack(this.#packer.take())
      this.#bytes += item.length
      this.#batch.add(item, this.#chunks++)
    } else {
      if (!Array.isArray(item) || item.length !== 2) {
        throw typeError('a bulk ingestion takes pairs [key, value], or packed chunks as Uint8Array')
      }
      const [key, value] = item as readonly [BytesLike, BytesLike]
      const full = this.#packer.add(key, value)
      this.#bytes += key.length + value.length
      if (full === undefined) return false
      this.#pack(full)
    }
    const { bytes } = this.#batch
    return bytes >= this.#budget.batchBytes || (bytes >= this.#leastBytes && this.#isIdle)
  }

  /** A thread could take a batch. */
  get #isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#jobs.isBusy
  }

  get #leastBytes(): number {
    return Math.max(BATCH_BYTES_MIN, this.#bytes / BATCH_PART)
  }

  #pack(chunk: Uint8Array | undefined): void {
    if (chunk !== undefined) this.#batch.addOwn(chunk)
  }

  /** Starts a job for what was gathered, as soon as there is a thread; the source waits where a batch waits already. */
  async #handOn(): Promise<void> {
    while (this.#waiting.length > 0) await this.#jobs.drained()
    this.#jobs.requireSound()
    this.#requireWanted()
    this.#waiting.push(this.#batch.take())
    this.#startJobs()
    await this.#look()
  }

  /** The source has ended: what is left is cut so that all threads end at about the same time. */
  async #handOnRest(): Promise<void> {
    if (this.#batch.bytes > 0) this.#waiting.push(this.#batch.take())
    const { parallelism, batchBytes } = this.#budget
    const bytes = this.#waiting.reduce((sum, batch) => sum + batch.bytes, 0)
    const longest = this.#waiting.reduce((most, batch) => Math.max(most, batch.longest), 0)
    const least = Math.ceil(bytes / (batchBytes + longest))
    const wanted = parallelism * (parallelism > 1 && bytes > LAST_BYTES_MAX * parallelism ? 2 : 1)
    this.#waiting = cutEvenly(this.#waiting, Math.max(least, wanted))
    this.#startJobs()
    await this.#look()
    while (this.#waiting.length > 0) await this.#jobs.drained()
  }

  /** Starts jobs for what waits while there are threads; called again whenever one is free. */
  readonly #startJobs = (): void => {
    while (this.#jobs.isGoingOn && !this.#jobs.isBusy) {
      const batch = this.#waiting.shift()
      if (batch === undefined) return
      const { jobOf, memory } = chunksJob(this.#core, batch, this.#budget)
      this.#jobs.start(jobOf, memory, () => {
        this.#recycle(batch)
        this.#startJobs()
      })
    }
  }

  /** Chunks that were packed here have been read, and their memory is free; others are not ours. */
  #recycle({ chunks, numbers }: GatheredChunks): void {
    for (const [i, chunk] of chunks.entries()) if (numbers[i] === -1) this.#memory.give(chunk)
  }

  /** Lets the event loop turn where it was kept for long, tells of the progress, and stops where it is to be stopped. */
  async #look(): Promise<void> {
    const now = performance.now()
    if (now >= this.#turnEnds) {
      await new Promise((resolve) => setImmediate(resolve))
      this.#turnEnds = performance.now() + TURN_MS
    }
    if (now >= this.#progressDue) this.#tell('reading', 0)
    this.#requireWanted()
  }

  #tell(phase: BulkIngestProgress['phase'], merged: number): void {
    this.#progressDue = performance.now() + PROGRESS_MS
    this.#options.onProgress?.({ phase, items: this.#items, bytes: this.#bytes, merged })
  }

  /** @throws VARVE_ABORTED, VARVE_CLOSED */
  #requireWanted(): void {
    this.#core.requireWritable()
    const { signal } = this.#options
    if (signal?.aborted !== true) return
    throw new VarveError(
      'VARVE_ABORTED',
      'the bulk ingestion was aborted by its signal; nothing of it is there',
      {
        cause: signal.reason,
      },
    )
  }

  #discard(): void {
    this.#jobs.discard()
    if (this.#core.isInstallable) removeTables(this.#core, this.#merged)
    this.#merged = []
  }
}
