/**
 * What `open` takes: the options of api.md, their defaults, and their check. Main thread.
 *
 * A per-level policy takes one value or an array by level, whose last entry goes for all deeper levels.
 */

import type { CompactionFilterFactory } from '../shared/base/compaction-filter.js'
import type { Comparator } from '../shared/base/comparator.js'
import { rangeError, typeError, VarveError } from '../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../shared/base/limits.js'
import type { MergeOperator } from '../shared/base/merge-operator.js'
import type { PrefixExtractor } from '../shared/base/prefix-extractor.js'
import type { Compression } from '../shared/format/compression.js'
import { RECOVERY_MODES, type RecoveryMode } from '../shared/format/recovery-mode.js'
import type { DescriptorTable } from '../shared/fs/descriptor-table.js'
import type { FileSystem, SyncMode } from '../shared/fs/file-system.js'
import { MemoryFileSystem } from '../shared/fs/memory-file-system.js'
import { StdFileSystem } from '../shared/fs/std-file-system.js'
import type { UserCode } from '../shared/jobs/user-code.js'
import type { FilterFormat } from '../shared/table/filter-builder.js'
import type { Cache } from './cache.js'
import { dictionaryId } from './dictionary.js'
import { checkOptionKinds } from './option-checks.js'
import {
  AUTOMATIC_BACKPRESSURE,
  changeRuntimeConfig,
  RUNTIME_DEFAULTS,
  type RuntimeConfig,
} from './runtime-config.js'
import type { MaintenancePool } from './scheduling/maintenance-pool.js'
import type { SequenceNumberGenerator } from './seqno-counter.js'
import { leveled } from './strategies/leveled.js'
import type { CompactionStrategy } from './strategies/strategy.js'

/** One value for all levels, or one for each, the last going on downwards. */
export type ByLevel<T> = T | readonly [T, ...T[]]

/** How blocks are compressed. `zstd` takes a level from -128 to 22. */
export type CompressionOption =
  | 'none'
  | 'lz4'
  | { readonly zstd: number }
  | { readonly zstdDict: Uint8Array; readonly level?: number }

/** How filters are built: bits a key, a false positive rate, or not at all. */
export type FilterOption =
  | { readonly bitsPerKey: number }
  | { readonly falsePositiveRate: number }
  | 'none'

