/**
 * RuntimeConfig: the settings that may change while a tree is open (semantics.md 15). An immutable snapshot, swapped
 * whole; nothing of it is persisted. Main thread; jobs carry what they need of it.
 */
import { availableParallelism } from 'node:os'
import { rangeError, typeError } from '../shared/base/errors.js'
import { MAX_SEQNO } from '../shared/base/limits.js'
import { MEMTABLE_BYTES_MAX } from '../shared/kernel/layout.js'

/** Smallest memtable: room for one of the largest keys, and for tests to fill it quickly. */
const MEMTABLE_BYTES_MIN = 128 * 1024

export interface RuntimeConfig {
  /**
   * Size of one write buffer, in bytes, index included: about 60 % of it is keys and values.
   * Default 64 MiB; 128 KiB … 1 GiB. Takes effect with the next memtable.
   */
  readonly memtableBytes: number
  /**
   * Full write buffers that may wait for their flush beside the active one. Default 3, at least 1. Takes effect at once.
   */
  readonly maxSealedMemtables: number
  /** Compaction jobs at once. Default 1, at least 1. Takes effect at once. */
  readonly compactionConcurrency: number
  /**
   * Worker threads that one merge may use: it is cut into so many slices of the keys. Default half of the processors, at
   * least 1: merges stay whole. Next merge.
   */
  readonly compactionThreads: number
  /**
   * Bytes of keys and values a second that all merges of the tree together may write; flushes and reads are never slowed.
   * Default 0: as fast as they can. Takes effect at once, on merges that are running too.
   */
  readonly compactionRateLimit: number
  /** Bytes of input below which a merge stays whole. Default 8 MiB. Next merge. */
  readonly subcompactionMinBytes: number
  /** Tables in L0 from which on writes ask their caller to slow down. Default 20. Takes effect at once. */
  readonly l0SlowdownTables: number
  /**
   * Versions at or above this seqno are never collected by automatic maintenance. Given at open, it also tells from
   * where on earlier sessions kept them, so that reads at older seqnos are answered. Default: none kept.
   */
  readonly retainFrom: number
  /** Estimated index size above which a table gets a two-level index. Default 4 MiB; 0: always. Next table written. */
  readonly indexPartitionSpillThreshold: number
  /** Checkpoints share blocks with the original (reflinks) where the file system can. Default true. Next checkpoint. */
  readonly useReflinkForCheckpoint: boolean
  /**
   * Tables tell the lowest and highest seqno of each block, so that `scanSinceSeqno` need not read old ones: 24 bytes a
   * block. Default false. Next table written.
   */
  readonly seqnoInIndex: boolean
  /**
   * Tables tell the first and last key and the number of entries of each block, which makes
   * `approximateRangeCardinality` count in blocks instead of bytes: 32 bytes and two keys a block. Default false. Next table
   * written.
   */
  readonly zoneMap: boolean
}

export const RUNTIME_DEFAULTS: RuntimeConfig = Object.freeze({
  memtableBytes: 64 * 1024 * 1024,
  maxSealedMemtables: 3,
  compactionConcurrency: 1,
  compactionThreads: Math.max(1, Math.floor(availableParallelism() / 2)),
  compactionRateLimit: 0,
  subcompactionMinBytes: 8 * 1024 * 1024,
  l0SlowdownTables: 20,
  retainFrom: MAX_SEQNO,
  indexPartitionSpillThreshold: 4 * 1024 * 1024,
  useReflinkForCheckpoint: true,
  seqnoInIndex: false,
  zoneMap: false,
})

/** Least and most of what is a number; the rest is true or false. */
const LIMITS: Readonly<Partial<Record<string, readonly [least: number, most: number]>>> = {
  memtableBytes: [MEMTABLE_BYTES_MIN, MEMTABLE_BYTES_MAX],
  maxSealedMemtables: [1, 64],
  compactionConcurrency: [1, 64],
  compactionThreads: [1, 64],
  compactionRateLimit: [0, MAX_SEQNO],
  subcompactionMinBytes: [0, MAX_SEQNO],
  l0SlowdownTables: [1, MAX_SEQNO],
  retainFrom: [0, MAX_SEQNO],
  indexPartitionSpillThreshold: [0, MAX_SEQNO],
}

/**
 * `current` with `changes`, validated and frozen.
 * @throws TypeError for an unknown field, RangeError for a value outside its limits; nothing changes then
 */
export function changeRuntimeConfig(
  current: RuntimeConfig,
  changes: Partial<RuntimeConfig>,
): RuntimeConfig {
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(RUNTIME_DEFAULTS, name)) {
      throw typeError(`RuntimeConfig has no field ${name}`)
    }
    const limits = LIMITS[name]
    if (limits === undefined) {
      if (typeof value === 'boolean') continue
      throw typeError(`RuntimeConfig.${name} must be true or false, not ${value}`)
    }
    const [least, most] = limits
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw rangeError(
        `RuntimeConfig.${name} must be an integer from ${least} to ${most}, not ${value}`,
      )
    }
  }
  return Object.freeze({ ...current, ...changes })
}
