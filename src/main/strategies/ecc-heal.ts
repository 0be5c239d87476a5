/**
 * Rewrites tables in which damage was corrected, so that they get fresh checksums and parity (semantics.md 17.7). Main
 * thread. Which tables those are comes from a queue of hints: taking one is all that a decision changes.
 */
import { orderOf } from './key-range.js'
import { integerOption } from './options.js'
import { closeSelection } from './selection.js'
import { type CompactionStrategy, idsOf, isBusy, NOTHING } from './strategy.js'

/** Tables that want to be rewritten, in the order in which their damage was found. */
export interface HealHints {
  /** Takes the oldest hint, the id of a table; undefined where there is none. */
  take(): number | undefined
  /** Puts a hint back that could not be followed yet. */
  putBack(tableId: number): void
}

export interface EccHealOptions {
  /** Length in bytes at which a rewrite starts the next table. At least 1; 64 MiB by default. */
  readonly targetBytes?: number
}

const NO_HINTS: HealHints = { take: () => undefined, putBack: () => undefined }

/**
 * Rewrites one table within its level for each hint. A hint whose table is gone is used up; one whose table is being
 * compacted is put back. In a level of several runs from L1 on, the tables that overlap it come along: it must not end up
 * above newer ones.
 *
 * Nothing in the engine gives hints yet, for files carry no parity: without `hints` of the caller's own this decides
 * nothing.
 *
 * @param hints where the tables to rewrite come from; none by default
 * @param options table size; see {@link EccHealOptions}
 * @throws RangeError where `targetBytes` is not an integer of at least 1
 * @example
 * ```ts
 * await tree.compact(eccHeal())
 * ```
 */
export function eccHeal(
  hints: HealHints = NO_HINTS,
  options: EccHealOptions = {},
): CompactionStrategy {
  const targetBytes = integerOption('targetBytes', options.targetBytes ?? 64 * 1024 * 1024, 1)
  return {
    name: 'ecc-heal',
    choose(version, { hidden }) {
      const id = hints.take()
      if (id === undefined) return NOTHING
      const level = version.levels.findIndex((runs) => runs.flat().some((one) => one.id === id))
      const runs = version.levels[level]
      if (runs === undefined) return NOTHING
      const damaged = runs.flat().filter((one) => one.id === id)
      const order = orderOf(version)
      const tables = level === 0 ? damaged : closeSelection(damaged, runs, [], order).source
      if (isBusy(tables, hidden)) {
        hints.putBack(id)
        return NOTHING
      }
      return {
        kind: 'merge',
        input: {
          tableIds: idsOf(tables),
          destination: level,
          canonicalLevel: level,
          targetBytes,
        },
      }
    },
    pendingBytes: () => 0,
  }
}
