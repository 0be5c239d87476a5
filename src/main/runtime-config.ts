/**
 * RuntimeConfig: the settings that may change while a tree is open (semantics.md 15). An immutable snapshot, swapped
 * whole; nothing of it is persisted. What may stand in it is checked by runtime-checks.ts. Main thread; jobs carry what
 * they need of it. docs/tuning.md tells which of them is for which symptom.
 *
 * I1: a setting whose feature this version has not is refused with VARVE_UNSUPPORTED unless it is the default: none is
 *     accepted and then ignored.
 */
import { availableParallelism } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { typeError, VarveError } from '../shared/base/errors.js'
import { MAX_SEQNO } from '../shared/base/limits.js'
import { CHECKS, requireSoundEcc } from './runtime-checks.js'

/** Digest of an entry: 8 bytes, or 4. */
export type ChecksumAlgorithm = 'xxh3-64' | 'xxh3-low32' | 'crc32c'

/** Which tables get digests of their entries: by a mask of 8 levels, or by an inclusive range of table ids. */
export type KvChecksums =
  | 'off'
  | 'all-levels'
  | { readonly perLevel: number }
  | { readonly perTable: readonly [first: number, last: number] }

/** How blocks are protected against flipped bits and lost sectors. */
export type EccScheme =
  | 'secded'
  | { readonly xor: number }
  | { readonly reedSolomon: readonly [data: number, parity: number] }

/** What deletes do to columnar tables; `adaptive` takes the percentage of rows from which on tables are rewritten. */
export type DeleteStrategy = 'copy-on-write' | 'merge-on-read' | { readonly adaptive: number }

/** When a tree asks its writers to slow down, or to stop. What is left out is no trigger. */
export interface BackpressureThresholds {
  /** Tables in L0 from which on writers are to slow down. */
  readonly l0Slowdown?: number
  /** Tables in L0 from which on writers are to stop. */
  readonly l0Stop?: number
  /** Bytes that wait for compaction, by the strategy's count, from which on writers are to slow down. */
  readonly bytesSlowdown?: number
  /** The same from which on writers are to stop. */
  readonly bytesStop?: number
  /** The longest delay that is suggested, in milliseconds; 0 where it is left out. */
  readonly maxSlowdownMs?: number
}

/** Which job of all trees that share a pool goes first: integers from 0 to 100, the highest first. */
export interface JobPriorities {
  readonly flush: number
  readonly ingest: number
  /** Merges that read L0. */
  readonly l0: number
  /** Other merges. */
  readonly levels: number
  /** Of blob files. Not in this version. */
  readonly blobGc: number
  /** Of files at rest. Not in this version. */
  readonly scrub: number
}

/** From which share of dead bytes on a blob file is rewritten, and which share of the oldest files is looked at. */
export interface BlobGcThresholds {
  readonly stalenessThreshold: number
  readonly ageCutoff: number
}

