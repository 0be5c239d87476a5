/**
 * Every write method of api.md: synchronous, memory only. Main thread.
 */
import { KIND_TOMBSTONE, KIND_VALUE } from '../../shared/kernel/layout.js'
import { StatisticsOperations } from '../statistics/statistics-operations.js'
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

  /** Applies a batch under one seqno: visible all at once, or not at all. As {@link insert} otherwise. */
  apply(batch: WriteBatch, seqno?: number): boolean {
    return this.writer.apply(batch, seqno)
  }
}
