/**
 * A tree with a write-ahead log beside it, made of what every user of the engine has: the tree's public methods, its
 * 'flush' event and `beforeFlush` (docs/wal.md). The engine knows nothing of it. Main thread.
 *
 *     open ── close() ──→ closing ── writes in line done, tree closed ──→ closed
 *       │
 *       └─ the log fails ──→ failed: reads go on, every write rejects with the first cause; close and open again
 */
import { typeError, VarveError } from '../../shared/base/errors.js'
import type { FileSystem } from '../../shared/fs/file-system.js'
import type {
  BulkIngestOptions,
  BulkSource,
  BytesLike,
  CloseOptions,
  FlushResult,
  Ingestion,
  IngestionResult,
  Tree,
  WriteBatch,
} from '../index.js'
import type { Acknowledged, Durability, GroupCommit } from './group-commit.js'
import type { LogWriter } from './log-writer.js'
import { RecordType } from './record.js'
import type { LogRecoveryReport } from './recovery.js'
import {
  batchRequest,
  CLEAR_REQUEST,
  keyRequest,
  pairRequest,
  prefixRequest,
  rangeRequest,
  type WriteRequest,
} from './write-request.js'

/** Methods of the tree that would write past the log, or close it under the log. */
type Unlogged =
  | 'insert'
  | 'remove'
  | 'removeWeak'
  | 'removeRange'
  | 'removePrefix'
  | 'deleteRange'
  | 'deletePrefix'
  | 'merge'
  | 'apply'
  | 'clear'
  | 'ingestion'
  | 'bulkIngest'
  | 'close'
  | typeof Symbol.asyncDispose

/** The tree to read from and to maintain: all of it but what writes. */
export type LoggedTreeView = Omit<Tree, Unlogged>

/** How a write is logged. */
export interface LoggedWriteOptions {
  /** What the write outlives once its promise resolves. Default: that of the log. */
  readonly durability?: Durability
}

/** What the log has done since it was opened, and how much of it there is. */
export interface LogStats {
  /** Acknowledged writes by durability. */
  readonly acknowledged: Readonly<Acknowledged>
  /** Writes that wait to be acknowledged. */
  readonly pending: number
  /** Records of every type. */
  readonly records: number
  /** Bytes written. */
  readonly bytes: number
  /** Calls that wrote: many writes share one. */
  readonly writes: number
  /** Calls that synced: many writes share one. */
  readonly syncs: number
  readonly segments: number
  /** Bytes of all segments. */
  readonly segmentBytes: number
  /** Every write below this seqno is in tables. */
  readonly persistedBelow: number
}

/** What a {@link LoggedTree} is made of. */
export interface LoggedTreeParts {
  readonly tree: Tree
  readonly fs: FileSystem
  readonly log: LogWriter
  readonly commit: GroupCommit
  readonly durability: Durability
  readonly recovery: LogRecoveryReport
}

/** A tree whose writes are logged. Made by `openLogged`. */
export class LoggedTree implements AsyncDisposable {
  /** What opening the log has found and replayed. */
  readonly recovery: LogRecoveryReport
  readonly #parts: LoggedTreeParts
  #closing: Promise<void> | undefined

  /** Not for users: call `openLogged`. */
  constructor(parts: LoggedTreeParts) {
    this.#parts = parts
    this.recovery = parts.recovery
  }

  /** The tree: every read, snapshots, maintenance. Write through the log only. */
  get tree(): LoggedTreeView {
    return this.#parts.tree
  }

  /**
   * Sets a key. Resolves with the seqno of the write, once the write is as durable as was asked and readable.
   * @param key 1 … 65,535 bytes; a string is its UTF-8 bytes. Copied before the call returns.
   * @throws VARVE_STORAGE_FULL where the log has no room: nothing was written. VARVE_STALLED where too much waits
   *   already, or, with `maintenance: 'manual'`, until something is flushed. VARVE_IO once the log has failed.
   *
   * @example
   * ```ts
   * await db.insert('user:1', 'Ada', { durability: 'disk' })
   * ```
   */
  insert(key: BytesLike, value: BytesLike, options?: LoggedWriteOptions): Promise<number> {
    return this.#write(() => pairRequest(RecordType.Insert, key, value), options)
  }

  /** Deletes a key. As {@link insert} otherwise. */
  remove(key: BytesLike, options?: LoggedWriteOptions): Promise<number> {
    return this.#write(() => keyRequest(RecordType.Remove, key), options)
  }

