/**
 * The public face of an open tree: what it reads, writes and tells of itself comes from the classes that it extends;
 * snapshots, maintenance and closing are here, each a few lines over the parts that do the work. Main thread.
 */
import type { EventEmitter } from 'node:events'
import { rangeError, typeError } from '../shared/base/errors.js'
import { type CheckpointInfo, createCheckpoint } from './checkpoint.js'
import type { StallEvent } from './events.js'
import { resolveFolder } from './folder.js'
import { BulkIngest, type BulkIngestOptions, type BulkSource } from './ingestion/bulk-ingest.js'
import { Ingestion, type IngestionResult } from './ingestion/ingestion.js'
import { ChangeIterator, type ScanSinceOptions } from './reading/change-iterator.js'
import { type ReadOptions, requireReadSeqno } from './reading/read-options.js'
import { TreeReads } from './reading/tree-reads.js'
import type { RuntimeConfig } from './runtime-config.js'
import type { CompactionResult } from './scheduling/compaction-result.js'
import type { FlushResult } from './scheduling/flush-task.js'
import { InProcessExecutor } from './scheduling/job-executor.js'
import { sharedPool } from './scheduling/maintenance-pool.js'
import type { MergeOptions } from './scheduling/merge-control.js'
import { OrphanRemoval } from './scheduling/orphan-removal.js'
import { Scheduler } from './scheduling/scheduler.js'
import { TreeExecutor } from './scheduling/tree-executor.js'
import { requireSeqno, type SequenceNumberGenerator } from './seqno-counter.js'
import type { SharedTree } from './sharing/protocol.js'
import { shareTree } from './sharing/shares.js'
import { Snapshot } from './snapshot.js'
import { type DropBounds, dropRange, toKeyBounds } from './strategies/drop-range.js'
import { major } from './strategies/major.js'
import type { CompactionStrategy } from './strategies/strategy.js'
import type { TreeCore } from './tree-core.js'
import { WriteOperations } from './writing/write-operations.js'
import { Writer } from './writing/writer.js'

export type { RangeOptions, ReadOptions } from './reading/read-options.js'

/** The last write buffer may be in use: how `close` treats what was not flushed. */
export interface CloseOptions {
  /** `'auto'` (default) writes the memtable out first; `'discard'` drops what was not flushed. */
  readonly flush?: 'auto' | 'discard'
}

/** Options of the calls that run maintenance. */
export interface MaintenanceOptions {
  /**
   * The caller's promise that nobody reads below it; versions that a newer one hides may go below it. 0 collects nothing.
   * Default: what snapshots, the visible seqno and `RuntimeConfig.retainFrom` allow.
   */
  readonly gcWatermark?: number
}

/** Options of the calls that run a compaction. */
export type CompactOptions = MaintenanceOptions & MergeOptions

/** An open tree. Made by `open`; one per folder. */
export class Tree extends WriteOperations implements AsyncDisposable {
  readonly type = 'standard'
  protected readonly core: TreeCore
  protected readonly reads: TreeReads
  protected readonly writer: Writer
  readonly #scheduler: Scheduler
  readonly #lane: TreeExecutor
  readonly #ingestions = new Set<Ingestion>()
  readonly #bulkIngestions = new Set<BulkIngest>()
  readonly #operations = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined
  #snapshotCount = 0
  #shared: SharedTree | undefined

