/**
 * The read methods of a tree over its super versions: which one to look at, keys into the shared memory, results out.
 * Main thread, synchronous.
 */
import { rangeError, typeError } from '../../shared/base/errors.js'
import {
  type CompareKeys,
  higherBound,
  isEmptyRange,
  type KeyBound,
  type KeyRangeBounds,
  lowerBound,
} from '../../shared/base/key-order.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import { noOperands, RangeScan } from '../../shared/iterator/range-scan.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import { SCAN_EVERY_VERSION } from '../../shared/kernel/layout.js'
import { requireKeyLength } from '../options.js'
import type { TreeCore } from '../tree-core.js'
import type { SuperVersion } from '../version/super-version.js'
import type { BytesLike } from '../writing/write-batch.js'
import { byteLengthOf, placeBytes } from '../writing/writer.js'
import { type KeyVersion, resolveOperands } from './operand-resolution.js'
import { PointReader } from './point-reader.js'
import { type IteratorRange, type Shape, TreeIterator } from './tree-iterator.js'

export interface ReadOptions {
  /** Versions with a lower seqno are seen. Default: what is visible now. */
  readonly seqno?: number
}

export interface RangeOptions extends ReadOptions {
  readonly gt?: BytesLike
  readonly gte?: BytesLike
  readonly lt?: BytesLike
  readonly lte?: BytesLike
  /** From the largest key down. Default false. */
  readonly reverse?: boolean
  /** Entries at most. Default all. */
  readonly limit?: number
  /** False: yield values only. */
  readonly keys?: boolean
  /** False: yield keys only; values are not read. */
  readonly values?: boolean
}

/** A seqno that a reader names, Infinity for "the latest". @throws RangeError */
export function requireReadSeqno(given: number): number {
  if (given === Number.POSITIVE_INFINITY) return Number.MAX_SAFE_INTEGER
  if (Number.isSafeInteger(given) && given >= 0) return given
  throw rangeError(`a read seqno must be an integer from 0 to 2^53 - 1, not ${given}`)
}

function toBytes(value: BytesLike, what: string): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  throw typeError(`${what} must be a string or a Uint8Array`)
}

/** The bounds that options give; the tighter one where a side has two. */
function boundsOf(options: RangeOptions, compare: CompareKeys): KeyRangeBounds {
  const { gt, gte, lt, lte } = options
  let lower: KeyBound | undefined
  let upper: KeyBound | undefined
  if (gte !== undefined) lower = { key: toBytes(gte, 'gte'), isInclusive: true }
  if (gt !== undefined)
    lower = higherBound(lower, { key: toBytes(gt, 'gt'), isInclusive: false }, compare)
  if (lte !== undefined) upper = { key: toBytes(lte, 'lte'), isInclusive: true }
  if (lt !== undefined)
    upper = lowerBound(upper, { key: toBytes(lt, 'lt'), isInclusive: false }, compare)
  return { lower, upper }
}

export class TreeReads {
  readonly #core: TreeCore
  readonly #points: PointReader

