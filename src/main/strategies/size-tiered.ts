/**
 * Size-tiered compaction: runs of similar size become one larger run, all in L0 (semantics.md 17.2).
 * Data is rewritten rarely; reads probe more runs and more space is taken than with levels. Pure;
 * main thread.
 *
 * I1: what is merged is a contiguous stretch by age (36 item 21). Folding merge operands, or
 *     cancelling a value with its weak tombstone, across a version in a run left out would bring
 *     back or lose data. Age is told by seqnos: the order of L0's runs says nothing reliable.
 */

import { rangeError } from '../../shared/base/errors.js'
import type { CompareKeys } from '../../shared/base/key-order.js'
import { orderOf, rangeOfTable, rangesOverlap } from './key-range.js'
import { integerOption } from './options.js'
import {
  bytesOf,
  type CompactionChoice,
  type CompactionStrategy,
  idsOf,
  isBusy,
  NOTHING,
  runsOf,
  type StrategyRun,
  type StrategyTable,
  type StrategyVersion,
} from './strategy.js'

export interface SizeTieredOptions {
  /**
   * How much larger than the smallest run of a merge the largest may be: at most 1 + `sizeRatio`
   * times. At least 0; 1 by default, and also where it is negative or not finite.
   */
  readonly sizeRatio?: number
  /** Runs that a merge must join. At least 2; 4 by default. */
  readonly minMergeWidth?: number
  /** Runs that a merge may join, unless space is short. At least `minMergeWidth`; unlimited. */
  readonly maxMergeWidth?: number
  /**
   * Bytes beside the largest run, in percent of it, from which on everything is merged. At least 0;
   * 200 by default.
   */
  readonly maxSpaceAmplificationPercent?: number
  /** Length in bytes at which a merge starts the next table. At least 1; 64 MiB by default. */
  readonly targetBytes?: number
}

type SizeTieredSettings = Required<SizeTieredOptions>

/**
 * The size-tiered strategy.
 *
 * @param options what counts as similar, widths, space and table size; see {@link SizeTieredOptions}
 * @throws RangeError where a width, a percentage or `targetBytes` is outside its limits
 * @example
 * ```ts
 * const tree = await open('db', { strategy: sizeTiered({ maxSpaceAmplificationPercent: 100 }) })
 * ```
 */
export function sizeTiered(options: SizeTieredOptions = {}): CompactionStrategy {
  const settings = sizeTieredSettings(options)
  return {
    name: 'size-tiered',
    choose: (version, { hidden }) => chooseStretch(version, hidden, settings),
    pendingBytes(version) {
      const sizes = runsOf(version, 0).map(bytesOf)
      return sizes.length < 2 ? 0 : Math.max(0, excess(sizes, settings))
    },
  }
}

function sizeTieredSettings(options: SizeTieredOptions): SizeTieredSettings {
  const sizeRatio = options.sizeRatio ?? 1
  const minMergeWidth = integerOption('minMergeWidth', options.minMergeWidth ?? 4, 2)
  const unlimited = Number.MAX_SAFE_INTEGER
  const maxMergeWidth = integerOption('maxMergeWidth', options.maxMergeWidth ?? unlimited, 2)
  if (maxMergeWidth < minMergeWidth) {
    throw rangeError(`maxMergeWidth ${maxMergeWidth} is below minMergeWidth ${minMergeWidth}`)
  }
  const percent = options.maxSpaceAmplificationPercent ?? 200
  return {
    sizeRatio: Number.isFinite(sizeRatio) && sizeRatio >= 0 ? sizeRatio : 1,
    minMergeWidth,
    maxMergeWidth,
    maxSpaceAmplificationPercent: integerOption('maxSpaceAmplificationPercent', percent, 0),
    targetBytes: integerOption('targetBytes', options.targetBytes ?? 64 * 1024 * 1024, 1),
  }
}

