/**
 * The cursor over one run in plain TypeScript: every version of the run in one list, cut at a place. The oracle of the
 * run-cursor kernel. Any thread; tests and benches only.
 */
import { compareBytes } from './memtable.js'
import type { ReferenceRun } from './point-read.js'
import type { Version } from './version.js'

/** Right before the versions of a key, or right behind them. */
export interface RunPlace {
  readonly key: Uint8Array
  readonly isBehind: boolean
}

/**
 * What a cursor gives from a place on, or in reverse from there down; from the near end without a place. Tables that lie
 * wholly behind `end` are left out.
 */
export function runVersions(
  { tables }: ReferenceRun,
  isReverse: boolean,
  place: RunPlace | undefined,
  end: Uint8Array | undefined,
): Version[] {
  const versions = tables
    .filter(({ versions: all }) => {
      if (end === undefined) return true
      const [first, last] = [all[0]!.key, all.at(-1)!.key]
      return isReverse ? compareBytes(last, end) >= 0 : compareBytes(first, end) <= 0
    })
    .flatMap(({ versions: all, restriction }) =>
      all.filter(({ key }) => restriction === undefined || compareBytes(key, restriction) >= 0),
    )
  const isBefore = ({ key }: Version): boolean => {
    if (place === undefined) return isReverse
    const order = compareBytes(key, place.key)
    return order < 0 || (order === 0 && place.isBehind)
  }
  return isReverse
    ? versions.filter(isBefore).reverse()
    : versions.filter((version) => !isBefore(version))
}
