/**
 * Every read method of api.md, over whatever can answer "as of which seqno": a tree and its snapshots share
 * them. Main thread.
 */
import type { BytesLike } from '../writing/write-batch.js'
import type { AsyncRangeIterator } from './async-range-iterator.js'
import type { BatchRangeIterator } from './batch-range-iterator.js'
import type { Guard } from './guard.js'
import type { PinnableSlice } from './pinnable-slice.js'
import type {
  AsyncRangeOptions,
  GuardOptions,
  IntervalOptions,
  RangeOptions,
  ReadOptions,
  SeekableOptions,
} from './read-options.js'
import type { SeekableIterator } from './seekable-iterator.js'
import type { TracedVersion } from './trace.js'
import type { TreeIterator } from './tree-iterator.js'
import type { TreeReads } from './tree-reads.js'

export abstract class ReadOperations {
  /** What answers. @throws VARVE_CLOSED */
  protected abstract readonly reads: TreeReads

  /**
   * Begins a call with these options: the seqno that it reads as of. What answers ends it.
   * @throws VARVE_CLOSED, RangeError, and nothing was begun
   */
  protected abstract beginRead(options: ReadOptions | undefined): number

  /** The value of a key: the caller's own copy; undefined where there is none. */
  get(key: BytesLike, options?: ReadOptions): Buffer | undefined {
    return this.reads.get(key, this.beginRead(options))
  }

  /** The value decoded as UTF-8, straight from memory. */
  getString(key: BytesLike, options?: ReadOptions): string | undefined {
    return this.reads.getString(key, this.beginRead(options))
  }

  /** Copies the value into `target`, as far as it fits: the value's length, or -1 where there is none. */
  getInto(key: BytesLike, target: Uint8Array, options?: ReadOptions): number {
    return this.reads.getInto(key, target, this.beginRead(options))
  }

  /**
   * The value of a key without a copy, where it lies in a block that the cache holds; undefined where there is none.
   * Dispose the slice: what is pinned stays in memory.
   *
   * @example
   * ```ts
   * using slice = tree.getPinned('image:1')
   * if (slice !== undefined) hash.update(slice.value)
   * ```
   */
  getPinned(key: BytesLike, options?: ReadOptions): PinnableSlice | undefined {
    return this.reads.getPinned(key, this.beginRead(options))
  }

  /**
   * As {@link get}, never waiting for the disk on this thread: what memory holds comes at once, missing blocks are read
   * off it. Sees the tree as it is at the call, whatever happens until the result comes, `close` included.
   */
  async getAsync(key: BytesLike, options?: ReadOptions): Promise<Buffer | undefined> {
    return this.reads.later.get(key, this.beginRead(options))
  }

  /**
   * The values of many keys as of one moment, in their order: equal to a get of each. Keys come in any order, and more than
   * once. Missing blocks that lie close to each other are read together.
   */
  multiGet(keys: readonly BytesLike[], options?: ReadOptions): (Buffer | undefined)[] {
    return this.reads.multiGet(keys, this.beginRead(options))
  }

  /** As {@link multiGet}, never waiting for the disk on this thread; see {@link getAsync}. */
  async multiGetAsync(
    keys: readonly BytesLike[],
    options?: ReadOptions,
  ): Promise<(Buffer | undefined)[]> {
    return this.reads.later.multiGet(keys, this.beginRead(options))
  }

  containsKey(key: BytesLike, options?: ReadOptions): boolean {
    return this.reads.containsKey(key, this.beginRead(options))
  }

  /** True where at least one key starts with `prefix`; any key where it is empty. */
  containsPrefix(prefix: BytesLike, options?: ReadOptions): boolean {
    return this.reads.ranges.containsPrefix(prefix, this.beginRead(options))
  }

  /** Bytes of a key's value; undefined where there is none. */
  sizeOf(key: BytesLike, options?: ReadOptions): number | undefined {
    return this.reads.sizeOf(key, this.beginRead(options))
  }

  /**
   * Entries between bounds, in key order: a lazy iterator with both ends.
   *
   * @example
   * ```ts
   * for (const [key, value] of tree.range({ gte: 'a', lt: 'b', limit: 10 })) console.log(String(key), value.length)
   * ```
   */
  range(options: RangeOptions & { readonly values: false }): TreeIterator<Buffer>
  range(options: RangeOptions & { readonly keys: false }): TreeIterator<Buffer>
  range(options?: RangeOptions): TreeIterator<[Buffer, Buffer]>
  range(options: RangeOptions = {}): TreeIterator<Buffer> | TreeIterator<[Buffer, Buffer]> {
    return this.reads.ranges.range<[Buffer, Buffer]>(options, this.beginRead(options))
  }

