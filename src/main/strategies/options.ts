/** Checks of strategy options, in Node's manner: a `RangeError` that names the option. Pure. */
import { rangeError } from '../../shared/base/errors.js'
import { LEVEL_COUNT } from '../../shared/base/limits.js'

/** The option, once it is a safe integer of at least `least`. */
export function integerOption(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw rangeError(`${name} must be an integer of at least ${least}, got ${value}`)
}

/** The option, once it is a level of a tree. */
export function levelOption(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value < LEVEL_COUNT) return value
  throw rangeError(`${name} must be a level from 0 to ${LEVEL_COUNT - 1}, got ${value}`)
}

/** Checks that data would go down, not up or nowhere. */
export function requireDown(from: number, to: number): void {
  if (from < to) return
  throw rangeError(`data goes down: the level ${to} must be deeper than the level ${from}`)
}
