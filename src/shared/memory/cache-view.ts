/**
 * One thread's way to a block cache: finds, inserts and pins. Any thread; the owner of the memory opens it
 * (`block-cache.ts`) and gives its address away.
 *
 * I1: what is found or inserted stays as it is until the thread leaves the epoch that it was found in, or for longer where
 *     it is pinned in that epoch. Where no other thread has a view, no epoch is needed: it stays until the next insertion.
 */
import {
  VIEW_CAPACITY,
  VIEW_HAS_PRIORITY,
  VIEW_HAS_ROWS,
  VIEW_MISSES,
  VIEW_PINNED_COUNT,
  VIEW_SEGMENT_BYTES,
  VIEW_SEGMENT_COUNT,
  VIEW_SEGMENTS,
} from '../kernel/layout-cache.js'
import {
  CACHE_RANK_DATA,
  CACHE_RANK_METADATA,
  CACHE_RANK_ROW,
  CACHE_RANK_USED,
} from '../kernel/layout-metrics.js'
import type { SharedMemory } from './shared-memory.js'

export class CacheView {
  readonly address: number
  readonly capacityBytes: number
  /** True where single entries are to be kept, too. */
  readonly hasRows: boolean
  readonly #metadataRank: number
  readonly #shared: SharedMemory
  /** Where the segments lie. */
  readonly #start: number
  readonly #end: number

  /** REQUIRES: `address` is an open view's, and the calling thread's own. */
  constructor(shared: SharedMemory, address: number) {
    const get = (field: number): number => shared.getU32(address + field)
    this.address = address
    this.#shared = shared
    this.capacityBytes = get(VIEW_CAPACITY)
    this.hasRows = get(VIEW_HAS_ROWS) !== 0
    this.#metadataRank = get(VIEW_HAS_PRIORITY) !== 0 ? CACHE_RANK_METADATA : CACHE_RANK_DATA
    this.#start = get(VIEW_SEGMENTS)
    this.#end = this.#start + get(VIEW_SEGMENT_COUNT) * get(VIEW_SEGMENT_BYTES)
  }

  /** The cached block's address, or 0. */
  find(owner: number, offset: number): number {
    return this.#shared.kernel.cache_find_at(this.address, owner, offset)
  }

  /**
   * Copies a block in; the copy's address, or 0 where it is not cached: it is too large, or another thread is filling the
   * cache at this moment. Evicts what it must.
   */
  insert(
    owner: number,
    offset: number,
    source: number,
    byteLength: number,
    isMetadata: boolean,
  ): number {
    const rank = isMetadata ? this.#metadataRank : CACHE_RANK_DATA
    return this.#shared.kernel.cache_insert(this.address, owner, offset, source, byteLength, rank)
  }

  /** Copies a block in that was used in another form before; as {@link insert}. */
  insertUsed(owner: number, offset: number, source: number, byteLength: number): number {
    const { kernel } = this.#shared
    return kernel.cache_insert(this.address, owner, offset, source, byteLength, CACHE_RANK_USED)
  }

  /** Whether a block is there; neither a hit nor a use. */
  has(owner: number, offset: number): boolean {
    return this.#shared.kernel.cache_has_at(this.address, owner, offset) !== 0
  }

  /** A block was looked for by other ways and is not there. */
  countMiss(): void {
    const misses = this.address + VIEW_MISSES
    this.#shared.setU64(misses, this.#shared.getU64(misses) + 1)
  }

  /** Takes a block out, as far as no other thread is filling the cache at this moment. What was found of it stays. */
  forget(owner: number, offset: number): void {
    this.#shared.kernel.cache_forget(this.address, owner, offset)
  }

  /** As {@link insert}, a row: the offset is none of a block (kernel/layout-metrics.ts). */
  insertRow(owner: number, offset: number, source: number, byteLength: number): number {
    const { kernel } = this.#shared
    return kernel.cache_insert(this.address, owner, offset, source, byteLength, CACHE_RANK_ROW)
  }

  /**
   * Keeps what lies at `address` where it is until {@link unpin} of the same address by the same thread; false where that is
   * no place in the cache, or too much is pinned already. REQUIRES: it was found in the epoch that the thread is in.
   */
  pin(address: number): boolean {
    if (address < this.#start || address >= this.#end) return false
    return this.#shared.kernel.cache_pin(this.address, address) !== 0
  }

  unpin(address: number): void {
    this.#shared.kernel.cache_unpin(this.address, address)
  }

  /** Segments of the cache that this thread keeps from being emptied. */
  get pinnedSegmentCount(): number {
    return this.#shared.getU32(this.address + VIEW_PINNED_COUNT)
  }
}
