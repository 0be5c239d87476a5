/**
 * The one shared memory of this process, and what main does with it: its workspace, and numbers for open tables. All
 * trees of the process share it; it is made when the first one opens and stays.
 *
 * Main thread.
 */
import { REGIONS_ADDRESS } from '../shared/kernel/layout.js'
import { Epochs, ThreadEpoch } from '../shared/memory/epochs.js'
import { Heap } from '../shared/memory/heap.js'
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
      return SharedMemory.create(bytes)
    } catch (error) {
      // Too much for this process's limits: the next smaller one is tried.
      failure = error
    }
  }
  throw failure
}
