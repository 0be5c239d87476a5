/**
 * The public face of the block cache: a capacity that trees share. Main thread.
 */
import { rangeError, typeError } from '../shared/base/errors.js'
import {
  BlockCache,
  type BlockCacheOptions,
  type CacheStats,
} from '../shared/memory/block-cache.js'
import { processEnvironment } from './environment.js'

/** Capacity where nothing else is said: 16 MiB. */
export const CACHE_BYTES_DEFAULT = 16 * 1024 * 1024

/** Largest cache: it shares 2 GiB of address space with everything else. */
const CACHE_BYTES_MAX = 1024 * 1024 * 1024

/** How large a cache is, and what it keeps. */
export interface CacheOptions extends BlockCacheOptions {
  /** 0 … 1 GiB; default 16 MiB. 0 keeps nothing. */
  readonly capacityBytes?: number
  /**
   * Index and filter blocks outlast data blocks: a read of data that is not cached costs one block, not three. Default
   * true.
   */
  readonly metadataPriority?: boolean
  /**
   * Keeps the entries that point reads found, beside the blocks that they came from: for keys that are read again and
   * again, each in another block. Changes nothing that is read. Default false.
   */
  readonly rowCache?: boolean
}

/**
 * Keeps decoded blocks in memory. Give one to several trees and they share its capacity.
 *
 * @example
 * ```ts
 * const cache = new Cache({ capacityBytes: 256 << 20 })
 * const users = await open('users', { cache })
 * const posts = await open('posts', { cache })
 * ```
 */
export class Cache {
  readonly blocks: BlockCache
  #users = 0
  #isDisposed = false

  /** @throws TypeError, RangeError */
  constructor(options: CacheOptions = {}) {
    for (const name of ['metadataPriority', 'rowCache'] as const) {
      const value: unknown = options[name]
      if (value !== undefined && typeof value !== 'boolean') {
        throw typeError(`${name} of a cache must be true or false, not ${String(value)}`)
      }
    }
    const capacity = options.capacityBytes ?? CACHE_BYTES_DEFAULT
    if (!Number.isInteger(capacity) || capacity < 0 || capacity > CACHE_BYTES_MAX) {
      throw rangeError(`a cache has 0 to ${CACHE_BYTES_MAX} bytes, not ${capacity}`)
    }
    this.blocks = new BlockCache(processEnvironment(), capacity, options)
  }

  stats(): CacheStats {
    return this.blocks.stats()
  }

  /** A tree starts to use it. */
  attach(): void {
    if (this.#isDisposed) throw rangeError('this cache was disposed; make a new one')
    this.#users++
  }

  /** A tree has closed. */
  detach(): void {
    this.#users--
    if (this.#isDisposed && this.#users === 0) this.blocks.dispose()
  }

  /** Gives the memory back, at once or when the last tree that uses it has closed. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    if (this.#users === 0) this.blocks.dispose()
  }
}
