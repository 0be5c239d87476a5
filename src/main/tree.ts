/**
 * The public face of an open tree: every operation of api.md in this version's scope, each a few lines over the parts
 * that do the work. Main thread.
 */
import type { EventEmitter } from 'node:events'
import { rangeError, typeError } from '../shared/base/errors.js'
import { LEVEL_COUNT } from '../shared/base/limits.js'
import { KIND_TOMBSTONE, KIND_VALUE } from '../shared/kernel/layout.js'
import type { CacheStats } from '../shared/memory/block-cache.js'
import type { TreeIterator } from './reading/tree-iterator.js'
import { type RangeOptions, type ReadOptions, TreeReads } from './reading/tree-reads.js'
import type { RuntimeConfig } from './runtime-config.js'
import type { CompactionResult } from './scheduling/compaction-task.js'
import type { FlushResult } from './scheduling/flush-task.js'
import { InProcessExecutor } from './scheduling/job-executor.js'
import { sharedPool } from './scheduling/maintenance-pool.js'
import { Scheduler } from './scheduling/scheduler.js'
import { requireSeqno, type SequenceNumberGenerator } from './seqno-counter.js'
import { Snapshot } from './snapshot.js'
import { major } from './strategies/major.js'
import type { CompactionStrategy } from './strategies/strategy.js'
import type { TreeCore } from './tree-core.js'
import type { BytesLike, WriteBatch } from './writing/write-batch.js'
import { Writer } from './writing/writer.js'

export type { RangeOptions, ReadOptions } from './reading/tree-reads.js'

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

/** An open tree. Made by `open`; one per folder. */
export class Tree implements AsyncDisposable {
  readonly type = 'standard'
  readonly #core: TreeCore
  readonly #reads: TreeReads
  readonly #writer: Writer
  readonly #scheduler: Scheduler
  #closing: Promise<void> | undefined
  #snapshotCount = 0

  /** Not for users: call `open`. */
  constructor(core: TreeCore) {
    this.#core = core
    const inProcess =
      core.fs.kind === 'std' ? undefined : new InProcessExecutor(core.environment.shared, core.fs)
    const executor = inProcess ?? core.settings.pool ?? sharedPool()
    this.#scheduler = new Scheduler(core, executor, core.settings.strategy)
    this.#reads = new TreeReads(core)
    this.#writer = new Writer(core, () => this.#scheduler.poke())
    if (core.settings.isAutomatic) this.#scheduler.poke()
  }

  /** The folder of the tree. */
  get path(): string {
    return this.#core.root
  }

  get isOpen(): boolean {
    return this.#core.isOpen
  }

  /** Where write seqnos come from. */
  get seqno(): SequenceNumberGenerator {
    return this.#core.seqno
  }

  /** Up to where writes are visible to reads that name no seqno. */
  get visibleSeqno(): SequenceNumberGenerator {
    return this.#core.visibleSeqno
  }

  /** The failure of the last background job; undefined once the next one succeeds. */
  get lastError(): Error | undefined {
    return this.#core.lastError
  }

  // Writing.

  /**
   * Sets a key. Synchronous, memory only: durable after {@link flush}.
   * @param key 1 … 65,535 bytes; a string is its UTF-8 bytes
   * @param value as large as a write buffer takes
   * @param seqno drawn and published by the tree where it is not given; the caller's to publish where it is
   * @returns false when the caller should `await tree.drained()` before it goes on
   * @throws VARVE_STALLED when every write buffer is full; nothing was changed
   *
   * @example
   * ```ts
   * if (!tree.insert('user:1', 'Ada')) await tree.drained()
   * ```
   */
  insert(key: BytesLike, value: BytesLike, seqno?: number): boolean {
    return this.#writer.write(KIND_VALUE, key, value, seqno)
  }

  /** Deletes a key, whether it is there or not. As {@link insert} otherwise. */
  remove(key: BytesLike, seqno?: number): boolean {
    return this.#writer.write(KIND_TOMBSTONE, key, '', seqno)
  }

