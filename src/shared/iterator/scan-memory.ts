/**
 * The memory of one range scan: kernel structures, bounds, batch, and a block for each run. A seek that reads ten entries
 * needs all of it, so a workspace keeps a few sets for the scans to come. The thread of the workspace.
 *
 * I1: a set belongs to one scan at a time; what is in it when a scan takes it is another's leftovers.
 */
import { KEY_BYTES_MAX } from '../base/limits.js'
import {
  MEMTABLE_CURSOR_BYTES,
  MERGE_BYTES,
  SCAN_BYTES,
  SCAN_CAPACITY,
  SCAN_KEY,
  SCAN_MERGE,
  SCAN_OUT,
  SOURCE_BYTES,
} from '../kernel/layout.js'
import { RUN_CURSOR_BYTES } from '../kernel/layout-cursor.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'
import { CursorBuffers } from './run-cursor.js'

/** Sets kept for later, a workspace. */
const IDLE_MAX = 4

/** A set whose batch and blocks grew beyond this, for large values or many runs, is not kept. */
const IDLE_BYTES_MAX = 512 * 1024

/** First sizes. Bounds are short as a rule. */
const BATCH_BYTES = 4 * 1024
const BOUND_BYTES = 256

export class ScanMemory {
  /** The kernels' SCAN and MERGE. */
  readonly scan: number
  readonly merge: number
  /** Where the kernel keeps the key at hand: KEY_BYTES_MAX bytes. */
  readonly key: number
  /** The hash of a prefix that tables must have: 8 bytes. */
  readonly prefix: number
  /** Where the rows come. It grows by {@link growBatch} alone: SCAN names it. */
  readonly batch: GrowingBuffer
  /** The bounds, in the direction of the scan. */
  readonly start: GrowingBuffer
  readonly end: GrowingBuffer
  readonly #workspace: Workspace
  readonly #sources: GrowingBuffer
  readonly #buffers: CursorBuffers[] = []

  private constructor(workspace: Workspace) {
    const { heap } = workspace
    this.#workspace = workspace
    this.scan = heap.allocate(SCAN_BYTES)
    this.merge = heap.allocate(MERGE_BYTES)
    this.key = heap.allocate(KEY_BYTES_MAX + 8)
    this.prefix = heap.allocate(8)
    this.batch = new GrowingBuffer(heap, BATCH_BYTES)
    this.start = new GrowingBuffer(heap, BOUND_BYTES)
    this.end = new GrowingBuffer(heap, BOUND_BYTES)
    this.#sources = new GrowingBuffer(heap, sourcesBytes(2, 6))
    const { shared } = workspace
    shared.setU32(this.scan + SCAN_MERGE, this.merge)
    shared.setU32(this.scan + SCAN_KEY, this.key)
    this.#nameBatch()
  }

  /** A set for one scan, to be handed back by {@link give}. */
  static take(workspace: Workspace): ScanMemory {
    return (workspace.idleScans.pop() as ScanMemory | undefined) ?? new ScanMemory(workspace)
  }

  /** Frees the sets that wait for a scan: when a tree closes, its memory is given back. */
  static freeIdle(workspace: Workspace): void {
    for (const set of workspace.idleScans.splice(0)) (set as ScanMemory).#free()
  }

  /** The scan is over. */
  give(): void {
    const sets = this.#workspace.idleScans
    if (sets.length < IDLE_MAX && this.#growingBytes <= IDLE_BYTES_MAX) sets.push(this)
    else this.#free()
  }

  growBatch(capacity: number): void {
    this.batch.reserve(capacity)
    this.#nameBatch()
  }

  /** Room for what `merge_open` makes of so many memtables and runs: its address. */
  sources(memtableCount: number, runCount: number): number {
    this.#sources.reserve(sourcesBytes(memtableCount, runCount))
    return this.#sources.address
  }

  /** The buffers of run `number`. */
  buffers(number: number): CursorBuffers {
    // Runs are fed in any order.
    while (this.#buffers.length <= number) {
      this.#buffers.push(new CursorBuffers(this.#workspace.heap))
    }
    return this.#buffers[number] as CursorBuffers
  }

  get #growingBytes(): number {
    let bytes = this.batch.capacity
    for (const { capacity } of this.#buffers) bytes += capacity
    return bytes
  }

  #nameBatch(): void {
    const { shared } = this.#workspace
    shared.setU32(this.scan + SCAN_OUT, this.batch.address)
    shared.setU32(this.scan + SCAN_CAPACITY, this.batch.capacity)
  }

  #free(): void {
    const { heap } = this.#workspace
    for (const piece of [this.scan, this.merge, this.key, this.prefix]) heap.free(piece)
    for (const buffer of [this.batch, this.start, this.end, this.#sources]) buffer.dispose()
    for (const buffers of this.#buffers) buffers.dispose()
  }
}

/** As `assembly/merge-open.ts` draws it. */
function sourcesBytes(memtableCount: number, runCount: number): number {
  const count = memtableCount + runCount
  const heads = (SOURCE_BYTES * count + 4 * count + 7) & ~7
  return heads + MEMTABLE_CURSOR_BYTES * memtableCount + RUN_CURSOR_BYTES * runCount
}
