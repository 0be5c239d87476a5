/**
 * What `scanSinceSeqno` hands out: changes in seqno order, over a view that it holds until it ends. The
 * thread that reads.
 */
import { VarveError } from '../../shared/base/errors.js'
import { type ChangeEvent, changesOf } from './change-scan.js'
import { type Held, UNWATCHED, unwatch, watch } from './leak-watch.js'
import type { HeldView, ReadCore } from './read-core.js'
import { requireReadSeqno } from './read-options.js'

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
  readonly #core: ReadCore
  readonly #view: HeldView

  constructor(core: ReadCore, view: HeldView, changes: Generator<ChangeEvent, undefined>) {
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

/** Takes hold of what there is. REQUIRES: inside a read that began at `visible`. */
function begin(
  core: ReadCore,
  visible: number,
  from: number,
  options: ScanSinceOptions,
): ChangeState {
  // What is written from now on has a higher seqno: the end is where the tree is now.
  const { view, collectedBelow, end } = core.changes(visible)
  if (from < collectedBelow && options.partial !== true) {
    throw new VarveError(
      'VARVE_SEQNO_COLLECTED',
      `changes below seqno ${collectedBelow} may have been collected; open the tree with ` +
        `runtime.retainFrom: ${from} and keep it there, or take what is left with { partial: true }`,
      { details: { seqno: from, collectedBelow } },
    )
  }
  const isFull = options.fullScan === true
  return new ChangeState(core, view, changesOf(core, view.acquire(), { from, end }, { isFull }))
}

/** A lazy iterator over changes, usable in `for…of` and with `using`. */
export class ChangeIterator implements IterableIterator<ChangeEvent>, Disposable {
  readonly #state: ChangeState
  #isDone = false

  /** Not for users: call `tree.scanSinceSeqno`. @throws VARVE_CLOSED, VARVE_SEQNO_COLLECTED, RangeError */
  constructor(core: ReadCore, from: number, options: ScanSinceOptions) {
    const visible = core.beginRead(undefined)
    try {
      this.#state = begin(core, visible, requireReadSeqno(from), options)
    } finally {
      core.endRead()
    }
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
