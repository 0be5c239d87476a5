/**
 * Gives blocks of open tables by their handle: from the block cache, or from disk, filling the cache on the way. Any
 * thread, through its own view of the cache.
 *
 * I1: a block that comes from the cache equals what a fresh read would give.
 */
import { BLOCK_TYPE_FILTER, WANTED_DATA, WANTED_FILTER, WANTED_INDEX } from '../kernel/layout.js'
import {
  COUNTERS_CACHED,
  COUNTERS_LOAD_BYTES,
  COUNTERS_LOADS,
  RAW_CACHE_OFFSETS,
} from '../kernel/layout-metrics.js'
import type { CacheView } from '../memory/cache-view.js'
import type { ThreadEpoch } from '../memory/epochs.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'
import type { BlockLoader, LoadedBlock } from './block-loader.js'
import { FILTER_SECTIONS } from './filter-builder.js'
import { requireSoundFilter } from './resident-table.js'
import type { ViewTable } from './view-table.js'

/** What kind of block a handle names: WANTED_DATA, WANTED_INDEX or WANTED_FILTER. */
export type WantedKind = number

/** A block, and whether it lies in the cache. All of them of one shape, fields in this order: reads look at each. */
export interface ProvidedBlock extends LoadedBlock {
  readonly isCached: boolean
  /** A data block that one point read wanted may be raw. */
  readonly isRaw: boolean
}

/** The thread that a provider is for. */
export interface ProviderThread {
  readonly epoch?: ThreadEpoch
  readonly counters?: number
}

/** A cached filter partition starts with its length (0: it excludes nothing), padded to 8 bytes. */
const FILTER_PREFIX_BYTES = 8

export class BlockProvider {
  /** What its thread is to be in while it uses what the cache gives. */
  readonly epoch: ThreadEpoch | undefined
  /** Where what was found and loaded is counted (kernel/layout-metrics.ts); 0: nowhere. */
  readonly countersAddress: number
  readonly #workspace: Workspace
  readonly #loader: BlockLoader
  readonly #cache: CacheView
  readonly #filterBuffer: GrowingBuffer

  constructor(
    workspace: Workspace,
    loader: BlockLoader,
    cache: CacheView,
    { epoch, counters = 0 }: ProviderThread = {},
  ) {
    this.epoch = epoch
    this.countersAddress = counters
    this.#workspace = workspace
    this.#loader = loader
    this.#cache = cache
    this.#filterBuffer = new GrowingBuffer(workspace.heap, 8192)
  }

  get cache(): CacheView {
    return this.#cache
  }

  /** For scans: cursors look into the cache by themselves. */
  get cacheAddress(): number {
    return this.#cache.address
  }

  /** A block's address and length; valid until the next call. `isCached` tells whether the cache holds it now. */
  get(table: ViewTable, kind: WantedKind, offset: number, size: number): ProvidedBlock {
    return this.find(table, kind, offset) ?? this.put(table, kind, offset, size)
  }

  /**
   * A data block that one point read wants, and the cache does not hold as a resident block. A block is raw when it is read
   * for the first time: most of what is read once goes without being read again, and was not worth more. The second
   * use makes it resident. `bytes` are those of the block, where they were read already.
   */
  point(table: ViewTable, offset: number, size: number, bytes?: Uint8Array): ProvidedBlock {
    const again = this.#findRaw(table, offset)
    if (again !== undefined) return again
    const raw = this.#loader.loadRaw(table.table, offset, size, bytes)
    if (raw === undefined) return this.put(table, WANTED_DATA, offset, size, bytes)
    const { address, length } = raw
    this.#cache.countMiss()
    this.#countLoad(WANTED_DATA, size)
    const at = RAW_CACHE_OFFSETS + offset
    const cached = this.#cache.insert(table.owner, at, address, length, false)
    if (cached === 0) return { address, length, isCached: false, isRaw: true }
    return { address: cached, length, isCached: true, isRaw: true }
  }

  /** Whether the cache holds a data block as a resident one. */
  holds(table: ViewTable, offset: number): boolean {
    return this.#cache.has(table.owner, offset)
  }

  /** Whether the cache holds it raw, which {@link find} and {@link point} make resident. */
  holdsRaw(table: ViewTable, offset: number): boolean {
    return this.#cache.has(table.owner, RAW_CACHE_OFFSETS + offset)
  }

