/**
 * The state of one open tree and the few steps that change it: rotate, install, clear, close. What reads, writes and
 * maintains it lives in files of their own and works on this. Main thread.
 *
 *     open ── close() ──→ closing ── jobs ended ──→ closed
 *       │
 *       └─ a manifest write fails ─→ poisoned: readable; writes, flush and compaction fail with the first cause until
 *                                    the tree is opened again
 *
 * I1: a version becomes the latest only after the manifest that names it is durable; nothing comes between the two.
 * I2: the memtables named by the latest super version are the only ones written to, and only the active one.
 */
import { EventEmitter } from 'node:events'
import { VarveError } from '../shared/base/errors.js'
import type { KeyOrder } from '../shared/base/key-order.js'
import type { TableRecord } from '../shared/format/version-model.js'
import { DescriptorTable } from '../shared/fs/descriptor-table.js'
import type { DirectoryLock, FileSystem } from '../shared/fs/file-system.js'
import { ScanMemory } from '../shared/iterator/scan-memory.js'
import type { ThreadEpoch } from '../shared/memory/epochs.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import type { Workspace } from '../shared/memory/workspace.js'
import { BlockLoader } from '../shared/table/block-loader.js'
import { BlockProvider } from '../shared/table/block-provider.js'
import { dataOffsetOf } from '../shared/table/index-samples.js'
import { ResidentTable } from '../shared/table/resident-table.js'
import { TableFile } from '../shared/table/table-file.js'
import { Cache } from './cache.js'
import { processEnvironment } from './environment.js'
import { type EventName, publishToChannel } from './events.js'
import { tablesFolder } from './manifest/directory-layout.js'
import type { ManifestWriter } from './manifest/manifest-writer.js'
import { SeqnoMarkFile } from './manifest/seqno-mark-file.js'
import { givenDictionary, type Settings } from './options.js'
import type { ChangeHistory, ReadCore } from './reading/read-core.js'
import { changeRuntimeConfig, type RuntimeConfig } from './runtime-config.js'
import { BackgroundFailures, type FailureKind } from './scheduling/background-failures.js'
import { MergePace } from './scheduling/merge-pace.js'
import { SequenceNumberCounter, type SequenceNumberGenerator } from './seqno-counter.js'
import { MaintenanceCounts } from './statistics/maintenance-counts.js'
import { TreeCounters } from './statistics/tree-counters.js'
import { StorageBudget } from './storage-budget.js'
import type { TreeCode } from './user-code-options.js'
import type { Audience, AudienceCounts } from './version/audience.js'
import { Memtable } from './version/memtable.js'
import { type Retire, SuperVersion, type SuperVersionParts } from './version/super-version.js'
import { Table } from './version/table.js'
import { type TableFileActions, TableFileLife } from './version/table-file-life.js'
import type { Version } from './version/version.js'
import { VersionHistory } from './version/version-history.js'
import { Backpressure } from './writing/backpressure.js'

/** What opening found out. */
export interface TreeCoreParts {
  readonly root: string
  readonly settings: Settings
  readonly code: TreeCode
  readonly lock: DirectoryLock | undefined
  /** Undefined for a read-only tree. */
  readonly manifest: ManifestWriter | undefined
  readonly nextTableId: number
}

const NO_AUDIENCE: AudienceCounts = {
  attachedThreads: 0,
  pinnedSeqnos: 0,
  retiredVersions: 0,
  retiredBytes: 0,
}

export class TreeCore extends EventEmitter implements ReadCore {
  readonly root: string
  readonly settings: Settings
  readonly fs: FileSystem
  readonly environment = processEnvironment()
  /** The process's memory and workspace, bound to the order of this tree's keys. */
  readonly workspace: Workspace
  readonly shared: SharedMemory
  /** The order of the tree's keys. */
  readonly order: KeyOrder
  readonly code: TreeCode
  readonly cache: Cache
  readonly descriptors: DescriptorTable
  readonly loader: BlockLoader
  readonly provider: BlockProvider
  readonly counters: TreeCounters
  /** What the merges of the tree are steered by. */
  readonly pace: MergePace
  /** Blocks of range tombstones that were read, when tables were opened. */
  readonly rangeTombstoneLoads = { loads: 0, loadBytes: 0 }
  readonly seqno: SequenceNumberGenerator
  readonly visibleSeqno: SequenceNumberGenerator
  runtime: RuntimeConfig
  readonly failures = new BackgroundFailures()
  readonly backpressure = new Backpressure(this)
  readonly budget = new StorageBudget(this)
  readonly maintenance = new MaintenanceCounts()
  readonly #epoch: ThreadEpoch
  readonly #manifest: ManifestWriter | undefined
  readonly #lock: DirectoryLock | undefined
  readonly #mark: SeqnoMarkFile
  readonly #ownsCache: boolean
  #history: VersionHistory | undefined
  /** Other threads that read the tree, once it is shared. */
  #audience: Audience | undefined
  #nextTableId: number
  #nextMemtableId = 0
  #clearCount = 0
  /** Files of dropped tables that are being removed. */
  readonly #removals = new Set<Promise<void>>()
  #iteratorCount = 0
  #state: 'open' | 'closing' | 'closed' = 'open'
  /** Open, not read-only, not poisoned: what every write asks. */
  #isWritable: boolean

