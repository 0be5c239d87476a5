/**
 * Leveled compaction: L0 takes flushes, every deeper level is one run of a limited size, and data
 * goes down level by level (semantics.md 17.1). Reads probe few runs, space is hardly wasted, data
 * is rewritten often. Pure; main thread.
 *
 * The first step that applies is the choice:
 *
 *     1  move L0 into the last level     nothing between, nothing overlaps
 *     2  find canonical L1               leveled-targets.ts
 *     3  move L0 into the first level    one run on each side, nothing overlaps
 *     4  merge L0 into itself            several small runs, and a large level that waits for them
 *     5  score the levels                the fullest first; where it is blocked, the next one
 *     6  merge or move L0 down           its score is highest
 *     7  make a deeper level smaller     leveled-picker.ts
 *
 * I1: all of L0 goes down together: L0's runs are in no reliable order of age.
 * I2: without running compactions, `nothing` means that L0 has fewer tables than the threshold, with
 *     `eagerL0` in one run, and every level but the last is within its target.
 *
 * Step 4 departs from the crate, where programs ask for each step and L0 is merged into itself each
 * time. Here every flush asks: data would be rewritten up to three times before it ever leaves L0.
 * It is done only while going down would rewrite much more of the next level than L0 brings.
 */
import { envelopeOf, orderOf, overlapping, overlapsAny } from './key-range.js'
import { type LeveledOptions, type LeveledSettings, leveledSettings } from './leveled-options.js'
import { pickBetween } from './leveled-picker.js'
import {
  deepestLevel,
  freeBytesOf,
  type LevelPlan,
  levelTargets,
  planLevels,
} from './leveled-targets.js'
import { closeSelection } from './selection.js'
import {
  bytesOf,
  type CompactionChoice,
  type CompactionStrategy,
  idsOf,
  isBusy,
  NOTHING,
  runsOf,
  type StrategyState,
  type StrategyTable,
  type StrategyVersion,
  tablesIn,
} from './strategy.js'

/** The score of a level over its target with an empty one below: it can be moved there at no cost. */
const SCORE_ABOVE_EMPTY = 99.99

/**
 * How many times the bytes of a full L0 a merge down must meet for L0 to be gathered first. Gathering
 * four flushes at a time writes each byte about twice more and saves three of four rewrites of what
 * is met: from about four on that is less.
 */
const GATHER_RATIO = 4

/**
 * The leveled strategy, the default one.
 *
 * @param options table size, L0 threshold and level sizes; see {@link LeveledOptions}
 * @throws RangeError where an option is outside its limits
 * @example
 * ```ts
 * const tree = await open('db', { strategy: leveled({ targetBytes: 32 * 1024 * 1024 }) })
 * ```
 */
export function leveled(options: LeveledOptions = {}): CompactionStrategy {
  return new Leveled(leveledSettings(options))
}

class Leveled implements CompactionStrategy {
  readonly name = 'leveled'
  readonly #settings: LeveledSettings

  constructor(settings: LeveledSettings) {
    this.#settings = settings
  }

  choose(version: StrategyVersion, state: StrategyState): CompactionChoice {
    return new Decision(version, state, this.#settings).make()
  }

  pendingBytes(version: StrategyVersion): number {
    const settings = this.#settings
    const l0 = tablesIn(runsOf(version, 0))
    const bytes = freeBytesOf(version)
    const targets = levelTargets(bytes, deepestLevel(version), 0, settings)
    let pending = l0.length >= settings.l0Threshold ? bytesOf(l0) : 0
    for (let level = 1; level < bytes.length; level++) {
      pending += Math.max(0, (bytes[level] as number) - (targets[level] as number))
    }
    return pending
  }
}

/** One call of `choose`. */
class Decision {
  readonly #version: StrategyVersion
  readonly #hidden: ReadonlySet<number>
  readonly #settings: LeveledSettings
  readonly #l0: readonly StrategyTable[]
  readonly #lastLevel: number

  constructor(version: StrategyVersion, state: StrategyState, settings: LeveledSettings) {
    this.#version = version
    this.#hidden = state.hidden
    this.#settings = settings
    this.#l0 = tablesIn(runsOf(version, 0))
    this.#lastLevel = version.levels.length - 1
  }

