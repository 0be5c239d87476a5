/**
 * The block cache of one or more trees, as the owner of the memory has it: the memory that the cache kernel works on, the
 * views of the threads that use it, and its counters. See `kernel/assembly/block-cache.ts` for how it chooses what stays.
 *
 * The owner of the memory; it has a view of its own like any other thread.
 *
 * I1: a view's memory goes only under the cache's lock, or with the cache: whoever holds the lock may be looking at it.
 */
import { assert, VarveError } from '../base/errors.js'
import {
  CACHE_BUCKET_BYTES,
  CACHE_BUCKET_COUNT,
  CACHE_BUCKETS,
  CACHE_BYTES,
  CACHE_EPOCHS,
  CACHE_EVICTIONS,
  CACHE_FILLS,
  CACHE_INSERTIONS,
  CACHE_LOCK,
  CACHE_NEXT,
  CACHE_RESERVE,
  CACHE_SEGMENT_BYTES,
  CACHE_SEGMENT_COUNT,
  CACHE_SEGMENTS,
  CACHE_SMALL_TARGET,
  CACHE_STAMPS,
  CACHE_TOUCHED_BYTES,
  CACHE_USED_BYTES,
  CACHE_VIEWS,
  CACHE_VIEWS_MAX,
  CACHE_VIEWS_TOP,
  VIEW_BUCKET_COUNT,
  VIEW_BUCKETS,
  VIEW_CACHE,
  VIEW_CAPACITY,
  VIEW_HAS_PRIORITY,
  VIEW_HAS_ROWS,
  VIEW_HITS,
  VIEW_MISSES,
  VIEW_PINNED_MAX,
  VIEW_PINS,
  VIEW_SEGMENT_BYTES,
  VIEW_SEGMENT_COUNT,
  VIEW_SEGMENTS,
  VIEW_SLOT,
} from '../kernel/layout-cache.js'
import { CacheView } from './cache-view.js'
import { type Epochs, OWNER_SLOT } from './epochs.js'
import type { Heap } from './heap.js'
import type { SharedMemory } from './shared-memory.js'

/** Segments that a cache is cut into. */
const SEGMENT_COUNT = 64

/** Smallest segment: a handful of default blocks. A smaller cache has fewer segments. */
const SEGMENT_BYTES_MIN = 32 * 1024

/** Share of the segments for blocks that were read once only (S3-FIFO's small queue). */
const SMALL_SHARE = 0.1

/** Bytes of cached blocks for each bucket of eight slots: a quarter full with 4 KiB blocks, so that few overflow. */
const BUCKET_BLOCK_BYTES = 8 * 1024

/** The same where rows of a few hundred bytes are kept, too. */
const BUCKET_ROW_BYTES = 1024

/** Segments of a cache that is of any use: two are being filled, and what is kept of one needs another. */
const SEGMENT_COUNT_MIN = 3

/** What {@link BlockCache.stats} tells. Counts since the cache was made, of all threads. */
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

/** The memory that a cache is made of, and who reads it. */
export interface CacheMemory {
  readonly shared: SharedMemory
  readonly heap: Heap
  readonly epochs: Epochs
}

export class BlockCache {
  readonly address: number
  /** The owner's own view. */
  readonly view: CacheView
  readonly capacityBytes: number
  readonly #shared: SharedMemory
  readonly #heap: Heap
  readonly #pieces: number[] = []
  readonly #segmentCount: number
  /** Segments that all views together may pin. */
  readonly #pinnableCount: number
  /** What a new view begins with. */
  readonly #fields: readonly (readonly [field: number, value: number])[]
  /** Addresses of open views, by their numbers; undefined for a free number. */
  readonly #views: (number | undefined)[] = []
  /** Views that are closed, but may be looked at by a thread that holds the lock. */
  readonly #closing: number[] = []
  /** Of views that are closed. */
  #hits = 0
  #misses = 0

