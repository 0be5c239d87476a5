/**
 * A range read as users see it: a lazy, double-ended iterator over one super version. Main thread.
 *
 * Rows are copied out of the shared memory a batch at a time; the Buffers handed out share the copy.
 *
 * I1: the two ends never yield the same key twice.
 * I2: the super version stays until the iterator is used up or disposed.
 */

import { type OperandResolver, RangeScan } from '../../shared/iterator/range-scan.js'
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
  /** Throws where the tree was closed: blocks cannot be read any more. */
  readonly requireOpen: () => void
  /** Lets go of the view. */
  readonly release: () => void
  readonly resolve: OperandResolver
}

export interface IteratorRange {
  /** Inclusive. */
  readonly lower: Uint8Array | undefined
  /** Exclusive. */
  readonly upper: Uint8Array | undefined
  readonly seqno: number
  readonly isReverse: boolean
  readonly limit: number
}

/** Rows are copied into slabs of this size; a larger row gets one of its own. */
const SLAB_BYTES = 16 * 1024

/** One direction of an iterator, started when it is first used. */
class End {
  readonly row: RowPlace = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
  readonly #source: IteratorSource
  readonly #range: IteratorRange
  readonly #isReverse: boolean
  readonly #flags: number
  #scan: RangeScan | undefined
  /** The last key that this end yielded, kept only while the other end is in use. */
  lastKey: Buffer | undefined

  constructor(source: IteratorSource, range: IteratorRange, isReverse: boolean, flags: number) {
    this.#source = source
    this.#range = range
    this.#isReverse = isReverse
    this.#flags = flags
  }

  get isStarted(): boolean {
    return this.#scan !== undefined
  }

  next(): boolean {
    this.#scan ??= this.#start()
    return this.#scan.next(this.row)
  }

  /** Keeps the key of the row at hand: the other end is about to be used for the first time. */
  remember(): void {
    if (!this.isStarted || this.lastKey !== undefined) return
    const { shared } = this.#source.workspace
    this.lastKey = Buffer.from(shared.view(this.row.keyAddress, this.row.keyLength))
  }

  dispose(): void {
    this.#scan?.dispose()
    this.#scan = undefined
  }

  #start(): RangeScan {
    const { workspace, giver, view, resolve } = this.#source
    const { lower, upper, seqno } = this.#range
    const range = { lower, upper, seqno, isReverse: this.#isReverse, flags: this.#flags }
    return new RangeScan(workspace, giver, view, range, resolve)
  }
}

/** Warns of iterators that were dropped without being used up or disposed: they hold files and memory. */
const forgotten = new FinalizationRegistry<() => void>((release) => {
  process.emitWarning(
    'a varve iterator was not disposed; use `using`, a for…of loop, or call return()',
    {
      code: 'VARVE_ITERATOR_LEAK',
    },
  )
  release()
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
  readonly #shape: Shape
  readonly #front: End
  readonly #back: End
  readonly #state: { isDone: boolean }
  #remaining: number
  #slab = Buffer.alloc(0)
  #slabTop = 0

  constructor(source: IteratorSource, range: IteratorRange, shape: Shape) {
    const flags = shape === 'keys' ? SCAN_KEYS_ONLY : 0
    const front = new End(source, range, range.isReverse, flags)
    const back = new End(source, range, !range.isReverse, flags)
    const state = { isDone: false }
    this.#source = source
    this.#shape = shape
    this.#front = front
    this.#back = back
    this.#state = state
    this.#remaining = range.limit
    const { release } = source
    forgotten.register(
      this,
      () => {
        state.isDone = true
        front.dispose()
        back.dispose()
        release()
      },
      state,
    )
  }

  [Symbol.iterator](): this {
    return this
  }

  /** The next entry from the front. @throws VARVE_CHECKSUM_MISMATCH and the like where a block cannot be read */
  next(): IteratorResult<T, undefined> {
    return this.#step(this.#front, this.#back)
  }

  /** The next entry from the back. */
  nextBack(): IteratorResult<T, undefined> {
    return this.#step(this.#back, this.#front)
  }

  /** Ends the iterator early and lets go of what it holds. A second call does nothing. */
  return(): IteratorResult<T, undefined> {
    this[Symbol.dispose]()
    return { done: true, value: undefined }
  }

  [Symbol.dispose](): void {
    if (this.#state.isDone) return
    this.#state.isDone = true
    forgotten.unregister(this.#state)
    this.#front.dispose()
    this.#back.dispose()
    this.#source.release()
  }

  #step(end: End, other: End): IteratorResult<T, undefined> {
    if (this.#state.isDone || this.#remaining <= 0 || !this.#advance(end, other))
      return this.return()
    this.#remaining--
    return { done: false, value: this.#read(end.row) }
  }

  /** Steps one end; false where it is at its end or has met the other one. */
  #advance(end: End, other: End): boolean {
    // Keys are remembered only once both ends are in use; what the other one yielded last is still in its row.
    if (other.isStarted) other.lastKey ??= this.#keyOf(other)
    let isThere: boolean
    try {
      this.#source.requireOpen()
      if (!end.isStarted) other.remember()
      isThere = end.next()
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
    if (!isThere) return false
    if (!other.isStarted) return true
    end.lastKey = this.#keyOf(end)
    return Buffer.compare(end.lastKey, other.lastKey as Buffer) !== 0
  }

  #keyOf({ row }: End): Buffer {
    return this.#source.workspace.shared.copy(row.keyAddress, row.keyLength)
  }

  #read(row: RowPlace): T {
    if (this.#shape === 'keys') return this.#copy(row.keyAddress, row.keyLength) as T
    if (this.#shape === 'values') return this.#copy(row.valueAddress, row.valueLength) as T
    const pair = this.#copy(row.keyAddress, row.keyLength + row.valueLength)
    return [pair.subarray(0, row.keyLength), pair.subarray(row.keyLength)] as T
  }

  /** A piece of the current slab with a copy of `length` bytes. */
  #copy(address: number, length: number): Buffer {
    const { buffer } = this.#source.workspace.shared
    if (length > this.#slab.length - this.#slabTop) {
      if (length > SLAB_BYTES / 4) {
        const own = Buffer.allocUnsafeSlow(length)
        buffer.copy(own, 0, address, address + length)
        return own
      }
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#slabTop = 0
    }
    const start = this.#slabTop
    this.#slabTop += length
    buffer.copy(this.#slab, start, address, address + length)
    return this.#slab.subarray(start, start + length)
  }
}