export interface OpenOptions {
  /** Create the tree where the folder is missing or empty. Default true. */
  readonly createIfMissing?: boolean
  /** Refuse a tree that exists already. Default false. */
  readonly errorIfExists?: boolean
  /** Open without changing anything on disk, and refuse writes. Default false. */
  readonly readOnly?: boolean
  /** Where the files live. Default `'std'`, the disk. `'memory'` is a fresh, private one that goes with the tree. */
  readonly fs?: 'std' | 'memory' | FileSystem
  /** Block cache; shareable between trees. Default: one of its own, 16 MiB. */
  readonly cache?: Cache
  /** Open files; shareable between trees. Default: one of its own, 256 files. */
  readonly descriptorTable?: DescriptorTable
  /**
   * Folds the operands of `tree.merge`: one of `mergeOperators`, a reference, or an object. An object keeps the tree's
   * flushes and merges on the main thread, between turns of its event loop. Not kept in the files: give the same one each
   * time. Default none: the newest operand is the value, and nothing is folded.
   */
  readonly mergeOperator?: UserCode<MergeOperator>
  /**
   * Judges the entries of merges: a reference, which runs in workers, or an object, which keeps the tree's flushes and
   * merges on the main thread, between turns of its event loop. Default none.
   */
  readonly compactionFilter?: UserCode<CompactionFilterFactory>
  /**
   * The order of keys: an object, or where to import one; `comparators` holds ready ones. Its name is kept in the tree's
   * files, and opening them under another is VARVE_COMPARATOR_MISMATCH. With a plain object, flushes and compactions run
   * on the main thread. Default: unsigned bytes.
   */
  readonly comparator?: UserCode<Comparator>
  /**
   * Which prefixes of keys go into filters, so that `prefix` and `containsPrefix` pass over tables that have none of them:
   * one of `prefixExtractors`, an object, or where to import one. Results are the same with and without. Default none.
   */
  readonly prefixExtractor?: UserCode<PrefixExtractor>
  /** Where write sequence numbers come from. Default: a counter of the tree's own. */
  readonly seqno?: SequenceNumberGenerator
  /** Up to where writes are visible to reads that name no seqno. Default: a counter of the tree's own. */
  readonly visibleSeqno?: SequenceNumberGenerator
  /** Default `['none', 'lz4']`: L0 as it is, deeper levels LZ4. */
  readonly compression?: ByLevel<CompressionOption>
  /** Default `'none'`. A dictionary counts as plain zstd here. */
  readonly indexCompression?: ByLevel<CompressionOption>
  /** Bytes of keys and values at which a data block is cut. Default 4096; 1 … 4 MiB. */
  readonly blockSize?: ByLevel<number>
  /** Entries between two whole keys of a data block. Default 16; 1 … 255. */
  readonly restartInterval?: ByLevel<number>
  /** The same for index blocks. Default 1. */
  readonly indexRestartInterval?: ByLevel<number>
  /** Hash buckets for each entry of a data block, for readers that use them. Default 0: none; up to 8. */
  readonly hashRatio?: ByLevel<number>
  /** Default `{ bitsPerKey: 10 }`. */
  readonly filter?: ByLevel<FilterOption>
  /** Our own compact filters, or the crate's, for trees that it will read hot. Default `'varve'`. */
  readonly filterFormat?: FilterFormat
  /** Which levels get filters in partitions that are cached one by one. Default from L3 down. */
  readonly filterPartitioning?: ByLevel<boolean>
  /** Build no filters for the last level: point reads mostly hit. Default false. */
  readonly expectPointReadHits?: boolean
  /** What to make of a damaged manifest. Default `'absolute-consistency'`: refuse it. */
  readonly manifestRecoveryMode?: RecoveryMode
  /** Length of the edit log at which the manifest is written anew. Default 1 MiB; 0: every time. */
  readonly manifestLogRotateBytes?: number
  /** Default `'normal'`: fsync. */
  readonly syncMode?: SyncMode
  /** Keep other processes out by a lock on the folder. Default true. */
  readonly directoryLock?: boolean
  /** Settings that may be changed later by `updateRuntimeConfig`. */
  readonly runtime?: Partial<RuntimeConfig>
  /** Default `'auto'`: flush and compaction run by themselves; `'manual'`: only when called. */
  readonly maintenance?: 'auto' | 'manual'
  /** Default `leveled()`. */
  readonly strategy?: CompactionStrategy
  /** Worker threads for maintenance; shareable between trees. Default: one for the process. */
  readonly pool?: MaintenancePool
  /** The current time in milliseconds since 1970. Default `Date.now`. */
  readonly clock?: () => number
  /**
   * Called when a flush has written its tables and before they become part of the tree, with the highest seqno in them: an
   * external log makes itself durable up to there (docs/wal.md). Awaited; where it fails, the flush fails and changes
   * nothing. 'flush' is emitted when they are part of the tree.
   */
  readonly beforeFlush?: (highestSeqno: number) => void | Promise<void>

  // Named by the API, not built yet: asking for one is VARVE_UNSUPPORTED, never silently ignored.
  readonly kvSeparation?: unknown
  readonly encryption?: unknown
  readonly ecc?: unknown
  readonly levelRoutes?: unknown
  readonly locator?: unknown
  readonly pinning?: unknown
  readonly partitioning?: unknown
  readonly logger?: unknown
}

/** Options, complete and checked. */
export interface Settings {
  readonly createIfMissing: boolean
  readonly errorIfExists: boolean
  readonly isReadOnly: boolean
  readonly fs: FileSystem
  readonly cache: Cache | undefined
  readonly descriptorTable: DescriptorTable | undefined
  readonly seqno: SequenceNumberGenerator | undefined
  readonly visibleSeqno: SequenceNumberGenerator | undefined
  readonly compression: readonly Compression[]
  readonly indexCompression: readonly Compression[]
  readonly blockSize: readonly number[]
  readonly restartInterval: readonly number[]
  readonly indexRestartInterval: readonly number[]
  readonly hashRatio: readonly number[]
  /** Fingerprint bits; 0 for no filter. */
  readonly filterBits: readonly number[]
  readonly filterFormat: FilterFormat
  readonly filterPartitioning: readonly boolean[]
  readonly expectPointReadHits: boolean
  readonly recoveryMode: RecoveryMode
  readonly manifestLogRotateBytes: number
  readonly syncMode: SyncMode
  readonly directoryLock: boolean
  readonly runtime: RuntimeConfig
  readonly isAutomatic: boolean
  readonly strategy: CompactionStrategy
  readonly pool: MaintenancePool | undefined
  readonly clock: () => number
  readonly beforeFlush: OpenOptions['beforeFlush']
}

const UNBUILT = [
  'kvSeparation',
  'encryption',
  'ecc',
  'levelRoutes',
  'locator',
  'pinning',
  'partitioning',
  'logger',
] as const

