/**
 * The range read (semantics.md 7.2) in plain TypeScript, key by key: the oracle of the scan kernel.
 * Any thread; tests and benches only.
 */
import { KIND_TOMBSTONE, KIND_WEAK_TOMBSTONE } from '../layout.js'
import { compareBytes } from './memtable.js'
import { groupByKey, mergeVersions } from './merge.js'
import type { Version } from './version.js'

export interface ScanRules {
  /** At or above; none: from the start. */
  readonly lower: Uint8Array | undefined
  /** Below; none: to the end. */
  readonly upper: Uint8Array | undefined
  /** Only versions with a seqno below this are seen. */
  readonly seqno: number
  readonly isReverse: boolean
  readonly everyVersion: boolean
}

/**
 * What the scan yields: the newest visible version of each key unless that is a tombstone (an
 * operand is yielded as it is), or every visible version.
 */
export function scanVersions(
  sources: readonly (readonly Version[])[],
  rules: ScanRules,
): Version[] {
  const { lower, upper, seqno, isReverse, everyVersion } = rules
  const visible = mergeVersions(sources).filter((version) => {
    if (version.seqno >= seqno) return false
    if (lower !== undefined && compareBytes(version.key, lower) < 0) return false
    return upper === undefined || compareBytes(version.key, upper) < 0
  })
  const newest = groupByKey(visible).map(([version]) => version!)
  const yielded = everyVersion
    ? visible
    : newest.filter(({ kind }) => kind !== KIND_TOMBSTONE && kind !== KIND_WEAK_TOMBSTONE)
  return isReverse ? yielded.reverse() : yielded
}
