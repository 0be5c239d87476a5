/**
 * The block cache of one or more trees: the memory that the cache kernel works on, and its counters. See
 * `kernel/assembly/block-cache.ts` for how it chooses what stays.
 *
 * Lookups run on any thread; main alone inserts and pins.
 */
import {
  CACHE_BUCKET_BYTES,
  CACHE_BUCKET_COUNT,
  CACHE_BUCKETS,
  CACHE_EVICTIONS,
  CACHE_FILLS,
  CACHE_HAS_ROWS,
  CACHE_HEADER_BYTES,
  CACHE_HITS,
  CACHE_INSERTIONS,
  CACHE_MISSES,
  CACHE_NEXT,
  CACHE_PINNED_COUNT,
  CACHE_PINS,
  CACHE_SEGMENT_BYTES,
  CACHE_SEGMENT_COUNT,
  CACHE_SEGMENTS,
  CACHE_SMALL_TARGET,
  CACHE_USED_BYTES,
} from '../kernel/layout.js'
import { CACHE_RANK_DATA, CACHE_RANK_METADATA, CACHE_RANK_ROW } from '../kernel/layout-metrics.js'
import type { Heap } from './heap.js'
import type { SharedMemory } from './shared-memory.js'

/** Segments that a cache is cut into: enough that emptying one gives up 3 % at most. */
const SEGMENT_COUNT = 32

/** Smallest segment: a handful of default blocks. A smaller cache has fewer segments. */
const SEGMENT_BYTES_MIN = 32 * 1024

/** Share of the segments for blocks that were read once only (S3-FIFO's small queue). */
const SMALL_SHARE = 0.1

/** Bytes of cached blocks for each bucket of eight slots: half full with 4 KiB blocks, so that buckets rarely overflow. */
const BUCKET_BLOCK_BYTES = 16 * 1024

/** The same where rows of a few hundred bytes are kept, too. */
const BUCKET_ROW_BYTES = 2 * 1024

/** What {@link BlockCache.stats} tells. Counts since the cache was made. */
export interface CacheStats {
  readonly capacityBytes: number
  readonly sizeBytes: number
  /** Blocks that reads found, and those that had to be read from disk. */
  readonly hits: number
  readonly misses: number
  /** The share that was found; 1 where nothing was asked for. */
  readonly hitRate: number
  readonly insertions: number
  readonly evictions: number
}

/** How a cache chooses what stays, and what it keeps. */
export interface BlockCacheOptions {
  /** Index and filter blocks outlast data blocks. Default true. */
  readonly metadataPriority?: boolean
  /** Keeps single entries, too. Default false. */
  readonly rowCache?: boolean
}

export class BlockCache {
  readonly address: number
  /** True where single entries are to be kept, too. */
  readonly hasRows: boolean
  readonly #hasMetadataPriority: boolean
  readonly capacityBytes: number
  readonly #shared: SharedMemory
  readonly #heap: Heap
  readonly #pieces: number[] = []
  /** Where the segments lie. */
  readonly #start: number = 0
  readonly #end: number = 0

