/** Lets one level down to another, for tests and tools (semantics.md 17.5). Pure; main thread. */
import { orderOf, overlapping, overlapsAny, rangeOfTable } from './key-range.js'
import { levelOption, requireDown } from './options.js'
import { type CompactionStrategy, idsOf, isBusy, NOTHING, runsOf, tablesIn } from './strategy.js'

/** Target size of a merge that a move turned into, in bytes. */
const TARGET_BYTES = 64_000_000

/**
 * Moves all tables of level `from` to level `to` without rewriting them. Where they overlap each
 * other, they are merged into `to` instead, for a moved level is one run. Does nothing where `from`
 * is empty or one of its tables, or of those that they meet in `to`, is being compacted.
 *
 * REQUIRES: no level between the two holds keys that `from` holds; data would go below older data.
 *
 * @param from level from 0 to 5
 * @param to a deeper level, up to 6
 * @throws RangeError where these are not levels or do not go down
 * @example
 * ```ts
 * await tree.compact(moveDown(0, 6))
 * ```
 */
export function moveDown(from: number, to: number): CompactionStrategy {
  levelOption('from', from)
  levelOption('to', to)
  requireDown(from, to)
  return {
    name: 'move-down',
    choose(version, { hidden }) {
      const runs = runsOf(version, from)
      const tables = tablesIn(runs)
      if (tables.length === 0 || isBusy(tables, hidden)) return NOTHING
      const order = orderOf(version)
      // What a running merge makes of them lands in front of all that lies in `to` by then.
      const awaited = tables.flatMap((table) =>
        overlapping(runsOf(version, to), rangeOfTable(table), order),
      )
      if (isBusy(awaited, hidden)) return NOTHING
      const overlap = runs.some((run, i) =>
        run.some((table) => overlapsAny(runs.slice(i + 1), rangeOfTable(table), order)),
      )
      const tableIds = idsOf(tables)
      return {
        kind: overlap ? 'merge' : 'move',
        input: { tableIds, destination: to, canonicalLevel: to, targetBytes: TARGET_BYTES },
      }
    },
    pendingBytes: () => 0,
  }
}
