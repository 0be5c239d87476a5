/**
 * Every synchronous read method of api.md, over whatever can answer "as of which seqno": a tree and its snapshots share
 * them. Main thread.
 */
import type { BytesLike } from '../writing/write-batch.js'
import type { TreeIterator } from './tree-iterator.js'
import type { RangeOptions, ReadOptions, TreeReads } from './tree-reads.js'

export abstract class ReadOperations {
  /** What answers. @throws VARVE_CLOSED */
  protected abstract readonly reads: TreeReads

  /** As of which seqno a call with these options reads. @throws VARVE_CLOSED, RangeError */
  protected abstract readSeqno(options: ReadOptions | undefined): number

  /** The value of a key: the caller's own copy; undefined where there is none. */
  get(key: BytesLike, options?: ReadOptions): Buffer | undefined {
    return this.reads.get(key, this.readSeqno(options))
  }

  /** The value decoded as UTF-8, straight from memory. */
  getString(key: BytesLike, options?: ReadOptions): string | undefined {
    return this.reads.getString(key, this.readSeqno(options))
  }

  /** Copies the value into `target`, as far as it fits: the value's length, or -1 where there is none. */
  getInto(key: BytesLike, target: Uint8Array, options?: ReadOptions): number {
    return this.reads.getInto(key, target, this.readSeqno(options))
  }

  /** The values of many keys as of one moment, in their order. */
  multiGet(keys: readonly BytesLike[], options?: ReadOptions): (Buffer | undefined)[] {
    return this.reads.multiGet(keys, this.readSeqno(options))
  }

  containsKey(key: BytesLike, options?: ReadOptions): boolean {
    return this.reads.containsKey(key, this.readSeqno(options))
  }

  /** True where at least one key starts with `prefix`; any key where it is empty. */
  containsPrefix(prefix: BytesLike, options?: ReadOptions): boolean {
    return this.reads.containsPrefix(prefix, this.readSeqno(options))
  }

  /** Bytes of a key's value; undefined where there is none. */
  sizeOf(key: BytesLike, options?: ReadOptions): number | undefined {
    return this.reads.sizeOf(key, this.readSeqno(options))
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
    return this.reads.range<[Buffer, Buffer]>(options, this.readSeqno(options))
  }

  /** Entries whose key starts with `prefix`; all of them where it is empty. */
  prefix(prefix: BytesLike, options: RangeOptions = {}): TreeIterator<[Buffer, Buffer]> {
    return this.reads.prefix(prefix, options, this.readSeqno(options))
  }

  /** All entries. */
  iter(options: RangeOptions = {}): TreeIterator<[Buffer, Buffer]> {
    return this.reads.range(options, this.readSeqno(options))
  }

  /** All entries, for `for (const [key, value] of tree)`. */
  [Symbol.iterator](): TreeIterator<[Buffer, Buffer]> {
    return this.iter()
  }

  firstKeyValue(options?: ReadOptions): [Buffer, Buffer] | undefined {
    return this.reads.edge(this.readSeqno(options), false)
  }

  lastKeyValue(options?: ReadOptions): [Buffer, Buffer] | undefined {
    return this.reads.edge(this.readSeqno(options), true)
  }

  isEmpty(options?: ReadOptions): boolean {
    return this.reads.edge(this.readSeqno(options), false) === undefined
  }

  /** Counts the visible keys: a scan of the whole tree. */
  len(options?: ReadOptions): number {
    return this.reads.count(this.readSeqno(options))
  }
}
