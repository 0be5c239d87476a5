/**
 * The rules of the compaction stream (semantics.md 18) in plain TypeScript, key by key, without
 * merge operator: operands pass as they are. The oracle of the compaction kernel. Any thread; tests
 * only.
 */
import {
  KIND_INDIRECTION,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../layout.js'
import { groupByKey } from './merge.js'
import type { Version } from './version.js'

export interface CompactionRules {
  /** Versions that a newer one below this shadows are unreachable for every reader. */
  readonly watermark: number
  /** True in the last level. */
  readonly evicts: boolean
  /** True: nothing at or above the watermark goes, and nothing because of it (COMPACTION_EXACT). */
  readonly isExact?: boolean
}

function isTombstone({ kind }: Version): boolean {
  return kind === KIND_TOMBSTONE || kind === KIND_WEAK_TOMBSTONE
}

/**
 * A (key, seqno) that comes twice: the newer source wins; of operands both count (semantics.md
 * 2.5).
 */
function withoutDuplicates(group: readonly Version[]): Version[] {
  const kept: Version[] = []
  for (const version of group) {
    const last = kept[kept.length - 1]
    const isTwice = last !== undefined && last.seqno === version.seqno
    if (!isTwice || (version.kind === KIND_MERGE_OPERAND && !isTombstone(last))) kept.push(version)
  }
  return kept
}

/** What is left of one key's versions, newest first. */
function compactGroup(group: readonly Version[], rules: CompactionRules): Version[] {
  const kept: Version[] = []
  const { isExact = false } = rules
  const versions = withoutDuplicates(group)
  for (const [i, head] of versions.entries()) {
    const next = versions[i + 1]
    if (next === undefined) {
      // The only remaining version.
      const isEvicted = rules.evicts && (!isExact || head.seqno < rules.watermark)
      if (!isTombstone(head) || !isEvicted) kept.push(head)
    } else if (
      (isExact ? head : next).seqno >= rules.watermark ||
      head.kind === KIND_MERGE_OPERAND
    ) {
      kept.push(head)
    } else {
      // The next one is unreachable, and so is everything behind it.
      const isPair = next.kind === KIND_VALUE || next.kind === KIND_INDIRECTION
      const cancels = head.kind === KIND_WEAK_TOMBSTONE && isPair
      const vanishes = head.kind === KIND_TOMBSTONE && rules.evicts
      if (!cancels && !vanishes) kept.push(head)
      break
    }
  }
  return kept
}

/** What a compaction of `merged` versions writes. */
export function compactVersions(merged: readonly Version[], rules: CompactionRules): Version[] {
  return groupByKey(merged).flatMap((group) => compactGroup(group, rules))
}
