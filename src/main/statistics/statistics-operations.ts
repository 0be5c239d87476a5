/**
 * What a tree tells of itself: counts and sizes, from the latest version and from memory. None of these reads a data
 * block; only the estimates of ranges read anything at all, index blocks and zone maps. Main thread.
 */
import { rangeError, typeError } from '../../shared/base/errors.js'
import { LEVEL_COUNT } from '../../shared/base/limits.js'
import type { TableMeta } from '../../shared/format/table-meta.js'
import type { CacheStats } from '../../shared/memory/block-cache.js'
import { FILTER_SECTIONS } from '../../shared/table/filter-builder.js'
import { ReadOperations } from '../reading/read-operations.js'
import { boundsOf, type IntervalOptions, type ReadOptions } from '../reading/read-options.js'
import type { CompactionStrategy } from '../strategies/strategy.js'
import type { TreeCore } from '../tree-core.js'
import type { Memtable } from '../version/memtable.js'
import type { Table } from '../version/table.js'
import { printLevels } from './level-text.js'
import { type Metrics, metricsOf } from './metrics.js'
import {
  type ApproximateRangeStats,
  type RangeCardinality,
  RangeEstimates,
} from './range-estimates.js'
import { type LevelStats, levelStats, type StorageStats, storageStats } from './storage-stats.js'

/** Which keys, as of when. */
export interface RangeEstimateOptions extends IntervalOptions, ReadOptions {}

export abstract class StatisticsOperations extends ReadOperations {
  protected abstract readonly core: TreeCore

  /** True while a compaction runs. */
  abstract isCompacting(): boolean

  // Tables.

  tableCount(): number {
    return this.core.latest.version.tableCount
  }

  /** Tables of a level; undefined from level 7 on: there are none. @throws RangeError for what is no level at all */
  levelTableCount(level: number): number | undefined {
    if (!Number.isInteger(level) || level < 0) {
      throw rangeError(`a level is an integer from 0 to ${LEVEL_COUNT - 1}, not ${level}`)
    }
    const { version } = this.core.latest
    if (level >= LEVEL_COUNT) return undefined
    return version.level(level).reduce((sum, run) => sum + run.length, 0)
  }

  l0RunCount(): number {
    return this.core.latest.version.level(0).length
  }

  blobFileCount(): number {
    return this.core.latest.version.extras.blobFiles.size
  }

  sealedMemtableCount(): number {
    return this.core.latest.sealed.length
  }

  /** The tables of each level, L0 first: what each holds and takes, and how it is read. Empty levels have no segments. */
  levelSegmentStats(): LevelStats[] {
    return levelStats(this.core)
  }

  /**
   * The shape of the tree as text, for people: a line for each level that has tables, its runs newest first, each table
   * as `id:smallest-largest size`.
   *
   * @example
   * ```ts
   * console.log(tree.printLevels())
   * // L0: [12:a-f 20M] [9:c-k 20M]
   * // L6: [3:a-c 64M, 4:d-k 64M]
   * ```
   */
  printLevels(): string {
    return printLevels(this.core.latest.version.levels)
  }

  // Entries.

