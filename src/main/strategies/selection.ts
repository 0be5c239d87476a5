/**
 * Completes a selection of tables so that merging it into the next level keeps newer data above
 * older data, whatever runs the two levels consist of (semantics.md 17.1 caveat, 36 item 12). Pure.
 *
 * One run on each side is the rule and then hardly anything is added. Several runs in a level are
 * left behind by other strategies, by ingestion and by multi-level merges:
 *
 *     source       [new: c──f]          taking only `new` down would put it below `old`, which
 *                  [old:   e──h]        overlaps it: `old` comes along
 *     destination     [x: g──k]         and then `x` does, or the level would get a second run
 *
 * I1: no table of the source that stays overlaps one that goes.
 * I2: no table of the destination that stays overlaps the range that the outputs may span.
 */
import type { CompareKeys } from '../../shared/base/key-order.js'
import { coalesce, envelopeOf, overlapping, rangeOfTable } from './key-range.js'
import type { StrategyRuns, StrategyTable } from './strategy.js'

/**
 * How far outputs are taken to reach. `envelope`: from the first key to the last, since an output
 * table may span a gap between inputs. `intervals`: over the inputs' own ranges only; an unselected
 * table in a gap then may end up beside a wider output, in a run of its own, without a common key.
 */
export type Reach = 'envelope' | 'intervals'

/** A completed selection. */
export interface Selection {
  readonly source: readonly StrategyTable[]
  readonly destination: readonly StrategyTable[]
}

/** The smallest completed selection that holds `seed`. REQUIRES: a seed from these two levels. */
export function closeSelection(
  seed: Iterable<StrategyTable>,
  source: StrategyRuns,
  destination: StrategyRuns,
  order: CompareKeys,
  reach: Reach = 'envelope',
): Selection {
  const selected = new Set(seed)
  for (let size = -1; size !== selected.size; ) {
    size = selected.size
    if (source.length > 1) addOverlapping(selected, source, order)
    const ranges = reach === 'envelope' ? [envelopeOf(selected, order)] : coalesce(selected, order)
    for (const range of ranges) {
      for (const table of overlapping(destination, range, order)) selected.add(table)
    }
  }
  const among = (runs: StrategyRuns) => runs.flat().filter((table) => selected.has(table))
  return { source: among(source), destination: among(destination) }
}

/** Adds the tables of the level that overlap selected tables of the same level. */
function addOverlapping(
  selected: Set<StrategyTable>,
  level: StrategyRuns,
  order: CompareKeys,
): void {
  const members = new Set(level.flat())
  // A set visits what is added to it meanwhile, so chains of overlaps are followed to their end.
  for (const table of selected) {
    if (!members.has(table)) continue
    for (const other of overlapping(level, rangeOfTable(table), order)) selected.add(other)
  }
}
