/**
 * A range read as users see it: a lazy, double-ended iterator over one super version. Main thread.
 *
 * Rows are copied out of the shared memory a batch at a time; the Buffers handed out are pieces of that copy, which is at
 * most 32 KiB unless a row alone is larger.
 *
 * I1: the two ends never yield the same key twice.
 * I2: the super version stays until the iterator is used up or disposed.
 */

import { isSameKey, type KeyRangeBounds } from '../../shared/base/key-order.js'
import {
  type OperandResolver,
  RangeScan,
  type ScanRange,
} from '../../shared/iterator/range-scan.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import type { BlockGiver } from '../../shared/iterator/run-cursor.js'
import { SCAN_KEYS_ONLY } from '../../shared/kernel/layout.js'
import type { Workspace } from '../../shared/memory/workspace.js'

/** What an iterator yields: pairs, keys only, or values only. */
export type Shape = 'entries' | 'keys' | 'values'

/** One end's row: where it lies until the next one. */
interface RowPlace {
  keyAddress: number
  keyLength: number
  valueAddress: number
  valueLength: number
}

/** What an iterator reads through. */
export interface IteratorSource {
  readonly workspace: Workspace
  readonly giver: BlockGiver
  readonly view: ReadView
  /** Lets go of the view. */
  readonly release: () => void
  readonly resolve: OperandResolver
}

export interface IteratorRange extends KeyRangeBounds {
  /** Only keys that start with it, in an order in which the bounds do not say so. */
  readonly prefix: Uint8Array | undefined
  readonly seqno: number
  readonly isReverse: boolean
  readonly limit: number
}

/** One direction of an iterator, started when it is first used. */
class End {
  readonly row: RowPlace = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
  readonly #source: IteratorSource
  readonly #range: ScanRange
  readonly #prefix: Uint8Array | undefined
  #scan: RangeScan | undefined
  /** A copy of the batch that the row lies in, where it lay, and which one it is. */
  #copy: Buffer = NOTHING
  #copiedFrom = 0
  #copiedNumber = 0
  /** The last key that this end yielded, kept only while the other end is in use. */
  lastKey: Buffer | undefined

  constructor(source: IteratorSource, range: ScanRange, prefix: Uint8Array | undefined) {
    this.#source = source
    this.#range = range
    this.#prefix = prefix
  }