/** Every option: what is not one of them is a slip of the pen, and refused. */
const OPTION_NAMES: Readonly<Record<keyof OpenOptions, true>> = {
  createIfMissing: true,
  errorIfExists: true,
  readOnly: true,
  fs: true,
  cache: true,
  descriptorTable: true,
  mergeOperator: true,
  compactionFilter: true,
  comparator: true,
  prefixExtractor: true,
  seqno: true,
  visibleSeqno: true,
  compression: true,
  indexCompression: true,
  blockSize: true,
  restartInterval: true,
  indexRestartInterval: true,
  hashRatio: true,
  filter: true,
  filterFormat: true,
  filterPartitioning: true,
  expectPointReadHits: true,
  manifestRecoveryMode: true,
  manifestLogRotateBytes: true,
  syncMode: true,
  directoryLock: true,
  runtime: true,
  maintenance: true,
  strategy: true,
  pool: true,
  clock: true,
  beforeFlush: true,
  kvSeparation: true,
  encryption: true,
  ecc: true,
  levelRoutes: true,
  locator: true,
  pinning: true,
  partitioning: true,
  logger: true,
}

const BLOCK_SIZE_MAX = 4 * 1024 * 1024

/** The value of a policy for a level. */
export function atLevel<T>(policy: readonly T[], level: number): T {
  return policy[Math.min(level, policy.length - 1)] as T
}

function byLevel<T, R>(name: string, given: ByLevel<T>, convert: (value: T) => R): readonly R[] {
  const list = Array.isArray(given) ? (given as readonly T[]) : [given as T]
  if (list.length === 0 || list.length > 255) {
    throw rangeError(`${name} takes 1 to 255 levels, not ${list.length}`)
  }
  return list.map(convert)
}