export interface RuntimeConfig {
  /**
   * Size of one write buffer, in bytes, index included: about 60 % of it is keys and values.
   * Default 64 MiB; 128 KiB … 1 GiB. Takes effect with the next memtable.
   */
  readonly memtableBytes: number
  /**
   * Full write buffers that may wait for their flush beside the active one. Default 3; 1 … 64. Takes effect at once.
   */
  readonly maxSealedMemtables: number
  /**
   * Flushes of this tree at once; they become part of the tree in the order of their writes all the same. Default 1;
   * 1 … 64. Takes effect with the next flush.
   */
  readonly flushConcurrency: number
  /** Compactions of this tree at once. Default 1; 1 … 64. Takes effect with the next compaction. */
  readonly compactionConcurrency: number
  /**
   * Worker threads that one merge may use: it is cut into so many slices of the keys. Default half of the processors, at
   * least 1: merges stay whole; 1 … 64. Takes effect with the next merge.
   */
  readonly compactionThreads: number
  /** Bytes of input below which a merge stays whole. Default 8 MiB; 0 or more. Takes effect with the next merge. */
  readonly subcompactionMinBytes: number
  /**
   * Bytes of keys and values a second that all merges of the tree together may write; flushes and reads are never slowed.
   * Default 0: as fast as they can. Takes effect at once, on merges that are running too.
   */
  readonly compactionRateLimit: number
  /**
   * Which job goes first where more wait than the pool has threads. What is left out has its default. A job that sixteen
   * others overtook goes next, whatever its priority. Default: flush 50, ingest 40, l0 30, levels 20, blobGc 10, scrub 0;
   * integers from 0 to 100. Takes effect with the next job. `blobGc` and `scrub` cannot be changed in this version.
   */
  readonly jobPriorities: JobPriorities
  /**
   * When writes say `false` and `tree.writeBackpressure()` asks for less. What is left out is no trigger; a full last write
   * buffer always is one. Default: `{ l0Slowdown: 20, l0Stop: 36, maxSlowdownMs: 10 }` with automatic maintenance, nothing
   * where maintenance is the caller's. Integers of 1 or more; `maxSlowdownMs` 0 … 60,000. Takes effect at once.
   */
  readonly backpressure: BackpressureThresholds
  /**
   * Versions at or above this seqno are never collected by automatic maintenance. Given at open, it also tells from
   * where on earlier sessions kept them, so that reads at older seqnos are answered. Default: none kept. Takes effect
   * with the next job.
   */
  readonly retainFrom: number
  /**
   * True: `tryInsert` and the like refuse what would not fit the disk or {@link storageLimitBytes}, with
   * VARVE_STORAGE_FULL; merges that would not fit wait. Plain writes and flushes are never refused for it. Default false.
   * Takes effect at once.
   */
  readonly storageAdmissionCheck: boolean
  /**
   * Bytes that the tree's files may take; undefined is as much as the disk has. Counts only with
   * {@link storageAdmissionCheck}. Default undefined; 0 or more. Takes effect at once.
   */
  readonly storageLimitBytes: number | undefined
  /**
   * Merges that {@link storageAdmissionCheck} finds too large for the room there is are done in slices, each giving back
   * what it has used up of its inputs, where the file system can punch holes into files. Default false. Takes effect with
   * the next merge.
   */
  readonly tightSpaceCompaction: boolean
  /**
   * Estimated index size, in bytes, above which a table gets a two-level index. Default 4 MiB; 0: always. Takes effect
   * with the next table.
   */
  readonly indexPartitionSpillThreshold: number
  /**
   * Checkpoints share blocks with the original (reflinks) where the file system can. Default true. Takes effect with the
   * next checkpoint.
   */
  readonly useReflinkForCheckpoint: boolean
  /**
   * Tables tell the lowest and highest seqno of each block, so that `scanSinceSeqno` need not read old ones: 24 bytes a
   * block. Default false. Takes effect with the next table.
   */
  readonly seqnoInIndex: boolean
  /**
   * Tables tell the first and last key and the number of entries of each block, which makes
   * `approximateRangeCardinality` count in blocks instead of bytes: 32 bytes and two keys a block. Default false. Takes
   * effect with the next table.
   */
  readonly zoneMap: boolean
  /**
   * Ask the file system not to copy on write for new table files. Default false, which is what happens: Node has no call
   * for it. Not in this version.
   */
  readonly disableCowOnSstFiles: boolean
  /** Checksum of blocks; no other one is defined in the format. Default `'xxh3-64'`. Not in this version. */
  readonly blockChecksumAlgo: ChecksumAlgorithm
  /** Digest of entries, see {@link kvChecksums}. Default `'xxh3-64'`. Next table. Not in this version. */
  readonly kvChecksumAlgo: ChecksumAlgorithm
  /** Which tables get a digest for each entry. Default `'off'`. Next table. Not in this version. */
  readonly kvChecksums: KvChecksums
  /** When digests are computed: with `'at-insert'` they guard memory too. Default `'at-block-compile'`. Not in this version. */
  readonly kvChecksumComputePoint: 'at-block-compile' | 'at-insert'
  /** Manifest snapshots have a second footer, at their head. Default true. False is not in this version. */
  readonly manifestFooterMirror: boolean
  /** Reserved by the format, without effect. Default true. False is not in this version. */
  readonly manifestKvChecksums: boolean
  /** Parity for blocks of the manifest, and what the two overrides stand at. Default false. Not in this version. */
  readonly pageEcc: boolean
  /** Parity for data blocks, whatever {@link pageEcc} says. Default undefined. Next table. Not in this version. */
  readonly dataBlockEccOverride: boolean | undefined
  /** Parity for digests of entries. Default undefined. Next table. Not in this version. */
  readonly kvChecksumsEccOverride: boolean | undefined
  /** Default `'secded'`. Next table. Not in this version. */
  readonly eccScheme: EccScheme
  /** What parity covers; `'page'` is refused while any ECC is on. Default `'block'`. Not in this version. */
  readonly eccGranularity: 'block' | 'page'
  /** Record faults that parity mended, for `eccHeal`. Default false. Not in this version. */
  readonly autoHeal: boolean
  /** Write data blocks column by column. Default false. Next table. Not in this version. */
  readonly columnar: boolean
  /** Default `{ adaptive: 5 }`; one for all levels. Next compaction. Not in this version. */
  readonly deleteStrategy: DeleteStrategy
  /** Milliseconds from one look over all files to the next; 0 is never. Default 0. Not in this version. */
  readonly scrubIntervalMs: number
  /** Bytes a second that scrubbing reads; 0 is no limit. Default 0. Not in this version. */
  readonly scrubRateLimit: number
  /** Default both 0.25; 0 … 1. Next collection. Not in this version. */
  readonly blobGc: BlobGcThresholds
}

