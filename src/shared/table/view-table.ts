/**
 * A table as reads take it, whoever opened it: where its structure lies, and the file that its blocks come from. Plain
 * references, no behaviour. The thread that reads.
 */
import type { RangeTombstone } from '../format/range-tombstone.js'
import type { TableFile } from './table-file.js'

export interface ViewTable {
  /** Address of the TABLE structure. */
  readonly address: number
  /** The table's number in the block cache: unique in the process. */
  readonly owner: number
  /** Added to every seqno that the file holds. */
  readonly globalSeqno: number
  readonly hasRangeTombstones: boolean
  /** With their absolute seqnos. */
  readonly rangeTombstones: readonly RangeTombstone[]
  /** The file, verified. Perhaps opened just now: what a loader has loaded before is not valid any more. */
  readonly table: TableFile
}
