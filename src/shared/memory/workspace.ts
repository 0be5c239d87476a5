/**
 * What one thread works with: its view of the shared memory, the heap that is its own, hashing, and scratch for the
 * block kernels. Main has one for as long as the engine lives; a worker makes one over the region of each job.
 *
 * I1: a workspace belongs to one thread at a time; nothing in its heap is another's.
 */
import { DIGEST_BYTES, type Hasher } from '../base/checksum.js'
import type { KeyOrder } from '../base/key-order.js'
import { BLOCK_SCRATCH_BYTES, LZ4_TABLE_BYTES, XXH3_STATE_BYTES } from '../kernel/layout.js'
import type { Heap } from './heap.js'
import type { SharedMemory } from './shared-memory.js'

/** Bytes from outside the shared memory pass through a window of this size to be hashed: a largest frame fits. */
const WINDOW_BYTES = 64 * 1024

/** XXH3 by the kernels, for bytes anywhere. */
class KernelHasher implements Hasher {
  readonly #shared: SharedMemory
  readonly #heap: Heap
  readonly #window: number
  readonly #state: number
  readonly #out: number

  constructor(shared: SharedMemory, heap: Heap) {
    this.#shared = shared
    this.#heap = heap
    this.#window = heap.allocate(WINDOW_BYTES)
    this.#state = heap.allocate(XXH3_STATE_BYTES)
    this.#out = heap.allocate(DIGEST_BYTES)
  }

  hash64Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
    const { kernel } = this.#shared
    const isShared = bytes.buffer === this.#shared.memory.buffer
    const isLarge = !isShared && bytes.length > WINDOW_BYTES
    const window = isLarge ? this.#heap.allocate(bytes.length) : this.#window
    const address = isShared ? bytes.byteOffset : window
    if (!isShared) this.#shared.bytes.set(bytes, window)
    kernel.xxh3_64_into(address, bytes.length, this.#out)
    if (isLarge) this.#heap.free(window)
    target.set(this.#shared.view(this.#out, 8), offset)
  }

  hash128Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
    const { kernel } = this.#shared
    const isShared = bytes.buffer === this.#shared.memory.buffer
    if (!isShared && bytes.length <= WINDOW_BYTES) {
      this.#shared.bytes.set(bytes, this.#window)
      kernel.xxh3_128_into(this.#window, bytes.length, this.#out)
      target.set(this.#shared.view(this.#out, DIGEST_BYTES), offset)
      return
    }
    kernel.xxh3_128_reset(this.#state)
    if (isShared) {
      kernel.xxh3_128_update(this.#state, bytes.byteOffset, bytes.length)
    } else {
      for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
        const piece = bytes.subarray(at, at + WINDOW_BYTES)
        this.#shared.bytes.set(piece, this.#window)
        kernel.xxh3_128_update(this.#state, this.#window, piece.length)
      }
    }
    kernel.xxh3_128_digest(this.#state, this.#out)
    target.set(this.#shared.view(this.#out, DIGEST_BYTES), offset)
  }
}

/** A buffer larger than this gives memory back when much less is asked of it: one huge value must not stay. */
const SHRINKING_BYTES = 1024 * 1024

/** A piece of the heap that grows and shrinks with what is asked of it; its content does not survive that. */
export class GrowingBuffer {
  readonly #heap: Heap
  #address: number
  #capacity: number

  constructor(heap: Heap, capacity: number) {
    this.#heap = heap
    this.#address = heap.allocate(capacity)
    this.#capacity = heap.sizeOf(this.#address)
  }

  get address(): number {
    return this.#address
  }

  get capacity(): number {
    return this.#capacity
  }

  /** Makes room for `bytes` at least, moving the buffer where it must. */
  reserve(bytes: number): void {
    if (bytes <= this.#capacity && !this.#isFarTooLarge(bytes)) return
    // The old piece goes first: its bytes may be the ones that the new one needs.
    this.dispose()
    this.#address = this.#heap.allocate(bytes)
    this.#capacity = this.#heap.sizeOf(this.#address)
  }

  /**
   * Gives the buffer away as a piece of the heap, with room for its first `bytes` bytes, which stay. REQUIRES: room is
   * reserved before it is used again.
   */
  release(bytes: number): number {
    const address = this.#address
    this.#heap.shrink(address, bytes)
    this.#address = 0
    this.#capacity = 0
    return address
  }

  #isFarTooLarge(bytes: number): boolean {
    return this.#capacity > SHRINKING_BYTES && bytes < this.#capacity / 8
  }

  dispose(): void {
    if (this.#address !== 0) this.#heap.free(this.#address)
    this.#address = 0
    this.#capacity = 0
  }
}

export class Workspace {
  readonly shared: SharedMemory
  readonly heap: Heap
  readonly hasher: Hasher
  /** BLOCK_SCRATCH_BYTES for the block kernels. */
  readonly blockScratch: number
  /** LZ4_TABLE_BYTES for the encoder. */
  readonly lz4Table: number
  /** Memory of scans that are over, for those to come: `iterator/scan-memory.ts` knows what it is. */
  readonly idleScans: unknown[] = []

  /** @param base a workspace of the same thread and heap, whose scratch it shares */
  constructor(shared: SharedMemory, heap: Heap, base?: Workspace) {
    this.shared = shared
    this.heap = heap
    this.hasher = base?.hasher ?? new KernelHasher(shared, heap)
    this.blockScratch = base?.blockScratch ?? heap.allocate(BLOCK_SCRATCH_BYTES)
    this.lz4Table = base?.lz4Table ?? heap.allocate(LZ4_TABLE_BYTES)
  }

  /** The same workspace for a tree whose keys are in `order`. */
  inOrder(order: KeyOrder): Workspace {
    const shared = this.shared.inOrder(order)
    return shared === this.shared ? this : new Workspace(shared, this.heap, this)
  }

  /** The order of the keys that its kernel works on. */
  get order(): KeyOrder {
    return this.shared.order
  }
}
