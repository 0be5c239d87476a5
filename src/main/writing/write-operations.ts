/**
 * Every write method of api.md: synchronous, memory only. Main thread.
 */
import {
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../../shared/kernel/layout.js'
import { StatisticsOperations } from '../statistics/statistics-operations.js'
import type { WriteBackpressure } from './backpressure.js'
import { rangeOf } from './key-range.js'
import type { BytesLike, WriteBatch } from './write-batch.js'
import type { Writer } from './writer.js'

export abstract class WriteOperations extends StatisticsOperations {
  protected abstract readonly writer: Writer

  /**
   * How far maintenance is behind, and how long a writer is to wait before its next write: what `insert` says in one bit.
   * Advice only; asking costs next to nothing. `RuntimeConfig.backpressure` holds the thresholds.
   *
   * @example
   * ```ts
   * const { kind, suggestedDelayMs } = tree.writeBackpressure()
   * if (kind === 'slowdown') await setTimeout(suggestedDelayMs)
   * else if (kind === 'stop') await tree.drained()
   * ```
   */
  writeBackpressure(): WriteBackpressure {
    this.core.requireOpen()
    return this.core.backpressure.verdict
  }

  /**
   * Asks for room without writing. Always granted unless `RuntimeConfig.storageAdmissionCheck` is set; then the tree's
   * files, and what memory holds times 9/8 (at least 1 MiB), must fit `RuntimeConfig.storageLimitBytes` and the disk.
   * Nothing is latched: once there is space again, or a larger limit, it is granted.
   * @throws VARVE_STORAGE_FULL with `details.used` and `details.limit`, in bytes
   */
  writeAdmission(): void {
    this.core.requireOpen()
    this.core.budget.requireRoom()
  }

  /** True exactly where {@link writeAdmission} would throw VARVE_STORAGE_FULL. Plain writes go on all the same. */
  isReadOnly(): boolean {
    this.core.requireOpen()
    return this.core.budget.excess() !== undefined
  }

  /** {@link insert}, where there is room. @throws VARVE_STORAGE_FULL, with nothing written */
  tryInsert(key: BytesLike, value: BytesLike, seqno?: number): boolean {
    this.#requireRoom()
    return this.insert(key, value, seqno)
  }

  /** {@link remove}, where there is room. @throws VARVE_STORAGE_FULL, with nothing written */
  tryRemove(key: BytesLike, seqno?: number): boolean {
    this.#requireRoom()
    return this.remove(key, seqno)
  }

  /** {@link removeWeak}, where there is room. @throws VARVE_STORAGE_FULL, with nothing written */
  tryRemoveWeak(key: BytesLike, seqno?: number): boolean {
    this.#requireRoom()
    return this.removeWeak(key, seqno)
  }

  /** {@link merge}, where there is room. @throws VARVE_STORAGE_FULL, with nothing written */
  tryMerge(key: BytesLike, operand: BytesLike, seqno?: number): boolean {
    this.#requireRoom()
    return this.merge(key, operand, seqno)
  }

  /** {@link removeRange}, where there is room. @throws VARVE_STORAGE_FULL, with nothing written */
  tryRemoveRange(start: BytesLike, end: BytesLike, seqno?: number): boolean {
    this.#requireRoom()
    return this.removeRange(start, end, seqno)
  }

  /**
   * Sets a key. Synchronous, memory only: durable after {@link flush}.
   * @param key 1 … 65,535 bytes; a string is its UTF-8 bytes
   * @param value as large as a write buffer takes
   * @param seqno drawn and published by the tree where it is not given; the caller's to publish where it is
   * @returns false when the caller should `await tree.drained()` before it goes on
   * @throws VARVE_STALLED when every write buffer is full; nothing was changed
   *
   * @example
   * ```ts
   * if (!tree.insert('user:1', 'Ada')) await tree.drained()
   * ```
   */
  insert(key: BytesLike, value: BytesLike, seqno?: number): boolean {
    return this.writer.write(KIND_VALUE, key, value, seqno)
  }

  /** Deletes a key, whether it is there or not. As {@link insert} otherwise. */
  remove(key: BytesLike, seqno?: number): boolean {
    return this.writer.write(KIND_TOMBSTONE, key, '', seqno)
  }

  /**
   * Deletes a key that was inserted once since its last `removeWeak`. Tombstone and value vanish together at the first
   * flush or merge that sees both, where {@link remove} leaves a tombstone until the last level.
   *
   * A key that was inserted more often, merged into, or deleted by `remove` in between reads as deleted all the same, but
   * older versions of it may come back once the pair is gone: when in doubt, `remove`. Range deletes in between do no
   * harm. As {@link insert} otherwise.
   */
  removeWeak(key: BytesLike, seqno?: number): boolean {
    return this.writer.write(KIND_WEAK_TOMBSTONE, key, '', seqno)
  }

  /**
   * Adds an operand to a key, for the tree's merge operator to fold when the key is read or compacted. Without an operator
   * the newest operand is what is read. As {@link insert} otherwise.
   *
   * @example
   * ```ts
   * const tree = await open('counts', { mergeOperator: mergeOperators.add })
   * tree.merge('visits', int64(1))
   * ```
   */
  merge(key: BytesLike, operand: BytesLike, seqno?: number): boolean {
    return this.writer.write(KIND_MERGE_OPERAND, key, operand, seqno)
  }

  /**
   * Deletes all keys from `start` up to, not including, `end`, at the cost of one write whatever their number: what was
   * written before, not what is written at the same seqno. A range without keys, `start` at or behind `end`, is not
   * written. As {@link insert} otherwise.
   *
   * @param start inclusive; no bytes: from the first key on
   * @param end exclusive
   */
  removeRange(start: BytesLike, end: BytesLike, seqno?: number): boolean {
    return this.writer.writeRange(rangeOf(start, end), seqno)
  }

  /**
   * Deletes all keys that start with `prefix`. A prefix of no bytes, or of 0xff bytes only, has no key behind it and is not
   * written. As {@link removeRange} otherwise.
   */
  removePrefix(prefix: BytesLike, seqno?: number): boolean {
    return this.writer.writePrefix(prefix, seqno)
  }

  /** The same as {@link removeRange}. */
  deleteRange(start: BytesLike, end: BytesLike, seqno?: number): boolean {
    return this.removeRange(start, end, seqno)
  }

  /** The same as {@link removePrefix}. */
  deletePrefix(prefix: BytesLike, seqno?: number): boolean {
    return this.removePrefix(prefix, seqno)
  }

  /** Applies a batch under one seqno: visible all at once, or not at all. As {@link insert} otherwise. */
  apply(batch: WriteBatch, seqno?: number): boolean {
    return this.writer.apply(batch, seqno)
  }

  #requireRoom(): void {
    this.core.requireWritable()
    this.core.budget.requireRoom()
  }
}