  constructor(core: TreeCore) {
    this.#core = core
    const { workspace } = core
    this.#points = new PointReader(workspace, core.provider, (view, key, seqno) =>
      this.#resolve(view, key, seqno),
    )
  }

  get(key: BytesLike, seqno: number): Buffer | undefined {
    return this.#find(key, seqno) ? this.#points.copyValue() : undefined
  }

  getString(key: BytesLike, seqno: number): string | undefined {
    if (!this.#find(key, seqno)) return undefined
    const { resolved, valueAddress, valueLength } = this.#points
    if (resolved !== undefined) return Buffer.from(resolved).toString('utf8')
    return this.#core.shared.buffer.utf8Slice(valueAddress, valueAddress + valueLength)
  }

  getInto(key: BytesLike, target: Uint8Array, seqno: number): number {
    if (!this.#find(key, seqno)) return -1
    const { resolved, valueAddress, valueLength } = this.#points
    const length = Math.min(valueLength, target.length)
    const source = resolved ?? this.#core.shared.view(valueAddress, length)
    target.set(source.subarray(0, length))
    return valueLength
  }

  multiGet(keys: readonly BytesLike[], seqno: number): (Buffer | undefined)[] {
    return keys.map((key) => this.get(key, seqno))
  }

  containsKey(key: BytesLike, seqno: number): boolean {
    return this.#find(key, seqno)
  }

  sizeOf(key: BytesLike, seqno: number): number | undefined {
    return this.#find(key, seqno) ? this.#points.valueLength : undefined
  }

  range<T = [Buffer, Buffer]>(options: RangeOptions, seqno: number): TreeIterator<T> {
    return this.#iterator(boundsOf(options, this.#core.order.compare), options, seqno)
  }

  prefix<T = [Buffer, Buffer]>(
    prefix: BytesLike,
    options: RangeOptions,
    seqno: number,
  ): TreeIterator<T> {
    const start = toBytes(prefix, 'a prefix')
    const { order } = this.#core
    let { lower, upper } = boundsOf(options, order.compare)
    const range = order.prefixRange(start)
    if (range?.lower !== undefined) lower = higherBound(lower, range.lower, order.compare)
    if (range?.upper !== undefined) upper = lowerBound(upper, range.upper, order.compare)
    return this.#iterator({ lower, upper }, options, seqno, range === undefined ? start : undefined)
  }

  containsPrefix(prefix: BytesLike, seqno: number): boolean {
    using keys = this.prefix<Buffer>(prefix, { values: false, limit: 1 }, seqno)
    return keys.next().done !== true
  }

  /** The first entry, or the last one. */
  edge(seqno: number, isLast: boolean): [Buffer, Buffer] | undefined {
    using entries = this.range({ reverse: isLast, limit: 1 }, seqno)
    return entries.next().value
  }

  count(seqno: number): number {
    const view = this.#view(seqno).acquire()
    const scan = this.#scan(view, { lower: undefined, upper: undefined }, seqno)
    try {
      const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
      let count = 0
      while (scan.next(row)) count++
      return count
    } finally {
      scan.dispose()
      view.release()
    }
  }

  dispose(): void {
    this.#points.dispose()
  }

  #view(seqno: number): SuperVersion {
    return this.#core.history.at(seqno)
  }

  #find(key: BytesLike, seqno: number): boolean {
    const length = byteLengthOf(key, 'key')
    requireKeyLength(length)
    placeBytes(this.#core.shared, key, this.#points.keyAddress, length)
    return this.#points.find(this.#view(seqno), length, seqno)
  }

  #scan(view: ReadView, bounds: KeyRangeBounds, seqno: number, flags = 0): RangeScan {
    const { workspace } = this.#core
    const { lower, upper } = bounds
    const range = { lower, upper, seqno, isReverse: false, flags }
    const resolve =
      flags === SCAN_EVERY_VERSION
        ? noOperands
        : (key: Uint8Array) => this.#resolve(view, key, seqno)
    return new RangeScan(workspace, this.#core.provider, view, range, resolve)
  }

  #iterator<T>(
    bounds: KeyRangeBounds,
    options: RangeOptions,
    seqno: number,
    prefix?: Uint8Array,
  ): TreeIterator<T> {
    const { limit = Number.POSITIVE_INFINITY, keys = true, values = true } = options
    if (!(limit >= 0)) throw rangeError(`limit must not be negative, not ${limit}`)
    if (!keys && !values) throw typeError('a range yields keys, values, or both')
    const view = this.#view(seqno).acquire()
    const shape: Shape = keys && values ? 'entries' : keys ? 'keys' : 'values'
    const { lower, upper } = bounds
    const isEmpty = isEmptyRange(bounds, this.#core.order.compare)
    // Spelled out: a spread costs as much as the rest of a short range read.
    const range: IteratorRange = {
      lower,
      upper,
      prefix,
      seqno,
      isReverse: options.reverse === true,
      limit: isEmpty ? 0 : limit,
    }
    const source = {
      workspace: this.#core.workspace,
      giver: this.#core.provider,
      view,
      release: () => {
        view.release()
        this.#core.releaseReading()
      },
      resolve: (key: Uint8Array) => this.#resolve(view, key, seqno),
    }
    this.#core.acquireReading()
    return new TreeIterator(source, range, shape)
  }

  /** The highest seqno of a visible range tombstone that covers the key; -1 for none. */
  #coveringSeqno(view: ReadView, key: Uint8Array, seqno: number): number {
    const { shared } = this.#core
    // The point reader's key is free: its kernel has returned, and a scan has its own.
    const address = this.#points.keyAddress
    shared.bytes.set(key, address)
    return shared.kernel.state_cover_at(view.stateAddress, address, key.length, seqno)
  }

  /** The value of a key whose newest version is a merge operand: gathers every visible version and folds. */
  #resolve(view: ReadView, key: Uint8Array, seqno: number): Uint8Array | undefined {
    if (key.length > KEY_BYTES_MAX) throw rangeError('a key is too long')
    const bound = { key, isInclusive: true }
    const scan = this.#scan(view, { lower: bound, upper: bound }, seqno, SCAN_EVERY_VERSION)
    const { shared } = this.#core
    const versions: KeyVersion[] = []
    try {
      const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
      while (scan.next(row)) {
        versions.push({
          kind: scan.kindOf(row),
          seqno: scan.seqnoOf(row),
          value: shared.copy(row.valueAddress, row.valueLength),
        })
      }
    } finally {
      scan.dispose()
    }
    const covered = this.#coveringSeqno(view, key, seqno)
    return resolveOperands(key, versions, covered, this.#core.settings.mergeOperator)
  }
}
