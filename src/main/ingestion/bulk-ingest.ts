/**
 * Bulk ingestion of a whole source, in any order, by all the workers there are (api.md, "Bulk ingestion"). Main thread.
 *
 *     sorted:    source ─→ buffers ─→ tables ──────────────────────→ installed at one seqno
 *     unsorted:  source ─→ buffers ─→ sorted runs ─→ merge in slices ─→ installed at one seqno
 *
 * The source is asked for more only as fast as the workers take it.
 *
 * I1: all of it appears at once, or nothing of it; whatever ends it early leaves no file and no memory behind.
 */
import { rangeError, typeError, VarveError } from '../../shared/base/errors.js'
import { KIND_VALUE } from '../../shared/kernel/layout.js'
import type { TableProposal } from '../../shared/table/table-proposal.js'
import { ingestJob, installIngested } from '../scheduling/ingest-task.js'
import { removeTables } from '../scheduling/proposed-tables.js'
import type { Scheduler } from '../scheduling/scheduler.js'
import type { TreeCore } from '../tree-core.js'
import type { BytesLike } from '../writing/write-batch.js'
import { IngestBuffers } from './ingest-buffers.js'
import type { IngestionResult } from './ingestion.js'
import { mergeRuns, type SortedRun, sortJob } from './sorted-runs.js'

/** What a source yields: a pair, or many of them as a packed chunk (`packEntries`). */
export type BulkItem = readonly [key: BytesLike, value: BytesLike] | Uint8Array

export type BulkSource = Iterable<BulkItem> | AsyncIterable<BulkItem>

/** How far a bulk ingestion is. */
export interface BulkIngestProgress {
  readonly phase: 'reading' | 'merging' | 'installing'
  /** Items of the source that were taken: pairs, or packed chunks. */
  readonly items: number
  /** Bytes of keys and values in them. */
  readonly bytes: number
  /** While merging: the part that is done, 0 to 1. */
  readonly merged: number
}

export interface BulkIngestOptions {
  /** Jobs at once. Default: the threads of the tree's pool. More take more memory: a write buffer each. */
  readonly parallelism?: number
  /**
   * True: the keys of the source ascend, none twice; it is faster, and VARVE_INGEST_ORDER where it is not so. Default
   * false: any order, and of pairs with the same key the last one counts.
   */
  readonly sorted?: boolean
  /** Aborted: everything is given up, with VARVE_ABORTED. */
  readonly signal?: AbortSignal
  /** Called a few times a second. */
  readonly onProgress?: (progress: BulkIngestProgress) => void
}

/** How long the source may keep the event loop at a time, and how many pairs come between two looks at the clock. */
const TURN_MS = 8
const PAIRS_A_LOOK = 1024

const PROGRESS_MS = 250

export class BulkIngest {
  readonly #core: TreeCore
  readonly #scheduler: Scheduler
  readonly #options: BulkIngestOptions
  readonly #parallelism: number
  readonly #buffers: IngestBuffers
  /** Tables that no buffer knows of any more, until they are installed. */
  #merged: SortedRun = []
  #items = 0
  #bytes = 0
  #turnEnds = 0
  #progressDue = 0

  /** @throws TypeError, RangeError for options that are none */
  constructor(core: TreeCore, scheduler: Scheduler, options: BulkIngestOptions) {
    const { parallelism = scheduler.executor.parallelism, sorted = false } = options
    if (!Number.isInteger(parallelism) || parallelism < 1) {
      throw rangeError(`parallelism must be an integer of 1 or more, not ${parallelism}`)
    }
    this.#core = core
    this.#scheduler = scheduler
    this.#options = options
    this.#parallelism = Math.min(parallelism, scheduler.executor.parallelism)
    this.#buffers = new IngestBuffers(core, scheduler.executor, {
      jobsMax: this.#parallelism,
      isSorted: sorted,
      jobOf: (buffer) => (sorted ? ingestJob(core, buffer) : sortJob(core, buffer)),
    })
  }

  async run(source: BulkSource): Promise<IngestionResult> {
    const buffers = this.#buffers
    try {
      await this.#read(source)
      await buffers.complete()
      const entryCount = buffers.entryCount
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
      await buffers.cancel()
      this.#discard()
      throw error
    } finally {
      buffers.free()
    }
  }

  /** What is to be installed. */
  async #tables(): Promise<{ tables: readonly TableProposal[]; bytesWritten: number }> {
    const { parts, bytesWritten } = this.#buffers
    if (this.#options.sorted === true) return { tables: parts.flat(), bytesWritten }
    if (parts.every((part) => part.length === 0)) return { tables: [], bytesWritten }
    const { signal } = this.#options
    const merged = await mergeRuns(this.#core, this.#scheduler.executor, parts, this.#parallelism, {
      signal,
      onProgress: ({ bytesRead, bytesTotal }) =>
        this.#tell('merging', bytesTotal === 0 ? 1 : bytesRead / bytesTotal),
    })
    this.#merged = merged.tables
    return { tables: merged.tables, bytesWritten: bytesWritten + merged.bytesWritten }
  }

  async #read(source: BulkSource): Promise<void> {
    this.#turnEnds = performance.now() + TURN_MS
    if (typeof source === 'object' && source !== null && Symbol.iterator in source) {
      for (const item of source) {
        if (item instanceof Uint8Array || !this.#addAtOnce(item)) await this.#add(item)
        if (this.#items % PAIRS_A_LOOK === 0) await this.#look()
      }
      return
    }
    if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source)) {
      throw typeError(
        'a bulk ingestion takes an iterable or async iterable of [key, value] or of packed chunks',
      )
    }
    for await (const item of source) {
      await this.#add(item)
      if (this.#items % PAIRS_A_LOOK === 0) await this.#look()
    }
  }

  /** Adds a pair where there is room for it. */
  #addAtOnce([key, value]: readonly [BytesLike, BytesLike]): boolean {
    try {
      this.#buffers.add(KIND_VALUE, key, value)
    } catch (error) {
      if (VarveError.is(error, 'VARVE_STALLED')) return false
      throw error
    }
    this.#items++
    this.#bytes += key.length + value.length
    return true
  }

  async #add(item: BulkItem): Promise<void> {
    if (item instanceof Uint8Array) return this.#addChunk(item)
    if (!Array.isArray(item) || item.length !== 2) {
      throw typeError('a bulk ingestion takes pairs [key, value], or packed chunks as Uint8Array')
    }
    while (!this.#addAtOnce(item as readonly [BytesLike, BytesLike])) {
      await this.#buffers.drained()
      await this.#look()
    }
  }

  async #addChunk(chunk: Uint8Array): Promise<void> {
    const { shared, workspace } = this.#core
    const address = workspace.heap.allocate(chunk.length + 8)
    try {
      shared.bytes.set(chunk, address)
      await this.#buffers.addPacked(address, address + chunk.length)
    } finally {
      workspace.heap.free(address)
    }
    this.#items++
    this.#bytes += chunk.length
    await this.#look()
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
    this.#buffers.discard()
    if (this.#core.isInstallable) removeTables(this.#core, this.#merged)
    this.#merged = []
  }
}
