/**
 * The one shared memory of this process, and what main does with it: its workspace, and numbers for open tables. All
 * trees of the process share it; it is made when the first one opens and stays.
 *
 * Main thread.
 */
import { assert } from '../shared/base/errors.js'
import { REGIONS_ADDRESS } from '../shared/kernel/layout.js'
import { EpochSlot, Epochs, OWNER_SLOT, ThreadEpoch } from '../shared/memory/epochs.js'
import { Heap } from '../shared/memory/heap.js'
import { useLargePages } from '../shared/memory/large-pages.js'
import { MEMORY_BYTES_MAX, SharedMemory } from '../shared/memory/shared-memory.js'
import { Workspace } from '../shared/memory/workspace.js'

/** Sizes to try, largest first: address space only, so the largest is the rule, and tight limits still get something. */
const MEMORY_BYTES_TRIED = [MEMORY_BYTES_MAX, 1 << 30, 1 << 29, 1 << 28]

export class Environment {
  readonly shared: SharedMemory
  readonly heap: Heap
  readonly workspace: Workspace
  /** Who reads this memory. */
  readonly epochs: Epochs
  /** What this thread is in while it reads: it has a slot as long as other threads are attached. */
  readonly epoch = new ThreadEpoch()
  #nextOwner = 1

  constructor(shared: SharedMemory) {
    this.shared = shared
    this.heap = new Heap(REGIONS_ADDRESS, shared.bytes.length)
    this.workspace = new Workspace(shared, this.heap)
    this.epochs = new Epochs(shared, this.heap)
  }

  /**
   * A slot for a thread that begins to read this memory; undefined where all are taken. From the first one on this thread
   * reads inside epochs of its own, since what it finds in a cache may be evicted by others. REQUIRES: it reads nothing
   * just now.
   */
  takeSlot(): number | undefined {
    const slot = this.epochs.take()
    this.#lookAtReaders()
    return slot
  }

  /** REQUIRES: the thread has left its epoch for good, or is gone; and this thread reads nothing just now. */
  giveSlot(slot: number): void {
    this.epochs.give(slot)
    this.#lookAtReaders()
  }

  #lookAtReaders(): void {
    const isAlone = this.epochs.readerCount === 0
    assert(this.epoch.slot?.isInside !== true, 'threads come and go between the reads of the owner')
    if (isAlone) this.epoch.slot = undefined
    else this.epoch.slot ??= new EpochSlot(this.shared, this.epochs.address, OWNER_SLOT)
  }

  /** A number for an open table in the block caches, never given twice in a process. */
  nextOwner(): number {
    return this.#nextOwner++
  }
}

let environment: Environment | undefined

/** This process's environment. */
export function processEnvironment(): Environment {
  environment ??= new Environment(createMemory())
  return environment
}

function createMemory(): SharedMemory {
  let failure: unknown
  for (const bytes of MEMORY_BYTES_TRIED) {
    try {
      const shared = SharedMemory.create(bytes)
      useLargePages(shared.buffer)
      return shared
    } catch (error) {
      // Too much for this process's limits: the next smaller one is tried.
      failure = error
    }
  }
  throw failure
}
