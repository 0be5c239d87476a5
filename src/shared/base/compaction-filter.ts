/**
 * Compaction filters: the user's say in what merges keep (semantics.md 19). Types and the check of verdicts; every thread.
 */

/** What a filter is told of its merge. */
export interface CompactionFilterContext {
  /** True where the merge writes the last level: nothing older of the keys lies below. */
  readonly isLastLevel: boolean
}

/** One entry, as a filter sees it. Good only during the call; key and value are copies. */
export interface CompactionFilterItem {
  readonly key: Buffer
  /** The seqno of its write, or of its ingestion. */
  readonly seqno: number
  /** True for an operand of `merge`, whose value is the operand. */
  readonly isMergeOperand: boolean
  /** Copied when it is first asked for. */
  readonly value: Buffer
}

/**
 * What is to become of an entry:
 * `'keep'` it; `'remove'` it, which hides older versions too; `'removeWeak'`, which cancels one older version as
 * `tree.removeWeak` does; `'destroy'` it without a trace, so that an older version may come back; `replace` its value (of an
 * operand: the operand).
 */
export type CompactionVerdict =
  | 'keep'
  | 'remove'
  | 'removeWeak'
  | 'destroy'
  | { readonly replace: string | Uint8Array }

/** The filter of one merge. */
export interface CompactionFilter {
  /** Asked once for each entry that is no delete, in the order of keys, newest version first. Throws to end the merge. */
  filter(item: CompactionFilterItem): CompactionVerdict
  /** Called once after the last entry. */
  finish?(): void
}

/**
 * Makes a filter for each merge. Runs in a worker where it is given as a reference; a plain object keeps the tree's flushes
 * and merges on the main thread, between turns of its event loop.
 *
 * A filter acts on entries whatever their seqno: snapshots and iterators that are there when its merge is installed go on
 * seeing what they saw. It is not asked in flushes, moves and drops, nor for versions that the merge drops anyway.
 *
 * @example
 * ```ts
 * const expired: CompactionFilterFactory = {
 *   name: 'expired',
 *   create: () => ({ filter: ({ value }) => (value.readUInt32BE(0) < Date.now() / 1000 ? 'remove' : 'keep') }),
 * }
 * const tree = await open('db', { compactionFilter: expired })
 * ```
 */
export interface CompactionFilterFactory {
  /** For logs and errors. */
  readonly name: string
  create(context: CompactionFilterContext): CompactionFilter
}
