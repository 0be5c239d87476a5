/**
 * Who reads what: the epochs of all threads that read one shared memory (kernel/assembly/epochs.ts), and one thread's slot
 * in them.
 *
 * I1: a slot belongs to one thread; the owner of the memory alone gives slots and takes them back.
 * I2: what a thread finds while it is inside stays as it is until it leaves.
 */
import { assert } from '../base/errors.js'
import {
  EPOCH_SLOT_BYTES,
  EPOCH_SLOTS_MAX,
  EPOCHS_BYTES,
  EPOCHS_GLOBAL,
  EPOCHS_SLOTS,
} from '../kernel/layout-epochs.js'
import type { Heap } from './heap.js'
import type { SharedMemory } from './shared-memory.js'

/** The slot of the owner of the memory. */
export const OWNER_SLOT = 0

/** A thread's own slot. Entering nests: only the outermost pair counts. */
export class EpochSlot {
  readonly number: number
  readonly #words: Uint32Array
  readonly #global: number
  readonly #slot: number
  #depth = 0

  constructor(shared: SharedMemory, epochs: number, number: number) {
    this.number = number
    this.#words = shared.u32
    this.#global = (epochs + EPOCHS_GLOBAL) >>> 2
    this.#slot = (epochs + EPOCHS_SLOTS + EPOCH_SLOT_BYTES * number) >>> 2
  }

  get isInside(): boolean {
    return this.#depth > 0
  }

  /**
   * Before the first look at anything shared. The store pairs with the kernels' look at the slots. The global is loaded
   * again, which pairs with `epochs_advance`: a thread that stood still between load and store could have written an epoch
   * so old that it is taken for a later one. And no plain load that comes after can be done before the store.
   */
  enter(): void {
    if (this.#depth++ > 0) return
    const words = this.#words
    let entered = Atomics.load(words, this.#global)
    for (;;) {
      Atomics.store(words, this.#slot, entered)
      const global = Atomics.load(words, this.#global)
      if (global === entered) return
      entered = global
    }
  }

  /** Nothing that was found is used any more. The store pairs with the kernels' look at the slots. */
  leave(): void {
    if (--this.#depth > 0) return
    assert(this.#depth === 0, 'an epoch is left as often as it was entered')
    Atomics.store(this.#words, this.#slot, 0)
  }
}

/**
 * What a thread does around each of its reads: it is inside an epoch while it has a slot, and a thread that is alone in its
 * memory needs none.
 */
export class ThreadEpoch {
  /** Changed between reads only. */
  slot: EpochSlot | undefined

  constructor(slot?: EpochSlot) {
    this.slot = slot
  }

  enter(): void {
    this.slot?.enter()
  }

  leave(): void {
    this.slot?.leave()
  }
}

/** The owner's side: one for each shared memory. */
export class Epochs {
  readonly address: number
  readonly #shared: SharedMemory
  readonly #taken = new Set<number>([OWNER_SLOT])

  constructor(shared: SharedMemory, heap: Heap) {
    this.#shared = shared
    this.address = heap.allocate(EPOCHS_BYTES)
    shared.bytes.fill(0, this.address, this.address + EPOCHS_BYTES)
    shared.setU32(this.address + EPOCHS_GLOBAL, 1)
  }

  /** Begins a new epoch: the stamp of what was taken out of every shared structure before. */
  advance(): number {
    return this.#shared.kernel.epochs_advance(this.address) >>> 0
  }

  /** True once no thread can see any more what bears the stamp. */
  havePassed(stamp: number): boolean {
    return this.#shared.kernel.epochs_have_passed(this.address, stamp) !== 0
  }

  /** Slots taken by other threads than the owner. */
  get readerCount(): number {
    return this.#taken.size - 1
  }

  /** A slot for a thread; undefined where all are taken. */
  take(): number | undefined {
    for (let number = 0; number < EPOCH_SLOTS_MAX; number++) {
      if (this.#taken.has(number)) continue
      this.#taken.add(number)
      return number
    }
    return undefined
  }

  /** Takes a slot back. REQUIRES: its thread has left for good, or is gone. */
  give(number: number): void {
    assert(number !== OWNER_SLOT && this.#taken.delete(number), 'a taken slot is given back')
    const word = (this.address + EPOCHS_SLOTS + EPOCH_SLOT_BYTES * number) >>> 2
    // As the thread's own `leave`, which it may not have come to: pairs with the kernels' look at the slots.
    Atomics.store(this.#shared.u32, word, 0)
  }
}
