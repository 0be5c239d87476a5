/** Merges one level into another, for tests and tools (semantics.md 17.5). Pure; main thread. */
import { orderOf } from './key-range.js'
import { levelOption, requireDown } from './options.js'
import { closeSelection } from './selection.js'
import { type CompactionStrategy, idsOf, isBusy, NOTHING, runsOf, tablesIn } from './strategy.js'

const TARGET_BYTES = 64_000_000
const CANONICAL_LEVEL = 6

/**
 * Merges all tables of level `from`, and those of level `to` in their range, into level `to`, in
 * tables of 64 MB. Does nothing where `from` is empty or one of the tables is being compacted.
 *
 * REQUIRES: no level between the two holds keys that `from` holds; data would go below older data.
 *
 * @param from level from 0 to 5
 * @param to a deeper level, up to 6
 * @throws RangeError where these are not levels or do not go down
 * @example
 * ```ts
 * await tree.compact(pullDown(0, 6))
 * ```
 */
export function pullDown(from: number, to: number): CompactionStrategy {
  levelOption('from', from)
  levelOption('to', to)
  requireDown(from, to)
  return {
    name: 'pull-down',
    choose(version, { hidden }) {
      const source = runsOf(version, from)
      if (source.length === 0) return NOTHING
      const destination = runsOf(version, to)
      const closed = closeSelection(tablesIn(source), source, destination, orderOf(version))
      const tables = [...closed.source, ...closed.destination]
      if (isBusy(tables, hidden)) return NOTHING
      return {
        kind: 'merge',
        input: {
          tableIds: idsOf(tables),
          destination: to,
          canonicalLevel: CANONICAL_LEVEL,
          targetBytes: TARGET_BYTES,
        },
      }
    },
    pendingBytes: () => 0,
  }
}
