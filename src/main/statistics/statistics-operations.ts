/**
 * What a tree tells of itself: counts and sizes, from the latest version and from memory. None of these reads a data
 * block. Main thread.
 */
import { rangeError } from '../../shared/base/errors.js'
import { LEVEL_COUNT } from '../../shared/base/limits.js'
import type { CacheStats } from '../../shared/memory/block-cache.js'
import { ReadOperations } from '../reading/read-operations.js'
import type { TreeCore } from '../tree-core.js'
import { type Metrics, metricsOf } from './metrics.js'

/** A table as {@link StatisticsOperations.levelSegmentStats} tells of it. */
export interface SegmentStats {
  readonly tableId: number
  readonly level: number
  /** Bytes of its file. */
  readonly usedBytes: number
  /** Entries, every version and tombstone counted. */
  readonly itemCount: number
  /** The highest seqno in it, range tombstones included; for an ingested table the seqno of its ingestion. */
  readonly highestSeqno: number
}

/** A level: the sums of its segments. */
export interface LevelStats {
  readonly level: number
  readonly segmentCount: number
  readonly usedBytes: number
  readonly itemCount: number
  readonly segments: readonly SegmentStats[]
}

export abstract class StatisticsOperations extends ReadOperations {
  protected abstract readonly core: TreeCore

  tableCount(): number {
    return this.core.latest.version.tableCount
  }

  /** Tables of a level. */
  levelTableCount(level: number): number {
    if (!Number.isInteger(level) || level < 0 || level >= LEVEL_COUNT) {
      throw rangeError(`a level is an integer from 0 to ${LEVEL_COUNT - 1}, not ${level}`)
    }
    return this.core.latest.version.level(level).reduce((sum, run) => sum + run.length, 0)
  }

  /** The tables of each level, L0 first: what each holds and takes. Empty levels have no segments. */
  levelSegmentStats(): LevelStats[] {
    return this.core.latest.version.levels.map((runs, level) => {
      const segments = runs.flat().map((table) => segmentStats(table, level))
      const sum = (of: (segment: SegmentStats) => number): number =>
        segments.reduce((total, segment) => total + of(segment), 0)
      return {
        level,
        segmentCount: segments.length,
        usedBytes: sum(({ usedBytes }) => usedBytes),
        itemCount: sum(({ itemCount }) => itemCount),
        segments,
      }
    })
  }

  l0RunCount(): number {
    return this.core.latest.version.level(0).length
  }

  sealedMemtableCount(): number {
    return this.core.latest.sealed.length
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
    for (const { table } of this.core.latest.version.tables()) bytes += table.fileBytes
    return bytes
  }

  /** Blocks, filters and files that reads have used since the tree was opened. Costs reads next to nothing. */
  metrics(): Metrics {
    this.core.requireOpen()
    return metricsOf(this.core)
  }

  /** Bytes that filters keep in memory. */
  filterSize(): number {
    let bytes = 0
    for (const { table } of this.core.latest.version.tables()) bytes += table.resident.filterBytes
    return bytes
  }

  cacheStats(): CacheStats {
    this.core.requireOpen()
    return this.core.cache.stats()
  }

  /**
   * The highest seqno that was ever in a table; undefined where none was. It never sinks, not even where merges and
   * `clear` took the entry away, and not across reopening.
   */
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

  *#memtables(): Generator<TreeCore['latest']['sealed'][number]> {
    const { active, sealed } = this.core.latest
    if (active !== undefined) yield active
    yield* sealed
  }

  #sumTables(of: (meta: ReturnType<typeof metaOf>) => number): number {
    let sum = 0
    for (const { table } of this.core.latest.version.tables()) sum += of(metaOf(table))
    return sum
  }

  #sumMemtables(of: (memtable: TreeCore['latest']['sealed'][number]) => number): number {
    let sum = 0
    for (const memtable of this.#memtables()) sum += of(memtable)
    return sum
  }
}

function segmentStats(table: VersionTable, level: number): SegmentStats {
  return {
    tableId: table.id,
    level,
    usedBytes: table.fileBytes,
    itemCount: metaOf(table).itemCount,
    highestSeqno: table.highestSeqno,
  }
}

type VersionTable = TreeCore['latest']['version']['levels'][number][number][number]

function metaOf(table: VersionTable): VersionTable['resident']['table']['meta'] {
  return table.resident.table.meta
}
