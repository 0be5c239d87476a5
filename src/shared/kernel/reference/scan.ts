/**
 * The range read (semantics.md 7.2) in plain TypeScript, key by key: the oracle of the scan kernel.
 * Any thread; tests and benches only.
 */
import type { KeyRangeBounds } from '../../base/key-order.js'
import { KIND_TOMBSTONE, KIND_WEAK_TOMBSTONE } from '../layout.js'
import { compareBytes } from './memtable.js'
import { groupByKey, mergeVersions } from './merge.js'
import { coverOf, type ReferenceRange } from './ranges.js'
import type { Version } from './version.js'

export interface ScanRules extends KeyRangeBounds {
  /** Only versions with a seqno below this are seen. */
  readonly seqno: number
  readonly isReverse: boolean
  /** True: every visible version is yielded, and range tombstones hide nothing. */
  readonly everyVersion: boolean
}

/**
 * What the scan yields: the newest visible version of each key unless that is a tombstone or lies
 * under one (an operand is yielded as it is), or every visible version.
 */
export function scanVersions(
  sources: readonly (readonly Version[])[],
  rules: ScanRules,
  ranges: readonly ReferenceRange[] = [],
): Version[] {
  const { lower, upper, seqno, isReverse, everyVersion } = rules
  const visible = mergeVersions(sources).filter((version) => {
    if (version.seqno >= seqno) return false
    const aboveLower = lower === undefined ? 1 : compareBytes(version.key, lower.key)
    const belowUpper = upper === undefined ? 1 : compareBytes(upper.key, version.key)
    if (aboveLower < 0 || belowUpper < 0) return false
    return (
      (aboveLower > 0 || lower?.isInclusive === true) &&
      (belowUpper > 0 || upper?.isInclusive === true)
    )
  })
  const newest = groupByKey(visible).map(([version]) => version!)
  const yielded = everyVersion
    ? visible
    : newest.filter((version) => {
        if (version.kind === KIND_TOMBSTONE || version.kind === KIND_WEAK_TOMBSTONE) return false
        return coverOf(ranges, version.key, seqno) <= version.seqno
      })
  return isReverse ? yielded.reverse() : yielded
}
