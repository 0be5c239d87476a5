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
import { rangeOf } from './key-range.js'
import type { BytesLike, WriteBatch } from './write-batch.js'
import type { Writer } from './writer.js'

export abstract class WriteOperations extends StatisticsOperations {
  protected abstract readonly writer: Writer

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
}
