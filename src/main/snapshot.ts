/**
 * A snapshot: a seqno that stays readable until it is disposed. Main thread.
 */

import { VarveError } from '../shared/base/errors.js'
import type { TreeIterator } from './reading/tree-iterator.js'
import type { RangeOptions, ReadOptions } from './reading/tree-reads.js'
import type { BytesLike } from './writing/write-batch.js'

type SnapshotRange = Omit<RangeOptions, 'seqno'>

/** What a snapshot reads through: the read methods of its tree. */
interface ReadableTree {
  get(key: BytesLike, options: ReadOptions): Buffer | undefined
  getString(key: BytesLike, options: ReadOptions): string | undefined
  getInto(key: BytesLike, target: Uint8Array, options: ReadOptions): number
  multiGet(keys: readonly BytesLike[], options: ReadOptions): (Buffer | undefined)[]
  containsKey(key: BytesLike, options: ReadOptions): boolean
  containsPrefix(prefix: BytesLike, options: ReadOptions): boolean
  sizeOf(key: BytesLike, options: ReadOptions): number | undefined
  range(options: RangeOptions): TreeIterator<[Buffer, Buffer]>
  prefix(prefix: BytesLike, options: RangeOptions): TreeIterator<[Buffer, Buffer]>
  iter(options: RangeOptions): TreeIterator<[Buffer, Buffer]>
  firstKeyValue(options: ReadOptions): [Buffer, Buffer] | undefined
  lastKeyValue(options: ReadOptions): [Buffer, Buffer] | undefined
  isEmpty(options: ReadOptions): boolean
  len(options: ReadOptions): number
}

/**
 * Every read method of the tree, as of one moment.
 *
 * @example
 * ```ts
 * using snap = tree.snapshot()
 * tree.insert('a', 'new')
 * snap.get('a') // what it was
 * ```
 */
export class Snapshot implements Disposable {
  /** Reads see versions with a lower seqno. A disposed snapshot answers VARVE_CLOSED. */
  readonly seqno: number
  readonly #tree: ReadableTree
  readonly #unpin: () => void
  #isDisposed = false

  constructor(tree: ReadableTree, seqno: number, unpin: () => void) {
    this.#tree = tree
    this.seqno = seqno
    this.#unpin = unpin
  }

  get(key: BytesLike): Buffer | undefined {
    return this.#tree.get(key, this.#options)
  }

  getString(key: BytesLike): string | undefined {
    return this.#tree.getString(key, this.#options)
  }

  getInto(key: BytesLike, target: Uint8Array): number {
    return this.#tree.getInto(key, target, this.#options)
  }

  multiGet(keys: readonly BytesLike[]): (Buffer | undefined)[] {
    return this.#tree.multiGet(keys, this.#options)
  }

  containsKey(key: BytesLike): boolean {
    return this.#tree.containsKey(key, this.#options)
  }

  containsPrefix(prefix: BytesLike): boolean {
    return this.#tree.containsPrefix(prefix, this.#options)
  }

  sizeOf(key: BytesLike): number | undefined {
    return this.#tree.sizeOf(key, this.#options)
  }

  range(options: SnapshotRange & { readonly values: false }): TreeIterator<Buffer>
  range(options: SnapshotRange & { readonly keys: false }): TreeIterator<Buffer>
  range(options?: SnapshotRange): TreeIterator<[Buffer, Buffer]>
  range(options: SnapshotRange = {}): TreeIterator<Buffer> | TreeIterator<[Buffer, Buffer]> {
    return this.#tree.range({ ...options, ...this.#options })
  }

  prefix(prefix: BytesLike, options: SnapshotRange = {}): TreeIterator<[Buffer, Buffer]> {
    return this.#tree.prefix(prefix, { ...options, ...this.#options })
  }

  iter(options: SnapshotRange = {}): TreeIterator<[Buffer, Buffer]> {
    return this.#tree.iter({ ...options, ...this.#options })
  }

  firstKeyValue(): [Buffer, Buffer] | undefined {
    return this.#tree.firstKeyValue(this.#options)
  }

  lastKeyValue(): [Buffer, Buffer] | undefined {
    return this.#tree.lastKeyValue(this.#options)
  }

  isEmpty(): boolean {
    return this.#tree.isEmpty(this.#options)
  }

  len(): number {
    return this.#tree.len(this.#options)
  }

  /** Lets the seqno go: maintenance may collect it. A second call does nothing. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#unpin()
  }

  get #options(): ReadOptions {
    if (this.#isDisposed) throw new VarveError('VARVE_CLOSED', 'this snapshot was disposed')
    return { seqno: this.seqno }
  }
}