  /** Entries whose key starts with `prefix`; all of them where it is empty. */
  prefix(prefix: BytesLike, options: RangeOptions = {}): TreeIterator<[Buffer, Buffer]> {
    return this.reads.ranges.prefix(prefix, options, this.beginRead(options))
  }

  /** All entries. */
  iter(options: RangeOptions = {}): TreeIterator<[Buffer, Buffer]> {
    return this.reads.ranges.range(options, this.beginRead(options))
  }

  /** All entries, for `for (const [key, value] of tree)`. */
  [Symbol.iterator](): TreeIterator<[Buffer, Buffer]> {
    return this.iter()
  }

  /**
   * Entries between bounds as guards, whose values, and failures to come by them, come out when they are asked for.
   *
   * @example
   * ```ts
   * for (const guard of tree.guards({ gte: 'a' })) if (guard.key.length > 3) console.log(guard.value())
   * ```
   */
  guards(options: GuardOptions = {}): TreeIterator<Guard> {
    return this.reads.ranges.guards(options, this.beginRead(options))
  }

  /**
   * A cursor over the entries between bounds, which seeks and walks in both directions. Dispose it.
   *
   * @example
   * ```ts
   * using it = tree.seekable()
   * it.seekToForPrev('user:5')
   * const nearest = it.prev().value
   * ```
   */
  seekable(options: SeekableOptions = {}): SeekableIterator {
    return this.reads.ranges.seekable(options, this.beginRead(options))
  }

  /**
   * The entries of several intervals, which must ascend and not overlap, as of one moment and through one set of readers:
   * cheaper than a range for each. Empty intervals yield nothing.
   * @throws RangeError where intervals overlap or do not ascend
   *
   * @example
   * ```ts
   * for (const [key] of tree.batchRangeScan([{ gte: 'a', lt: 'b' }, { gte: 'x' }])) console.log(String(key))
   * ```
   */
  batchRangeScan(intervals: readonly IntervalOptions[], options?: ReadOptions): BatchRangeIterator {
    return this.reads.ranges.batch(intervals, this.beginRead(options))
  }

  /**
   * Entries between bounds in arrays, never waiting for the disk on this thread: blocks are read ahead off it, no faster
   * than the consumer takes them. Leaving the loop early lets go of everything.
   *
   * @example
   * ```ts
   * for await (const chunk of tree.rangeAsync({ gte: 'a', signal })) {
   *   for (const [key, value] of chunk) console.log(String(key), value.length)
   * }
   * ```
   */
  rangeAsync(options: AsyncRangeOptions & { readonly values: false }): AsyncRangeIterator<Buffer>
  rangeAsync(options: AsyncRangeOptions & { readonly keys: false }): AsyncRangeIterator<Buffer>
  rangeAsync(options?: AsyncRangeOptions): AsyncRangeIterator<[Buffer, Buffer]>
  rangeAsync(
    options: AsyncRangeOptions = {},
  ): AsyncRangeIterator<Buffer> | AsyncRangeIterator<[Buffer, Buffer]> {
    return this.reads.later.range<[Buffer, Buffer]>(options, this.beginRead(options))
  }

  /** For debugging: every version of a key in everything that a read at this moment looks at, visible or not. */
  trace(key: BytesLike, options?: ReadOptions): TracedVersion[] {
    return this.reads.trace(key, this.beginRead(options))
  }

  firstKeyValue(options?: ReadOptions): [Buffer, Buffer] | undefined {
    return this.reads.ranges.edge(this.beginRead(options), false)
  }

  lastKeyValue(options?: ReadOptions): [Buffer, Buffer] | undefined {
    return this.reads.ranges.edge(this.beginRead(options), true)
  }

  isEmpty(options?: ReadOptions): boolean {
    return this.reads.ranges.edge(this.beginRead(options), false) === undefined
  }

  /** Counts the visible keys: a scan of the whole tree. */
  len(options?: ReadOptions): number {
    return this.reads.ranges.count(this.beginRead(options))
  }
}
