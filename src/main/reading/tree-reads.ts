/**
 * The point reads of a tree: which view to look at, keys into the shared memory, results out; and where its other kinds of
 * reads are. The thread that reads, synchronous.
 *
 * I1: each method ends the read that its caller began, whatever comes of it.
 */
import { readRanges } from '../../shared/table/block-fetch.js'
import { requireKeyLength } from '../options.js'
import type { BytesLike } from '../writing/write-batch.js'
import { byteLengthOf, placeBytes } from '../writing/writer.js'
import { AsyncReads } from './async-reads.js'
import { MULTI_READ_KEYS_MAX, MultiRead, windowsOf } from './multi-read.js'
import { OperandReads } from './operand-reads.js'
import { PinnableSlice } from './pinnable-slice.js'
import { PointReader } from './point-reader.js'
import { RangeReads } from './range-reads.js'
import type { HeldView, ReadCore } from './read-core.js'
import { toBytes } from './read-options.js'
import { type TracedVersion, traceKey } from './trace.js'

/** Fewer keys are read one by one. */
const MULTI_READ_KEYS_MIN = 3

export class TreeReads {
  readonly ranges: RangeReads
  readonly later: AsyncReads
  readonly #core: ReadCore
  readonly #points: PointReader
  readonly #operands: OperandReads

  constructor(core: ReadCore) {
    this.#core = core
    const operands = new OperandReads(core)
    this.#operands = operands
    this.#points = new PointReader(core.workspace, core.provider, (view, key, seqno) =>
      operands.resolve(view, key, seqno),
    )
    this.ranges = new RangeReads(core, operands)
    this.later = new AsyncReads(core, this.#points, operands)
  }

  get(key: BytesLike, seqno: number): Buffer | undefined {
    try {
      return this.#find(key, seqno) ? this.#points.copyValue() : undefined
    } finally {
      this.#core.endRead()
    }
  }

  getString(key: BytesLike, seqno: number): string | undefined {
    try {
      if (!this.#find(key, seqno)) return undefined
      const { resolved, valueAddress, valueLength } = this.#points
      if (resolved !== undefined) return Buffer.from(resolved).toString('utf8')
      return this.#core.shared.buffer.utf8Slice(valueAddress, valueAddress + valueLength)
    } finally {
      this.#core.endRead()
    }
  }

  getInto(key: BytesLike, target: Uint8Array, seqno: number): number {
    try {
      if (!this.#find(key, seqno)) return -1
      const { resolved, valueAddress, valueLength } = this.#points
      const length = Math.min(valueLength, target.length)
      const source = resolved ?? this.#core.shared.view(valueAddress, length)
      target.set(source.subarray(0, length))
      return valueLength
    } finally {
      this.#core.endRead()
    }
  }

  getPinned(key: BytesLike, seqno: number): PinnableSlice | undefined {
    try {
      return this.#find(key, seqno) ? this.#pinFound() : undefined
    } finally {
      this.#core.endRead()
    }
  }

  #pinFound(): PinnableSlice {
    const { resolved, valueAddress, valueLength } = this.#points
    const core = this.#core
    const { cache } = core.provider
    const isPinned = resolved === undefined && valueLength > 0 && cache.pin(valueAddress)
    if (!isPinned) return new PinnableSlice(this.#points.copyValue(), undefined)
    core.acquireReading()
    const value = core.shared.buffer.subarray(valueAddress, valueAddress + valueLength)
    return new PinnableSlice(value, () => {
      cache.unpin(valueAddress)
      core.releaseReading()
    })
  }

  multiGet(keys: readonly BytesLike[], seqno: number): (Buffer | undefined)[] {
    try {
      return this.#getAll(keys, seqno)
    } finally {
      this.#core.endRead()
    }
  }

  #getAll(keys: readonly BytesLike[], seqno: number): (Buffer | undefined)[] {
    if (keys.length < MULTI_READ_KEYS_MIN) {
      return keys.map((key) => (this.#find(key, seqno) ? this.#points.copyValue() : undefined))
    }
    const view = this.#core.viewAt(seqno)
    const values: (Buffer | undefined)[] = []
    for (let at = 0; at < keys.length; at += MULTI_READ_KEYS_MAX) {
      const some =
        at === 0 && keys.length <= MULTI_READ_KEYS_MAX
          ? keys
          : keys.slice(at, at + MULTI_READ_KEYS_MAX)
      const found = this.#multiRead(view, some, seqno)
      if (some === keys) return found
      values.push(...found)
    }
    return values
  }

  containsKey(key: BytesLike, seqno: number): boolean {
    try {
      return this.#find(key, seqno)
    } finally {
      this.#core.endRead()
    }
  }

  sizeOf(key: BytesLike, seqno: number): number | undefined {
    try {
      return this.#find(key, seqno) ? this.#points.valueLength : undefined
    } finally {
      this.#core.endRead()
    }
  }

  trace(key: BytesLike, seqno: number): TracedVersion[] {
    try {
      const bytes = toBytes(key, 'a key')
      requireKeyLength(bytes.length)
      return traceKey(this.#core, this.#core.viewAt(seqno), bytes)
    } finally {
      this.#core.endRead()
    }
  }

  dispose(): void {
    this.#points.dispose()
  }

  #find(key: BytesLike, seqno: number): boolean {
    const length = byteLengthOf(key, 'key')
    requireKeyLength(length)
    placeBytes(this.#core.shared, key, this.#points.keyAddress, length)
    return this.#points.find(this.#core.viewAt(seqno), length, seqno)
  }

  /** At most MULTI_READ_KEYS_MAX keys. */
  #multiRead(view: HeldView, keys: readonly BytesLike[], seqno: number): (Buffer | undefined)[] {
    using batch = new MultiRead(this.#core.workspace, this.#points, view, keys, seqno)
    for (let ranges = batch.ranges(); ranges.length > 0; ranges = batch.ranges()) {
      for (const window of windowsOf(ranges, this.#core.provider.cache.capacityBytes)) {
        const bytes = readRanges(window)
        window.forEach((range, i) => {
          batch.give(range, bytes[i])
        })
      }
    }
    for (const number of batch.operands) {
      const value = this.#operands.resolve(view, batch.key(number), seqno)
      batch.values[number] = value === undefined ? undefined : Buffer.from(value)
    }
    return batch.values
  }
}
