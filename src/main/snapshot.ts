/**
 * A snapshot: a seqno that stays readable until it is disposed. The thread that reads.
 */
import { typeError, VarveError } from '../shared/base/errors.js'
import type { ReadCore } from './reading/read-core.js'
import { ReadOperations } from './reading/read-operations.js'
import type { ReadOptions } from './reading/read-options.js'
import type { TreeReads } from './reading/tree-reads.js'

/**
 * Every read method of the tree, as of one moment. A method given another seqno throws a TypeError: read that one
 * through the tree.
 *
 * @example
 * ```ts
 * using snap = tree.snapshot()
 * tree.insert('a', 'new')
 * snap.get('a') // what it was
 * ```
 */
export class Snapshot extends ReadOperations implements Disposable {
  /** Reads see versions with a lower seqno. A disposed snapshot answers VARVE_CLOSED. */
  readonly seqno: number
  protected readonly reads: TreeReads
  readonly #core: ReadCore
  readonly #unpin: () => void
  #isDisposed = false

  /** Not for users: call `tree.snapshot()`. */
  constructor(core: ReadCore, reads: TreeReads, seqno: number, unpin: () => void) {
    super()
    this.#core = core
    this.reads = reads
    this.seqno = seqno
    this.#unpin = unpin
  }

  /** Lets the seqno go: maintenance may collect it. A second call does nothing. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#unpin()
  }

  protected beginRead(options: ReadOptions | undefined): number {
    if (this.#isDisposed) throw new VarveError('VARVE_CLOSED', 'this snapshot was disposed')
    if (options?.seqno !== undefined && options.seqno !== this.seqno) {
      throw typeError(
        `a snapshot reads as of its own seqno ${this.seqno}, not ${options.seqno}; read that one through the tree`,
      )
    }
    return this.#core.beginRead(this.seqno)
  }
}
