/**
 * What the owner of a tree and a thread that reads it say to each other: the handle, the question to attach, the grant, and
 * the calls that go over the port afterwards. Types only; everything here survives `structuredClone`.
 *
 *     reader                                      owner
 *       │  AttachRequest (thread message, port) ──→ │   shares.ts: the share is found, OwnerControl exposed
 *       │  OwnerControl.grant(options) ───────────→ │   attached-reader.ts: slot, region, words, cache view
 *       │ ←─────────────────────────── Answer<Grant>│
 *       │   reads: shared memory alone, no message  │
 *       │  OwnerControl.write(packed) ────────────→ │   remote-writes.ts
 *       │ ←─────────────────────────── OwnerNotice  │   the tree has closed; read states are gone
 *       │  OwnerControl.detach(), or the port closes│   everything that the reader had is the owner's again
 *
 * I1: a call over the port never rejects for what happened on the other side: it answers an {@link Answer}, whose error
 *     went through the codec of shared/base/errors.ts.
 * I2: ports are unref'd on both sides: a share keeps no thread alive. Who waits for an answer refs its side meanwhile.
 */
import type { EncodedError } from '../../shared/base/errors.js'
import type { Compression } from '../../shared/format/compression.js'
import type { JobCodeReferences } from '../../shared/jobs/job-code.js'
import type { RangeEstimateOptions } from '../statistics/statistics-operations.js'
import type { WriteOperations } from '../writing/write-operations.js'
import type { MessagePort } from './thread-ports.js'

/**
 * An open tree, for `attach` in another thread. Plain data: send it to as many threads as you like, in `workerData`, in
 * messages, in tasks of a pool, and on from there. It holds nothing: when the tree has closed, `attach` says VARVE_CLOSED.
 */
export interface SharedTree {
  /** The memory that the owner's trees lie in. */
  readonly memory: WebAssembly.Memory
  /** The thread that owns the tree. */
  readonly threadId: number
  /** Which one of its trees. */
  readonly shareId: number
  /** The folder of the tree, for people. */
  readonly root: string
}

/** What tells our messages from others between threads. */
export const ATTACH_REQUEST = 'varve attach'

/** Sent by `postMessageToThread` to the owner, with the port in the list of what is transferred. */
export interface AttachRequest {
  readonly kind: typeof ATTACH_REQUEST
  readonly shareId: number
  /** The owner's end: it exposes {@link OwnerControl} there. */
  readonly port: MessagePort
}

/** How a thread is attached. */
export interface AttachOptions {
  /**
   * Bytes of shared memory for this thread's own use: what it scans with, and blocks that the cache does not take. 1 MiB to
   * 256 MiB; default 16 MiB. Pages count only once they are touched.
   */
  readonly memoryBytes?: number
}

/** What an attached thread works with. Addresses are in the shared memory. */
export interface Grant {
  /** EPOCHS, and this thread's slot in them. */
  readonly epochs: number
  readonly slot: number
  /** SHARE of the tree. */
  readonly share: number
  /** READER, of this thread. */
  readonly reader: number
  /** COUNTERS, of this thread; the owner adds them to the tree's. */
  readonly counters: number
  /** This thread's heap: nobody else touches it until the thread is gone. */
  readonly region: { readonly start: number; readonly bytes: number }
  /** What kernels take as `cache`: this thread's. */
  readonly cacheView: number
  readonly tree: {
    readonly root: string
    /** Comparator, merge operator and prefix extractor, to be loaded by `loadJobCode`. */
    readonly code: JobCodeReferences
    /** What blocks compressed with a dictionary are decompressed with. */
    readonly dictionary: Extract<Compression, { kind: 'zstdDict' }> | undefined
    /** Table files that the thread may keep open. */
    readonly descriptorCapacity: number
    readonly isWritable: boolean
  }
}

/** What came of a call: its result, or what it failed with. */
export type Answer<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly error: EncodedError; readonly value?: undefined }

/** What came of {@link OwnerControl.write}. */
export interface WriteResults {
  /** For each write in order: 1 where the tree asks to slow down, 2 where the write failed, 0 otherwise. */
  readonly outcomes: Uint8Array
  /** Of those that failed, in their order. */
  readonly errors: readonly EncodedError[]
}

export const WRITE_DONE = 0
export const WRITE_THROTTLED = 1
export const WRITE_FAILED = 2

/** What a thread can be told of the tree, by the method that tells it there: those that take no argument, or a range. */
export const STATISTICS = [
  'metrics',
  'cacheStats',
  'storageStats',
  'levelSegmentStats',
  'diskSpace',
  'tableCount',
  'l0RunCount',
  'sealedMemtableCount',
  'approximateLen',
  'tombstoneCount',
  'weakTombstoneCount',
  'filterSize',
  'highestSeqno',
  'highestPersistedSeqno',
  'printLevels',
  'approximateRangeStats',
  'approximateRangeCardinality',
  'writeBackpressure',
] as const

export type StatisticName = (typeof STATISTICS)[number]

/** What a statistic comes to. */
export type Statistic<Name extends StatisticName> = ReturnType<WriteOperations[Name]>

/**
 * What the owner does for a thread, over comlink. Calls are answered in the order in which they came, but for `drained`,
 * which waits for the tree.
 */
export interface OwnerControl {
  /**
   * Attaches the thread. Errors: VARVE_CLOSED; VARVE_UNSUPPORTED where as many threads are attached as can be;
   * VARVE_OUT_OF_MEMORY.
   */
  grant(options: AttachOptions): Answer<Grant>
  /**
   * Applies packed writes (packed-writes.ts), one after the other; one that fails does not keep the next ones. A write that
   * would have to wait is refused with VARVE_STALLED, as on the owner's thread.
   */
  write(packed: Uint8Array): Answer<WriteResults>
  /** As `tree.drained()`. */
  drained(): Promise<Answer<undefined>>
  /** What the tree tells of itself. @param range for those that take one */
  tell(name: StatisticName, range?: RangeEstimateOptions): Answer<unknown>
  /**
   * The thread reads nothing any more: it has left its epoch and does not touch its region again. A second call does
   * nothing.
   */
  detach(): Answer<undefined>
}

/**
 * What the owner tells a thread, as plain messages on the port beside comlink's: `closed`, the tree has closed and nothing
 * new is to be read; `retired`, read states went out of the history, and files of tables that only those had may be closed.
 */
export interface OwnerNotice {
  readonly notice: 'closed' | 'retired'
}

/** Whether a message on the port is one of the owner's notices. */
export function isOwnerNotice(message: unknown): message is OwnerNotice {
  return typeof message === 'object' && message !== null && 'notice' in message
}