  /** Deletes a key that was inserted once since its last delete: see `Tree.removeWeak`. */
  removeWeak(key: BytesLike, options?: LoggedWriteOptions): Promise<number> {
    return this.#write(() => keyRequest(RecordType.RemoveWeak, key), options)
  }

  /** Adds an operand to a key: see `Tree.merge`. It counts exactly once, however often the process dies. */
  merge(key: BytesLike, operand: BytesLike, options?: LoggedWriteOptions): Promise<number> {
    return this.#write(() => pairRequest(RecordType.Merge, key, operand), options)
  }

  /** Deletes all keys from `start` up to, not including, `end`. */
  removeRange(start: BytesLike, end: BytesLike, options?: LoggedWriteOptions): Promise<number> {
    return this.#write(() => rangeRequest(start, end), options)
  }

  /** Deletes all keys that start with `prefix`. */
  removePrefix(prefix: BytesLike, options?: LoggedWriteOptions): Promise<number> {
    return this.#write(() => prefixRequest(prefix), options)
  }

  /** Applies a batch: all of it is logged as one record, and visible at once. @throws VARVE_MIXED_BATCH */
  apply(batch: WriteBatch, options?: LoggedWriteOptions): Promise<number> {
    return this.#write(() => batchRequest(batch), options)
  }

  /** Drops all data at once, whatever the log still holds of it. Always as durable as `'disk'`. */
  clear(): Promise<number> {
    return this.#write(() => CLEAR_REQUEST)
  }

  /**
   * A bulk ingestion: not logged, as it is in tables when its `finish` resolves. Writes that come while it finishes wait,
   * and count as written after it.
   */
  ingestion(): Ingestion {
    this.#requireOpen()
    const { commit, tree } = this.#parts
    const ingestion = tree.ingestion()
    const finish = ingestion.finish.bind(ingestion)
    ingestion.finish = () => commit.exclusive(finish)
    return ingestion
  }

  /**
   * A bulk ingestion of a whole source: not logged, as it is in tables when its promise resolves. Logged writes wait till
   * then; use {@link ingestion} where they must not.
   */
  async bulkIngest(source: BulkSource, options?: BulkIngestOptions): Promise<IngestionResult> {
    this.#requireOpen()
    const { commit, tree } = this.#parts
    return commit.exclusive(() => tree.bulkIngest(source, options))
  }

  /** Resolves when every write so far, 'memory' ones included, would survive the loss of power. */
  async sync(): Promise<void> {
    this.#requireOpen()
    const { commit, log } = this.#parts
    await commit.idle()
    commit.writeOut()
    await log.sync()
  }

  /** Resolves when every write so far was applied or refused. */
  async idle(): Promise<void> {
    await this.#parts.commit.idle()
  }

  /** Writes every write so far to tables, and lets go of the part of the log that held them. */
  async flush(): Promise<FlushResult | undefined> {
    this.#requireOpen()
    const { commit, tree } = this.#parts
    await commit.idle()
    return tree.flush()
  }

  stats(): LogStats {
    const { commit, log } = this.#parts
    return {
      acknowledged: { ...commit.acknowledged },
      pending: commit.pendingCount,
      ...log.counters,
      segments: log.segmentCount,
      segmentBytes: log.bytes,
      persistedBelow: log.persistedBelow,
    }
  }

  /** What ended the log; undefined while it takes writes. */
  get failure(): VarveError | undefined {
    return this.#parts.log.failure
  }

  /**
   * Waits for the writes in line, and closes tree and log. With `flush: 'discard'` memtables are left to the log, which
   * the next open replays. A log that has failed is never flushed past.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options)
    await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(options: CloseOptions): Promise<void> {
    const { commit, log, tree } = this.#parts
    await commit.finish()
    try {
      try {
        if (log.failure === undefined) {
          log.writeOut()
          await log.sync()
        }
      } finally {
        await tree.close(log.failure === undefined ? options : { flush: 'discard' })
      }
    } finally {
      await log.close()
    }
  }

  #write(request: () => WriteRequest, options: LoggedWriteOptions = {}): Promise<number> {
    try {
      this.#requireOpen()
      const durability = requireDurability(options.durability ?? this.#parts.durability)
      return this.#parts.commit.submit(request(), durability)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** @throws VARVE_CLOSED */
  #requireOpen(): void {
    if (this.#closing === undefined) return
    throw new VarveError('VARVE_CLOSED', `${this.#parts.tree.path} is closed`)
  }
}

/** @throws TypeError */
export function requireDurability(value: unknown): Durability {
  if (value === 'memory' || value === 'process' || value === 'disk') return value
  throw typeError(`durability must be 'memory', 'process' or 'disk', not ${String(value)}`)
}