  /** Entries in tables and memtables, every version and tombstone counted. */
  approximateLen(): number {
    let sum = this.#sumTables(({ itemCount }) => itemCount)
    for (const memtable of this.#memtables()) sum += memtable.entryCount
    return sum
  }

  /** Point tombstones of both kinds, in tables. */
  tombstoneCount(): number {
    return this.#sumTables((meta) => meta.tombstoneCount)
  }

  /** Weak tombstones in tables. */
  weakTombstoneCount(): number {
    return this.#sumTables((meta) => meta.weakTombstoneCount)
  }

  /** Values in tables that stand right behind a weak tombstone of their key: both go when they are compacted. */
  weakTombstoneReclaimableCount(): number {
    return this.#sumTables((meta) => meta.weakTombstoneReclaimable)
  }

  /** The highest seqno that was ever in a table; undefined where there was none. It never goes back. */
  highestPersistedSeqno(): number | undefined {
    const highest = this.core.highestPersistedSeqno
    return highest < 0 ? undefined : highest
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

  // Bytes.

  /** Bytes of table and blob files. */
  diskSpace(): number {
    let bytes = 0
    const { version } = this.core.latest
    for (const { table } of version.tables()) bytes += table.storedBytes
    return bytes
  }

  /** Bytes of filters in table files. */
  filterSize(): number {
    const names: readonly string[] = Object.values(FILTER_SECTIONS).map(({ filter }) => filter)
    return this.#sum(({ resident }) =>
      resident.table.sections.reduce(
        (sum, { name, length }) => (names.includes(name) ? sum + length : sum),
        0,
      ),
    )
  }

  /** Bytes of filters, and of indexes over partitions of filters, that stay in memory outside the cache. */
  pinnedFilterSize(): number {
    return this.#sum(({ resident }) => resident.filterBytes)
  }

  /** Bytes of indexes, of two-level ones the upper level, that stay in memory outside the cache. */
  pinnedBlockIndexSize(): number {
    return this.#sum(({ resident }) => resident.indexBytes)
  }

  /** Bytes of values in blob files that no table refers to any more, as stored. */
  staleBlobBytes(): number {
    let bytes = 0
    for (const { storedBytes } of this.core.latest.version.extras.blobGcStats.values()) {
      bytes += storedBytes
    }
    return bytes
  }

  /** What the tree takes on its disk, what is left there, and what its entries look like on average. */
  storageStats(): StorageStats {
    return storageStats(this.core, this.isCompacting())
  }

  /** Bytes that wait to be compacted, as a strategy sees it; the tree's own where none is given. */
  compactionDebt(strategy: CompactionStrategy = this.core.settings.strategy): number {
    const { version } = this.core.latest
    if (typeof strategy?.pendingBytes !== 'function') {
      throw typeError('compactionDebt takes a compaction strategy')
    }
    return strategy.pendingBytes(version)
  }

  // Estimates.

  /**
   * About how many bytes and entries lie between two keys: tables by their indexes, so to the block; memory exactly.
   *
   * @example
   * ```ts
   * const { bytes, keyCount } = tree.approximateRangeStats({ gte: 'user:', lt: 'user;' })
   * ```
   */
  approximateRangeStats(range: RangeEstimateOptions = {}): ApproximateRangeStats {
    return this.#estimate(range, (estimates) => estimates.stats())
  }

  /**
   * About how many entries lie between two keys, and which share of all that is. Tables with a zone map
   * (`RuntimeConfig.zoneMap`) count the entries of the blocks that the range touches; others go by bytes.
   * @throws codes of damage where a zone map is damaged
   */
  approximateRangeCardinality(range: RangeEstimateOptions = {}): RangeCardinality {
    return this.#estimate(range, (estimates) => estimates.cardinality())
  }

  // What was done.

  /** What the block cache holds, and how often it had what was asked for: that of all trees that share it. */
  cacheStats(): CacheStats {
    this.core.requireOpen()
    return this.core.cache.stats()
  }

  /** Blocks, filters and files that reads have used since the tree was opened. Costs reads next to nothing. */
  metrics(): Metrics {
    this.core.requireOpen()
    return metricsOf(this.core)
  }

  #estimate<T>(range: RangeEstimateOptions, ask: (estimates: RangeEstimates) => T): T {
    const seqno = this.beginRead(range)
    const { core } = this
    try {
      const bounds = boundsOf(range, core.order.compare)
      return ask(new RangeEstimates(core, core.viewAt(seqno), bounds, seqno))
    } finally {
      core.endRead()
    }
  }

  *#memtables(): Generator<Memtable> {
    const { active, sealed } = this.core.latest
    if (active !== undefined) yield active
    yield* sealed
  }

  #sum(of: (table: Table) => number): number {
    let sum = 0
    for (const { table } of this.core.latest.version.tables()) sum += of(table)
    return sum
  }

  #sumTables(of: (meta: TableMeta) => number): number {
    return this.#sum(({ resident }) => of(resident.table.meta))
  }
}
