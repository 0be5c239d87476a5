/**
 * The merges of one tree that are running, and what steers them: their pace, and the end of all of them when the tree
 * closes. Main thread.
 *
 * I1: once merges are ended, none begins any more.
 */
import { PACE_BYTES } from '../../shared/kernel/layout-jobs.js'
import type { Heap } from '../../shared/memory/heap.js'
import { Pace } from '../../shared/memory/pace.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'

/** A merge that can be told to stop. */
export interface RunningMerge {
  cancel(): void
}

export class MergePace {
  /** Of the words in the shared memory, which go with each job. */
  readonly address: number
  readonly words: Pace
  readonly #heap: Heap
  readonly #running = new Set<RunningMerge>()
  #isEnded = false

  constructor(shared: SharedMemory, heap: Heap) {
    this.#heap = heap
    this.address = heap.allocate(PACE_BYTES)
    this.words = new Pace(shared, this.address)
    this.words.reset()
  }

  add(merge: RunningMerge): void {
    this.#running.add(merge)
    if (this.#isEnded) merge.cancel()
  }

  remove(merge: RunningMerge): void {
    this.#running.delete(merge)
  }

  /** Tells every merge to stop, those that would come later included. */
  endAll(): void {
    this.#isEnded = true
    for (const merge of this.#running) merge.cancel()
  }

  /** REQUIRES: no job runs. */
  dispose(): void {
    this.#heap.free(this.address)
  }
}
