/**
 * The range reads of a tree. The thread that reads, synchronous.
 *
 * I1: each method ends the read that its caller began, whatever comes of it.
 */
import { rangeError } from '../../shared/base/errors.js'
import { isEmptyRange, type KeyRangeBounds } from '../../shared/base/key-order.js'
import { RangeScan } from '../../shared/iterator/range-scan.js'
import type { BlockGiver } from '../../shared/iterator/run-cursor.js'
import { SCAN_KEYS_ONLY } from '../../shared/kernel/layout.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import type { BytesLike } from '../writing/write-batch.js'
import { BatchRangeIterator } from './batch-range-iterator.js'
import type { Guard } from './guard.js'
import type { OperandReads } from './operand-reads.js'
import type { HeldView, ReadCore } from './read-core.js'
import {
  boundsOf,
  type GuardOptions,
  type IntervalOptions,
  limitOf,
  type PrefixBounds,
  prefixBoundsOf,
  type RangeOptions,
  type SeekableOptions,
  type Shape,
  shapeOf,
} from './read-options.js'
import type { RowSource } from './row-reader.js'
import { SeekableIterator } from './seekable-iterator.js'
import { type IteratorRange, TreeIterator } from './tree-iterator.js'

/** @throws RangeError where an interval does not lie wholly behind the one before; empty ones are left out */
function ascending(
  intervals: readonly KeyRangeBounds[],
  compare: (a: Uint8Array, b: Uint8Array) => number,
): KeyRangeBounds[] {
  const filled = intervals.filter((interval) => !isEmptyRange(interval, compare))
  for (let i = 1; i < filled.length; i++) {
    const upper = filled[i - 1]?.upper
    const lower = filled[i]?.lower
    const order = upper === undefined || lower === undefined ? 1 : compare(upper.key, lower.key)
    const isShared = order === 0 && upper?.isInclusive === true && lower?.isInclusive === true
    if (order <= 0 && !isShared) continue
    throw rangeError(
      `batchRangeScan takes ascending intervals that do not overlap; number ${i} of those that are not empty does not ` +
        'begin behind the one before',
    )
  }
  return filled
}

/** A view that is held, and what the tree reads through, until it is released. */
class HeldReading implements RowSource {
  readonly workspace: Workspace
  readonly giver: BlockGiver
  readonly view: HeldView
  readonly #core: ReadCore
  readonly #operands: OperandReads
  readonly #seqno: number

  constructor(core: ReadCore, operands: OperandReads, view: HeldView, seqno: number) {
    this.workspace = core.workspace
    this.giver = core.provider
    this.view = view
    this.#core = core
    this.#operands = operands
    this.#seqno = seqno
  }

  release(): void {
    this.view.release()
    this.#core.releaseReading()
  }

  resolve(key: Uint8Array): Uint8Array | undefined {
    return this.#operands.resolve(this.view, key, this.#seqno)
  }
}

const NO_PREFIX = { prefix: undefined, probe: undefined }

export class RangeReads {
  readonly #core: ReadCore
  readonly #operands: OperandReads

  constructor(core: ReadCore, operands: OperandReads) {
    this.#core = core
    this.#operands = operands
  }

  range<T>(options: RangeOptions, seqno: number): TreeIterator<T> {
    try {
      const bounds = boundsOf(options, this.#core.order.compare)
      return this.#iterator(bounds, options, seqno, shapeOf(options))
    } finally {
      this.#core.endRead()
    }
  }

  prefix<T>(prefix: BytesLike, options: RangeOptions, seqno: number): TreeIterator<T> {
    try {
      const bounds = prefixBoundsOf(prefix, options, this.#core.code)
      return this.#iterator(bounds, options, seqno, shapeOf(options), bounds)
    } finally {
      this.#core.endRead()
    }
  }

  guards(options: GuardOptions, seqno: number): TreeIterator<Guard> {
    try {
      const bounds = boundsOf(options, this.#core.order.compare)
      return this.#iterator(bounds, options, seqno, 'guards')
    } finally {
      this.#core.endRead()
    }
  }

  seekable(options: SeekableOptions, seqno: number): SeekableIterator {
    try {
      const { compare } = this.#core.order
      const bounds = boundsOf(options, compare)
      const isEmpty = isEmptyRange(bounds, compare)
      return new SeekableIterator(this.#source(seqno), bounds, seqno, { compare, isEmpty })
    } finally {
      this.#core.endRead()
    }
  }

  batch(intervals: readonly IntervalOptions[], seqno: number): BatchRangeIterator {
    try {
      const { compare } = this.#core.order
      const bounds = ascending(
        intervals.map((interval) => boundsOf(interval, compare)),
        compare,
      )
      return new BatchRangeIterator(this.#source(seqno), bounds, seqno)
    } finally {
      this.#core.endRead()
    }
  }

  containsPrefix(prefix: BytesLike, seqno: number): boolean {
    using keys = this.prefix<Buffer>(prefix, { values: false, limit: 1 }, seqno)
    return keys.next().done !== true
  }

  /** The first entry, or the last one. */
  edge(seqno: number, isLast: boolean): [Buffer, Buffer] | undefined {
    using entries = this.range<[Buffer, Buffer]>({ reverse: isLast, limit: 1 }, seqno)
    return entries.next().value
  }

  count(seqno: number): number {
    const source = this.#counted(seqno)
    const range = { lower: undefined, upper: undefined, seqno, isReverse: false, flags: 0 }
    const { workspace, giver, view } = source
    const scan = new RangeScan(workspace, giver, view, range, (key) => source.resolve(key))
    try {
      const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
      let count = 0
      while (scan.next(row)) count++
      return count
    } finally {
      scan.dispose()
      source.release()
    }
  }

  /** The read ends here: a count of everything is no reason to keep what others gave up. */
  #counted(seqno: number): RowSource {
    try {
      return this.#source(seqno)
    } finally {
      this.#core.endRead()
    }
  }

  #iterator<T>(
    bounds: KeyRangeBounds,
    options: GuardOptions,
    seqno: number,
    shape: Shape,
    { prefix, probe }: Partial<PrefixBounds> = NO_PREFIX,
  ): TreeIterator<T> {
    const { lower, upper } = bounds
    // Spelled out: a spread costs as much as the rest of a short range read.
    const range: IteratorRange = {
      lower,
      upper,
      prefix,
      probe,
      seqno,
      isReverse: options.reverse === true,
      flags: shape === 'keys' ? SCAN_KEYS_ONLY : 0,
      rowsWanted: limitOf(options, bounds, this.#core.order.compare),
    }
    return new TreeIterator(this.#source(seqno), range, shape)
  }

  /** Holds the view, and what the tree reads through, until it is released. */
  #source(seqno: number): RowSource {
    const core = this.#core
    const view = core.viewAt(seqno).acquire()
    core.acquireReading()
    return new HeldReading(core, this.#operands, view, seqno)
  }
}