  /** Applies a batch under one seqno: visible all at once, or not at all. As {@link insert} otherwise. */
  apply(batch: WriteBatch, seqno?: number): boolean {
    return this.#writer.apply(batch, seqno)
  }

  /** Resolves when writes are welcome again: after `insert` said false, or threw VARVE_STALLED. */
  async drained(): Promise<void> {
    while (this.#core.isOpen && this.#writer.shouldSlowDown()) {
      this.#scheduler.poke()
      if (this.#writer.areBuffersFull()) await this.#scheduler.nextChange()
      // Nothing would ever make a long L0 shorter where the strategy leaves it as it is.
      else if (await this.#scheduler.nextChangeOrIdle()) break
    }
    this.#core.requireOpen()
  }

  // Reading.

  /** The value of a key: the caller's own copy; undefined where there is none. */
  get(key: BytesLike, options?: ReadOptions): Buffer | undefined {
    return this.#reads.get(key, options)
  }

  /** The value decoded as UTF-8, straight from memory. */
  getString(key: BytesLike, options?: ReadOptions): string | undefined {
    return this.#reads.getString(key, options)
  }

  /** Copies the value into `target`, as far as it fits: the value's length, or -1 where there is none. */
  getInto(key: BytesLike, target: Uint8Array, options?: ReadOptions): number {
    return this.#reads.getInto(key, target, options)
  }

  /** The values of many keys as of one moment, in their order. */
  multiGet(keys: readonly BytesLike[], options?: ReadOptions): (Buffer | undefined)[] {
    return this.#reads.multiGet(keys, options)
  }

  containsKey(key: BytesLike, options?: ReadOptions): boolean {
    return this.#reads.containsKey(key, options)
  }

  /** True where at least one key starts with `prefix`; any key where it is empty. */
  containsPrefix(prefix: BytesLike, options?: ReadOptions): boolean {
    using keys = this.#reads.prefixKeys(prefix, options)
    return keys.next().done !== true
  }

  /** Bytes of a key's value; undefined where there is none. */
  sizeOf(key: BytesLike, options?: ReadOptions): number | undefined {
    return this.#reads.sizeOf(key, options)
  }

  /**
   * Entries between bounds, in key order: a lazy iterator with both ends.
   *
   * @example
   * ```ts
   * for (const [key, value] of tree.range({ gte: 'a', lt: 'b', limit: 10 })) console.log(String(key), value.length)
   * ```
   */
  range(options: RangeOptions & { readonly values: false }): TreeIterator<Buffer>
  range(options: RangeOptions & { readonly keys: false }): TreeIterator<Buffer>
  range(options?: RangeOptions): TreeIterator<[Buffer, Buffer]>
  range(options: RangeOptions = {}): TreeIterator<Buffer> | TreeIterator<[Buffer, Buffer]> {
    return this.#reads.range<[Buffer, Buffer]>(options)
  }

  /** Entries whose key starts with `prefix`; all of them where it is empty. */
  prefix(prefix: BytesLike, options: RangeOptions = {}): TreeIterator<[Buffer, Buffer]> {
    return this.#reads.prefix(prefix, options)
  }

  /** All entries. */
  iter(options: RangeOptions = {}): TreeIterator<[Buffer, Buffer]> {
    return this.#reads.range(options)
  }

  /** All entries, for `for (const [key, value] of tree)`. */
  [Symbol.iterator](): TreeIterator<[Buffer, Buffer]> {
    return this.iter()
  }

  firstKeyValue(options?: ReadOptions): [Buffer, Buffer] | undefined {
    return this.#reads.edge(options, false)
  }

  lastKeyValue(options?: ReadOptions): [Buffer, Buffer] | undefined {
    return this.#reads.edge(options, true)
  }

  isEmpty(options?: ReadOptions): boolean {
    return this.#reads.edge(options, false) === undefined
  }

  /** Counts the visible keys: a scan of the whole tree. */
  len(options?: ReadOptions): number {
    return this.#reads.count(options)
  }

  /**
   * Pins a seqno: reads through it see the tree as it is now, whatever happens later.
   * @param seqno default: what is visible now
   * @throws VARVE_SEQNO_COLLECTED where that history is gone already
   */
  snapshot(seqno: number = this.#core.visibleSeqno.get()): Snapshot {
    this.#core.requireOpen()
    requireSeqno(seqno, 'the seqno of a snapshot')
    const { history } = this.#core
    history.pin(seqno)
    this.#snapshotCount++
    return new Snapshot(this, seqno, () => {
      this.#snapshotCount--
      if (this.#core.isOpen) history.unpin(seqno)
    })
  }

  // Maintenance.

  /** Seals the active memtable. Nothing is written to disk by it alone. False where it is empty. */
  rotateMemtable(): boolean {
    this.#core.requireWritable()
    const { active } = this.#core.latest
    if (active === undefined) return false
    const isSealed = this.#core.rotate()
    if (isSealed) this.#scheduler.poke()
    return isSealed
  }

  /**
   * Writes out everything written so far; on return it is on disk and synced.
   * @throws what went wrong; everything stays readable and is flushed again later
   */
  async flush(options: MaintenanceOptions = {}): Promise<FlushResult | undefined> {
    this.#core.requireWritable()
    requireWatermark(options.gcWatermark)
    const { active } = this.#core.latest
    if (active !== undefined && !active.isEmpty) this.#core.rotate()
    return this.#scheduler.flush(options.gcWatermark)
  }

  /** Carries out one decision of a strategy; the tree's own where none is given. */
  async compact(
    strategy?: CompactionStrategy,
    options: MaintenanceOptions = {},
  ): Promise<CompactionResult> {
    this.#core.requireWritable()
    requireWatermark(options.gcWatermark)
    return this.#scheduler.compact(strategy ?? this.#core.settings.strategy, options.gcWatermark)
  }

  /**
   * Merges all tables into the last level. Memtables are not flushed.
   * @param options.targetSize bytes at which tables are cut; default one table as far as it goes
   */
  async majorCompact(
    options: MaintenanceOptions & { readonly targetSize?: number } = {},
  ): Promise<CompactionResult> {
    this.#core.requireWritable()
    requireWatermark(options.gcWatermark)
    const { targetSize } = options
    const strategy = major(targetSize === undefined ? {} : { targetBytes: targetSize })
    return this.#scheduler.compactAlone(strategy, options.gcWatermark)
  }

  /** Drops all data at once. Older snapshots and iterators keep what they see. */
  async clear(): Promise<void> {
    this.#core.clear()
  }

  /** Resolves when no maintenance is queued or running. */
  async idle(): Promise<void> {
    await this.#scheduler.idle()
  }

  /** The settings in force: frozen. */
  get runtimeConfig(): RuntimeConfig {
    return this.#core.runtime
  }

  /** Changes settings, all of them or none. @throws TypeError, RangeError */
  updateRuntimeConfig(changes: Partial<RuntimeConfig>): void {
    this.#core.requireOpen()
    this.#core.updateRuntime(changes)
    this.#scheduler.poke()
  }

  on(event: 'flush', listener: (result: FlushResult) => void): this
  on(event: 'compaction', listener: (result: CompactionResult) => void): this
  on(event: 'error', listener: (error: Error) => void): this
  on(event: string, listener: Parameters<EventEmitter['on']>[1]): this {
    this.#core.on(event, listener)
    return this
  }

  off(event: string, listener: Parameters<EventEmitter['on']>[1]): this {
    this.#core.off(event, listener)
    return this
  }

  // Statistics.

  tableCount(): number {
    return this.#core.latest.version.tableCount
  }

  /** Tables of a level. */
  levelTableCount(level: number): number {
    if (!Number.isInteger(level) || level < 0 || level >= LEVEL_COUNT) {
      throw rangeError(`a level is an integer from 0 to ${LEVEL_COUNT - 1}, not ${level}`)
    }
    return this.#core.latest.version.level(level).reduce((sum, run) => sum + run.length, 0)
  }

  l0RunCount(): number {
    return this.#core.latest.version.level(0).length
  }

  sealedMemtableCount(): number {
    return this.#core.latest.sealed.length
  }

  snapshotCount(): number {
    return this.#snapshotCount
  }

  /** Entries in tables and memtables, every version and tombstone counted. */
  approximateLen(): number {
    return (
      this.#sumTables((meta) => meta.itemCount) + this.#sumMemtables((table) => table.entryCount)
    )
  }

  tombstoneCount(): number {
    return (
      this.#sumTables((meta) => meta.tombstoneCount) +
      this.#sumMemtables((table) => table.tombstoneCount)
    )
  }

  weakTombstoneCount(): number {
    const inTables = this.#sumTables((meta) => meta.weakTombstoneCount)
    return inTables + this.#sumMemtables((table) => table.weakTombstoneCount)
  }

  /** Bytes of table files. */
  diskSpace(): number {
    let bytes = 0
    for (const { table } of this.#core.latest.version.tables()) bytes += table.fileBytes
    return bytes
  }

  /** Bytes that filters keep in memory. */
  filterSize(): number {
    let bytes = 0
    for (const { table } of this.#core.latest.version.tables()) bytes += table.resident.filterBytes
    return bytes
  }

  cacheStats(): CacheStats {
    this.#core.requireOpen()
    return this.#core.cache.stats()
  }

  /** Highest seqno in tables; undefined where there are none. */
  highestPersistedSeqno(): number | undefined {
    let highest: number | undefined
    for (const { table } of this.#core.latest.version.tables()) {
      highest = Math.max(highest ?? 0, table.highestSeqno)
    }
    return highest
  }

  highestMemtableSeqno(): number | undefined {
    let highest: number | undefined
    for (const memtable of this.#memtables()) {
      const seqno = memtable.highestSeqno
      if (seqno !== undefined) highest = Math.max(highest ?? 0, seqno)
    }
    return highest
  }

  highestSeqno(): number | undefined {
    const [persisted, inMemory] = [this.highestPersistedSeqno(), this.highestMemtableSeqno()]
    if (persisted === undefined || inMemory === undefined) return persisted ?? inMemory
    return Math.max(persisted, inMemory)
  }

  // Closing.

  /**
   * Closes the tree: waits for running jobs, writes out the memtable (unless told not to), lets go of the folder. A
   * second call waits for the first.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const { flush = 'auto' } = options
    if (flush !== 'auto' && flush !== 'discard')
      throw typeError(`close: flush must be 'auto' or 'discard'`)
    this.#closing ??= this.#close(flush === 'auto' && !this.#core.settings.isReadOnly)
    await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(isFlushing: boolean): Promise<void> {
    const core = this.#core
    // From here on writes are refused: none is accepted that the last flush would miss.
    core.beginClose()
    try {
      if (isFlushing) {
        const { active } = core.latest
        if (active !== undefined && !active.isEmpty) core.rotate()
        await this.#scheduler.flush()
      }
    } finally {
      await this.#scheduler.stop()
      this.#reads.dispose()
      core.close()
    }
  }

  *#memtables(): Generator<TreeCore['latest']['sealed'][number]> {
    const { active, sealed } = this.#core.latest
    if (active !== undefined) yield active
    yield* sealed
  }

  #sumTables(of: (meta: ReturnType<typeof metaOf>) => number): number {
    let sum = 0
    for (const { table } of this.#core.latest.version.tables()) sum += of(metaOf(table))
    return sum
  }

  #sumMemtables(of: (memtable: TreeCore['latest']['sealed'][number]) => number): number {
    let sum = 0
    for (const memtable of this.#memtables()) sum += of(memtable)
    return sum
  }
}

type VersionTable = TreeCore['latest']['version']['levels'][number][number][number]

function metaOf(table: VersionTable): VersionTable['resident']['table']['meta'] {
  return table.resident.table.meta
}

function requireWatermark(watermark: number | undefined): void {
  if (watermark === undefined || (Number.isInteger(watermark) && watermark >= 0)) return
  if (watermark === Number.POSITIVE_INFINITY) return
  throw rangeError(`gcWatermark must be a seqno, not ${watermark}`)
}
