/**
 * Key ranges and the tables of a run that they meet, for strategies. Pure; binary searches where a
 * run allows them, for levels hold thousands of tables.
 *
 * REQUIRES: of every function that takes a run: it ascends by key without overlap.
 */
import type { CompareKeys } from '../../shared/base/key-order.js'
import type { StrategyRun, StrategyRuns, StrategyTable, StrategyVersion } from './strategy.js'

/** All keys from `min` to `max`, both inclusive. */
export interface KeyRange {
  readonly min: Uint8Array
  readonly max: Uint8Array
}

/** The order of a version's keys. */
export function orderOf(version: StrategyVersion): CompareKeys {
  return version.compareKeys ?? Buffer.compare
}

export function rangeOfTable(table: StrategyTable): KeyRange {
  return { min: table.keyMin, max: table.keyMax }
}

/** The smallest range around all of the tables. REQUIRES: at least one. */
export function envelopeOf(tables: Iterable<StrategyTable>, order: CompareKeys): KeyRange {
  let envelope: KeyRange | undefined
  for (const { keyMin, keyMax } of tables) {
    const min = envelope === undefined || order(keyMin, envelope.min) < 0 ? keyMin : envelope.min
    const max = envelope === undefined || order(keyMax, envelope.max) > 0 ? keyMax : envelope.max
    envelope = { min, max }
  }
  if (envelope === undefined) throw new TypeError('no table has no key range')
  return envelope
}

/** The ranges of the tables, those that touch or overlap joined to one. */
export function coalesce(tables: Iterable<StrategyTable>, order: CompareKeys): KeyRange[] {
  const ascending = Array.from(tables, rangeOfTable).sort((a, b) => order(a.min, b.min))
  const joined: KeyRange[] = []
  for (const range of ascending) {
    const last = joined[joined.length - 1]
    if (last === undefined || order(last.max, range.min) < 0) joined.push(range)
    else if (order(range.max, last.max) > 0) joined[joined.length - 1] = { ...last, max: range.max }
  }
  return joined
}

export function rangesOverlap(left: KeyRange, right: KeyRange, order: CompareKeys): boolean {
  return order(left.min, right.max) <= 0 && order(right.min, left.max) <= 0
}

/** Index of the first table for which `isPast` holds, once it holds for all that follow. */
function lowerBound(run: StrategyRun, isPast: (table: StrategyTable) => boolean): number {
  let low = 0
  let high = run.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isPast(run[middle] as StrategyTable)) high = middle
    else low = middle + 1
  }
  return low
}

/** Half-open bounds of the tables of a run that share a key with the range. */
export function overlapBounds(
  run: StrategyRun,
  range: KeyRange,
  order: CompareKeys,
): [number, number] {
  const from = lowerBound(run, ({ keyMax }) => order(keyMax, range.min) >= 0)
  const to = lowerBound(run, ({ keyMin }) => order(keyMin, range.max) > 0)
  return [from, Math.max(from, to)]
}

/** Half-open bounds of the tables of a run that lie inside the range. */
export function containedBounds(
  run: StrategyRun,
  range: KeyRange,
  order: CompareKeys,
): [number, number] {
  const from = lowerBound(run, ({ keyMin }) => order(keyMin, range.min) >= 0)
  const to = lowerBound(run, ({ keyMax }) => order(keyMax, range.max) > 0)
  return [from, Math.max(from, to)]
}

/** The tables of all runs that share a key with the range. */
export function overlapping(
  runs: StrategyRuns,
  range: KeyRange,
  order: CompareKeys,
): StrategyTable[] {
  return runs.flatMap((run) => run.slice(...overlapBounds(run, range, order)))
}

/** The tables of all runs that lie inside the range. */
export function contained(
  runs: StrategyRuns,
  range: KeyRange,
  order: CompareKeys,
): StrategyTable[] {
  return runs.flatMap((run) => run.slice(...containedBounds(run, range, order)))
}

export function overlapsAny(runs: StrategyRuns, range: KeyRange, order: CompareKeys): boolean {
  return runs.some((run) => {
    const [from, to] = overlapBounds(run, range, order)
    return from < to
  })
}
