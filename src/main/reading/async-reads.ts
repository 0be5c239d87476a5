/**
 * Reads that never wait for the disk on the calling thread: what memory holds is answered at once, missing blocks are read
 * off it. The thread that reads.
 *
 * I1: the view is taken before the first wait and held to the end; so is what the tree reads through, so that
 *     `close` meanwhile harms nobody: what has begun ends with its result.
 * I2: bytes that are being read lie in memory of their own, never in the shared one.
 * I3: the read that the caller began ends before the first wait; what comes behind one is a read of its own.
 */
import { LATER } from '../../shared/iterator/range-scan.js'
import { READ_WANTS_BLOCK, SCAN_KEYS_ONLY } from '../../shared/kernel/layout.js'
import {
  type BlockRange,
  readRangeLater,
  type WantedBlock,
} from '../../shared/table/block-fetch.js'
import { requireKeyLength } from '../options.js'
import type { BytesLike } from '../writing/write-batch.js'
import { byteLengthOf, placeBytes } from '../writing/writer.js'
import { AsyncRangeIterator, type LaterSource } from './async-range-iterator.js'
import { LaterBlocks } from './later-blocks.js'
import { MULTI_READ_KEYS_MAX, MultiRead, windowsOf } from './multi-read.js'
import type { OperandReads } from './operand-reads.js'
import type { PointReader } from './point-reader.js'
import type { HeldView, ReadCore } from './read-core.js'
import { type AsyncRangeOptions, boundsOf, limitOf, shapeOf, toBytes } from './read-options.js'

/** A key's operands, resolved. */
interface Resolution {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

export class AsyncReads {
  readonly #core: ReadCore
  readonly #points: PointReader
  readonly #operands: OperandReads
  /** Reads under way, by what they read: whoever wants the same waits for the same. */
  readonly #reading = new Map<string, Promise<Uint8Array>>()

  constructor(core: ReadCore, points: PointReader, operands: OperandReads) {
    this.#core = core
    this.#points = points
    this.#operands = operands
  }

  async get(key: BytesLike, seqno: number): Promise<Buffer | undefined> {
    let values: Promise<(Buffer | undefined)[]>
    try {
      const length = byteLengthOf(key, 'key')
      requireKeyLength(length)
      const points = this.#points
      placeBytes(this.#core.shared, key, points.keyAddress, length)
      const view = this.#core.viewAt(seqno)
      const outcome = points.begin(view, length, seqno)
      if (outcome !== READ_WANTS_BLOCK) {
        const verdict = points.judge(points.readAddress, outcome)
        if (verdict !== 'operand') return verdict === 'value' ? points.copyValue() : undefined
      }
      values = this.#held(view, () => this.#multiRead(view, [key], seqno))
    } finally {
      this.#core.endRead()
    }
    return (await values)[0]
  }

  async multiGet(keys: readonly BytesLike[], seqno: number): Promise<(Buffer | undefined)[]> {
    try {
      const view = this.#core.viewAt(seqno)
      // The caller may change its array, or the bytes in it, once this has returned.
      const own = keys.map((key) => (typeof key === 'string' ? key : toBytes(key, 'a key')))
      return this.#held(view, async () => {
        const values: (Buffer | undefined)[] = []
        for (let at = 0; at < own.length; at += MULTI_READ_KEYS_MAX) {
          values.push(
            ...(await this.#multiRead(view, own.slice(at, at + MULTI_READ_KEYS_MAX), seqno)),
          )
        }
        return values
      })
    } finally {
      this.#core.endRead()
    }
  }

  range<T>(options: AsyncRangeOptions, seqno: number): AsyncRangeIterator<T> {
    try {
      return this.#begin(options, seqno)
    } finally {
      this.#core.endRead()
    }
  }

  #begin<T>(options: AsyncRangeOptions, seqno: number): AsyncRangeIterator<T> {
    const core = this.#core
    const { compare } = core.order
    const bounds = boundsOf(options, compare)
    const shape = shapeOf(options)
    const range = {
      lower: bounds.lower,
      upper: bounds.upper,
      prefix: undefined,
      probe: undefined,
      seqno,
      isReverse: options.reverse === true,
      flags: shape === 'keys' ? SCAN_KEYS_ONLY : 0,
      rowsWanted: limitOf(options, bounds, compare),
    }
    const view = core.viewAt(seqno).acquire()
    core.acquireReading()
    const source = this.#source(view, seqno, range.isReverse)
    return new AsyncRangeIterator(source, range, shape, options.signal)
  }

  #source(view: HeldView, seqno: number, isReverse: boolean): LaterSource {
    const core = this.#core
    const blocks = new LaterBlocks(core.provider, isReverse)
    let wanted: Uint8Array | undefined
    let resolution: Resolution | undefined
    return {
      workspace: core.workspace,
      giver: blocks,
      view,
      release: () => {
        view.release()
        core.releaseReading()
      },
      resolve: (key) => {
        if (resolution !== undefined && Buffer.compare(resolution.key, key) === 0) {
          const { value } = resolution
          resolution = undefined
          return value
        }
        wanted = key
        return LATER
      },
      wait: async () => {
        if (wanted === undefined) {
          await this.#held(view, () => blocks.load())
          return
        }
        const key = wanted
        wanted = undefined
        const value = await this.#held(view, () => this.#operands.resolveLater(view, key, seqno))
        resolution = { key, value }
      },
    }
  }

  /** Runs `work` while the view, and what the tree reads through, stay. */
  async #held<T>(view: HeldView, work: () => Promise<T>): Promise<T> {
    view.acquire()
    this.#core.acquireReading()
    try {
      return await work()
    } finally {
      view.release()
      this.#core.releaseReading()
    }
  }

  /** At most MULTI_READ_KEYS_MAX keys. */
  async #multiRead(
    view: HeldView,
    keys: readonly BytesLike[],
    seqno: number,
  ): Promise<(Buffer | undefined)[]> {
    if (keys.length === 0) return []
    const { workspace, provider } = this.#core
    using batch = this.#inside(() => new MultiRead(workspace, this.#points, view, keys, seqno))
    for (let ranges = batch.ranges(); ranges.length > 0; ranges = batch.ranges()) {
      for (const window of windowsOf(ranges, provider.cache.capacityBytes)) {
        const bytes = await this.#readAll(window)
        this.#inside(() => {
          window.forEach((range, i) => {
            batch.give(range, bytes[i] as Uint8Array)
          })
        })
      }
    }
    for (const number of batch.operands) {
      const value = await this.#operands.resolveLater(view, batch.key(number), seqno)
      batch.values[number] = value === undefined ? undefined : Buffer.from(value)
    }
    return batch.values
  }

  /** What uses blocks of the cache, behind a wait. */
  #inside<T>(work: () => T): T {
    const { epoch } = this.#core.provider
    epoch?.enter()
    try {
      return work()
    } finally {
      epoch?.leave()
    }
  }

  /** Ends when all of the reads have ended, also where one fails. */
  async #readAll(ranges: readonly BlockRange<WantedBlock>[]): Promise<Uint8Array[]> {
    const results = await Promise.allSettled(ranges.map((range) => this.#read(range)))
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
  }

  #read({ file, offset, length, blocks }: BlockRange<WantedBlock>): Promise<Uint8Array> {
    const name = `${blocks[0]?.table.owner}:${offset}:${length}`
    const other = this.#reading.get(name)
    if (other !== undefined) return other
    const read = readRangeLater(file, offset, length).finally(() => this.#reading.delete(name))
    this.#reading.set(name, read)
    return read
  }
}
