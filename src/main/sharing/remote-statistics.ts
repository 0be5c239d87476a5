/**
 * What a tree tells of itself, for threads that are attached to it: each a message to the owner, which answers as the tree's
 * method of the same name does. The attached thread.
 */
import type { CacheStats } from '../../shared/memory/block-cache.js'
import { ReadOperations } from '../reading/read-operations.js'
import type { Metrics } from '../statistics/metrics.js'
import type { ApproximateRangeStats, RangeCardinality } from '../statistics/range-estimates.js'
import type { RangeEstimateOptions } from '../statistics/statistics-operations.js'
import type { LevelStats, StorageStats } from '../statistics/storage-stats.js'
import type { WriteBackpressure } from '../writing/backpressure.js'
import type { Statistic, StatisticName } from './protocol.js'

export abstract class RemoteStatistics extends ReadOperations {
  /** What the owner answers. @throws VARVE_CLOSED */
  protected abstract tell<Name extends StatisticName>(
    name: Name,
    range?: RangeEstimateOptions,
  ): Promise<Statistic<Name>>

  /** Blocks, filters and files that the reads of all threads have used, and what there is of other threads. */
  async metrics(): Promise<Metrics> {
    return this.tell('metrics')
  }

  /** What the block cache holds, and how often all of its threads found there what they asked for. */
  async cacheStats(): Promise<CacheStats> {
    return this.tell('cacheStats')
  }

  async storageStats(): Promise<StorageStats> {
    return this.tell('storageStats')
  }

  async levelSegmentStats(): Promise<LevelStats[]> {
    return this.tell('levelSegmentStats')
  }

  /** Bytes of table files. */
  async diskSpace(): Promise<number> {
    return this.tell('diskSpace')
  }

  async tableCount(): Promise<number> {
    return this.tell('tableCount')
  }

  async l0RunCount(): Promise<number> {
    return this.tell('l0RunCount')
  }

  async sealedMemtableCount(): Promise<number> {
    return this.tell('sealedMemtableCount')
  }

  /** Entries in tables and memtables, every version and tombstone counted. */
  async approximateLen(): Promise<number> {
    return this.tell('approximateLen')
  }

  async tombstoneCount(): Promise<number> {
    return this.tell('tombstoneCount')
  }

  async weakTombstoneCount(): Promise<number> {
    return this.tell('weakTombstoneCount')
  }

  async filterSize(): Promise<number> {
    return this.tell('filterSize')
  }

  async highestSeqno(): Promise<number | undefined> {
    return this.tell('highestSeqno')
  }

  async highestPersistedSeqno(): Promise<number | undefined> {
    return this.tell('highestPersistedSeqno')
  }

  /** The shape of the tree as text, for people. */
  async printLevels(): Promise<string> {
    return this.tell('printLevels')
  }

  /** About how many bytes and entries lie between two keys. */
  async approximateRangeStats(range: RangeEstimateOptions = {}): Promise<ApproximateRangeStats> {
    return this.tell('approximateRangeStats', range)
  }

  /** About how many entries lie between two keys, and which share of all that is. */
  async approximateRangeCardinality(range: RangeEstimateOptions = {}): Promise<RangeCardinality> {
    return this.tell('approximateRangeCardinality', range)
  }

  /** How far maintenance is behind, as the owner's `writeBackpressure` says. */
  async writeBackpressure(): Promise<WriteBackpressure> {
    return this.tell('writeBackpressure')
  }
}
