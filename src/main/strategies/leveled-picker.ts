/**
 * What to bring from a level that is too large to the next one (semantics.md 17.1 step 7). Pure.
 *
 * In order: the most neighbouring tables that meet nothing below, for a move; the cheapest merge of
 * neighbours below with what lies inside their range above, or of one table with everything that it
 * meets, whichever costs less: a table may stick out of the next level's range, or span more of it
 * than a merge should take.
 *
 * Cheapest is what rewrites least for each byte that goes down. The crate takes the merge of fewest
 * bytes, which often brings next to nothing down: it writes a sixth more in all (bench/policy).
 *
 * I1: what is picked is a completed selection (`selection.ts`) without a hidden table.
 */
import type { CompareKeys } from '../../shared/base/key-order.js'
import {
  contained,
  containedBounds,
  type KeyRange,
  overlapping,
  overlapsAny,
  rangeOfTable,
} from './key-range.js'
import { closeSelection, type Selection } from './selection.js'
import {
  bytesOf,
  isBusy,
  type StrategyRun,
  type StrategyRuns,
  type StrategyTable,
} from './strategy.js'

/**
 * How much of the next level a merge takes, in tables of target size, where it has the choice. The crate's 50 lets single
 * merges take gigabytes; beyond a handful of tables a byte that goes down costs no less (bench/policy).
 */
const MERGE_TARGETS_MAX = 6

/** Two neighbouring levels and what is known of them. */
export interface LevelPair {
  readonly source: StrategyRuns
  readonly destination: StrategyRuns
  readonly hidden: ReadonlySet<number>
  readonly order: CompareKeys
  readonly targetBytes: number
}

/** What to bring down, and whether renaming its level is enough. */
export interface LevelPick {
  readonly kind: 'move' | 'merge'
  readonly tables: readonly StrategyTable[]
}

interface Candidate {
  readonly tables: readonly StrategyTable[]
  /** Bytes to read, about as many as to write, for each byte that goes down. */
  readonly cost: number
}

/** The best way to make `source` smaller; undefined where running compactions stand in every way. */
export function pickBetween(pair: LevelPair): LevelPick | undefined {
  const window = freeWindow(pair)
  // Tables of several runs may have to be merged with each other.
  if (window !== undefined)
    return { kind: pair.source.length === 1 ? 'move' : 'merge', tables: window }
  const best = cheaper(cheapestMerge(pair), cheapestSingle(pair))
  return best === undefined ? undefined : { kind: 'merge', tables: best.tables }
}

/** The longest stretch of tables of one run, the leftmost of its length, that meets nothing below. */
function freeWindow(pair: LevelPair): readonly StrategyTable[] | undefined {
  for (const run of pair.source) {
    let best: readonly StrategyTable[] | undefined
    let bestLength = 0
    // What is free stays free when it shrinks, so two ends that only advance find every longest stretch.
    for (let from = 0, to = 1; to <= run.length; to++) {
      let tables = freeTables(pair, run, from, to)
      while (tables === undefined && ++from < to) tables = freeTables(pair, run, from, to)
      if (tables === undefined || to - from <= bestLength) continue
      best = tables
      bestLength = to - from
    }
    if (best !== undefined) return best
  }
  return undefined
}

/** The stretch, completed, where it is free. */
function freeTables(
  pair: LevelPair,
  run: StrategyRun,
  from: number,
  to: number,
): readonly StrategyTable[] | undefined {
  const { source, destination, hidden, order } = pair
  const last = run[to - 1] as StrategyTable
  // The tables before it were seen not to be hidden, or `from` would be behind them.
  if (hidden.has(last.id)) return undefined
  const range: KeyRange = { min: (run[from] as StrategyTable).keyMin, max: last.keyMax }
  if (overlapsAny(destination, range, order)) return undefined
  const window = run.slice(from, to)
  if (source.length === 1) return window
  const closed = closeSelection(window, source, destination, order)
  if (closed.destination.length > 0 || isBusy(closed.source, hidden)) return undefined
  return closed.source
}

/** The cheapest merge over a stretch of the next level with what it covers of this one. */
function cheapestMerge(pair: LevelPair): Candidate | undefined {
  const bytesMax = MERGE_TARGETS_MAX * pair.targetBytes
  let best: Candidate | undefined
  for (const run of pair.destination) {
    const bytesBefore = runningSum(run, ({ fileBytes }) => fileBytes)
    const hiddenBefore = runningSum(run, ({ id }) => (pair.hidden.has(id) ? 1 : 0))
    // Longer stretches contain shorter ones: once all of one length are too large, longer ones are.
    for (let length = 1, isOpen = true; isOpen && length <= run.length; length++) {
      isOpen = false
      for (let from = 0; from + length <= run.length; from++) {
        const bytes = (bytesBefore[from + length] as number) - (bytesBefore[from] as number)
        if (length > 1 && bytes > bytesMax) continue
        isOpen = true
        if (hiddenBefore[from + length] !== hiddenBefore[from]) continue
        best = cheaper(best, mergeOver(pair, run, from, from + length))
      }
    }
  }
  return best
}

/** The merge over one stretch of the next level; undefined where nothing would go down or all may not. */
function mergeOver(
  pair: LevelPair,
  run: StrategyRun,
  from: number,
  to: number,
): Candidate | undefined {
  const { source, destination, order } = pair
  const range: KeyRange = {
    min: (run[from] as StrategyTable).keyMin,
    max: (run[to - 1] as StrategyTable).keyMax,
  }
  const isEmpty = source.every((tables) => {
    const [first, end] = containedBounds(tables, range, order)
    return first === end
  })
  if (isEmpty) return undefined
  const below = run.slice(from, to)
  const above = contained(source, range, order)
  if (source.length === 1 && destination.length === 1) {
    return candidate({ source: above, destination: below }, pair.hidden)
  }
  return candidate(closeSelection([...above, ...below], source, destination, order), pair.hidden)
}

/** The cheapest merge of a single table, completed, however much it meets. */
function cheapestSingle(pair: LevelPair): Candidate | undefined {
  const { source, destination, hidden, order } = pair
  const isSimple = source.length === 1 && destination.length <= 1
  let best: Candidate | undefined
  for (const table of source.flat()) {
    if (hidden.has(table.id)) continue
    // Of single runs nothing else can come along, and levels have thousands of tables.
    const selection = isSimple
      ? { source: [table], destination: overlapping(destination, rangeOfTable(table), order) }
      : closeSelection([table], source, destination, order)
    best = cheaper(best, candidate(selection, hidden))
  }
  return best
}

function candidate(selection: Selection, hidden: ReadonlySet<number>): Candidate | undefined {
  const tables = [...selection.source, ...selection.destination]
  if (isBusy(tables, hidden)) return undefined
  return { tables, cost: bytesOf(tables) / Math.max(1, bytesOf(selection.source)) }
}

/** The cheaper one, the earlier one where they cost the same. */
function cheaper(best: Candidate | undefined, other: Candidate | undefined): Candidate | undefined {
  if (best === undefined || other === undefined) return best ?? other
  return other.cost < best.cost ? other : best
}

/** Sums of the first 0, 1, 2 … tables. */
function runningSum(run: StrategyRun, measure: (table: StrategyTable) => number): number[] {
  const sums = [0]
  for (const [i, table] of run.entries()) sums.push((sums[i] as number) + measure(table))
  return sums
}
