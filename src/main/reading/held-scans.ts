/**
 * What an iterator holds: up to two scans, and the view that they read. Main thread.
 *
 * I1: nothing that it holds leads back to the iterator, or a forgotten iterator would never be collected.
 */
import { type Held, UNWATCHED, unwatch } from './leak-watch.js'
import type { RowSource } from './row-reader.js'

export const ITERATOR_LEAK = {
  message: 'a varve iterator was not disposed; use `using`, a for…of loop, or call return()',
  code: 'VARVE_ITERATOR_LEAK',
}

export class HeldScans<Scan extends { dispose(): void }> implements Held {
  readonly leak = ITERATOR_LEAK
  watchNumber = UNWATCHED
  isDone = false
  /** Made when they are first used. */
  front: Scan | undefined
  back: Scan | undefined
  readonly #source: RowSource

  constructor(source: RowSource) {
    this.#source = source
  }

  /** The iterator gives it all back by itself. A second call does nothing. */
  end(): void {
    if (this.isDone) return
    unwatch(this)
    this.letGo()
  }

  letGo(): void {
    this.isDone = true
    this.front?.dispose()
    this.back?.dispose()
    this.#source.release()
  }
}
