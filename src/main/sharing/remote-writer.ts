/**
 * The write methods of a tree for threads that are attached to it: packed here, applied by the owner's thread, answered by
 * promises. The attached thread.
 *
 * I1: writes are applied in the order in which they were asked for; all of one turn of the event loop travel together.
 * I2: keys and values are copied at the call: the caller may change its arrays at once.
 */
import { decodeError, VarveError } from '../../shared/base/errors.js'
import type { BytesLike } from '../bytes-like.js'
import type { WriteBatch } from '../writing/write-batch.js'
import type { OwnerLine } from './owner-line.js'
import {
  PackedWrites,
  WRITE_INSERT,
  WRITE_MERGE,
  WRITE_REMOVE,
  WRITE_REMOVE_PREFIX,
  WRITE_REMOVE_RANGE,
  WRITE_REMOVE_WEAK,
  type WriteTerms,
} from './packed-writes.js'
import { WRITE_DONE, WRITE_FAILED } from './protocol.js'
import { transferred } from './thread-ports.js'

/** A pack of this size goes at once, whatever else the turn brings. */
const PACK_BYTES_MAX = 1024 * 1024

/** Who waits for a write. */
interface Waiting {
  readonly resolve: (isWelcome: boolean) => void
  readonly reject: (error: Error) => void
}

/**
 * Writes through the thread that owns the tree. Each promise resolves once the write is in the owner's memory, and visible
 * to all threads where it drew its own seqno: false where the tree asks its callers to slow down, `await drained()` then.
 *
 * Durable as on the owner: after its `flush`.
 *
 * @example
 * ```ts
 * const { writer } = await attach(handle)
 * await Promise.all([writer.insert('a', '1'), writer.remove('b')]) // one message
 * ```
 */
export class RemoteWriter {
  readonly #line: OwnerLine
  readonly #pack = new PackedWrites()
  #waiting: Waiting[] = []
  #isScheduled = false

  /** Not for users: `reader.writer`. */
  constructor(line: OwnerLine) {
    this.#line = line
  }

  /**
   * Sets a key; see `tree.insert`, as for all of these.
   * @throws VARVE_STALLED, and nothing was written: `await drained()` and try again; VARVE_CLOSED where it may or may not
   *   have been written
   */
  insert(key: BytesLike, value: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_INSERT, key, value, { seqno })
  }

  remove(key: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_REMOVE, key, '', { seqno })
  }

  removeWeak(key: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_REMOVE_WEAK, key, '', { seqno })
  }

  merge(key: BytesLike, operand: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_MERGE, key, operand, { seqno })
  }

  removeRange(start: BytesLike, end: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_REMOVE_RANGE, start, end, { seqno })
  }

  removePrefix(prefix: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_REMOVE_PREFIX, prefix, '', { seqno })
  }

  /** The same as {@link removeRange}. */
  deleteRange(start: BytesLike, end: BytesLike, seqno?: number): Promise<boolean> {
    return this.removeRange(start, end, seqno)
  }

  /** The same as {@link removePrefix}. */
  deletePrefix(prefix: BytesLike, seqno?: number): Promise<boolean> {
    return this.removePrefix(prefix, seqno)
  }

  /** {@link insert}, where there is room. @throws VARVE_STORAGE_FULL, with nothing written */
  tryInsert(key: BytesLike, value: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_INSERT, key, value, { seqno, needsRoom: true })
  }

  /** {@link remove}, where there is room. */
  tryRemove(key: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_REMOVE, key, '', { seqno, needsRoom: true })
  }

  /** {@link removeWeak}, where there is room. */
  tryRemoveWeak(key: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_REMOVE_WEAK, key, '', { seqno, needsRoom: true })
  }

  /** {@link merge}, where there is room. */
  tryMerge(key: BytesLike, operand: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_MERGE, key, operand, { seqno, needsRoom: true })
  }

  /** {@link removeRange}, where there is room. */
  tryRemoveRange(start: BytesLike, end: BytesLike, seqno?: number): Promise<boolean> {
    return this.#write(WRITE_REMOVE_RANGE, start, end, { seqno, needsRoom: true })
  }

  /** Applies a batch under one seqno: visible to every thread all at once, or not at all. */
  apply(batch: WriteBatch, seqno?: number): Promise<boolean> {
    return this.#packed(() => this.#pack.addBatch(batch, { seqno }))
  }

  /** As `tree.drained()`: resolves when writes are welcome again. */
  async drained(): Promise<void> {
    await this.#line.call((control) => control.drained())
  }

  #write(
    operation: number,
    first: BytesLike,
    second: BytesLike,
    terms: WriteTerms,
  ): Promise<boolean> {
    return this.#packed(() => this.#pack.add(operation, first, second, terms))
  }

  /** What is wrong with the arguments comes out of the promise, too. */
  async #packed(pack: () => void): Promise<boolean> {
    pack()
    return new Promise<boolean>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      if (this.#pack.byteLength >= PACK_BYTES_MAX) void this.#send()
      else this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      void this.#send()
    })
  }

  /** Sends what has come; never rejects. */
  async #send(): Promise<void> {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    const packed = this.#pack.take()
    try {
      const results = await this.#line.call((control) => control.write(transferred(packed)))
      let failures = 0
      waiting.forEach(({ resolve, reject }, i) => {
        const outcome = results.outcomes[i]
        const error = outcome === WRITE_FAILED ? results.errors[failures++] : undefined
        if (error !== undefined) reject(decodeError(error))
        else resolve(outcome === WRITE_DONE)
      })
    } catch (error) {
      const reason =
        error instanceof Error ? error : new VarveError('VARVE_CLOSED', 'the owner did not answer')
      for (const { reject } of waiting) reject(reason)
    }
  }
}