function integers(
  name: string,
  given: ByLevel<number>,
  least: number,
  most: number,
): readonly number[] {
  return byLevel(name, given, (value) => {
    if (Number.isInteger(value) && value >= least && value <= most) return value
    throw rangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`)
  })
}

function toCompression(name: string, option: CompressionOption): Compression {
  if (option === 'none' || option === 'lz4') return { kind: option }
  if (typeof option !== 'object' || option === null) {
    throw typeError(`${name} must be 'none', 'lz4', { zstd } or { zstdDict }`)
  }
  const isPlain = 'zstd' in option
  const level = isPlain ? option.zstd : (option.level ?? 3)
  if (!Number.isInteger(level) || level < -128 || level > 22) {
    throw rangeError(`${name}: a zstd level is an integer from -128 to 22, not ${level}`)
  }
  if (isPlain) return { kind: 'zstd', level }
  const dictionary = option.zstdDict
  if (!(dictionary instanceof Uint8Array) || dictionary.length === 0) {
    throw typeError(`${name}: zstdDict must be a non-empty Uint8Array`)
  }
  return { kind: 'zstdDict', level, dictionary, dictionaryId: dictionaryId(dictionary) }
}

/** Index blocks never use a dictionary (format-table.md 6.1). */
function withoutDictionary(compression: Compression): Compression {
  return compression.kind === 'zstdDict' ? { kind: 'zstd', level: compression.level } : compression
}

/** Fingerprint bits (format-filter-ecc-crypto.md 1.2); ours go up to 32. */
function toFilterBits(option: FilterOption, most: number): number {
  if (option === 'none') return 0
  if (typeof option !== 'object' || option === null) {
    throw typeError(`filter must be 'none', { bitsPerKey } or { falsePositiveRate }`)
  }
  if ('bitsPerKey' in option) {
    const bits = Math.floor(option.bitsPerKey + 0.5)
    if (option.bitsPerKey === 0) return 0
    if (option.bitsPerKey >= 1 && bits <= most) return bits
    throw rangeError(`filter.bitsPerKey must lie between 1 and ${most}, not ${option.bitsPerKey}`)
  }
  const rate = option.falsePositiveRate
  const bits = Math.ceil(Math.fround(-Math.log2(Math.fround(rate))))
  if (rate > 0 && rate < 1 && bits >= 1 && bits <= most) return bits
  throw rangeError(`filter.falsePositiveRate must lie between 0 and 1, not ${rate}`)
}

function toFileSystem(option: OpenOptions['fs']): FileSystem {
  if (option === undefined || option === 'std') return new StdFileSystem()
  if (option === 'memory') return new MemoryFileSystem()
  if (typeof option === 'object' && typeof option.openRead === 'function') return option
  throw typeError(`fs must be 'std', 'memory' or a FileSystem`)
}

/** What trees have that are told nothing, made once: checking forty fields takes as long as reading a file. */
let automaticDefaults: RuntimeConfig | undefined

function runtimeOf(given: OpenOptions['runtime'], isAutomatic: boolean): RuntimeConfig {
  if (!isAutomatic) return changeRuntimeConfig(RUNTIME_DEFAULTS, { ...given })
  automaticDefaults ??= changeRuntimeConfig(RUNTIME_DEFAULTS, {
    backpressure: AUTOMATIC_BACKPRESSURE,
  })
  return given === undefined
    ? automaticDefaults
    : changeRuntimeConfig(automaticDefaults, { ...given })
}

/**
 * Checks options and fills in the defaults.
 * @throws TypeError, RangeError, VARVE_UNSUPPORTED
 */
export function resolveOptions(options: OpenOptions): Settings {
  checkOptionKinds(options, OPTION_NAMES)
  for (const name of UNBUILT) {
    if (options[name] === undefined) continue
    throw new VarveError(
      'VARVE_UNSUPPORTED',
      `the option ${name} is not supported by this version of varve`,
      {
        details: { option: name },
      },
    )
  }
  const mode = options.manifestRecoveryMode ?? 'absolute-consistency'
  if (!RECOVERY_MODES.includes(mode)) {
    throw typeError(`manifestRecoveryMode must be one of ${RECOVERY_MODES.join(', ')}`)
  }
  const format = options.filterFormat ?? 'varve'
  if (format !== 'varve' && format !== 'v5') throw typeError(`filterFormat must be 'varve' or 'v5'`)
  const filterBitsMax = format === 'v5' ? 64 : 32
  const isReadOnly = options.readOnly === true
  const isAutomatic = !isReadOnly && (options.maintenance ?? 'auto') === 'auto'
  return {
    createIfMissing: options.createIfMissing ?? !isReadOnly,
    errorIfExists: options.errorIfExists ?? false,
    isReadOnly,
    fs: toFileSystem(options.fs),
    cache: options.cache,
    descriptorTable: options.descriptorTable,
    seqno: options.seqno,
    visibleSeqno: options.visibleSeqno,
    compression: byLevel(
      'compression',
      options.compression ?? (['none', 'lz4'] as const),
      (value) => toCompression('compression', value),
    ),
    indexCompression: byLevel('indexCompression', options.indexCompression ?? 'none', (value) =>
      withoutDictionary(toCompression('indexCompression', value)),
    ),
    blockSize: integers('blockSize', options.blockSize ?? 4096, 1, BLOCK_SIZE_MAX),
    restartInterval: integers('restartInterval', options.restartInterval ?? 16, 1, 255),
    indexRestartInterval: integers(
      'indexRestartInterval',
      options.indexRestartInterval ?? 1,
      1,
      255,
    ),
    hashRatio: byLevel('hashRatio', options.hashRatio ?? 0, (value) => {
      if (value >= 0 && value <= 8) return Math.fround(value)
      throw rangeError(`hashRatio must lie between 0 and 8, not ${value}`)
    }),
    filterBits: byLevel('filter', options.filter ?? { bitsPerKey: 10 }, (value) =>
      toFilterBits(value, filterBitsMax),
    ),
    filterFormat: format,
    filterPartitioning: byLevel(
      'filterPartitioning',
      options.filterPartitioning ?? ([false, false, false, true] as const),
      Boolean,
    ),
    expectPointReadHits: options.expectPointReadHits ?? false,
    recoveryMode: mode,
    manifestLogRotateBytes: options.manifestLogRotateBytes ?? 1024 * 1024,
    syncMode: options.syncMode ?? 'normal',
    directoryLock: options.directoryLock ?? true,
    runtime: runtimeOf(options.runtime, isAutomatic),
    isAutomatic,
    strategy: options.strategy ?? leveled(),
    pool: options.pool,
    clock: options.clock ?? Date.now,
    beforeFlush: options.beforeFlush,
  }
}

/** The dictionary that tables may need to be read, where one was given. */
export function givenDictionary(
  settings: Settings,
): Extract<Compression, { kind: 'zstdDict' }> | undefined {
  for (const compression of settings.compression) {
    if (compression.kind === 'zstdDict') return compression
  }
  return undefined
}

/** Bytes of a key, checked against its limits. */
export function requireKeyLength(length: number): void {
  if (length > 0 && length <= KEY_BYTES_MAX) return
  throw rangeError(`a key has 1 to ${KEY_BYTES_MAX} bytes, not ${length}`)
}
