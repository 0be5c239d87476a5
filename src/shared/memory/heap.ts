/**
 * Hands out pieces of a region of the shared memory and takes them back. A heap belongs to one thread: main has one
 * over everything that regions may take, and gives a worker a region for its job, over which the worker makes its own.
 *
 * Small pieces come in size classes (eight to a doubling) and stay in their class once freed, and so do very large ones;
 * those between are cut from the lowest free range that holds them (or the highest) and merge with their neighbours
 * again. All of it is so that the same pages are touched again and again.
 *
 * I1: pieces never overlap, start on 64-byte boundaries and lie inside the region.
 */
import { assert, VarveError } from '../base/errors.js'

/** Pieces up to this size are kept in classes. */
const CLASSED_BYTES_MAX = 64 * 1024

/**
 * So are pieces from this size on, write buffers and job regions: a small piece cut from a large free one would send the
 * next large one to pages that were never touched.
 */
const POOLED_BYTES_MIN = 16 * 1024 * 1024

const ALIGNMENT = 64

interface Range {
  start: number
  end: number
}

/** The size that a request is rounded up to: the next of eight steps to a doubling. */
function classSize(bytes: number): number {
  const least = Math.max(bytes, ALIGNMENT)
  const step = Math.max(ALIGNMENT, 2 ** (Math.ceil(Math.log2(least)) - 3))
  return Math.ceil(least / step) * step
}

export class Heap {
  readonly start: number
  readonly end: number
  readonly #sizes = new Map<number, number>()
  readonly #classes = new Map<number, number[]>()
  /** Free ranges, ascending, never touching each other. */
  #ranges: Range[]
  #used = 0

  readonly #advice: string

  /**
   * REQUIRES: [start, end) is nobody else's.
   * @param advice what to do where it is too small, for the error that says so
   */
  constructor(
    start: number,
    end: number,
    advice = 'lower memtableBytes or the cache capacity, or close trees',
  ) {
    this.#advice = advice
    this.start = Math.ceil(start / ALIGNMENT) * ALIGNMENT
    this.end = Math.floor(end / ALIGNMENT) * ALIGNMENT
    this.#ranges = [{ start: this.start, end: this.end }]
  }

  /** Bytes in use, rounding included. */
  get usedBytes(): number {
    return this.#used
  }

  /**
   * A piece of at least `bytes` bytes, with whatever was in it before. `from` tells from which end of the region a large
   * piece is cut: what lives long and what comes and goes stay apart, so that each reuses its own touched pages.
   * @throws VARVE_OUT_OF_MEMORY
   */
  allocate(bytes: number, from: 'bottom' | 'top' = 'bottom'): number {
    const size = classSize(bytes)
    const address =
      this.#classes.get(size)?.pop() ?? this.#cut(size, from) ?? this.#cutPooled(size, from)
    if (address === undefined) {
      throw new VarveError(
        'VARVE_OUT_OF_MEMORY',
        `the shared memory has no ${bytes} bytes left (${this.#used} of ${this.end - this.start} in use); ` +
          this.#advice,
        { details: { wanted: bytes, used: this.#used, capacity: this.end - this.start } },
      )
    }
    this.#sizes.set(address, size)
    this.#used += size
    return address
  }

  /** The usable size of a piece in use. */
  sizeOf(address: number): number {
    const size = this.#sizes.get(address)
    assert(size !== undefined, 'the address is a piece in use')
    return size
  }

  /**
   * Gives the end of a piece back that `bytes` bytes have no use for, where it is of a size that is cut from ranges before
   * and after; its beginning stays as it is.
   */
  shrink(address: number, bytes: number): void {
    const size = this.sizeOf(address)
    const least = classSize(bytes)
    if (least >= size || least <= CLASSED_BYTES_MAX || size >= POOLED_BYTES_MIN) return
    this.#sizes.set(address, least)
    this.#used -= size - least
    this.#give({ start: address + least, end: address + size })
  }

  /** Takes a piece back. */
  free(address: number): void {
    const size = this.sizeOf(address)
    this.#sizes.delete(address)
    this.#used -= size
    if (size <= CLASSED_BYTES_MAX || size >= POOLED_BYTES_MIN) {
      const list = this.#classes.get(size)
      if (list === undefined) this.#classes.set(size, [address])
      else list.push(address)
    } else {
      this.#give({ start: address, end: address + size })
    }
  }

  /** Gives up the large pieces that wait for their like, and tries once more. */
  #cutPooled(size: number, from: 'bottom' | 'top'): number | undefined {
    for (const [pooled, list] of this.#classes) {
      if (pooled < POOLED_BYTES_MIN) continue
      for (const start of list.splice(0)) this.#give({ start, end: start + pooled })
    }
    return this.#cut(size, from)
  }

  #cut(size: number, from: 'bottom' | 'top'): number | undefined {
    const fits = (range: Range): boolean => range.end - range.start >= size
    const index =
      from === 'bottom' ? this.#ranges.findIndex(fits) : this.#ranges.findLastIndex(fits)
    const range = this.#ranges[index]
    if (range === undefined) return undefined
    const address = from === 'bottom' ? range.start : range.end - size
    if (from === 'bottom') range.start += size
    else range.end = address
    if (range.start === range.end) this.#ranges.splice(index, 1)
    return address
  }

  #give(freed: Range): void {
    let index = this.#ranges.findIndex((range) => range.start > freed.start)
    if (index < 0) index = this.#ranges.length
    const before = this.#ranges[index - 1]
    const after = this.#ranges[index]
    if (before !== undefined && before.end === freed.start) {
      before.end = freed.end
      if (after !== undefined && after.start === freed.end) {
        before.end = after.end
        this.#ranges.splice(index, 1)
      }
    } else if (after !== undefined && after.start === freed.end) {
      after.start = freed.start
    } else {
      this.#ranges.splice(index, 0, freed)
    }
  }
}
