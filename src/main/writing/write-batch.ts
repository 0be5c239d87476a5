/**
 * A batch of writes that become visible all at once: collected here, applied by `tree.apply`. Main thread.
 */
import { VarveError } from '../../shared/base/errors.js'
import { KIND_TOMBSTONE, KIND_VALUE } from '../../shared/kernel/layout.js'

/** Keys and values as users give them: a string is its UTF-8 bytes. */
export type BytesLike = string | Uint8Array

/** One operation of a batch. */
export interface BatchEntry {
  readonly kind: number
  readonly key: BytesLike
  readonly value: BytesLike
}

/**
 * Collects writes. Nothing is copied before the batch is applied: do not change the arrays meanwhile.
 *
 * @example
 * ```ts
 * const batch = new WriteBatch().insert('a', '1').remove('b')
 * tree.apply(batch)
 * ```
 */
export class WriteBatch {
  readonly #entries: BatchEntry[] = []

  /** Operations so far. */
  get length(): number {
    return this.#entries.length
  }

  get entries(): readonly BatchEntry[] {
    return this.#entries
  }

  insert(key: BytesLike, value: BytesLike): this {
    this.#entries.push({ kind: KIND_VALUE, key, value })
    return this
  }

  remove(key: BytesLike): this {
    this.#entries.push({ kind: KIND_TOMBSTONE, key, value: '' })
    return this
  }

  /** Empties the batch for its next use. */
  clear(): this {
    this.#entries.length = 0
    return this
  }

  /**
   * All operations of a batch share a seqno, so one key cannot have two kinds of them.
   * @throws VARVE_MIXED_BATCH
   */
  requireUniform(): void {
    const kinds = new Map<string, number>()
    for (const { key, kind } of this.#entries) {
      const name = typeof key === 'string' ? Buffer.from(key).toString('latin1') : latin1(key)
      const earlier = kinds.get(name)
      if (earlier !== undefined && earlier !== kind) {
        throw new VarveError(
          'VARVE_MIXED_BATCH',
          `the batch both inserts and removes the key ${name}; split it into two batches`,
          { details: { key: Buffer.from(name, 'latin1').toString('hex') } },
        )
      }
      kinds.set(name, kind)
    }
  }
}

function latin1(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}
