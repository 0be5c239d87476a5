/**
 * Drops tables whole that lie inside a range of keys (semantics.md 8.4, 17.6). Pure; main thread.
 */
import { rangeError, typeError } from '../../shared/base/errors.js'
import type { CompareKeys } from '../../shared/base/key-order.js'
import { orderOf } from './key-range.js'
import {
  type CompactionStrategy,
  idsOf,
  isBusy,
  NOTHING,
  type StrategyTable,
  tablesIn,
} from './strategy.js'

/** The same as users give them: a string is its UTF-8 bytes. */
export interface DropBounds {
  readonly gt?: string | Uint8Array
  readonly gte?: string | Uint8Array
  readonly lt?: string | Uint8Array
  readonly lte?: string | Uint8Array
}

/** @throws TypeError for a bound that is no key or has another name */
export function toKeyBounds(bounds: DropBounds): KeyBounds {
  const keys: Record<string, Uint8Array> = {}
  for (const [name, value] of Object.entries(bounds) as [string, unknown][]) {
    if (!['gt', 'gte', 'lt', 'lte'].includes(name)) throw typeError(`a range has no bound ${name}`)
    if (value === undefined) continue
    if (typeof value === 'string') keys[name] = Buffer.from(value)
    else if (value instanceof Uint8Array) keys[name] = value
    else throw typeError(`${name} must be a string or a Uint8Array`)
  }
  return keys
}

/** Keys from a lower to an upper bound; a missing bound is open. At most one bound a side. */
export interface KeyBounds {
  readonly gt?: Uint8Array
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly lte?: Uint8Array
}

/**
 * Drops all tables, of any level, whose keys lie completely inside `bounds`; tables that reach
 * outside stay whole. No delete in the sense of versions: older values in tables that stay may
 * reappear. Does nothing while one of the tables is being compacted.
 *
 * @param bounds keys, compared in the order of the tree; bounds the wrong way round drop nothing
 * @throws RangeError where both `gt` and `gte`, or both `lt` and `lte`, are given
 * @example
 * ```ts
 * await tree.compact(dropRange({ gte: Buffer.from('2023-'), lt: Buffer.from('2024-') }))
 * ```
 */
export function dropRange(bounds: KeyBounds): CompactionStrategy {
  const { gt, gte, lt, lte } = bounds
  if (gt !== undefined && gte !== undefined) throw rangeError('gt and gte exclude each other')
  if (lt !== undefined && lte !== undefined) throw rangeError('lt and lte exclude each other')
  return {
    name: 'drop-range',
    choose(version, { hidden }) {
      const order = orderOf(version)
      const tables = version.levels
        .flatMap(tablesIn)
        .filter((table) => isInside(table, bounds, order))
      if (tables.length === 0 || isBusy(tables, hidden)) return NOTHING
      return { kind: 'drop', tableIds: idsOf(tables) }
    },
    pendingBytes: () => 0,
  }
}

function isInside(
  { keyMin, keyMax }: StrategyTable,
  bounds: KeyBounds,
  order: CompareKeys,
): boolean {
  const { gt, gte, lt, lte } = bounds
  if (gt !== undefined && order(keyMin, gt) <= 0) return false
  if (gte !== undefined && order(keyMin, gte) < 0) return false
  if (lt !== undefined && order(keyMax, lt) >= 0) return false
  return lte === undefined || order(keyMax, lte) <= 0
}
