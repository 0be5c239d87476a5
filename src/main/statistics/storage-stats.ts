/**
 * What a tree takes on its disk, and what is left (semantics.md 12.2, 12.3). From metadata alone. Main thread.
 */
import { isMissing } from '../../shared/fs/file-system.js'
import { freeBytes } from '../scheduling/space-gate.js'
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'

/** Bytes that a compaction in slices needs at the least. */
const TIGHT_COMPACTION_BYTES = 1024 * 1024

/**
 * What the storage of a tree is busy with, or short of. Whether there is room is told only with
 * `RuntimeConfig.storageAdmissionCheck`, and where something bounds it: for a merge of the largest level as a whole, or in
 * slices at most; `readOnlyOutOfSpace` while `tryInsert` and the like are refused, whatever else goes on.
 */
export type StorageStatus =
  | 'healthy'
  | 'compactionInProgress'
  | 'fullCompactionAvailable'
  | 'tightCompactionAvailable'
  | 'readOnlyOutOfSpace'

export interface StorageStats {
  /** Bytes of table files. */
  readonly usedBytes: number
  /**
   * What it may take: what it uses and what its disk has left, `RuntimeConfig.storageLimitBytes` at most. Undefined where
   * neither has a limit.
   */
  readonly capacityBytes: number | undefined
  readonly availableBytes: number | undefined
  /** True where a compaction in slices finds the room that it needs. */
  readonly isCompactionPossible: boolean
  /** Bytes that rewriting the largest level takes for a while. */
  readonly fullCompactionBytes: number
  /** Bytes that a compaction in slices takes for a while. */
  readonly tightCompactionBytes: number
  /** Entries in tables, every version and tombstone counted. */
  readonly itemCount: number
  readonly tableCount: number
  /** File bytes for each entry; 0 for an empty tree. */
  readonly averageEntryBytes: number
  /** Undefined for an empty tree, and where a table does not tell. */
  readonly averageKeyBytes: number | undefined
  readonly averageValueBytes: number | undefined
  /** About what weak deletes give back once they meet their values. */
  readonly reclaimableBytesEstimate: number
  readonly status: StorageStatus
}

/** A table as `levelSegmentStats` tells of it. */
export interface SegmentStats {
  readonly tableId: number
  readonly level: number
  /** Bytes of its file. */
  readonly usedBytes: number
  /** Entries, every version and tombstone counted. */
  readonly itemCount: number
  /** The highest seqno in it, range tombstones included; for an ingested table the seqno of its ingestion. */
  readonly highestSeqno: number
  /** Point reads that looked into it since it was opened: past its key range, seqnos and filter. */
  readonly reads: number
  /** When the last of them was, in seconds since 1970; 0 where there was none. */
  readonly lastAccessSeconds: number
}

/** A level: the sums of its segments, and the latest of their accesses. */
export interface LevelStats {
  readonly level: number
  readonly segmentCount: number
  readonly usedBytes: number
  readonly itemCount: number
  readonly reads: number
  readonly lastAccessSeconds: number
  readonly segments: readonly SegmentStats[]
}

export function segmentStats(table: Table, level: number): SegmentStats {
  const { resident } = table
  return {
    tableId: table.id,
    level,
    usedBytes: table.storedBytes,
    itemCount: resident.table.meta.itemCount,
    highestSeqno: table.highestSeqno,
    reads: resident.readCount,
    lastAccessSeconds: resident.lastAccessSeconds,
  }
}

export function levelStats(core: TreeCore): LevelStats[] {
  return core.latest.version.levels.map((runs, level) => {
    const segments = runs.flat().map((table) => segmentStats(table, level))
    const sum = (of: (segment: SegmentStats) => number): number =>
      segments.reduce((total, segment) => total + of(segment), 0)
    return {
      level,
      segmentCount: segments.length,
      usedBytes: sum(({ usedBytes }) => usedBytes),
      itemCount: sum(({ itemCount }) => itemCount),
      reads: sum(({ reads }) => reads),
      lastAccessSeconds: segments.reduce((last, one) => Math.max(last, one.lastAccessSeconds), 0),
      segments,
    }
  })
}

export function storageStats(core: TreeCore, isCompacting: boolean): StorageStats {
  const levels = levelStats(core)
  const usedBytes = levels.reduce((sum, level) => sum + level.usedBytes, 0)
  const itemCount = levels.reduce((sum, level) => sum + level.itemCount, 0)
  const tableCount = levels.reduce((sum, level) => sum + level.segmentCount, 0)
  const averageEntryBytes = itemCount === 0 ? 0 : usedBytes / itemCount
  const capacityBytes = capacityOf(core, usedBytes)
  const availableBytes =
    capacityBytes === undefined ? undefined : Math.max(0, capacityBytes - usedBytes)
  const fullCompactionBytes = levels.reduce((most, level) => Math.max(most, level.usedBytes), 0)
  const metas = [...core.latest.version.tables()].map(({ table }) => table.resident.table.meta)
  // A table of the crate's that does not tell has 0.
  const hasSums = itemCount > 0 && metas.every(({ keyBytes }) => keyBytes > 0)
  const average = (bytes: readonly number[]): number | undefined =>
    hasSums ? bytes.reduce((sum, one) => sum + one, 0) / itemCount : undefined
  const reclaimable = metas.reduce((sum, meta) => sum + meta.weakTombstoneReclaimable, 0)
  return {
    usedBytes,
    capacityBytes,
    availableBytes,
    isCompactionPossible: availableBytes === undefined || availableBytes >= TIGHT_COMPACTION_BYTES,
    fullCompactionBytes,
    tightCompactionBytes: TIGHT_COMPACTION_BYTES,
    itemCount,
    tableCount,
    averageEntryBytes,
    averageKeyBytes: average(metas.map(({ keyBytes }) => keyBytes)),
    averageValueBytes: average(metas.map(({ valueBytes }) => valueBytes)),
    reclaimableBytesEstimate: Math.round(reclaimable * averageEntryBytes),
    status: statusOf(core, isCompacting, fullCompactionBytes),
  }
}

/** How many more entries of the size that they have so far fit into `budgetBytes`; 0 where there are none to tell by. */
export function estimatedRemainingEntries(stats: StorageStats, budgetBytes: number): number {
  if (stats.averageEntryBytes === 0) return 0
  return Math.floor(budgetBytes / stats.averageEntryBytes)
}

function statusOf(
  core: TreeCore,
  isCompacting: boolean,
  fullCompactionBytes: number,
): StorageStatus {
  if (core.budget.excess() !== undefined) return 'readOnlyOutOfSpace'
  if (isCompacting) return 'compactionInProgress'
  if (!core.runtime.storageAdmissionCheck) return 'healthy'
  const free = freeBytes(core)
  if (free === Number.POSITIVE_INFINITY) return 'healthy'
  return fullCompactionBytes <= free ? 'fullCompactionAvailable' : 'tightCompactionAvailable'
}

function capacityOf(core: TreeCore, usedBytes: number): number | undefined {
  const free = availableOf(core)
  const quota = core.runtime.storageLimitBytes
  if (free === undefined) return quota
  return Math.min(quota ?? Number.POSITIVE_INFINITY, usedBytes + free)
}

/** Free bytes where the tables are; undefined where there is no limit, or the file system does not tell. */
function availableOf({ fs, root }: TreeCore): number | undefined {
  if (fs.availableSpace === undefined) return undefined
  try {
    const bytes = fs.availableSpace(root)
    return Number.isFinite(bytes) ? bytes : undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