  /** Takes `capacityBytes` for blocks, and about 1 % more to find them, 7 % with rows; 0 switches the cache off. */
  constructor(
    { shared, heap, epochs }: CacheMemory,
    capacityBytes: number,
    { metadataPriority = true, rowCache = false }: BlockCacheOptions = {},
  ) {
    this.#shared = shared
    this.#heap = heap
    this.capacityBytes = capacityBytes
    const even = Math.floor(capacityBytes / SEGMENT_COUNT)
    const segmentBytes = Math.max(SEGMENT_BYTES_MIN, even) & ~63
    const count = Math.floor(capacityBytes / segmentBytes)
    const isOn = count >= SEGMENT_COUNT_MIN
    this.#segmentCount = isOn ? count : 0
    this.#pinnableCount = isOn ? Math.min(count >> 1, count - 3) : 0
    const bucketBytes = rowCache ? BUCKET_ROW_BYTES : BUCKET_BLOCK_BYTES
    const bucketCount = isOn ? Math.ceil(capacityBytes / bucketBytes) : 0
    const buckets = isOn ? this.#take(bucketCount * CACHE_BUCKET_BYTES) : 0
    const segments = isOn ? this.#take(count * segmentBytes + CACHE_TOUCHED_BYTES) : 0
    this.address = this.#take(CACHE_BYTES)
    shared.bytes.fill(0, this.address, this.address + CACHE_BYTES)
    this.#set(CACHE_BUCKET_COUNT, bucketCount)
    this.#set(CACHE_BUCKETS, buckets)
    this.#set(CACHE_SEGMENT_COUNT, this.#segmentCount)
    this.#set(CACHE_SEGMENT_BYTES, segmentBytes)
    this.#set(CACHE_SEGMENTS, segments)
    for (const field of [CACHE_FILLS, CACHE_NEXT, CACHE_STAMPS]) {
      this.#set(field, isOn ? this.#take(count * 4) : 0)
    }
    this.#set(CACHE_SMALL_TARGET, Math.max(1, Math.round(count * SMALL_SHARE)))
    this.#set(CACHE_EPOCHS, epochs.address)
    if (isOn) shared.kernel.cache_init(this.address)
    this.#fields = [
      [VIEW_BUCKET_COUNT, bucketCount],
      [VIEW_BUCKETS, buckets],
      [VIEW_SEGMENTS, segments],
      [VIEW_SEGMENT_BYTES, segmentBytes],
      [VIEW_SEGMENT_COUNT, this.#segmentCount],
      [VIEW_HAS_ROWS, rowCache && isOn ? 1 : 0],
      [VIEW_HAS_PRIORITY, metadataPriority ? 1 : 0],
      [VIEW_CACHE, this.address],
      [VIEW_CAPACITY, capacityBytes],
    ]
    this.view = new CacheView(shared, this.openView(OWNER_SLOT))
  }