  /** Takes `capacityBytes` of `heap` for blocks, and about 2 % more to find them, 10 % with rows; 0 switches the cache off. */
  constructor(
    shared: SharedMemory,
    heap: Heap,
    capacityBytes: number,
    { metadataPriority = true, rowCache = false }: BlockCacheOptions = {},
  ) {
    this.#shared = shared
    this.#heap = heap
    this.capacityBytes = capacityBytes
    this.address = this.#take(CACHE_HEADER_BYTES)
    shared.bytes.fill(0, this.address, this.address + CACHE_HEADER_BYTES)
    const even = Math.floor(capacityBytes / SEGMENT_COUNT)
    const segmentBytes = Math.max(SEGMENT_BYTES_MIN, even) & ~63
    const segmentCount = Math.floor(capacityBytes / segmentBytes)
    // Two segments are always being filled; a cache without a third to empty is no cache.
    this.#hasMetadataPriority = metadataPriority
    this.hasRows = rowCache && segmentCount >= 3
    if (segmentCount < 3) return
    const bucketCount = Math.max(
      1,
      Math.ceil(capacityBytes / (rowCache ? BUCKET_ROW_BYTES : BUCKET_BLOCK_BYTES)),
    )
    const set = (field: number, value: number): void => shared.setU32(this.address + field, value)
    set(CACHE_BUCKET_COUNT, bucketCount)
    set(CACHE_BUCKETS, this.#take(bucketCount * CACHE_BUCKET_BYTES))
    set(CACHE_SEGMENT_COUNT, segmentCount)
    set(CACHE_SEGMENT_BYTES, segmentBytes)
    this.#start = this.#take(segmentCount * segmentBytes)
    this.#end = this.#start + segmentCount * segmentBytes
    set(CACHE_SEGMENTS, this.#start)
    set(CACHE_FILLS, this.#take(segmentCount * 4))
    set(CACHE_NEXT, this.#take(segmentCount * 4))
    set(CACHE_PINS, this.#take(segmentCount * 4))
    set(CACHE_SMALL_TARGET, Math.max(1, Math.round(segmentCount * SMALL_SHARE)))
    set(CACHE_HAS_ROWS, rowCache ? 1 : 0)
    shared.kernel.cache_init(this.address)
  }

  /** The cached block's address, or 0. Valid until the next {@link insert}. */
  find(owner: number, offset: number): number {
    return this.#shared.kernel.cache_find_at(this.address, owner, offset)
  }

  /** Copies a block in; the copy's address, or 0 where it is too large to be cached. Evicts what it must. */
  insert(
    owner: number,
    offset: number,
    source: number,
    byteLength: number,
    isMetadata: boolean,
  ): number {
    const rank = isMetadata && this.#hasMetadataPriority ? CACHE_RANK_METADATA : CACHE_RANK_DATA
    return this.#shared.kernel.cache_insert(this.address, owner, offset, source, byteLength, rank)
  }

  /** As {@link insert}, a row: the offset is none of a block (kernel/layout-metrics.ts). */
  insertRow(owner: number, offset: number, source: number, byteLength: number): number {
    const { kernel } = this.#shared
    return kernel.cache_insert(this.address, owner, offset, source, byteLength, CACHE_RANK_ROW)
  }

  /**
   * Keeps what lies at `address` where it is until {@link unpin} of the same address; false where that is no place in the
   * cache, or too much is pinned already.
   */
  pin(address: number): boolean {
    if (address < this.#start || address >= this.#end) return false
    return this.#shared.kernel.cache_pin(this.address, address) !== 0
  }

  unpin(address: number): void {
    this.#shared.kernel.cache_unpin(this.address, address)
  }

  /** Segments of the cache that cannot be emptied now. */
  get pinnedSegmentCount(): number {
    return this.#shared.getU32(this.address + CACHE_PINNED_COUNT)
  }

  stats(): CacheStats {
    const count = (field: number): number => this.#shared.getU64(this.address + field)
    const [hits, misses] = [count(CACHE_HITS), count(CACHE_MISSES)]
    return {
      capacityBytes: this.capacityBytes,
      sizeBytes: count(CACHE_USED_BYTES),
      hits,
      misses,
      hitRate: hits + misses === 0 ? 1 : hits / (hits + misses),
      insertions: count(CACHE_INSERTIONS),
      evictions: count(CACHE_EVICTIONS),
    }
  }

  /** Gives the memory back. REQUIRES: nobody reads through this cache any more. */
  dispose(): void {
    for (const piece of this.#pieces.splice(0)) this.#heap.free(piece)
  }

  #take(bytes: number): number {
    const address = this.#heap.allocate(bytes)
    this.#pieces.push(address)
    return address
  }
}
