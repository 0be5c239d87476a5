/**
 * A batch of writes that become visible all at once: collected here, applied by `tree.apply`. Main thread.
 */
import { VarveError } from '../../shared/base/errors.js'
import {
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../../shared/kernel/layout.js'
import type { BytesLike } from '../bytes-like.js'
import { type ByteRange, rangeOf } from './key-range.js'

export type { BytesLike } from '../bytes-like.js'

/** One operation of a batch on a key. */
export interface BatchEntry {
  readonly kind: number
  readonly key: BytesLike
  readonly value: BytesLike
}

const VERBS: Readonly<Record<number, string>> = {
  [KIND_VALUE]: 'inserts',
  [KIND_TOMBSTONE]: 'removes',
  [KIND_WEAK_TOMBSTONE]: 'weakly removes',
  [KIND_MERGE_OPERAND]: 'merges into',
}

/**
 * Collects writes. Nothing is copied before the batch is applied: do not change the arrays meanwhile.
 *
 * All of a batch has one seqno. So one key takes one kind of operation only (`VARVE_MIXED_BATCH`): of several inserts the
 * last one counts, of several merges all do. And a range delete hides what was there before the batch, never what the
 * batch itself writes, whichever comes first in it.
 *
 * @example
 * ```ts
 * const batch = new WriteBatch().removeRange('user:', 'user;').insert('user:1', 'Ada').remove('count')
 * tree.apply(batch) // of all users, user:1 is left
 * ```
 */
export class WriteBatch {
  readonly #entries: BatchEntry[] = []
  readonly #ranges: ByteRange[] = []

  /** Operations so far. */
  get length(): number {
    return this.#entries.length + this.#ranges.length
  }

  get entries(): readonly BatchEntry[] {
    return this.#entries
  }

  /** The range deletes of the batch. */
  get ranges(): readonly ByteRange[] {
    return this.#ranges
  }

  insert(key: BytesLike, value: BytesLike): this {
    this.#entries.push({ kind: KIND_VALUE, key, value })
    return this
  }

  remove(key: BytesLike): this {
    this.#entries.push({ kind: KIND_TOMBSTONE, key, value: '' })
    return this
  }

  /** As `tree.removeWeak`. */
  removeWeak(key: BytesLike): this {
    this.#entries.push({ kind: KIND_WEAK_TOMBSTONE, key, value: '' })
    return this
  }

  /** As `tree.merge`. */
  merge(key: BytesLike, operand: BytesLike): this {
    this.#entries.push({ kind: KIND_MERGE_OPERAND, key, value: operand })
    return this
  }

  /** As `tree.removeRange`: deletes what is there before the batch. */
  removeRange(start: BytesLike, end: BytesLike): this {
    this.#ranges.push(rangeOf(start, end))
    return this
  }

  /** Empties the batch for its next use. */
  clear(): this {
    this.#entries.length = 0
    this.#ranges.length = 0
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
          `the batch both ${VERBS[earlier]} and ${VERBS[kind]} the key ${name}; split it into two batches`,
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
