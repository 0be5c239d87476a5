/**
 * How large the levels of a leveled tree may grow (semantics.md 17.1), and which physical level is
 * the canonical L1. Pure.
 *
 * A small tree uses its deepest levels only, so that data need not be rewritten seven times on its
 * way down: L0 is merged into the *canonical L1*, at first the last level. Once everything from it
 * on is over its target, the level above becomes canonical L1.
 *
 *     physical    L0   L1   L2   L3   L4   L5    L6          shift = canonical L1 − 1
 *     canonical   0                        1     2           here 4
 *     target                               base  base × r₀
 */
import type { LeveledSettings } from './leveled-options.js'
import { bytesOf, runsOf, type StrategyVersion, tablesIn } from './strategy.js'

/** Where the levels of a version stand; all counts by physical level. */
export interface LevelPlan {
  /** Physical level of canonical L1. */
  readonly canonical: number
  /** Deepest non-empty level; 0 where L1 and below are empty. */
  readonly deepest: number
  /** Topmost non-empty level from L1 on; the last level where there is none. */
  readonly first: number
  /** Bytes of tables that no running compaction works on. */
  readonly freeBytes: readonly number[]
  /** Bytes a level may hold; unlimited for L0 and above canonical L1. */
  readonly targets: readonly number[]
}

const NONE_HIDDEN: ReadonlySet<number> = new Set()

/** Bytes of each level that are not hidden. */
export function freeBytesOf(version: StrategyVersion, hidden = NONE_HIDDEN): number[] {
  return version.levels.map((runs) => bytesOf(tablesIn(runs).filter(({ id }) => !hidden.has(id))))
}

/** How many times a canonical level's size the next one has. */
function ratioBelow(canonical: number, settings: LeveledSettings): number {
  const { levelRatios } = settings
  return levelRatios[Math.min(canonical, levelRatios.length) - 1] as number
}

/** Fixed targets: base for canonical L1, times the ratio from level to level. */
export function staticTargets(
  levelCount: number,
  shift: number,
  settings: LeveledSettings,
): number[] {
  const targets = new Array<number>(levelCount).fill(Number.POSITIVE_INFINITY)
  let target = settings.l0Threshold * settings.targetBytes
  for (let level = shift + 1; level < levelCount; level++) {
    targets[level] = target
    target *= ratioBelow(level - shift, settings)
  }
  return targets
}

/** Targets in proportion to the deepest level's size; undefined where L1's came out below base. */
function dynamicTargets(
  freeBytes: readonly number[],
  deepest: number,
  shift: number,
  settings: LeveledSettings,
): number[] | undefined {
  if (deepest <= shift) return undefined
  const targets = new Array<number>(freeBytes.length).fill(Number.POSITIVE_INFINITY)
  targets[deepest] = freeBytes[deepest] as number
  for (let level = deepest - 1; level > shift; level--) {
    targets[level] = (targets[level + 1] as number) / ratioBelow(level - shift, settings)
  }
  const base = settings.l0Threshold * settings.targetBytes
  return (targets[shift + 1] as number) < base ? undefined : targets
}

/** The targets of all levels, by the mode of the settings. */
export function levelTargets(
  freeBytes: readonly number[],
  deepest: number,
  shift: number,
  settings: LeveledSettings,
): number[] {
  const dynamic = settings.dynamicLevelBytes
    ? dynamicTargets(freeBytes, deepest, shift, settings)
    : undefined
  return dynamic ?? staticTargets(freeBytes.length, shift, settings)
}

/** The deepest level with data; 0 where L1 and below are empty. */
export function deepestLevel(version: StrategyVersion): number {
  for (let level = version.levels.length - 1; level > 0; level--) {
    if (runsOf(version, level).length > 0) return level
  }
  return 0
}

/** Finds canonical L1 and the targets that follow from it. */
export function planLevels(
  version: StrategyVersion,
  hidden: ReadonlySet<number>,
  settings: LeveledSettings,
): LevelPlan {
  const levelCount = version.levels.length
  const deepest = deepestLevel(version)
  const occupied = version.levels.flatMap((runs, level) =>
    level > 0 && runs.length > 0 ? [level] : [],
  )
  const first = occupied[0] ?? levelCount - 1
  const freeBytes = freeBytesOf(version, hidden)
  let canonical = first
  if (canonical > 1 && occupied.length > 0) {
    // Fixed targets even in dynamic mode: there the deepest level is never over its target, and a
    // tree that starts in the last level would never get a second one.
    const targets = staticTargets(levelCount, canonical - 1, settings)
    const isFull = (level: number) => (freeBytes[level] as number) > (targets[level] as number)
    if (occupied.every(isFull)) canonical--
  }
  const targets = levelTargets(freeBytes, deepest, canonical - 1, settings)
  return { canonical, deepest, first, freeBytes, targets }
}
