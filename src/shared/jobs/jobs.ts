/**
 * What main asks of an actor and what it gets back: plain data that survives `structuredClone`, in whichever thread the
 * actor runs. No handles: ids, paths, addresses and options only.
 *
 * I1: an actor writes only inside its region, its output folder, and the ids it was given.
 * I2: a result is a proposal; main installs it or drops it.
 */
import type { EncodedError } from '../base/errors.js'
import type { Compression } from '../format/compression.js'
import type { RangeTombstone } from '../format/range-tombstone.js'
import type { TableProposal } from '../table/table-proposal.js'
import type { TableShape } from '../table/table-writer.js'
import type { JobCodeReferences } from './job-code.js'

/** The part of the shared memory that belongs to a job while it runs. */
export interface JobRegion {
  readonly start: number
  readonly end: number
}

/** Where and how a job writes tables. */
export interface OutputPlan {
  /** The folder of table files. */
  readonly folder: string
  /** Ids from here on, so many, are the job's to use. */
  readonly firstTableId: number
  readonly tableIdCount: number
  /** Start a new table once one has reached this size. */
  readonly targetBytes: number
  readonly shape: TableShape
  readonly createdAtNs: bigint
}

interface JobBase {
  readonly code: JobCodeReferences
  readonly region: JobRegion
  /** Address of the job's control words (kernel/layout-jobs.ts). */
  readonly control: number
  /** Versions below it that a newer one hides may go; 0 keeps every version. */
  readonly watermark: number
  /** True: drop only what leaves every read at or above the watermark exact (see COMPACTION_EXACT). */
  readonly isExact: boolean
  readonly output: OutputPlan
}

/** What a job that drops or folds must know of range tombstones elsewhere (semantics.md 18.2, 21.6). */
export interface JobRanges {
  /** A published state: range tombstones that are as durable as what the job writes. 0 where there are none. */
  readonly state: number
  /** Others, in write buffers that the job does not write out: what lies on both sides of one is never folded. */
  readonly unsure: readonly RangeTombstone[]
}

/** Keys that something outside a merge may hold, and its lowest seqno. */
export interface KeySpan {
  readonly min: Uint8Array
  readonly max: Uint8Array
  readonly lowestSeqno: number
}

/** Sealed memtables to tables of L0. */
export interface FlushJob extends JobBase {
  readonly kind: 'flush'
  /** Addresses, newest first. */
  readonly memtables: readonly number[]
  readonly ranges: JobRanges
}

/** A table to be read. */
export interface TableInput {
  readonly id: number
  readonly path: string
  readonly globalSeqno: number
  readonly restriction: Uint8Array | undefined
}

/**
 * A part of the keys: those behind `after`, up to and with `upTo`. Bounds are keys that exist, so that in any order one
 * slice begins where the one before ends, and nothing lies between.
 */
export interface KeySlice {
  readonly after: Uint8Array | undefined
  readonly upTo: Uint8Array | undefined
}

/** Tables to tables. */
export interface CompactionJob extends JobBase {
  readonly kind: 'compaction'
  /** Address of the words that set the pace of the tree's merges; 0 for a merge that keeps none. */
  readonly pace: number
  /** True for runs of a bulk ingestion: a caller waits for it, and it is short. */
  readonly isIngestion: boolean
  /** Runs, newest first; tables of one run ascend by key and do not overlap. */
  readonly runs: readonly (readonly TableInput[])[]
  /** True: the tree's compaction filter is asked. */
  readonly isFiltering: boolean
  /** What of the keys is this job's. Where the order is not that of bytes, it ends inside no range delete. */
  readonly slice: KeySlice
  /** True where nothing lies below the output: tombstones that cover nothing more go. */
  readonly isLastLevel: boolean
  readonly ranges: JobRanges
  /** Tables outside that keep a range tombstone of the inputs from being dropped once it has been applied. */
  readonly outside: readonly KeySpan[]
  /** No write buffer holds anything with a lower seqno. */
  readonly lowestUnflushed: number
  /** Dictionary of the inputs, where the tree has one. */
  readonly dictionary: Extract<Compression, { kind: 'zstdDict' }> | undefined
}

/** Entries that main laid out as resident blocks in the shared memory (kernel/layout-ingest.ts), ascending. */
export interface IngestBlocks {
  readonly kind: 'blocks'
  /** Address of the first block, and how many lie behind one another. */
  readonly firstBlock: number
  readonly blockCount: number
}

/** Packed chunks (docs/bulk-ingestion.md). What lies in memory of its own is moved to the thread, and gone from main's. */
export interface IngestChunks {
  readonly kind: 'chunks'
  readonly chunks: readonly Uint8Array[]
  /** Their numbers in the source, from 0; -1 for those that main made of pairs. */
  readonly numbers: readonly number[]
  /** What the thread may take of its region for the entries while it sorts them, or has them written. */
  readonly bufferBytes: number
  /** False: the entries come in any order, and each run that fits the buffer becomes tables of its own. */
  readonly isSorted: boolean
}

/** Entries of a bulk ingestion to tables. */
export interface IngestJob extends JobBase {
  readonly kind: 'ingest'
  readonly source: IngestBlocks | IngestChunks
}

export type Job = FlushJob | CompactionJob | IngestJob

/** What a job made. */
export interface JobResult {
  /** Ascending by key; of chunks that are not sorted, the oldest first. */
  readonly tables: readonly TableProposal[]
  readonly entriesIn: number
  readonly entriesDropped: number
  readonly bytesWritten: number
  /** True where a compaction filter changed something, whatever the watermark says. */
  readonly isFiltered: boolean
  /** Of a merge of a slice: the first key behind it that the inputs have. */
  readonly nextKey?: Uint8Array | undefined
  /** The first refusal of the merge operator; the operands were kept. */
  readonly foldFailure: EncodedError | undefined
}
