/** The public surface of varve: everything a user imports from `'varve'`. */

export type {
  CompactionFilter,
  CompactionFilterContext,
  CompactionFilterFactory,
  CompactionFilterItem,
  CompactionVerdict,
} from '../shared/base/compaction-filter.js'
export { type Comparator, comparators } from '../shared/base/comparator.js'
export { type ErrorCode, type ErrorKind, VarveError } from '../shared/base/errors.js'
export { MAX_SEQNO } from '../shared/base/limits.js'
export {
  int64,
  type MergeOperator,
  mergeOperators,
  readInt64,
} from '../shared/base/merge-operator.js'
export { type PrefixExtractor, prefixExtractors } from '../shared/base/prefix-extractor.js'
export { DescriptorTable } from '../shared/fs/descriptor-table.js'
export type {
  DirectoryEntry,
  DirectoryLock,
  FileSystem,
  ReadableFile,
  ReadRequest,
  SyncMode,
  WritableFile,
} from '../shared/fs/file-system.js'
export type { ModuleReference, UserCode } from '../shared/jobs/user-code.js'
export type { CacheStats } from '../shared/memory/block-cache.js'
export { Cache, type CacheOptions } from './cache.js'
export type { CheckpointInfo } from './checkpoint.js'
export type { ChannelMessage, StallCause, StallEvent } from './events.js'
export type {
  BulkIngestOptions,
  BulkIngestProgress,
  BulkItem,
  BulkSource,
} from './ingestion/bulk-ingest.js'
export { type CsvColumn, type CsvOptions, csvEntries } from './ingestion/csv-entries.js'
export { Ingestion, type IngestionResult } from './ingestion/ingestion.js'
export { type NdjsonOptions, ndjsonEntries } from './ingestion/ndjson-entries.js'
export { packEntries } from './ingestion/packed-entries.js'
export type { TextSource } from './ingestion/source-bytes.js'
export { open } from './open.js'
export type { CompressionOption, FilterOption, OpenOptions } from './options.js'
export { AsyncRangeIterator } from './reading/async-range-iterator.js'
export { BatchRangeIterator } from './reading/batch-range-iterator.js'
export { ChangeIterator, type ScanSinceOptions } from './reading/change-iterator.js'
export type { ChangeEvent } from './reading/change-scan.js'
export { Guard } from './reading/guard.js'
export { PinnableSlice } from './reading/pinnable-slice.js'
export type {
  AsyncRangeOptions,
  GuardOptions,
  IntervalOptions,
  SeekableOptions,
} from './reading/read-options.js'
export { SeekableIterator } from './reading/seekable-iterator.js'
export type { TracedVersion } from './reading/trace.js'
export { TreeIterator } from './reading/tree-iterator.js'
export type {
  BackpressureThresholds,
  BlobGcThresholds,
  ChecksumAlgorithm,
  DeleteStrategy,
  EccScheme,
  JobPriorities,
  KvChecksums,
  RuntimeConfig,
} from './runtime-config.js'
export type { CompactionResult } from './scheduling/compaction-result.js'
export type { FlushResult } from './scheduling/flush-task.js'
export { MaintenancePool } from './scheduling/maintenance-pool.js'
export type { CompactionProgress } from './scheduling/merge-control.js'
export { SequenceNumberCounter, type SequenceNumberGenerator } from './seqno-counter.js'
export { attach } from './sharing/attach.js'
export type { AttachOptions, SharedTree } from './sharing/protocol.js'
export { RemoteWriter } from './sharing/remote-writer.js'
export { TreeReader } from './sharing/tree-reader.js'

export { Snapshot } from './snapshot.js'
export type { MaintenanceMetrics } from './statistics/maintenance-counts.js'
export type { BlockMetrics, Metrics } from './statistics/metrics.js'
export type { ApproximateRangeStats, RangeCardinality } from './statistics/range-estimates.js'
export type { RangeEstimateOptions } from './statistics/statistics-operations.js'
export {
  estimatedRemainingEntries,
  type LevelStats,
  type SegmentStats,
  type StorageStats,
  type StorageStatus,
} from './statistics/storage-stats.js'
export { type DropBounds, dropRange, type KeyBounds } from './strategies/drop-range.js'
export { type EccHealOptions, eccHeal, type HealHints } from './strategies/ecc-heal.js'
export { type FifoOptions, fifo } from './strategies/fifo.js'
export { leveled } from './strategies/leveled.js'
export type { LeveledOptions } from './strategies/leveled-options.js'
export { type MajorOptions, major } from './strategies/major.js'
export { moveDown } from './strategies/move-down.js'
export { pullDown } from './strategies/pull-down.js'
export { type SizeTieredOptions, sizeTiered } from './strategies/size-tiered.js'
export type {
  CompactionChoice,
  CompactionInput,
  CompactionStrategy,
  StrategyRun,
  StrategyRuns,
  StrategyState,
  StrategyTable,
  StrategyVersion,
} from './strategies/strategy.js'
export {
  type CloseOptions,
  type CompactOptions,
  type MaintenanceOptions,
  type RangeOptions,
  type ReadOptions,
  Tree,
} from './tree.js'
export type { AudienceCounts } from './version/audience.js'
export type { WriteBackpressure } from './writing/backpressure.js'
export { type BytesLike, WriteBatch } from './writing/write-batch.js'
