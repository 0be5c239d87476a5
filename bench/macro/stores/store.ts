/**
 * One small interface over the engines that the benches compare, so that each workload is written once. All synchronous
 * where they can be; what an engine cannot do it does not have.
 */

/** Called for each row of a scan; it must not keep what it is given. */
export type Visit = (key: Uint8Array, value: Uint8Array) => void

export interface ScanOptions {
  /** The first key, and the one to stop before. */
  readonly from?: Buffer
  readonly to?: Buffer
  readonly isReverse?: boolean
  readonly limit?: number
}

type Value = Uint8Array | undefined

/** One engine with an open store. */
export interface Store {
  /** Reads may not see the last writes until {@link drain}. */
  readonly isLate?: boolean
  /** Writes one entry; a promise where the engine asks its caller to wait. */
  put(key: Buffer, value: Buffer): undefined | Promise<void>
  remove?(key: Buffer): undefined | Promise<void>
  /** Removes the keys from `start` up to `end`. */
  removeRange?(start: Buffer, end: Buffer): undefined | Promise<void>
  /** Adds to the number under a key, by a merge operator. */
  add?(key: Buffer, operand: Buffer): undefined | Promise<void>
  get(key: Buffer): Value | Promise<Value>
  multiGet?(keys: readonly Buffer[]): readonly Value[] | Promise<readonly Value[]>
  scan(options: ScanOptions, visit: Visit): void | Promise<void>
  /** Brings in rows in the order of their keys, one by one or as {@link pack} makes them, whose memory goes with them. */
  bulk?(rows: Iterable<[Buffer, Buffer] | Uint8Array>): Promise<void>
  /** Many rows in one array. */
  pack?(rows: Iterable<[Buffer, Buffer]>): Iterable<Uint8Array>
  /** Everything written so far is applied: nothing waits in the engine's own queue, or in the bench's batch. */
  drain(): Promise<void>
  /** Buffers are written out; undefined where the engine has no such step. */
  flush?(): Promise<void>
  /** Nothing is left to do in the background. */
  idle?(): Promise<void>
  /** Everything is merged as far as it goes. */
  compact?(): Promise<void>
  /** A handle by which another thread of this process attaches. */
  share?(): unknown
  /** Bytes of its tables, as it counts them itself. */
  diskBytes?(): number
  /** Bits of its filters for each of so many keys. */
  filterBits?(keys: number): number
  /** Point reads that a filter let pass so far, and those it kept away. */
  filterAnswers?(): { readonly passed: number; readonly kept: number }
  close(): Promise<void>
}

export interface StoreSettings {
  readonly cacheBytes: number
  /** What the engine does by itself where left out. */
  readonly compression?: string | undefined
  /** Opens with a merge operator that adds. */
  readonly isAdding?: boolean
  /** Nothing is flushed or merged by itself. */
  readonly isManual?: boolean
  /** Buffers are flushed by themselves, tables are merged only when asked. */
  readonly isUnmerged?: boolean
  /** Worker threads; the engine's own choice where left out. */
  readonly workers?: number
}

export interface StoreKind {
  readonly name: string
  /** Async reads only: a workload of it does a part of the reads. */
  readonly isSlow?: boolean
  /** @returns undefined where it is not installed */
  open(folder: string, settings: StoreSettings): Promise<Store | undefined>
}

/** Entries that engines with batches or transactions take at once. */
export const BATCH_ENTRIES = 1000

/** Bytes of a write buffer, for engines that let it be said: varve's own. */
export const WRITE_BUFFER_BYTES = 64 * 2 ** 20
