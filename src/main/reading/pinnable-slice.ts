/**
 * A value read without a copy. Main thread.
 *
 * I1: while a slice is pinned, its block stays where it is, whatever the cache does.
 */
import { VarveError } from '../../shared/base/errors.js'
import { type Held, UNWATCHED, unwatch, watch } from './leak-watch.js'

class SliceState implements Held {
  readonly leak = {
    message: 'a varve PinnableSlice was not disposed; use `using`, or call [Symbol.dispose]()',
    code: 'VARVE_SLICE_LEAK',
  }
  watchNumber = UNWATCHED
  readonly #unpin: () => void

  constructor(unpin: () => void) {
    this.#unpin = unpin
  }

  letGo(): void {
    this.#unpin()
  }
}

/**
 * The value of a key: pinned, a view of the block that the cache holds, or owned, a copy. Owned are values that lie in a
 * write buffer (pinning one would keep all of its buffer), values resolved from merge operands, values of blocks that the
 * cache does not hold, and all values while too much is pinned already: at most half of the cache.
 *
 * A pinned slice keeps its block in memory until it is disposed, also after the tree was closed. Views taken from
 * {@link value} are good as long: do not keep them.
 *
 * @example
 * ```ts
 * using slice = tree.getPinned('a')
 * if (slice !== undefined) socket.write(slice.value.subarray(0, 16).toString('hex'))
 * ```
 */
export class PinnableSlice implements Disposable {
  readonly length: number
  #value: Buffer | undefined
  /** What is pinned; undefined for an owned slice. */
  readonly #state: SliceState | undefined

  /** Not for users: call `tree.getPinned`. */
  constructor(value: Buffer, unpin: (() => void) | undefined) {
    this.#value = value
    this.length = value.length
    if (unpin === undefined) return
    this.#state = new SliceState(unpin)
    watch(this, this.#state)
  }

  /** True where the value is a view of a cached block. */
  get isPinned(): boolean {
    return this.#state !== undefined
  }

  /**
   * The value. Not to be written to, and not to be used any more once the slice is disposed.
   * @throws VARVE_CLOSED after that
   */
  get value(): Buffer {
    if (this.#value === undefined) {
      throw new VarveError('VARVE_CLOSED', 'this slice was disposed; read the key again')
    }
    return this.#value
  }

  /** The caller's own copy of the value. @throws VARVE_CLOSED */
  toBuffer(): Buffer {
    return Buffer.from(this.value)
  }

  /** True where the value has these very bytes. @throws VARVE_CLOSED */
  equals(bytes: Uint8Array): boolean {
    return this.value.equals(bytes)
  }

  /** Lets the block go. A second call does nothing. */
  [Symbol.dispose](): void {
    if (this.#value === undefined) return
    this.#value = undefined
    if (this.#state === undefined) return
    unwatch(this.#state)
    this.#state.letGo()
  }
}
