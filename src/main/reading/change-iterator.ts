/**
 * What `scanSinceSeqno` hands out: changes in seqno order, over a super version that it holds until it ends. Main thread.
 */
import type { TreeCore } from '../tree-core.js'
import type { SuperVersion } from '../version/super-version.js'
import { type ChangeEvent, changesOf, highestSeqnoOf } from './change-scan.js'
import { type Held, UNWATCHED, unwatch, watch } from './leak-watch.js'

export interface ScanSinceOptions {
  /**
   * True: give what is left where a part of the history was collected. Default false: VARVE_SEQNO_COLLECTED.
   */
  readonly partial?: boolean
  /** True: read every block, also where tables tell that it holds nothing new. Default false. The events are the same. */
  readonly fullScan?: boolean
}

/** What an iterator holds, apart from it. */
class ChangeState implements Held {
  readonly leak = {
    message:
      'a varve ChangeIterator was not disposed; use `using`, a for…of loop, or call return()',
    code: 'VARVE_ITERATOR_LEAK',
  }
  watchNumber = UNWATCHED
  readonly changes: Generator<ChangeEvent, undefined>
  readonly #core: TreeCore
  readonly #view: SuperVersion

  constructor(core: TreeCore, view: SuperVersion, changes: Generator<ChangeEvent, undefined>) {
    this.#core = core
    this.#view = view
    this.changes = changes
    core.acquireReading()
  }

  letGo(): void {
    this.changes.return(undefined)
    this.#view.release()
    this.#core.releaseReading()
  }
}

/** A lazy iterator over changes, usable in `for…of` and with `using`. */
export class ChangeIterator implements IterableIterator<ChangeEvent>, Disposable {
  readonly #state: ChangeState
  #isDone = false

  /** Not for users: call `tree.scanSinceSeqno`. Takes a reference to `view`. */
  constructor(core: TreeCore, view: SuperVersion, from: number, options: ScanSinceOptions) {
    // What is written from now on has a higher seqno: the end is where the tree is now.
    const range = { from, end: highestSeqnoOf(view) + 1 }
    const changes = changesOf(core, view.acquire(), range, { isFull: options.fullScan === true })
    this.#state = new ChangeState(core, view, changes)
    watch(this, this.#state)
  }

  [Symbol.iterator](): this {
    return this
  }

  /** The next change. @throws VARVE_CHECKSUM_MISMATCH and the like where a block cannot be read */
  next(): IteratorResult<ChangeEvent, undefined> {
    if (this.#isDone) return { done: true, value: undefined }
    try {
      const result = this.#state.changes.next()
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
    unwatch(this.#state)
    this.#state.letGo()
  }
}
