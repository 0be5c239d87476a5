/**
 * What `scanSinceSeqno` hands out: changes in seqno order, over a super version that it holds until it ends. Main thread.
 */
import type { TreeCore } from '../tree-core.js'
import type { SuperVersion } from '../version/super-version.js'
import { type ChangeEvent, changesOf, highestSeqnoOf } from './change-scan.js'

export interface ScanSinceOptions {
  /**
   * True: give what is left where a part of the history was collected. Default false: VARVE_SEQNO_COLLECTED.
   */
  readonly partial?: boolean
  /** True: read every block, also where tables tell that it holds nothing new. Default false. The events are the same. */
  readonly fullScan?: boolean
}

/** A lazy iterator over changes, usable in `for…of` and with `using`. */
export class ChangeIterator implements IterableIterator<ChangeEvent>, Disposable {
  readonly #core: TreeCore
  readonly #view: SuperVersion
  readonly #changes: Generator<ChangeEvent, undefined>
  #isDone = false

  /** Not for users: call `tree.scanSinceSeqno`. Takes a reference to `view`. */
  constructor(core: TreeCore, view: SuperVersion, from: number, options: ScanSinceOptions) {
    this.#core = core
    this.#view = view.acquire()
    // What is written from now on has a higher seqno: the end is where the tree is now.
    const range = { from, end: highestSeqnoOf(view) + 1 }
    this.#changes = changesOf(core, view, range, { isFull: options.fullScan === true })
    core.acquireReading()
  }

  [Symbol.iterator](): this {
    return this
  }

  /** The next change. @throws VARVE_CHECKSUM_MISMATCH and the like where a block cannot be read */
  next(): IteratorResult<ChangeEvent, undefined> {
    if (this.#isDone) return { done: true, value: undefined }
    try {
      const result = this.#changes.next()
      if (result.done === true) this[Symbol.dispose]()
      return result
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** Ends the iterator early and lets go of what it holds. A second call does nothing. */
  return(): IteratorResult<ChangeEvent, undefined> {
    this[Symbol.dispose]()
    return { done: true, value: undefined }
  }

  [Symbol.dispose](): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#changes.return(undefined)
    this.#view.release()
    this.#core.releaseReading()
  }
}
