/**
 * What is counted while a tree is read: words in the shared memory that kernels raise (kernel/layout-metrics.ts), and the
 * time that they stamp tables with. Main thread makes and frees them.
 *
 * I1: reads ask no clock: the time is stored once a second, while the event loop turns.
 */
import {
  COUNTERS_BYTES,
  COUNTERS_CACHED,
  COUNTERS_FILTER_QUERIES,
  COUNTERS_FILTER_SKIPS,
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

  /** @param clock milliseconds since 1970 */
  constructor(workspace: Workspace, clock: () => number) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    this.#clock = clock
    this.address = heap.allocate(COUNTERS_BYTES)
    shared.bytes.fill(0, this.address, this.address + COUNTERS_BYTES)
    this.#tick()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#timer.unref()
  }

  /** Blocks of a WANTED_* kind that kernels found in the cache. */
  cached(kind: number): number {
    return this.#get(COUNTERS_CACHED + 8 * kind)
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
    this.#workspace.heap.free(this.address)
  }

  #get(field: number): number {
    return this.#workspace.shared.getU64(this.address + field)
  }

  #tick(): void {
    const seconds = Math.max(0, Math.floor(this.#clock() / 1000))
    this.#workspace.shared.setU32(this.address + COUNTERS_NOW, Math.min(seconds, 0xffff_ffff))
  }
}
