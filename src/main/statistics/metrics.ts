/**
 * What a tree has done since it was opened, as plain numbers (semantics.md 12.7). Main thread.
 */
import { WANTED_DATA, WANTED_FILTER, WANTED_INDEX } from '../../shared/kernel/layout.js'
import type { TreeCore } from '../tree-core.js'
import type { AudienceCounts } from '../version/audience.js'
import type { MaintenanceMetrics } from './maintenance-counts.js'

/** Blocks of one kind that reads asked for. */
export interface BlockMetrics {
  /** Read from disk, and their bytes there. */
  readonly loads: number
  readonly loadBytes: number
  /** Found in the cache. */
  readonly cachedLoads: number
  /** The share that was found; 1 where none was asked for. */
  readonly hitRate: number
}

/** Counts of a tree since it was opened; those of shared caches are all their trees'. */
export interface Metrics {
  readonly dataBlocks: BlockMetrics
  /** Index blocks that are not kept in memory outside the cache: those of two-level indexes. */
  readonly indexBlocks: BlockMetrics
  /** Filter partitions. */
  readonly filterBlocks: BlockMetrics
  /** Read when a table is opened, and kept: never found in the cache. */
  readonly rangeTombstoneBlocks: BlockMetrics
  /** All of these. */
  readonly blocks: BlockMetrics
  /** Answers of filters to point reads; those that kept the read from its table; and the share of them, 1 for no answer. */
  readonly filterQueries: number
  readonly filterSkips: number
  readonly filterEfficiency: number
  /** Tables that a prefix filter kept a scan from. */
  readonly prefixSkips: number
  /** Point reads of tables, of which cached rows answered so many. */
  readonly tableReads: number
  readonly rowHits: number
  /** Files open now, and the share of reads whose file was open already; 1 where nothing was read. */
  readonly openFiles: number
  readonly openFileHitRate: number
  /** Older versions of the tree that snapshots and iterators keep alive. */
  readonly keptVersions: number
  /** Other threads that read the tree (`tree.share`), and what is kept until they have seen the last of it. */
  readonly sharing: AudienceCounts
  /** Flushes, compactions, their failures, and how writers fared. */
  readonly maintenance: MaintenanceMetrics
}

function share(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole
}

function blockMetrics(loads: number, loadBytes: number, cachedLoads: number): BlockMetrics {
  return { loads, loadBytes, cachedLoads, hitRate: share(cachedLoads, loads + cachedLoads) }
}

export function metricsOf(core: TreeCore): Metrics {
  const { counters, descriptors } = core
  const [dataBlocks, indexBlocks, filterBlocks] = [WANTED_DATA, WANTED_INDEX, WANTED_FILTER].map(
    (kind) => {
      return blockMetrics(counters.loads(kind), counters.loadBytes(kind), counters.cached(kind))
    },
  ) as [BlockMetrics, BlockMetrics, BlockMetrics]
  const { loads, loadBytes } = core.rangeTombstoneLoads
  const rangeTombstoneBlocks = blockMetrics(loads, loadBytes, 0)
  const all = [dataBlocks, indexBlocks, filterBlocks, rangeTombstoneBlocks]
  const sum = (of: (one: BlockMetrics) => number): number =>
    all.reduce((total, one) => total + of(one), 0)
  return {
    dataBlocks,
    indexBlocks,
    filterBlocks,
    rangeTombstoneBlocks,
    blocks: blockMetrics(
      sum((one) => one.loads),
      sum((one) => one.loadBytes),
      sum((one) => one.cachedLoads),
    ),
    filterQueries: counters.filterQueries,
    filterSkips: counters.filterSkips,
    filterEfficiency: share(counters.filterSkips, counters.filterQueries),
    prefixSkips: counters.prefixSkips,
    tableReads: counters.tableReads,
    rowHits: counters.rowHits,
    openFiles: descriptors.size,
    openFileHitRate: share(descriptors.hits, descriptors.hits + descriptors.misses),
    keptVersions: core.history.length - 1,
    sharing: core.audienceCounts(),
    maintenance: { ...core.maintenance, ...core.backpressure.counts },
  }
}