export const RUNTIME_DEFAULTS: RuntimeConfig = Object.freeze({
  memtableBytes: 64 * 1024 * 1024,
  maxSealedMemtables: 3,
  flushConcurrency: 1,
  compactionConcurrency: 1,
  compactionThreads: Math.max(1, Math.floor(availableParallelism() / 2)),
  subcompactionMinBytes: 8 * 1024 * 1024,
  compactionRateLimit: 0,
  jobPriorities: Object.freeze({
    flush: 50,
    ingest: 40,
    l0: 30,
    levels: 20,
    blobGc: 10,
    scrub: 0,
  }),
  backpressure: Object.freeze({}),
  retainFrom: MAX_SEQNO,
  storageAdmissionCheck: false,
  storageLimitBytes: undefined,
  tightSpaceCompaction: false,
  indexPartitionSpillThreshold: 4 * 1024 * 1024,
  useReflinkForCheckpoint: true,
  seqnoInIndex: false,
  zoneMap: false,
  disableCowOnSstFiles: false,
  blockChecksumAlgo: 'xxh3-64',
  kvChecksumAlgo: 'xxh3-64',
  kvChecksums: 'off',
  kvChecksumComputePoint: 'at-block-compile',
  manifestFooterMirror: true,
  manifestKvChecksums: true,
  pageEcc: false,
  dataBlockEccOverride: undefined,
  kvChecksumsEccOverride: undefined,
  eccScheme: 'secded',
  eccGranularity: 'block',
  autoHeal: false,
  columnar: false,
  deleteStrategy: Object.freeze({ adaptive: 5 }),
  scrubIntervalMs: 0,
  scrubRateLimit: 0,
  blobGc: Object.freeze({ stalenessThreshold: 0.25, ageCutoff: 0.25 }),
})

/** The default of `backpressure` where the tree maintains itself: from where on RocksDB slows its writers down. */
export const AUTOMATIC_BACKPRESSURE: BackpressureThresholds = Object.freeze({
  l0Slowdown: 20,
  l0Stop: 36,
  maxSlowdownMs: 10,
})

/** Settings whose feature this version has not. */
const MISSING: readonly (keyof RuntimeConfig)[] = [
  'disableCowOnSstFiles',
  'blockChecksumAlgo',
  'kvChecksumAlgo',
  'kvChecksums',
  'kvChecksumComputePoint',
  'manifestFooterMirror',
  'manifestKvChecksums',
  'pageEcc',
  'dataBlockEccOverride',
  'kvChecksumsEccOverride',
  'eccScheme',
  'eccGranularity',
  'autoHeal',
  'columnar',
  'deleteStrategy',
  'scrubIntervalMs',
  'scrubRateLimit',
  'blobGc',
]

/** The same for parts of a setting. */
const MISSING_PARTS: readonly (readonly ['jobPriorities', keyof JobPriorities])[] = [
  ['jobPriorities', 'blobGc'],
  ['jobPriorities', 'scrub'],
]

/**
 * `current` with `changes`, validated and frozen. In order: names and kinds of all values, then what the format forbids of
 * ECC and digests, then what this version has not.
 * @throws TypeError for an unknown field or a wrong kind, RangeError for a value outside its limits, VARVE_UNSUPPORTED for
 *   what cannot be; nothing changes then
 */
export function changeRuntimeConfig(
  current: RuntimeConfig,
  changes: Partial<RuntimeConfig>,
): RuntimeConfig {
  if (typeof changes !== 'object' || changes === null) {
    throw typeError('RuntimeConfig is changed by an object of fields')
  }
  const values: Record<string, unknown> = { ...current }
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(RUNTIME_DEFAULTS, name)) {
      throw typeError(`RuntimeConfig has no field ${name}`)
    }
    const field = name as keyof RuntimeConfig
    values[field] = CHECKS[field](`RuntimeConfig.${name}`, value, RUNTIME_DEFAULTS[field])
  }
  const next = values as unknown as RuntimeConfig
  requireSoundEcc(next)
  for (const name of MISSING) {
    const isDefault = next[name] === RUNTIME_DEFAULTS[name]
    if (!isDefault && !isDeepStrictEqual(next[name], RUNTIME_DEFAULTS[name]))
      throw unsupported(name)
  }
  for (const [name, part] of MISSING_PARTS) {
    if (next[name][part] !== RUNTIME_DEFAULTS[name][part]) throw unsupported(`${name}.${part}`)
  }
  return Object.freeze(next)
}

function unsupported(feature: string): VarveError {
  return new VarveError(
    'VARVE_UNSUPPORTED',
    `RuntimeConfig.${feature}: this version of varve has nothing that it could change; leave it out`,
    { details: { feature } },
  )
}