  constructor(parts: TreeCoreParts) {
    super()
    const { settings } = parts
    this.root = parts.root
    this.settings = settings
    this.code = parts.code
    this.workspace = this.environment.workspace.inOrder(parts.code.order)
    this.shared = this.workspace.shared
    this.order = this.shared.order
    this.fs = settings.fs
    this.runtime = settings.runtime
    this.seqno = settings.seqno ?? new SequenceNumberCounter()
    this.visibleSeqno = settings.visibleSeqno ?? new SequenceNumberCounter()
    this.#manifest = parts.manifest
    this.#isWritable = parts.manifest !== undefined
    this.#lock = parts.lock
    this.#mark = new SeqnoMarkFile(settings.fs, parts.root, {
      hasher: this.environment.workspace.hasher,
      syncMode: settings.syncMode,
    })
    this.#nextTableId = parts.nextTableId
    this.#ownsCache = settings.cache === undefined
    this.cache = settings.cache ?? new Cache()
    this.cache.attach()
    this.descriptors = settings.descriptorTable ?? new DescriptorTable()
    this.loader = new BlockLoader(this.workspace)
    this.#epoch = this.environment.epoch
    this.counters = new TreeCounters(this.workspace, settings.clock)
    const { view } = this.cache.blocks
    const thread = { epoch: this.#epoch, counters: this.counters.address }
    this.provider = new BlockProvider(this.workspace, this.loader, view, thread)
    this.pace = new MergePace(this.shared, this.workspace.heap)
    this.pace.words.setRate(this.runtime.compactionRateLimit)
  }

  /** Ends opening: `version` holds what is on disk. */
  start(version: Version): void {
    const reached = Math.max(this.#mark.seqno, version.highestSeqno)
    this.seqno.fetchMax(reached + 1)
    this.visibleSeqno.fetchMax(reached + 1)
    // Files do not tell what was collected before they were written: only what the caller had retained is sure to be
    // there for reads of the past.
    const retained = Math.min(this.visibleSeqno.get(), this.runtime.retainFrom)
    const first = this.#superVersion({
      active: undefined,
      sealed: [],
      version,
      exactFrom: retained,
      collectedBelow: retained,
    })
    this.#history = new VersionHistory(first)
  }

  /** The highest seqno that was ever in a table; -1 for none. It never sinks, also where its entry is gone. */
  get highestPersistedSeqno(): number {
    return Math.max(this.#mark.seqno, this.latest.version.highestSeqno)
  }

  get history(): VersionHistory {
    if (this.#history === undefined) throw this.#closedError()
    return this.#history
  }

  /** The latest super version. @throws VARVE_CLOSED */
  get latest(): SuperVersion {
    return this.history.latest
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** @throws VARVE_CLOSED */
  requireOpen(): void {
    if (this.#state !== 'open') throw this.#closedError()
  }

  /** @throws VARVE_CLOSED, VARVE_READ_ONLY; VARVE_IO where the manifest is beyond use */
  requireWritable(): void {
    if (this.#isWritable) return
    this.requireOpen()
    if (this.#manifest === undefined) {
      throw new VarveError(
        'VARVE_READ_ONLY',
        `${this.root} was opened read-only; open it without readOnly to write`,
      )
    }
    this.requireInstallable()
  }

  /** The table folder of a level. */
  tablesFolder(): string {
    return tablesFolder(this.root)
  }

  /** @throws VARVE_IO where the manifest is beyond use: no job could install what it writes */
  requireInstallable(): void {
    this.#manifest?.requireSound()
  }

  get isInstallable(): boolean {
    return this.#manifest !== undefined && this.#manifest.failure === undefined
  }

  /** Takes `count` table ids: the first of them. */
  takeTableIds(count: number): number {
    const first = this.#nextTableId
    this.#nextTableId += count
    return first
  }

  /**
   * Opens a table file and makes it resident. The caller or a super version takes the first reference.
   * @param restriction what of the keys is left to it, from where on
   * @param life of the file, where another view of it is open
   */
  openTable(record: TableRecord, restriction?: Uint8Array, life?: TableFileLife): Table {
    const { workspace } = this
    const path = `${this.tablesFolder()}/${record.id}`
    const file = this.descriptors.file(this.fs, path)
    try {
      const options = { id: record.id, dictionary: givenDictionary(this.settings) }
      const table = TableFile.open(workspace, this.loader, file, options)
      const resident = new ResidentTable(workspace, this.loader, table, {
        owner: this.environment.nextOwner(),
        globalSeqno: record.globalSeqno,
        restriction,
        prefixName: this.code.prefixes?.name,
        counters: this.counters.address,
      })
      const ranges = table.section('range_tombstones')
      if (ranges !== undefined) {
        this.rangeTombstoneLoads.loads++
        this.rangeTombstoneLoads.loadBytes += ranges.length
      }
      return new Table({
        path,
        record,
        resident,
        life: life ?? new TableFileLife(path, this.#fileActions),
        consumedBytes: this.#consumedBytes(resident),
      })
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Replaces the active memtable by a fresh one; seals the old one unless it is missing or empty. True where it did. */
  rotate(): boolean {
    const { latest } = this
    const { active } = latest
    if (active?.isEmpty) return false
    const { shared, workspace } = this
    const bytes = this.runtime.memtableBytes
    const fresh = new Memtable(shared, workspace.heap, this.#nextMemtableId++, bytes)
    if (this.#audience?.hasReaders) fresh.keepNodes()
    const sealed = active === undefined ? latest.sealed : [...latest.sealed, active]
    try {
      this.#replace({ active: fresh, sealed })
    } finally {
      fresh.release()
    }
    this.backpressure.look()
    return active !== undefined
  }

  /** Makes `version` durable and the latest, with `retired` memtables out of the list. */
  install(
    version: Version,
    retired: ReadonlySet<Memtable>,
    exactFrom: number,
    collectedBelow = exactFrom,
  ): void {
    const { latest } = this
    // Also where nothing of what is retired was worth a table, so that the version stays the same.
    this.#remember(version, retired)
    const next = this.#superVersion({
      active: latest.active,
      sealed: latest.sealed.filter((memtable) => !retired.has(memtable)),
      version,
      exactFrom: Math.max(exactFrom, latest.exactFrom),
      collectedBelow: Math.max(collectedBelow, latest.collectedBelow),
    })
    if (version.id !== latest.version.id) this.#commit(version, next)
    this.history.install(next)
    this.backpressure.look()
  }

  /** How often the tree was cleared: what began before the last time is not to be installed any more. */
  get clearCount(): number {
    return this.#clearCount
  }

  /** Drops all data: an empty version, fresh memtables. Older snapshots and iterators keep what they see. */
  clear(): void {
    this.requireWritable()
    const previous = this.latest
    const version = previous.version.cleared()
    this.#remember(version, new Set())
    const install = this.seqno.next()
    const next = this.#superVersion({
      active: undefined,
      sealed: [],
      version,
      exactFrom: install + 1,
      collectedBelow: install + 1,
    })
    this.#commit(version, next)
    this.#clearCount++
    this.history.install(next)
    for (const { table } of previous.version.tables()) table.markObsolete()
    this.visibleSeqno.fetchMax(install + 1)
    this.history.collectUnpinned()
    this.backpressure.look()
  }

  /** Writes a version as the manifest of a checkpoint's folder. */
  writeCheckpoint(folder: string, version: Version): void {
    this.#mark.copyTo(folder)
    this.#manifest?.writeCheckpoint(folder, version.toManifest())
  }

  updateRuntime(changes: Partial<RuntimeConfig>): void {
    this.runtime = changeRuntimeConfig(this.runtime, changes)
    this.pace.words.setRate(this.runtime.compactionRateLimit)
    this.budget.forget()
    this.backpressure.look()
  }

  /** Versions below it may go: no snapshot reads there, and nobody asked for them to stay. */
  automaticWatermark(): number {
    const pinned = this.history.oldestPin ?? this.visibleSeqno.get()
    return Math.min(pinned, this.visibleSeqno.get(), this.runtime.retainFrom)
  }

  /** The last failure of background work; undefined where the last attempt of each kind succeeded. */
  get lastError(): Error | undefined {
    return this.failures.latest
  }

  /** Reports a failure of background work, once. */
  reportError(error: Error, kind: FailureKind): void {
    this.failures.note(kind, error)
    this.publish('error', error)
  }

  /** Tells listeners and channels. What a listener throws is the process's to hear of, not the job's that is told of. */
  publish(name: EventName, event: object): void {
    publishToChannel(name, this.root, event)
    if (this.listenerCount(name) === 0) return
    try {
      this.emit(name, event)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  beginClose(): void {
    this.#state = 'closing'
    this.#isWritable = false
  }

  /** Resolves when no file is being removed. */
  async removalsDone(): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals)
  }

  /** As of `given`, or of what is visible now. Other threads' reads need the pair: alone, it does nothing. */
  beginRead(given: number | undefined): number {
    this.requireOpen()
    const seqno = given ?? this.visibleSeqno.get()
    this.#epoch.enter()
    return seqno
  }

  endRead(): void {
    this.#epoch.leave()
  }

  /** The super version of a read at `seqno`. @throws VARVE_SEQNO_COLLECTED */
  viewAt(seqno: number): SuperVersion {
    return this.history.at(seqno)
  }

  changes(): ChangeHistory {
    const { latest } = this
    const { collectedBelow, highestSeqno } = latest
    return { view: latest, collectedBelow, end: highestSeqno + 1 }
  }

  /** From now on other threads may read the tree: `audience` tells them of it, and keeps what they see. Once. */
  shareWith(audience: Audience): void {
    this.history.shareWith(audience)
    this.#audience = audience
  }

  /** What there is of other threads. */
  audienceCounts(): AudienceCounts {
    return this.#audience?.counts() ?? NO_AUDIENCE
  }

  /** An iterator begins to read. What it reads through outlives the tree until {@link releaseReading}. */
  acquireReading(): void {
    this.#iteratorCount++
  }

  releaseReading(): void {
    this.#iteratorCount--
    if (this.#state === 'closed' && this.#iteratorCount === 0) this.#freeReading()
  }

  /** Gives everything up, but for what open iterators need. REQUIRES: no job runs. */
  close(): void {
    if (this.#state === 'closed') return
    this.#history?.close()
    this.#state = 'closed'
    this.#history = undefined
    this.#manifest?.close()
    this.counters.stop()
    this.pace.dispose()
    if (this.#iteratorCount === 0) this.#freeReading()
    this.#lock?.release()
  }

  #freeReading(): void {
    this.counters.dispose()
    this.provider.dispose()
    this.loader.dispose()
    ScanMemory.freeIdle(this.workspace)
    if (this.settings.descriptorTable === undefined) this.descriptors.close()
    this.cache.detach()
    if (this.#ownsCache) this.cache[Symbol.dispose]()
  }

  readonly #fileActions: TableFileActions = {
    remove: (path) => this.#removeFile(path),
    punch: (path, end) => this.#punchFile(path, end),
  }

  #consumedBytes(resident: ResidentTable): number {
    const { restriction } = resident.placement
    if (restriction === undefined) return 0
    return dataOffsetOf(this.workspace, this.loader, resident, restriction)
  }

  /** Gives back the space of the beginning of a file; not where another name, as of a checkpoint, shows the same one. */
  #punchFile(path: string, end: number): boolean {
    const { fs } = this
    if (this.#state === 'closed' || this.#manifest === undefined) return false
    if (fs.punchHole === undefined || fs.linkCount === undefined) return false
    try {
      if (fs.canPunchHoles?.(path) === false || fs.linkCount(path) > 1) return false
      fs.punchHole(path, 0, end)
      this.budget.forget()
      return true
    } catch {
      // The space is given back when the rest of the table goes.
      return false
    }
  }

  /** Removes a table's file, off this thread where the file system can. What fails is left to the next open. */
  #removeFile(path: string): void {
    if (this.#state === 'closed') return
    // While the tree closes, nothing may be left to do behind it.
    if (this.#state === 'closing' || this.fs.removeLater === undefined) {
      this.fs.remove(path)
      return
    }
    const removal = this.fs
      .removeLater(path)
      .catch(() => undefined)
      .finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }

  #replace(memtables: { readonly active: Memtable; readonly sealed: readonly Memtable[] }): void {
    const { latest } = this
    const { version, exactFrom, collectedBelow } = latest
    this.history.replaceLatest(
      this.#superVersion({ ...memtables, version, exactFrom, collectedBelow }),
    )
  }

  #superVersion(parts: SuperVersionParts): SuperVersion {
    return new SuperVersion(this.workspace, parts, this.#retire)
  }

  readonly #retire: Retire = (piece) => {
    if (this.#audience === undefined) piece.free()
    else this.#audience.retire(piece)
  }

  /** Marks how far seqnos have come, where `version` will not tell any more. */
  #remember(version: Version, retired: ReadonlySet<Memtable>): void {
    let reached = Math.max(this.#mark.seqno, this.latest.version.highestSeqno)
    for (const { highestSeqno = -1 } of retired) reached = Math.max(reached, highestSeqno)
    if (version.highestSeqno < reached) this.#mark.raise(reached)
  }

  /** `next` is what reads will look at: it has its memory already, so that nothing can fail behind the commit. */
  #commit(version: Version, next: SuperVersion): void {
    try {
      if (this.#manifest === undefined) this.requireWritable()
      this.#manifest?.commit(version.toManifest())
    } catch (error) {
      next.giveUp()
      if (!this.isInstallable) this.#isWritable = false
      throw error
    }
  }

  #closedError(): VarveError {
    return new VarveError('VARVE_CLOSED', `${this.root} is closed`)
  }
}