  /** The same, of memory only; undefined where the cache does not hold it. */
  find(table: ViewTable, kind: WantedKind, offset: number): ProvidedBlock | undefined {
    const raw = kind === WANTED_DATA ? this.#findRaw(table, offset) : undefined
    if (raw !== undefined) return raw
    const found = this.#cache.find(table.owner, offset)
    if (found === 0) return undefined
    this.#count(COUNTERS_CACHED + 8 * kind, 1)
    return { address: found, length: this.#lengthOf(found, kind), isCached: true, isRaw: false }
  }

  /** Loads a block, from `bytes` where they were read already, and puts it into the cache where that can hold it. */
  put(
    table: ViewTable,
    kind: WantedKind,
    offset: number,
    size: number,
    bytes?: Uint8Array,
  ): ProvidedBlock {
    const { address, length } = this.#load(table, kind, offset, size, bytes)
    this.#countLoad(kind, size)
    const isMetadata = kind !== WANTED_DATA
    const cached = this.#cache.insert(table.owner, offset, address, length, isMetadata)
    if (cached === 0) return { address, length, isCached: false, isRaw: false }
    return { address: cached, length, isCached: true, isRaw: false }
  }

  dispose(): void {
    this.#filterBuffer.dispose()
  }

  /** A data block that the cache holds raw, which it holds resident from now on. */
  #findRaw(table: ViewTable, offset: number): ProvidedBlock | undefined {
    const at = RAW_CACHE_OFFSETS + offset
    if (!this.#cache.has(table.owner, at)) return undefined
    const raw = this.#cache.find(table.owner, at)
    if (raw === 0) return undefined
    this.#count(COUNTERS_CACHED + 8 * WANTED_DATA, 1)
    const { address, length } = this.#loader.convertRaw(table.table, offset, raw)
    const cached = this.#cache.insertUsed(table.owner, offset, address, length)
    if (cached === 0) return { address, length, isCached: false, isRaw: false }
    this.#cache.forget(table.owner, at)
    return { address: cached, length, isCached: true, isRaw: false }
  }

  #countLoad(kind: WantedKind, size: number): void {
    this.#count(COUNTERS_LOADS + 8 * kind, 1)
    this.#count(COUNTERS_LOAD_BYTES + 8 * kind, size)
  }

  #count(field: number, amount: number): void {
    if (this.countersAddress === 0) return
    const { shared } = this.#workspace
    const address = this.countersAddress + field
    shared.setU64(address, shared.getU64(address) + amount)
  }

  /** Resident blocks and indexes tell their length at the same place; filters in front. */
  #lengthOf(address: number, kind: WantedKind): number {
    const { shared } = this.#workspace
    if (kind === WANTED_FILTER) return FILTER_PREFIX_BYTES + shared.getU32(address)
    return shared.getU32(address + 8)
  }

  #load(
    table: ViewTable,
    kind: WantedKind,
    offset: number,
    size: number,
    bytes: Uint8Array | undefined,
  ): LoadedBlock {
    if (kind === WANTED_DATA) return this.#loader.loadData(table.table, offset, size, bytes)
    if (kind === WANTED_INDEX) {
      const handleMax = table.table.meta.dataBytes
      return this.#loader.loadIndex(table.table, offset, size, 0, handleMax, bytes)
    }
    return this.#loadFilter(table, offset, size, bytes)
  }

  #loadFilter(
    table: ViewTable,
    offset: number,
    size: number,
    bytes: Uint8Array | undefined,
  ): LoadedBlock {
    const { shared } = this.#workspace
    const type = BLOCK_TYPE_FILTER
    const block = this.#loader.loadPayload(table.table, offset, size, type, 'filter', bytes)
    const isOwn = table.table.section(FILTER_SECTIONS.varve.filter) !== undefined
    if (block.length > 0) requireSoundFilter(this.#workspace, table.table, offset, block, isOwn)
    this.#filterBuffer.reserve(FILTER_PREFIX_BYTES + block.length)
    const { address } = this.#filterBuffer
    shared.setU32(address, block.length)
    shared.setU32(address + 4, 0)
    const target = address + FILTER_PREFIX_BYTES
    shared.bytes.copyWithin(target, block.address, block.address + block.length)
    return { address, length: FILTER_PREFIX_BYTES + block.length }
  }
}
