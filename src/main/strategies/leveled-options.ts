/** The options of leveled compaction, their defaults and limits (semantics.md 17.1). Pure. */
import { rangeError } from '../../shared/base/errors.js'
import { integerOption } from './options.js'

export interface LeveledOptions {
  /** Tables in L0 from which on they are merged down. At least 1; 4 by default. */
  readonly l0Threshold?: number
  /** Length in bytes at which a merge starts the next table. At least 1; 64 MiB by default. */
  readonly targetBytes?: number
  /**
   * How many times the size of a level the next one may have, from the first pair of levels on; the
   * last number holds for all further pairs. Finite and above 0; `[10]` by default.
   */
  readonly levelRatios?: readonly number[]
  /** Derive the sizes of levels from that of the deepest one, so that it holds most of the data. */
  readonly dynamicLevelBytes?: boolean
  /** Let a full L0 and a full L1 go to L2 in one merge. */
  readonly multiLevel?: boolean
  /**
   * Merge L0 into itself whenever it has several runs and too few tables to go down, as the Rust crate does: reads find
   * one run there, and data is rewritten up to `l0Threshold` times more. By default only where that saves writes.
   */
  readonly eagerL0?: boolean
}

export type LeveledSettings = Required<LeveledOptions>

export function leveledSettings(options: LeveledOptions): LeveledSettings {
  const levelRatios = [...(options.levelRatios ?? [10])]
  if (levelRatios.length === 0 || levelRatios.some((ratio) => !(ratio > 0 && ratio < Infinity))) {
    throw rangeError(`levelRatios must be finite numbers above 0, got [${levelRatios.join(', ')}]`)
  }
  return {
    l0Threshold: integerOption('l0Threshold', options.l0Threshold ?? 4, 1),
    targetBytes: integerOption('targetBytes', options.targetBytes ?? 64 * 1024 * 1024, 1),
    levelRatios,
    dynamicLevelBytes: options.dynamicLevelBytes ?? false,
    multiLevel: options.multiLevel ?? false,
    eagerL0: options.eagerL0 ?? false,
  }
}
