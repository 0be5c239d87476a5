/**
 * The rules of the compaction stream (semantics.md 18) in plain TypeScript, key by key. The oracle
 * of the compaction kernel. Any thread; tests only.
 */
import {
  KIND_INDIRECTION,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../layout.js'
import { groupByKey } from './merge.js'
import { coverOf, type ReferenceRange } from './ranges.js'
import type { Version } from './version.js'

/** What a filter makes of a version: nothing, another one in its place, or none at all. */
export type ReferenceVerdict =
  | 'keep'
  | 'remove'
  | 'removeWeak'
  | 'destroy'
  | { replace: Uint8Array }

export interface CompactionRules {
  /** Versions that a newer one below this shadows are unreachable for every reader. */
  readonly watermark: number
  /** True in the last level. */
  readonly evicts: boolean
  /** True: a version goes only where the one that hides it lies below the watermark itself. */
  readonly isExact?: boolean
  /** Range tombstones that are as durable as the output. */
  readonly ranges?: readonly ReferenceRange[]
  /** Those that are not. */
  readonly unsure?: readonly ReferenceRange[]
  /** True: entries below `ranges` go. */
  readonly applies?: boolean
  /** Operands oldest first; undefined: the operator refuses. */
  readonly fold?: (
    base: Uint8Array | undefined,
    operands: readonly Uint8Array[],
  ) => Uint8Array | undefined
  readonly filter?: (version: Version) => ReferenceVerdict
}

const EMPTY = new Uint8Array(0)

function isTombstone({ kind }: Version): boolean {
  return kind === KIND_TOMBSTONE || kind === KIND_WEAK_TOMBSTONE
}

function isWeak({ kind }: Version): boolean {
  return kind === KIND_WEAK_TOMBSTONE
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

/** The version as the filter leaves it; undefined where it is destroyed. */
function filtered(version: Version, { filter }: CompactionRules): Version | undefined {
  if (filter === undefined || isTombstone(version)) return version
  const verdict = filter(version)
  if (verdict === 'keep') return version
  if (verdict === 'destroy') return undefined
  if (verdict === 'remove') return { ...version, kind: KIND_TOMBSTONE, value: EMPTY }
  if (verdict === 'removeWeak') return { ...version, kind: KIND_WEAK_TOMBSTONE, value: EMPTY }
  const kind = version.kind === KIND_INDIRECTION ? KIND_VALUE : version.kind
  return { ...version, kind, value: verdict.replace }
}

/** The operands from `head` on that may become one, and what ends them. */
function operandsFrom(
  head: Version,
  rest: readonly Version[],
  { ranges = [], unsure = [] }: CompactionRules,
): { rows: Version[]; end: 'final' | 'partial' | 'unfoldable' } {
  const rows = [head]
  for (const version of rest) {
    const { key, kind, seqno } = version
    if (coverOf(ranges, key, head.seqno + 1) > seqno) return { rows, end: 'final' }
    if (coverOf(unsure, key, head.seqno + 1) > seqno) return { rows, end: 'partial' }
    if (kind === KIND_INDIRECTION) return { rows, end: 'unfoldable' }
    if (isTombstone(version)) return { rows, end: 'final' }
    rows.push(version)
    if (kind === KIND_VALUE) return { rows, end: 'final' }
  }
  return { rows, end: 'partial' }
}

function foldRows(
  rows: readonly Version[],
  isFinal: boolean,
  { fold }: CompactionRules,
): Version | undefined {
  const values = rows.map(({ value }) => value)
  const base = rows.at(-1)?.kind === KIND_VALUE ? values.pop() : undefined
  const value = fold?.(base, values.reverse())
  if (value === undefined) return undefined
  return { ...rows[0]!, kind: isFinal ? KIND_VALUE : KIND_MERGE_OPERAND, value }
}

/** What is left of one key's versions, newest first. */
function compactGroup(group: readonly Version[], rules: CompactionRules): Version[] {
  const { watermark, evicts, isExact = false, ranges = [], applies = false } = rules
  const kept: Version[] = []
  const versions = withoutDuplicates(group)
  for (let i = 0; i < versions.length; ) {
    const head = filtered(versions[i]!, rules)
    const isCovered = applies && head && coverOf(ranges, head.key, watermark) > head.seqno
    const next = versions[++i]
    if (head === undefined || isCovered) continue
    if (head.kind === KIND_MERGE_OPERAND && rules.fold && head.seqno < watermark) {
      const { rows, end } = operandsFrom(head, versions.slice(i), rules)
      i += rows.length - 1
      const isLone = rows.length === 1 && end === 'partial'
      const folded =
        isLone || end === 'unfoldable' ? undefined : foldRows(rows, end === 'final', rules)
      kept.push(...(folded ? [folded] : rows))
      if (kept.at(-1)!.kind !== KIND_VALUE) continue
      const weak = folded ? -1 : versions.slice(i).findIndex(isWeak)
      if (weak < 0) break
      i += weak
    } else if (next === undefined) {
      // The only remaining version.
      const isEvicted = evicts && (!isExact || head.seqno < watermark)
      if (!isTombstone(head) || !isEvicted) kept.push(head)
    } else if ((isExact ? head : next).seqno >= watermark || head.kind === KIND_MERGE_OPERAND) {
      kept.push(head)
    } else {
      // The next one is unreachable, and so is everything behind it.
      const isPair = next.kind === KIND_VALUE || next.kind === KIND_INDIRECTION
      const cancels = head.kind === KIND_WEAK_TOMBSTONE && isPair
      const vanishes = head.kind === KIND_TOMBSTONE && evicts
      if (!cancels && !vanishes) kept.push(head)
      // What a tombstone behind the pair hides may lie in a table that is not part of the merge. And a value may be
      // cancelled later: weak tombstones below it must still find theirs.
      const from = cancels ? i + 1 : i
      const isLeft = cancels ? isTombstone : isTombstone(head) ? () => false : isWeak
      const left = versions.slice(from).findIndex(isLeft)
      if (left < 0) break
      i = from + left
    }
  }
  return kept
}

/** What a compaction of `merged` versions writes. */
export function compactVersions(merged: readonly Version[], rules: CompactionRules): Version[] {
  return groupByKey(merged).flatMap((group) => compactGroup(group, rules))
}
