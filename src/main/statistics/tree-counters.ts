/**
 * What is counted while a tree is read: words in the shared memory that kernels raise (kernel/layout-metrics.ts), a set for
 * each thread that reads, and the time that they stamp tables with. Main thread makes and frees them.
 *
 * I1: reads ask no clock: the time is stored once a second, while the event loop turns.
 * I2: what a thread counted stays counted once it is gone.
 */
import {
  COUNTERS_BYTES,
  COUNTERS_CACHED,
  COUNTERS_FILTER_QUERIES,
  COUNTERS_FILTER_SKIPS,
  COUNTERS_LOAD_BYTES,
  COUNTERS_LOADS,
  COUNTERS_NOW,
  COUNTERS_PREFIX_SKIPS,
  COUNTERS_ROW_HITS,
  COUNTERS_TABLE_READS,
} from '../../shared/kernel/layout-metrics.js'
import type { Workspace } from '../../shared/memory/workspace.js'

const TICK_MS = 1000

export class TreeCounters {
  readonly address: number
  readonly #workspace: Workspace
  readonly #clock: () => number
  readonly #timer: NodeJS.Timeout
  /** Those of other threads. */
  readonly #others = new Set<number>()

  /** @param clock milliseconds since 1970 */
  constructor(workspace: Workspace, clock: () => number) {
    this.#workspace = workspace
    this.#clock = clock
    this.address = this.#make()
    this.#tick()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#timer.unref()
  }

  /** Counters for another thread, which alone writes them: their address, for {@link fold}. */
  open(): number {
    const address = this.#make()
    this.#others.add(address)
    return address
  }

  /** The thread is gone: what it has counted becomes the tree's. */
  fold(address: number): void {
    const { shared, heap } = this.#workspace
    if (!this.#others.delete(address)) return
    for (let field = 0; field < COUNTERS_NOW; field += 8) {
      const sum = shared.getU64(this.address + field) + shared.getU64(address + field)
      shared.setU64(this.address + field, sum)
    }
    heap.free(address)
  }

  /** Blocks of a WANTED_* kind that were found in the cache. */
  cached(kind: number): number {
    return this.#get(COUNTERS_CACHED + 8 * kind)
  }

  /** Blocks of a WANTED_* kind that were loaded, and their bytes in the files. */
  loads(kind: number): number {
    return this.#get(COUNTERS_LOADS + 8 * kind)
  }

  loadBytes(kind: number): number {
    return this.#get(COUNTERS_LOAD_BYTES + 8 * kind)
  }

  get filterQueries(): number {
    return this.#get(COUNTERS_FILTER_QUERIES)
  }

  get filterSkips(): number {
    return this.#get(COUNTERS_FILTER_SKIPS)
  }

  get prefixSkips(): number {
    return this.#get(COUNTERS_PREFIX_SKIPS)
  }

  get rowHits(): number {
    return this.#get(COUNTERS_ROW_HITS)
  }

  get tableReads(): number {
    return this.#get(COUNTERS_TABLE_READS)
  }

  /** No time is stored any more; what was counted stays until {@link dispose}. */
  stop(): void {
    clearInterval(this.#timer)
  }

  /** REQUIRES: no table that counts here is read any more. */
  dispose(): void {
    this.stop()
    for (const address of this.#others) this.fold(address)
    this.#workspace.heap.free(this.address)
  }

  #get(field: number): number {
    const { shared } = this.#workspace
    let sum = shared.getU64(this.address + field)
    for (const address of this.#others) sum += shared.getU64(address + field)
    return sum
  }

  #make(): number {
    const { shared, heap } = this.#workspace
    const address = heap.allocate(COUNTERS_BYTES)
    shared.bytes.fill(0, address, address + COUNTERS_BYTES)
    return address
  }

  #tick(): void {
    const seconds = Math.max(0, Math.floor(this.#clock() / 1000))
    this.#workspace.shared.setU32(this.address + COUNTERS_NOW, Math.min(seconds, 0xffff_ffff))
  }
}