  next(): boolean {
    this.#scan ??= this.#start()
    if (this.#prefix === undefined) return this.#scan.next(this.row)
    while (this.#scan.next(this.row)) if (this.#hasPrefix(this.#prefix)) return true
    return false
  }

  #hasPrefix(prefix: Uint8Array): boolean {
    const { keyAddress, keyLength } = this.row
    if (keyLength < prefix.length) return false
    return isSameKey(this.#source.workspace.shared.view(keyAddress, prefix.length), prefix)
  }

  /** The caller's own copy of the row's key. */
  key(): Buffer {
    const copy = this.#copied()
    const start = this.row.keyAddress - this.#copiedFrom
    return copy.subarray(start, start + this.row.keyLength)
  }

  /** The same of its value. */
  value(): Buffer {
    const copy = this.#copied()
    const start = this.row.valueAddress - this.#copiedFrom
    return copy.subarray(start, start + this.row.valueLength)
  }

  dispose(): void {
    this.#scan?.dispose()
    this.#scan = undefined
  }

  #copied(): Buffer {
    const scan = this.#scan as RangeScan
    if (scan.batchNumber === this.#copiedNumber) return this.#copy
    const { batchAddress, batchLength } = scan
    // Small ones come from Node's pool, large ones have memory of their own.
    const copy = Buffer.allocUnsafe(batchLength)
    copy.set(this.#source.workspace.shared.view(batchAddress, batchLength))
    this.#copy = copy
    this.#copiedFrom = batchAddress
    this.#copiedNumber = scan.batchNumber
    return copy
  }

  #start(): RangeScan {
    const { workspace, giver, view, resolve } = this.#source
    return new RangeScan(workspace, giver, view, this.#range, resolve)
  }
}

const NOTHING = Buffer.alloc(0)

/** What an iterator holds, apart from it, so that it can be let go of when the iterator itself is gone. */
interface IteratorState {
  isDone: boolean
  readonly source: IteratorSource
  /** Made when they are first used. */
  front: End | undefined
  back: End | undefined
  /** Its number among {@link newborns}, or GROWN. */
  newbornNumber: number
}

function letGo(state: IteratorState): void {
  state.isDone = true
  state.front?.dispose()
  state.back?.dispose()
  state.source.release()
}

/**
 * Iterators that were made in this turn of the event loop and are still open. Most end in the turn that made them, and a
 * finalization registry costs as much as a seek: only those that are left when the turn ends go there.
 */
class Newborns {
  #iterators: { readonly iterator: object; readonly state: IteratorState }[] = []
  #isScheduled = false

  add(iterator: object, state: IteratorState): void {
    state.newbornNumber = this.#iterators.length
    this.#iterators.push({ iterator, state })
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#grow())
  }

  /** Takes an iterator out: it has ended. */
  remove(number: number): void {
    const last = this.#iterators.pop()
    if (last === undefined || number === this.#iterators.length) return
    this.#iterators[number] = last
    last.state.newbornNumber = number
  }

  #grow(): void {
    this.#isScheduled = false
    for (const { iterator, state } of this.#iterators) {
      state.newbornNumber = GROWN
      forgotten.register(iterator, state, state)
    }
    this.#iterators = []
  }
}

/** No number of a newborn: the finalization registry knows it. */
const GROWN = -1

const newborns = new Newborns()

/** Warns of iterators that were dropped without being used up or disposed: they hold files and memory. */
const forgotten = new FinalizationRegistry<IteratorState>((state) => {
  process.emitWarning(
    'a varve iterator was not disposed; use `using`, a for…of loop, or call return()',
    { code: 'VARVE_ITERATOR_LEAK' },
  )
  letGo(state)
})

/**
 * A lazy iterator over visible entries, usable in `for…of`, with `using`, and from both ends.
 *
 * @example
 * ```ts
 * using it = tree.range({ gte: 'a', lt: 'b' })
 * const first = it.next()
 * const last = it.nextBack()
 * ```
 */
export class TreeIterator<T> implements IterableIterator<T>, Disposable {
  readonly #source: IteratorSource
  readonly #range: IteratorRange
  readonly #shape: Shape
  readonly #state: IteratorState
  #remaining: number

  constructor(source: IteratorSource, range: IteratorRange, shape: Shape) {
    this.#source = source
    this.#range = range
    this.#shape = shape
    this.#state = { isDone: false, source, front: undefined, back: undefined, newbornNumber: GROWN }
    this.#remaining = range.limit
    newborns.add(this, this.#state)
  }

  [Symbol.iterator](): this {
    return this
  }

  /** The next entry from the front. @throws VARVE_CHECKSUM_MISMATCH and the like where a block cannot be read */
  next(): IteratorResult<T, undefined> {
    const state = this.#state
    if (state.isDone || this.#remaining <= 0) return this.return()
    state.front ??= this.#begin(this.#range.isReverse, state.back)
    return this.#step(state.front, state.back)
  }

  /** The next entry from the back. */
  nextBack(): IteratorResult<T, undefined> {
    const state = this.#state
    if (state.isDone || this.#remaining <= 0) return this.return()
    state.back ??= this.#begin(!this.#range.isReverse, state.front)
    return this.#step(state.back, state.front)
  }

  /** Ends the iterator early and lets go of what it holds. A second call does nothing. */
  return(): IteratorResult<T, undefined> {
    this[Symbol.dispose]()
    return { done: true, value: undefined }
  }

  [Symbol.dispose](): void {
    if (this.#state.isDone) return
    const { newbornNumber } = this.#state
    if (newbornNumber === GROWN) forgotten.unregister(this.#state)
    else newborns.remove(newbornNumber)
    letGo(this.#state)
  }

  /** Makes an end. From now on it and the other one, if that is in use, look out for each other. */
  #begin(isReverse: boolean, other: End | undefined): End {
    if (other !== undefined) other.lastKey = other.key()
    const { lower, upper, seqno, prefix } = this.#range
    const flags = this.#shape === 'keys' ? SCAN_KEYS_ONLY : 0
    const rowsWanted = this.#remaining
    const range = { lower, upper, seqno, isReverse, flags, rowsWanted }
    return new End(this.#source, range, prefix)
  }

  #step(end: End, other: End | undefined): IteratorResult<T, undefined> {
    if (!this.#advance(end, other)) return this.return()
    this.#remaining--
    return { done: false, value: this.#read(end) }
  }

  /** Steps one end; false where it is at its end or has met the other one. */
  #advance(end: End, other: End | undefined): boolean {
    let isThere: boolean
    try {
      isThere = end.next()
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
    if (!isThere) return false
    // Where only one end is in use, keys need not be remembered.
    if (other === undefined) return true
    end.lastKey = end.key()
    return other.lastKey === undefined || !isSameKey(end.lastKey, other.lastKey)
  }

  #read(end: End): T {
    if (this.#shape === 'keys') return end.key() as T
    if (this.#shape === 'values') return end.value() as T
    return [end.key(), end.value()] as T
  }
}