  /** Not for users: call `open`. */
  constructor(core: TreeCore) {
    super()
    this.core = core
    const lane = new TreeExecutor(core, core.settings.pool ?? sharedPool())
    this.#lane = lane
    const executor =
      core.fs.kind !== 'std' || core.code.isLocal
        ? new InProcessExecutor(core.shared, core.fs, core.code, {
            isSliced: core.code.isLocal,
            onJob: () => core.maintenance.localJobs++,
          })
        : new OrphanRemoval(lane, core.fs)
    this.#scheduler = new Scheduler(core, executor, core.settings.strategy)
    this.reads = new TreeReads(core)
    this.writer = new Writer(core, () => this.#scheduler.poke())
    if (core.settings.isAutomatic) this.#scheduler.pokeSoon()
  }

  /** The folder of the tree. */
  get path(): string {
    return this.core.root
  }

  get isOpen(): boolean {
    return this.core.isOpen
  }

  /** Where write seqnos come from. */
  get seqno(): SequenceNumberGenerator {
    return this.core.seqno
  }

  /** Up to where writes are visible to reads that name no seqno. */
  get visibleSeqno(): SequenceNumberGenerator {
    return this.core.visibleSeqno
  }

  /** The failure of the last background job; undefined once the next one succeeds. */
  get lastError(): Error | undefined {
    return this.core.lastError
  }

  /**
   * Resolves when writes are welcome again: after `insert` said false, or threw VARVE_STALLED.
   * @throws VARVE_IO where the manifest is beyond use: writes will not be welcome before the tree is opened again
   */
  async drained(): Promise<void> {
    const { backpressure } = this.core
    while (this.core.isOpen && backpressure.isThrottled) {
      this.core.requireInstallable()
      this.#scheduler.poke()
      if (backpressure.areBuffersFull) await this.#scheduler.nextChange()
      // Nothing would ever make a long L0 shorter where the strategy leaves it as it is.
      else if (await this.#scheduler.nextChangeOrIdle()) break
    }
    this.core.requireOpen()
  }

  protected beginRead(options: ReadOptions | undefined): number {
    this.core.requireOpen()
    const given = options?.seqno
    return this.core.beginRead(given === undefined ? undefined : requireReadSeqno(given))
  }

  /**
   * Pins a seqno: reads through it see the tree as it is now, whatever happens later.
   * @param seqno default: what is visible now
   * @throws VARVE_SEQNO_COLLECTED where that history is gone already
   */
  snapshot(seqno: number = this.core.visibleSeqno.get()): Snapshot {
    this.core.requireOpen()
    requireSeqno(seqno, 'the seqno of a snapshot')
    const { history } = this.core
    history.pin(seqno)
    this.#snapshotCount++
    return new Snapshot(this.core, this.reads, seqno, () => {
      this.#snapshotCount--
      if (this.core.isOpen) history.unpin(seqno)
    })
  }

  /**
   * Everything that was written at or above `seqno` and is still there, in seqno order: the feed of change data capture.
   * Nothing is merged or left out: overwritten values come too, deletes as tombstones, merge operands as they were given,
   * what a bulk ingestion brought under its one seqno. Later writes do not show up; ask again from where this ended.
   *
   * Maintenance collects history. A consumer sets `RuntimeConfig.retainFrom` to its cursor, also when it opens the tree
   * again, and then misses nothing.
   *
   * @throws VARVE_SEQNO_COLLECTED where changes at or above `seqno` may be gone; `{ partial: true }` gives the rest
   * @example
   * ```ts
   * for (const event of tree.scanSinceSeqno(cursor)) {
   *   if (event.type === 'insert') await index.put(event.key, event.value)
   *   cursor = event.seqno + 1
   * }
   * ```
   */
  scanSinceSeqno(seqno: number, options: ScanSinceOptions = {}): ChangeIterator {
    return new ChangeIterator(this.core, seqno, options)
  }

  snapshotCount(): number {
    return this.#snapshotCount
  }

  /**
   * Lets other threads of this process read the tree while it is open: a plain object for `attach` there. It can be sent
   * to any number of threads, in `workerData` or a message, any number of times; one tree has one.
   *
   * Reading there takes no lock and no message. This thread goes on writing and maintains the tree; what threads write
   * through it they ask of this one. Closing the tree ends their reads with VARVE_CLOSED.
   *
   * @throws VARVE_CLOSED; VARVE_UNSUPPORTED for a tree that other threads could not read: on the file system in memory or
   *   one of your own, with a comparator, merge operator or prefix extractor that is no reference, with a `visibleSeqno` that is
   *   no SequenceNumberCounter, and on Node older than 20.19 and 22.5
   *
   * @example
   * ```ts
   * const worker = new Worker(new URL('./reader.js', import.meta.url), { workerData: tree.share() })
   * // reader.js: const reader = await attach(workerData)
   * ```
   */
  share(): SharedTree {
    this.core.requireOpen()
    this.#shared ??= shareTree(this.core, this)
    return this.#shared
  }

  // Maintenance.

  isCompacting(): boolean {
    this.core.requireOpen()
    return this.#scheduler.isCompacting
  }

  /**
   * Begins a bulk ingestion: keys in ascending order, straight into tables, much faster than writes. All of it becomes
   * visible at once when it is finished; until then, and when it is aborted, nothing of it is. Reads and writes go on.
   * Uses up to three buffers of `RuntimeConfig.memtableBytes`. Where the caller draws seqnos of its own, those drawn
   * before `finish` is called must have been written by then.
   *
   * @example
   * ```ts
   * const ingestion = tree.ingestion()
   * for (const [key, value] of sorted) if (!ingestion.write(key, value)) await ingestion.drained()
   * await ingestion.finish()
   * ```
   */
  ingestion(): Ingestion {
    this.core.requireWritable()
    const ingestion = new Ingestion(this.core, this.#scheduler, (ended) => {
      this.#ingestions.delete(ended)
    })
    this.#ingestions.add(ingestion)
    return ingestion
  }

  /**
   * Brings in a whole source by all the workers of the pool, in any order, past the memtable: it is cut into sorted runs,
   * merged, and appears at once under one seqno. The source is read as fast as the workers take it. See
   * docs/bulk-ingestion.md.
   *
   * @param source an iterable or async iterable of `[key, value]`, or of packed chunks, which cost this thread next to
   *   nothing: {@link packEntries} makes them, and of texts {@link ndjsonEntries} and {@link csvEntries}. The memory of a
   *   chunk is moved to a worker, unless it is shared: the source must not use it again
   * @throws VARVE_ABORTED, VARVE_INGEST_ORDER where `sorted` was promised and is not so, VARVE_INVALID_ARGUMENT for a
   *   malformed chunk (`details` has `chunk` and `offset`), and what the source throws; nothing is there then, and nothing
   *   is left behind
   *
   * @example
   * ```ts
   * const { entryCount } = await tree.bulkIngest(rows(), { signal: AbortSignal.timeout(60_000) })
   * await tree.bulkIngest(ndjsonEntries('users.ndjson', { key: 'id' }))
   * ```
   */
  async bulkIngest(source: BulkSource, options: BulkIngestOptions = {}): Promise<IngestionResult> {
    this.core.requireWritable()
    const ingestion = new BulkIngest(this.core, this.#scheduler, options)
    this.#bulkIngestions.add(ingestion)
    try {
      return await this.#guarded(ingestion.run(source))
    } finally {
      this.#bulkIngestions.delete(ingestion)
    }
  }

  /** Seals the active memtable. Nothing is written to disk by it alone. False where it is empty. */
  rotateMemtable(): boolean {
    this.core.requireWritable()
    const { active } = this.core.latest
    if (active === undefined) return false
    const isSealed = this.core.rotate()
    if (isSealed) this.#scheduler.poke()
    return isSealed
  }

  /**
   * Writes out everything written so far; on return it is on disk and synced.
   * @throws what went wrong; everything stays readable and is flushed again later
   */
  async flush(options: MaintenanceOptions = {}): Promise<FlushResult | undefined> {
    this.core.requireWritable()
    requireWatermark(options.gcWatermark)
    const { active } = this.core.latest
    if (active !== undefined && !active.isEmpty) this.core.rotate()
    return this.#scheduler.flush(options.gcWatermark)
  }

  /**
   * Carries out one decision of a strategy; the tree's own where none is given.
   * @throws VARVE_ABORTED where `signal` was aborted, or the tree was closed, before it was done: the tables stay as they were
   * @example
   * ```ts
   * await tree.compact(undefined, { signal: AbortSignal.timeout(60_000), onProgress: (at) => bar.update(at.bytesRead) })
   * ```
   */
  async compact(
    strategy?: CompactionStrategy,
    options: CompactOptions = {},
  ): Promise<CompactionResult> {
    this.core.requireWritable()
    requireWatermark(options.gcWatermark)
    const chosen = strategy ?? this.core.settings.strategy
    return this.#scheduler.compact(chosen, options.gcWatermark, options)
  }

  /**
   * Merges all tables into the last level. Memtables are not flushed.
   * @param options.targetSize bytes at which tables are cut; default one table as far as it goes
   * @throws as {@link compact}
   */
  async majorCompact(
    options: CompactOptions & { readonly targetSize?: number } = {},
  ): Promise<CompactionResult> {
    this.core.requireWritable()
    requireWatermark(options.gcWatermark)
    const { targetSize } = options
    const strategy = major(targetSize === undefined ? {} : { targetBytes: targetSize })
    return this.#scheduler.compactAlone(strategy, options.gcWatermark, options)
  }

  /**
   * Makes a second folder that opens as a tree of its own, here and in the Rust crate: hard links or reflinks of the
   * tables where the file system can, copies elsewhere. Writing, reading and compacting go on meanwhile; afterwards both
   * trees go their own ways.
   *
   * @param path a folder that does not exist yet, in one that does
   * @throws VARVE_EXISTS, VARVE_NOT_FOUND, and what a flush can throw; nothing is left of a checkpoint that failed
   *
   * @example
   * ```ts
   * const { seqno } = await tree.createCheckpoint('backups/monday')
   * ```
   */
  async createCheckpoint(path: string | URL): Promise<CheckpointInfo> {
    this.core.requireWritable()
    return this.#guarded(createCheckpoint(this.core, this.#scheduler, resolveFolder(path)))
  }

  /**
   * Drops every table that lies whole inside the bounds, at once and without reading it. What lies in memory, and tables
   * that reach outside the bounds, stay: this frees the space of old data cheaply and is no delete (`removeRange` is).
   * Older versions in tables that stay may come back to light. Snapshots keep what they see.
   *
   * @throws TypeError, RangeError for bounds that are none; bounds the wrong way round drop nothing
   * @example
   * ```ts
   * await tree.dropRange({ lt: 'log:2023-01-01' })
   * ```
   */
  async dropRange(bounds: DropBounds = {}): Promise<CompactionResult> {
    this.core.requireWritable()
    return this.#scheduler.compactAlone(dropRange(toKeyBounds(bounds)))
  }

  /**
   * Drops all data at once. Older snapshots and iterators keep what they see; the space of all else is free on return.
   */
  async clear(): Promise<void> {
    this.core.clear()
    await this.core.removalsDone()
  }

  /**
   * Makes merges stand still, within a block of where they are, until {@link resumeMaintenance}: also those that a caller
   * begins meanwhile. None begins by itself. Flushes go on, since writes depend on them; closing the tree does not wait. A
   * process does not end while a merge stands still: resume, or close the tree.
   */
  pauseMaintenance(): void {
    this.core.requireWritable()
    this.#scheduler.pause()
  }

  /** Lets merges go on. */
  resumeMaintenance(): void {
    this.core.requireWritable()
    this.#scheduler.resume()
  }

  /** Resolves when no maintenance is queued or running. */
  async idle(): Promise<void> {
    await this.#scheduler.idle()
  }

  /** The settings in force: frozen. */
  get runtimeConfig(): RuntimeConfig {
    return this.core.runtime
  }

  /**
   * Changes settings, all of them or none; each field of {@link RuntimeConfig} says when that takes effect.
   * @throws TypeError, RangeError for values that cannot be; VARVE_UNSUPPORTED for what this version has not
   *
   * @example
   * ```ts
   * tree.updateRuntimeConfig({ compactionConcurrency: 2, backpressure: { l0Slowdown: 30 } })
   * ```
   */
  updateRuntimeConfig(changes: Partial<RuntimeConfig>): void {
    this.core.requireOpen()
    this.core.updateRuntime(changes)
    this.#scheduler.poke()
  }

  on(event: 'flush', listener: (result: FlushResult) => void): this
  on(event: 'compaction', listener: (result: CompactionResult) => void): this
  on(event: 'stall', listener: (stall: StallEvent) => void): this
  on(event: 'error', listener: (error: Error) => void): this
  on(event: string, listener: Parameters<EventEmitter['on']>[1]): this {
    this.core.on(event, listener)
    return this
  }

  off(event: string, listener: Parameters<EventEmitter['on']>[1]): this {
    this.core.off(event, listener)
    return this
  }

  // Closing.

  /**
   * Closes the tree: ends running merges (what they wrote goes, their inputs stay), waits for other jobs, writes out the
   * memtable (unless told not to), lets go of the folder. A second call waits for the first.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const { flush = 'auto' } = options
    if (flush !== 'auto' && flush !== 'discard')
      throw typeError(`close: flush must be 'auto' or 'discard'`)
    this.#closing ??= this.#close(flush === 'auto' && !this.core.settings.isReadOnly)
    await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Work that outlives a call: closing waits for it. */
  async #guarded<T>(work: Promise<T>): Promise<T> {
    this.#operations.add(work)
    try {
      return await work
    } finally {
      this.#operations.delete(work)
    }
  }

  async #close(isFlushing: boolean): Promise<void> {
    const core = this.core
    // From here on writes are refused: none is accepted that the last flush would miss.
    core.beginClose()
    core.pace.endAll()
    this.#lane.withdrawMerges()
    for (const ingestion of this.#bulkIngestions) ingestion.stop()
    try {
      if (isFlushing) {
        const { active } = core.latest
        if (active !== undefined && !active.isEmpty) core.rotate()
        await this.#scheduler.flush()
      }
    } finally {
      await this.#scheduler.stop()
      await Promise.allSettled(this.#operations)
      for (const ingestion of this.#ingestions) await ingestion.abort()
      this.reads.dispose()
      await core.removalsDone()
      this.#lane.close()
      core.close()
    }
  }
}

function requireWatermark(watermark: number | undefined): void {
  if (watermark === undefined || (Number.isInteger(watermark) && watermark >= 0)) return
  if (watermark === Number.POSITIVE_INFINITY) return
  throw rangeError(`gcWatermark must be a seqno, not ${watermark}`)
}