/** Bytes above what space amplification allows; negative below it. */
function excess(sizes: readonly number[], settings: SizeTieredSettings): number {
  const largest = Math.max(...sizes)
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0)
  return total - largest * (1 + settings.maxSpaceAmplificationPercent / 100)
}

function chooseStretch(
  version: StrategyVersion,
  hidden: ReadonlySet<number>,
  settings: SizeTieredSettings,
): CompactionChoice {
  const order = orderOf(version)
  const newestFirst = [...runsOf(version, 0)].sort((a, b) => newestSeqno(b) - newestSeqno(a))
  const free = newestFirst.filter((run) => !isBusy(run, hidden))
  if (free.length < 2) return NOTHING
  const isSafe = (chosen: readonly StrategyRun[]) => isContiguous(chosen, newestFirst, order)
  const sizes = free.map(bytesOf)
  const isShort = Math.max(...sizes) > 0 && excess(sizes, settings) >= 0
  const chosen =
    isShort && isSafe(free) ? free : similarStretches(newestFirst, hidden, settings).find(isSafe)
  if (chosen === undefined) return NOTHING
  const { targetBytes } = settings
  const tableIds = idsOf(chosen.flat())
  return { kind: 'merge', input: { tableIds, destination: 0, canonicalLevel: 0, targetBytes } }
}

function newestSeqno(run: StrategyRun): number {
  return run.reduce((newest, { highestSeqno }) => Math.max(newest, highestSeqno), 0)
}

/** Stretches of similar runs, none hidden, of allowed width; fewest bytes a saved run first. */
function similarStretches(
  newestFirst: readonly StrategyRun[],
  hidden: ReadonlySet<number>,
  settings: SizeTieredSettings,
): readonly StrategyRun[][] {
  const { sizeRatio, minMergeWidth, maxMergeWidth } = settings
  const sizes = newestFirst.map(bytesOf)
  const found: { readonly runs: StrategyRun[]; readonly bytesASavedRun: number }[] = []
  for (let from = 0; from < newestFirst.length; from++) {
    let smallest = Number.POSITIVE_INFINITY
    let largest = 0
    let total = 0
    for (let to = from; to < newestFirst.length && to - from < maxMergeWidth; to++) {
      const bytes = sizes[to] as number
      if (isBusy(newestFirst[to] as StrategyRun, hidden)) break
      // An empty run is similar to any: it costs nothing.
      if (bytes > 0) smallest = Math.min(smallest, bytes)
      largest = Math.max(largest, bytes)
      if (largest > smallest * (1 + sizeRatio)) break
      total += bytes
      const width = to - from + 1
      if (width < minMergeWidth) continue
      found.push({ runs: newestFirst.slice(from, to + 1), bytesASavedRun: total / (width - 1) })
    }
  }
  found.sort((a, b) => a.bytesASavedRun - b.bytesASavedRun || b.runs.length - a.runs.length)
  return found.map(({ runs }) => runs)
}

/** True where no table left out may hold a version between two that the merge would bring together. */
function isContiguous(
  chosen: readonly StrategyRun[],
  all: readonly StrategyRun[],
  order: CompareKeys,
): boolean {
  const inside = chosen.flat()
  return all
    .filter((run) => !chosen.includes(run))
    .every((run) => run.every((table) => !isBetween(table, inside, order)))
}

/** True where two different tables, one older and one newer in part, share keys with `table`. */
function isBetween(
  table: StrategyTable,
  inside: readonly StrategyTable[],
  order: CompareKeys,
): boolean {
  const range = rangeOfTable(table)
  const sharing = inside.filter((other) => rangesOverlap(rangeOfTable(other), range, order))
  const older = sharing.filter(({ lowestSeqno }) => lowestSeqno <= table.highestSeqno)
  const newer = sharing.filter(({ highestSeqno }) => highestSeqno >= table.lowestSeqno)
  return older.length + newer.length > 0 && older.some((a) => newer.some((b) => a !== b))
}
