/**
 * Several ranges one behind the other, over one super version and one set of readers. Main thread.
 */
import type { KeyRangeBounds } from '../../shared/base/key-order.js'
import { HeldScans } from './held-scans.js'
import { watch } from './leak-watch.js'
import { RowReader, type RowSource } from './row-reader.js'

/** Entries of ascending, disjoint intervals, in key order: forward only. Usable in `for…of` and with `using`. */
export class BatchRangeIterator implements IterableIterator<[Buffer, Buffer]>, Disposable {
  readonly #source: RowSource
  readonly #intervals: readonly KeyRangeBounds[]
  readonly #seqno: number
  readonly #scans: HeldScans<RowReader>
  /** Intervals begun so far. */
  #count = 0

  /** Not for users: call `tree.batchRangeScan`. REQUIRES: no interval is empty. */
  constructor(source: RowSource, intervals: readonly KeyRangeBounds[], seqno: number) {
    this.#source = source
    this.#intervals = intervals
    this.#seqno = seqno
    this.#scans = new HeldScans(source)
    watch(this, this.#scans)
  }

  [Symbol.iterator](): this {
    return this
  }

  /** The next entry. @throws VARVE_CHECKSUM_MISMATCH and the like where a block cannot be read */
  next(): IteratorResult<[Buffer, Buffer], undefined> {
    if (this.#scans.isDone) return { done: true, value: undefined }
    try {
      for (;;) {
        const rows = this.#scans.front
        if (rows?.next()) return { done: false, value: [rows.key(), rows.value()] }
        if (!this.#nextInterval()) return this.return()
      }
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** Ends the iterator early and lets go of what it holds. A second call does nothing. */
  return(): IteratorResult<[Buffer, Buffer], undefined> {
    this[Symbol.dispose]()
    return { done: true, value: undefined }
  }

  [Symbol.dispose](): void {
    this.#scans.end()
  }

  #nextInterval(): boolean {
    const interval = this.#intervals[this.#count++]
    if (interval === undefined) return false
    const { lower, upper } = interval
    const scans = this.#scans
    if (scans.front !== undefined) {
      scans.front.move(lower, upper)
      return true
    }
    const range = { lower, upper, seqno: this.#seqno, isReverse: false, flags: 0 }
    scans.front = new RowReader(this.#source, range)
    return true
  }
}