  /**
   * A view for the thread of an epoch slot: its address, for a {@link CacheView} there.
   * @throws VARVE_OUT_OF_MEMORY; VARVE_UNSUPPORTED where 128 are open
   */
  openView(slot: number): number {
    this.#freeClosed()
    let number = this.#views.indexOf(undefined)
    if (number < 0) number = this.#views.length
    if (number === CACHE_VIEWS_MAX) {
      const message = `a cache is used by ${CACHE_VIEWS_MAX} readers at once at most`
      throw new VarveError('VARVE_UNSUPPORTED', message)
    }
    const bytes = VIEW_PINS + 4 * this.#segmentCount
    const view = this.#heap.allocate(bytes)
    this.#shared.bytes.fill(0, view, view + bytes)
    for (const [field, value] of this.#fields) this.#shared.setU32(view + field, value)
    this.#shared.setU32(view + VIEW_SLOT, slot)
    this.#views[number] = view
    this.#store(CACHE_VIEWS + 4 * number, view)
    this.#share()
    return view
  }

  /**
   * Takes a view back with all of its pins; where its thread has ended while it changed the cache, empties that. REQUIRES:
   * the thread does not use the view any more, or is gone; its epoch slot was not given back yet.
   */
  closeView(view: number): void {
    const number = this.#views.indexOf(view)
    assert(number >= 0, 'an open view is closed')
    const slot = this.#shared.getU32(view + VIEW_SLOT)
    this.#hits += this.#count(view + VIEW_HITS)
    this.#misses += this.#count(view + VIEW_MISSES)
    for (let i = 0; i < this.#segmentCount; i++) this.#storeAt(view + VIEW_PINS + 4 * i, 0)
    this.#store(CACHE_VIEWS + 4 * number, 0)
    this.#views[number] = undefined
    while (this.#views.length > 0 && this.#views.at(-1) === undefined) this.#views.pop()
    this.#share()
    if (slot !== OWNER_SLOT) this.#recover(slot)
    this.#closing.push(view)
    this.#freeClosed()
  }

  stats(): CacheStats {
    let [hits, misses] = [this.#hits, this.#misses]
    for (const view of this.#views) {
      if (view === undefined) continue
      hits += this.#count(view + VIEW_HITS)
      misses += this.#count(view + VIEW_MISSES)
    }
    return {
      capacityBytes: this.capacityBytes,
      sizeBytes: this.#count(this.address + CACHE_USED_BYTES),
      hits,
      misses,
      hitRate: hits + misses === 0 ? 1 : hits / (hits + misses),
      insertions: this.#count(this.address + CACHE_INSERTIONS),
      evictions: this.#count(this.address + CACHE_EVICTIONS),
    }
  }

  /** Gives the memory back. REQUIRES: nobody reads through this cache any more. */
  dispose(): void {
    for (const view of this.#views.splice(0)) if (view !== undefined) this.#heap.free(view)
    for (const view of this.#closing.splice(0)) this.#heap.free(view)
    for (const piece of this.#pieces.splice(0)) this.#heap.free(piece)
  }

  /** Tells how many views there are: what each may pin, and how much must be kept free. Kernels read it at any time. */
  #share(): void {
    const open = this.#views.filter((view) => view !== undefined)
    const share = Math.floor(this.#pinnableCount / Math.max(1, open.length))
    const pinnable = this.#pinnableCount === 0 ? 0 : Math.max(1, share)
    for (const view of open) this.#storeAt(view + VIEW_PINNED_MAX, pinnable)
    // Alone, what was emptied is free at once; otherwise another segment must do until all threads have looked up.
    const isShared = open.length > 1 && this.#segmentCount > SEGMENT_COUNT_MIN
    this.#store(CACHE_RESERVE, isShared ? 2 : 1)
    this.#store(CACHE_VIEWS_TOP, this.#views.length)
  }

  /** Where the thread of an epoch slot ended while it changed the cache: begins anew, with an empty one. */
  #recover(slot: number): void {
    if (!this.#exchangeLock(slot + 1, OWNER_SLOT + 1)) return
    this.#shared.kernel.cache_clear(this.address)
    this.#unlock()
  }

  /** Frees closed views, unless a thread changes the cache at this moment. */
  #freeClosed(): void {
    if (this.#closing.length === 0 || !this.#exchangeLock(0, OWNER_SLOT + 1)) return
    for (const view of this.#closing.splice(0)) this.#heap.free(view)
    this.#unlock()
  }

  /** Pairs with the kernel's way to take the lock. */
  #exchangeLock(from: number, to: number): boolean {
    const word = (this.address + CACHE_LOCK) >>> 2
    return Atomics.compareExchange(this.#shared.u32, word, from, to) === from
  }

  /** Pairs with the kernel's look at the lock. */
  #unlock(): void {
    this.#store(CACHE_LOCK, 0)
  }

  /**
   * A u64 that another thread may be counting up: its high word is read again where it has changed. Pairs with that thread's
   * plain stores of all 64 bits: counts tell nothing else, so nothing need come before them.
   */
  #count(address: number): number {
    const high = (address >>> 2) + 1
    const { u32 } = this.#shared
    for (;;) {
      const before = Atomics.load(u32, high)
      const low = Atomics.load(u32, high - 1)
      if (Atomics.load(u32, high) === before) return before * 2 ** 32 + low
    }
  }

  #set(field: number, value: number): void {
    this.#shared.setU32(this.address + field, value)
  }

  #store(field: number, value: number): void {
    this.#storeAt(this.address + field, value)
  }

  /** Pairs with the kernel's atomic loads under the lock. */
  #storeAt(address: number, value: number): void {
    Atomics.store(this.#shared.u32, address >>> 2, value)
  }

  #take(bytes: number): number {
    const address = this.#heap.allocate(bytes)
    this.#pieces.push(address)
    return address
  }
}
