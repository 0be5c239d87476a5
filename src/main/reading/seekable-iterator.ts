/**
 * A cursor that seeks: one super version and one set of readers for any number of seeks. Main thread.
 *
 * It stands between two entries, or at either end. `next` gives the entry behind that place and steps over it, `prev` the
 * one before it. Each direction has a scan of its own, made when it is first used and repositioned from then on.
 *
 * I1: at most one of the two scans goes on from the cursor's place; the other one is moved there when it is asked.
 */
import type { CompareKeys, KeyBound, KeyRangeBounds } from '../../shared/base/key-order.js'
import { requireKeyLength } from '../options.js'
import type { BytesLike } from '../writing/write-batch.js'
import { HeldScans } from './held-scans.js'
import { watch } from './leak-watch.js'
import { toBytes } from './read-options.js'
import { RowReader, type RowSource } from './row-reader.js'

const NO_KEY = new Uint8Array(0)

/**
 * Walks a range to and fro and seeks in it, as often as its user likes, also after it came to an end. Stands before the
 * first entry at first. Holds its version until it is disposed: it does not end by itself.
 *
 * A seek to a key outside the declared bounds goes to the bound. A block that cannot be read makes every step that needs it
 * throw; a seek elsewhere is good again.
 *
 * @example
 * ```ts
 * using it = tree.seekable({ gte: 'a', lt: 'n' })
 * it.seekTo('k')                     // before the first key at or above 'k'
 * const [key, value] = it.next().value ?? []
 * it.seekToForPrev('k')              // behind the last key at or below 'k'
 * const before = it.prev().value
 * ```
 */
export class SeekableIterator implements IterableIterator<[Buffer, Buffer]>, Disposable {
  readonly #source: RowSource
  readonly #bounds: KeyRangeBounds
  readonly #seqno: number
  readonly #compare: CompareKeys
  readonly #scans: HeldScans<RowReader>
  readonly #isEmpty: boolean
  /** Where the cursor stands: at an end, or right before or behind a key, whether that is there or not. */
  #at: 'start' | 'key' | 'end' = 'start'
  #key: Uint8Array = NO_KEY
  #isBehind = false
  /** The scan that goes on from there. */
  #standing: 'forward' | 'backward' | undefined
  /** The key of the next entry, where the forward scan has read that already. */
  #peeked: Buffer | undefined

  /** Not for users: call `tree.seekable`. */
  constructor(
    source: RowSource,
    bounds: KeyRangeBounds,
    seqno: number,
    order: { readonly compare: CompareKeys; readonly isEmpty: boolean },
  ) {
    this.#source = source
    this.#bounds = bounds
    this.#seqno = seqno
    this.#compare = order.compare
    this.#isEmpty = order.isEmpty
    this.#scans = new HeldScans(source)
    watch(this, this.#scans)
  }

  [Symbol.iterator](): this {
    return this
  }

  /** To right before the first key at or above `key`: {@link next} gives it, {@link prev} the one before. */
  seekTo(key: BytesLike): void {
    this.#seek(key, false)
  }

  /** To right behind the last key at or below `key`: {@link prev} gives it, {@link next} the one behind. */
  seekToForPrev(key: BytesLike): void {
    this.#seek(key, true)
  }

  /** The entry behind the cursor, which steps over it; done at the end of the range. */
  next(): IteratorResult<[Buffer, Buffer], undefined> {
    const key = this.peekKey()
    if (key === undefined) return { done: true, value: undefined }
    this.#peeked = undefined
    this.#place(key, true)
    return { done: false, value: [key, (this.#scans.front as RowReader).value()] }
  }

  /** The entry before the cursor, which steps back over it; done at the start of the range. */
  prev(): IteratorResult<[Buffer, Buffer], undefined> {
    if (this.#peeked !== undefined) {
      // The forward scan is one entry ahead of the cursor.
      this.#standing = undefined
      this.#peeked = undefined
    }
    const rows = this.#stepped('backward')
    if (rows === undefined) return { done: true, value: undefined }
    const key = rows.key()
    this.#place(key, false)
    return { done: false, value: [key, rows.value()] }
  }

  /** The key that {@link next} would give, without a step; undefined at the end of the range. */
  peekKey(): Buffer | undefined {
    this.#peeked ??= this.#stepped('forward')?.key()
    return this.#peeked
  }

  /** Lets go of what the cursor holds; from then on it is at its end. A second call does nothing. */
  return(): IteratorResult<[Buffer, Buffer], undefined> {
    this[Symbol.dispose]()
    return { done: true, value: undefined }
  }

  [Symbol.dispose](): void {
    this.#scans.end()
  }

  #seek(target: BytesLike, isBehind: boolean): void {
    const key = toBytes(target, 'a key')
    requireKeyLength(key.length)
    this.#standing = undefined
    this.#peeked = undefined
    if (this.#isBelow(key)) this.#at = 'start'
    else if (this.#isAbove(key)) this.#at = 'end'
    else this.#place(key, isBehind)
  }

  #place(key: Uint8Array, isBehind: boolean): void {
    this.#at = 'key'
    this.#key = key
    this.#isBehind = isBehind
  }

  #isBelow(key: Uint8Array): boolean {
    const { lower } = this.#bounds
    if (lower === undefined) return false
    const order = this.#compare(key, lower.key)
    return order < 0 || (order === 0 && !lower.isInclusive)
  }

  #isAbove(key: Uint8Array): boolean {
    const { upper } = this.#bounds
    if (upper === undefined) return false
    const order = this.#compare(key, upper.key)
    return order > 0 || (order === 0 && !upper.isInclusive)
  }

  /** Steps the scan of a direction from the cursor's place; undefined at the end of the range, where the cursor is then. */
  #stepped(direction: 'forward' | 'backward'): RowReader | undefined {
    if (this.#scans.isDone || this.#isEmpty) return undefined
    const isForward = direction === 'forward'
    const far = isForward ? 'end' : 'start'
    if (this.#at === far) return undefined
    const rows = isForward ? this.#forward() : this.#backward()
    if (this.#standing !== direction) rows.seek(this.#startOf(isForward))
    // Only once the step has succeeded: whoever comes back after a failure starts at the place again.
    this.#standing = undefined
    if (!rows.next()) {
      this.#at = far
      return undefined
    }
    this.#standing = direction
    return rows
  }

  /** The bound of a scan that starts at the cursor's place. */
  #startOf(isForward: boolean): KeyBound | undefined {
    const { lower, upper } = this.#bounds
    if (this.#at !== 'key') return isForward ? lower : upper
    return { key: this.#key, isInclusive: this.#isBehind !== isForward }
  }

  #forward(): RowReader {
    this.#scans.front ??= this.#open(false)
    return this.#scans.front
  }

  #backward(): RowReader {
    this.#scans.back ??= this.#open(true)
    return this.#scans.back
  }

  #open(isReverse: boolean): RowReader {
    const { lower, upper } = this.#bounds
    return new RowReader(this.#source, { lower, upper, seqno: this.#seqno, isReverse, flags: 0 })
  }
}
