/**
 * FIFO: keeps the tree below a size or an age by dropping the oldest tables of L0, for logs, metrics
 * and caches whose keys grow with time (semantics.md 17.3). Nothing is ever rewritten. Pure; main
 * thread.
 *
 * I1: a table is dropped only with everything older, so an old value never reappears. Seqnos tell what is older: a clock
 *     that was put back, or a table written long before it was ingested, must not let a newer value go first.
 */
import { rangeError } from '../../shared/base/errors.js'
import { integerOption } from './options.js'
import {
  bytesOf,
  type CompactionStrategy,
  idsOf,
  isBusy,
  NOTHING,
  runsOf,
  type StrategyTable,
  type StrategyVersion,
  tablesIn,
} from './strategy.js'

export interface FifoOptions {
  /** Bytes that the tables of L0 and all blob files may have together. At least 0. */
  readonly limit: number
  /** Age in seconds at which a table is dropped; 0, the default, for never. */
  readonly ttlSeconds?: number
}

/**
 * Drops what is older than `ttlSeconds`, then the oldest of the rest until the tree fits `limit`.
 * Looks at L0 only, and does nothing while a table of it is being compacted. Age is the time at
 * which a table was written, by the engine's clock, and no table counts as younger than one of newer data; a clock that
 * says 0 expires nothing. Blobs count with the table that refers to them, where there are any.
 *
 * @param options limits of size and age; see {@link FifoOptions}
 * @throws RangeError where `limit` is not an integer or `ttlSeconds` not finite, or one is negative
 * @example
 * ```ts
 * const tree = await open('metrics', { strategy: fifo({ limit: 10 * 2 ** 30, ttlSeconds: 86_400 }) })
 * ```
 */
export function fifo(options: FifoOptions): CompactionStrategy {
  const limitBytes = integerOption('limit', options.limit, 0)
  const ttlSeconds = options.ttlSeconds ?? 0
  if (!(ttlSeconds >= 0 && ttlSeconds < Number.POSITIVE_INFINITY)) {
    throw rangeError(`ttlSeconds must be finite and at least 0, got ${ttlSeconds}`)
  }
  return {
    name: 'fifo',
    choose(version, { hidden, nowMs }) {
      const oldestFirst = tablesIn(runsOf(version, 0)).sort(byAge)
      if (oldestFirst.length === 0 || isBusy(oldestFirst, hidden)) return NOTHING
      const expiresMs = ttlSeconds === 0 || nowMs === 0 ? undefined : nowMs - ttlSeconds * 1000
      const dropped = oldestToDrop(version, oldestFirst, limitBytes, expiresMs)
      return dropped.length === 0 ? NOTHING : { kind: 'drop', tableIds: idsOf(dropped) }
    },
    pendingBytes: () => 0,
  }
}

function byAge(left: StrategyTable, right: StrategyTable): number {
  return left.highestSeqno - right.highestSeqno || left.id - right.id
}

/** When each table was written at the latest: no later than any of newer data. */
function writtenAt(oldestFirst: readonly StrategyTable[]): number[] {
  const times = oldestFirst.map(({ createdAtMs }) => createdAtMs)
  for (let i = times.length - 2; i >= 0; i--) {
    times[i] = Math.min(times[i] as number, times[i + 1] as number)
  }
  return times
}

/** The oldest tables, as many as age and size ask for. */
function oldestToDrop(
  version: StrategyVersion,
  oldestFirst: readonly StrategyTable[],
  limitBytes: number,
  expiresMs: number | undefined,
): StrategyTable[] {
  let bytes = bytesOf(oldestFirst) + (version.blobBytes ?? 0)
  const times = writtenAt(oldestFirst)
  const dropped: StrategyTable[] = []
  for (const [i, table] of oldestFirst.entries()) {
    const isExpired = expiresMs !== undefined && (times[i] as number) <= expiresMs
    if (!isExpired && bytes <= limitBytes) break
    bytes -= table.fileBytes + (table.linkedBlobBytes ?? 0)
    dropped.push(table)
  }
  return dropped
}
