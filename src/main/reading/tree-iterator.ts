/**
 * A range read as users see it: a lazy, double-ended iterator over one super version. Main thread.
 *
 * I1: the two ends never yield the same key twice.
 * I2: the super version stays until the iterator is used up or disposed.
 */
import { isSameKey } from '../../shared/base/key-order.js'
import type { OperandResolver, ScanRange } from '../../shared/iterator/range-scan.js'
import { Guard } from './guard.js'
import { HeldScans } from './held-scans.js'
import { watch } from './leak-watch.js'
import type { Shape } from './read-options.js'
import { RowReader, type RowSource } from './row-reader.js'

export interface IteratorRange extends ScanRange {
  /** Only keys that start with it, in an order in which the bounds do not say so. */
  readonly prefix: Uint8Array | undefined
  /** Entries at most. */
  readonly rowsWanted: number
}

const NOTHING = Buffer.alloc(0)

/** A source whose operator may fail on one key without ending the scan. */
class GuardedSource implements RowSource {
  readonly workspace: RowSource['workspace']
  readonly giver: RowSource['giver']
  readonly view: RowSource['view']
  /** Why the row at hand has no value. */
  failure: { readonly error: unknown } | undefined
  readonly #source: RowSource

  constructor(source: RowSource) {
    this.workspace = source.workspace
    this.giver = source.giver
    this.view = source.view
    this.#source = source
  }

  release(): void {
    this.#source.release()
  }

  resolve(key: Uint8Array): ReturnType<OperandResolver> {
    try {
      return this.#source.resolve(key)
    } catch (error) {
      // The row of a resolved key comes next, and alone.
      this.failure = { error }
      return NOTHING
    }
  }
}

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
  readonly #source: RowSource
  readonly #range: IteratorRange
  readonly #shape: Shape
  readonly #state: HeldScans<RowReader>
  #remaining: number

  constructor(source: RowSource, range: IteratorRange, shape: Shape) {
    this.#state = new HeldScans<RowReader>(source)
    this.#source = shape === 'guards' ? new GuardedSource(source) : source
    this.#range = range
    this.#shape = shape
    this.#remaining = range.rowsWanted
    watch(this, this.#state)
  }

  [Symbol.iterator](): this {
    return this
  }

  /** The next entry from the front. @throws VARVE_CHECKSUM_MISMATCH and the like where a block cannot be read */
  next(): IteratorResult<T, undefined> {
    // One place that makes a result, and few words: the loop around them takes them in, and no result is made.
    const value = this.#next()
    return { done: value === undefined, value } as IteratorResult<T, undefined>
  }

  /** The next entry from the back. */
  nextBack(): IteratorResult<T, undefined> {
    const value = this.#nextBack()
    return { done: value === undefined, value } as IteratorResult<T, undefined>
  }

  /** Ends the iterator early and lets go of what it holds. A second call does nothing. */
  return(): IteratorResult<T, undefined> {
    this[Symbol.dispose]()
    return { done: true, value: undefined }
  }

  [Symbol.dispose](): void {
    this.#state.end()
  }

  /** The next entry; undefined at the end. */
  #next(): T | undefined {
    const state = this.#state
    if (state.isDone || this.#remaining <= 0) return this.#end()
    state.front ??= this.#begin(this.#range.isReverse, state.back)
    return this.#step(state.front, state.back)
  }

  #nextBack(): T | undefined {
    const state = this.#state
    if (state.isDone || this.#remaining <= 0) return this.#end()
    state.back ??= this.#begin(!this.#range.isReverse, state.front)
    return this.#step(state.back, state.front)
  }

  #end(): undefined {
    this[Symbol.dispose]()
    return undefined
  }

  /** Makes an end. From now on it and the other one, if that is in use, look out for each other. */
  #begin(isReverse: boolean, other: RowReader | undefined): RowReader {
    if (other !== undefined) other.lastKey = other.key()
    const range = this.#range
    const along = isReverse === range.isReverse ? range : { ...range, isReverse }
    return new RowReader(this.#source, along, range.prefix)
  }

  #step(end: RowReader, other: RowReader | undefined): T | undefined {
    let isThere: boolean
    try {
      isThere = this.#advance(end, other)
    } catch (error) {
      this[Symbol.dispose]()
      // A guard's failures come out when it is used.
      if (this.#shape !== 'guards') throw error
      return new Guard(undefined, { error }) as T
    }
    if (!isThere) return this.#end()
    this.#remaining--
    return this.#read(end)
  }

  /** Steps one end; false where it is at its end or has met the other one. */
  #advance(end: RowReader, other: RowReader | undefined): boolean {
    if (!end.next()) return false
    // Where only one end is in use, keys need not be remembered.
    if (other === undefined) return true
    end.lastKey = end.key()
    return other.lastKey === undefined || !isSameKey(end.lastKey, other.lastKey)
  }

  #read(rows: RowReader): T {
    const shape = this.#shape
    if (shape === 'entries') return rows.entry() as T
    if (shape === 'keys') return rows.key() as T
    if (shape === 'values') return rows.value() as T
    return this.#guard(rows) as T
  }

  #guard(rows: RowReader): Guard {
    const source = this.#source as GuardedSource
    const { failure } = source
    source.failure = undefined
    return new Guard(rows.key(), failure ?? { value: rows.value() })
  }
}
