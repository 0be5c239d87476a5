/**
 * What a read at one moment looks at: memtables and runs, newest first, and the range tombstones among them. Every kind
 * of read takes one; whoever made it keeps its memory alive. Plain references, no behaviour.
 */
import type { CompareKeys } from '../base/key-order.js'
import type { RangeTombstone } from '../format/range-tombstone.js'
import type { ResidentTable } from '../table/resident-table.js'

/** A user's fold of operands (semantics.md 20). */
export interface MergeOperator {
  /**
   * Folds `operands`, oldest first and at least one, onto `base` (undefined where the key has none).
   * Must be deterministic and associative: a result may be fed back as base or as operand. Throws to refuse.
   */
  merge(key: Uint8Array, base: Uint8Array | undefined, operands: readonly Uint8Array[]): Uint8Array
}

/** One run: its tables ascending by key, and the level it belongs to. */
export interface ViewRun {
  readonly level: number
  readonly tables: readonly ResidentTable[]
}

export interface ReadView {
  /** Address of the published STATE structure with the same content. */
  readonly stateAddress: number
  /** Memtable addresses, newest first. */
  readonly memtables: readonly number[]
  /** Runs in the order in which a point read asks them: L0 newest first, then level by level. */
  readonly runs: readonly ViewRun[]
  /** All range tombstones of memtables and tables; mostly none. */
  readonly rangeTombstones: readonly RangeTombstone[]
}

/** The highest seqno below `seqno` of a range tombstone that covers `key`; -1 where none does. */
export function coveringSeqno(
  view: ReadView,
  key: Uint8Array,
  seqno: number,
  compare: CompareKeys,
): number {
  let highest = -1
  for (const tombstone of view.rangeTombstones) {
    if (tombstone.seqno >= seqno || tombstone.seqno <= highest) continue
    if (compare(tombstone.start, key) > 0 || compare(key, tombstone.end) >= 0) continue
    highest = tombstone.seqno
  }
  return highest
}