  make(): CompactionChoice {
    if (this.#isFreeAbove(this.#lastLevel))
      return this.#choice('move', this.#l0, this.#lastLevel, 1)
    const plan = planLevels(this.#version, this.#hidden, this.#settings)
    const target = Math.min(plan.first, plan.canonical)
    const isOneRun = runsOf(this.#version, target).length === 1
    if (isOneRun && !this.#isBusy(target) && this.#isFreeAbove(target)) {
      return this.#choice('move', this.#l0, target, 1)
    }
    if (this.#isL0Gathered(plan.canonical)) return this.#choice('merge', this.#l0, 0, 0)
    const scores = this.#scores(plan)
    for (const level of byScore(scores)) {
      const choice = level === 0 ? this.#fromL0(plan, scores) : this.#fromLevel(level, plan)
      if (choice.kind !== 'nothing') return choice
    }
    return NOTHING
  }

  get #l0RunCount(): number {
    return runsOf(this.#version, 0).length
  }

  #isBusy(level: number): boolean {
    return isBusy(tablesIn(runsOf(this.#version, level)), this.#hidden)
  }

  /** True where L0, of one run, could be let down to `level` and meet nothing on its way. */
  #isFreeAbove(level: number): boolean {
    if (this.#l0RunCount !== 1 || this.#isBusy(0)) return false
    const order = orderOf(this.#version)
    const range = envelopeOf(this.#l0, order)
    const between = this.#version.levels.slice(1, level)
    return (
      between.every((runs) => runs.length === 0) &&
      !overlapsAny(runsOf(this.#version, level), range, order)
    )
  }

  /** Step 4. */
  #isL0Gathered(canonical: number): boolean {
    const { l0Threshold, targetBytes, eagerL0 } = this.#settings
    if (this.#l0RunCount < 2 || this.#l0.length >= l0Threshold || this.#isBusy(0)) return false
    if (eagerL0) return true
    const sizes = runsOf(this.#version, 0).map(bytesOf)
    const bytes = sizes.reduce((sum, one) => sum + one, 0)
    // One table, or the tables that L0 may have would not become fewer.
    if (bytes > targetBytes) return false
    // Each merge doubles the largest run at least: no byte is rewritten more often than that can happen.
    if (bytes < 2 * Math.max(...sizes)) return false
    const order = orderOf(this.#version)
    const range = envelopeOf(this.#l0, order)
    const met = bytesOf(overlapping(runsOf(this.#version, canonical), range, order))
    const bytesAtThreshold = (bytes / this.#l0.length) * l0Threshold
    return met > GATHER_RATIO * bytesAtThreshold
  }

  /** How urgent each level is; below 1 for those that may stay as they are. */
  #scores(plan: LevelPlan): number[] {
    const { l0Threshold } = this.#settings
    return this.#version.levels.map((runs, level) => {
      if (level === 0) return this.#l0.length < l0Threshold ? 0 : this.#l0.length / l0Threshold
      const bytes = plan.freeBytes[level] as number
      const target = plan.targets[level] as number
      if (level === this.#lastLevel || runs.length === 0 || bytes <= target) return 0
      return runsOf(this.#version, level + 1).length === 0 ? SCORE_ABOVE_EMPTY : bytes / target
    })
  }

  /** Step 6. */
  #fromL0(plan: LevelPlan, scores: readonly number[]): CompactionChoice {
    const { canonical } = plan
    if (this.#isBusy(0) || this.#isBusy(canonical)) return NOTHING
    const order = orderOf(this.#version)
    const levels = this.#version.levels
    const l0 = runsOf(this.#version, 0)
    const l1 = runsOf(this.#version, canonical)
    const isL1Full = (scores[canonical] as number) > 1
    const hasL2 = canonical < this.#lastLevel && !this.#isBusy(canonical + 1)
    if (this.#settings.multiLevel && isL1Full && hasL2) {
      const above = [...this.#l0, ...tablesIn(l1)]
      const l2 = levels[canonical + 1] ?? []
      const { destination } = closeSelection(above, [...l0, ...l1], l2, order, 'intervals')
      return this.#choice('merge', [...above, ...destination], canonical + 1, 2)
    }
    const { destination } = closeSelection(this.#l0, l0, l1, order)
    const kind = destination.length === 0 && l0.length === 1 ? 'move' : 'merge'
    return this.#choice(kind, [...this.#l0, ...destination], canonical, 1)
  }

  /** Step 7. */
  #fromLevel(level: number, plan: LevelPlan): CompactionChoice {
    const pick = pickBetween({
      source: runsOf(this.#version, level),
      destination: runsOf(this.#version, level + 1),
      hidden: this.#hidden,
      order: orderOf(this.#version),
      targetBytes: this.#settings.targetBytes,
    })
    if (pick === undefined) return NOTHING
    return this.#choice(pick.kind, pick.tables, level + 1, level + 1 - (plan.canonical - 1))
  }

  #choice(
    kind: 'move' | 'merge',
    tables: readonly StrategyTable[],
    destination: number,
    canonicalLevel: number,
  ): CompactionChoice {
    const { targetBytes } = this.#settings
    return { kind, input: { tableIds: idsOf(tables), destination, canonicalLevel, targetBytes } }
  }
}

/** The levels that score at least 1, highest first, the deeper one first where they are equal. */
function byScore(scores: readonly number[]): number[] {
  const urgent = [...scores.keys()].filter((level) => (scores[level] as number) >= 1)
  return urgent.sort((a, b) => (scores[b] as number) - (scores[a] as number) || b - a)
}
