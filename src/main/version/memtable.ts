/**
 * One memtable: its region of the shared memory and who still needs it. Main writes; any thread reads.
 *
 *     active ── seal ──→ sealed ── flushed ──→ (kept by older states) ── last release ──→ freed
 *
 * I1: the region is freed whole, when no super version names the memtable any more.
 * I2: {@link keepNodes} comes before another thread learns of a memtable that is still written; sealed ones do not change.
 */
import { assert } from '../../shared/base/errors.js'
import type { RangeTombstone } from '../../shared/format/range-tombstone.js'
import { readRangeRecords } from '../../shared/iterator/range-records.js'
import {
  KIND_TOMBSTONE,
  KIND_WEAK_TOMBSTONE,
  MEMTABLE_ENTRY_COUNT,
  MEMTABLE_ID,
  MEMTABLE_KEY_BYTES,
  MEMTABLE_KIND_COUNTS,
  MEMTABLE_REUSES_NODES,
  MEMTABLE_SEQNO_MAX,
  MEMTABLE_SEQNO_MIN,
  MEMTABLE_USED_BYTES,
  MEMTABLE_VALUE_BYTES,
} from '../../shared/kernel/layout.js'
import { MEMTABLE_RANGE_COUNT } from '../../shared/kernel/layout-ranges.js'
import type { Heap } from '../../shared/memory/heap.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'

/** Kind, seqno, lengths and the like: what an entry takes beside key and value (semantics.md 5.1). */
const ENTRY_BYTES = 32

export class Memtable {
  readonly id: number
  readonly address: number
  readonly capacityBytes: number
  readonly #shared: SharedMemory
  readonly #heap: Heap
  #rangeTombstones: readonly RangeTombstone[] = []
  #references = 1

  constructor(shared: SharedMemory, heap: Heap, id: number, capacityBytes: number) {
    this.id = id
    this.capacityBytes = capacityBytes
    this.#shared = shared
    this.#heap = heap
    this.address = heap.allocate(capacityBytes)
    shared.kernel.memtable_init(this.address, capacityBytes)
    shared.setU32(this.address + MEMTABLE_ID, id)
    shared.setU32(this.address + MEMTABLE_REUSES_NODES, 1)
  }

  /** Another thread may read it from now on: what its tree does not lead to any more stays as it is. */
  keepNodes(): void {
    this.#shared.setU32(this.address + MEMTABLE_REUSES_NODES, 0)
  }

  get entryCount(): number {
    return this.#shared.getU32(this.address + MEMTABLE_ENTRY_COUNT)
  }

  get isEmpty(): boolean {
    return this.entryCount === 0 && this.rangeTombstoneCount === 0
  }

  get rangeTombstoneCount(): number {
    return this.#shared.getU32(this.address + MEMTABLE_RANGE_COUNT)
  }

  /** Copies of the range tombstones, in order of insertion. */
  get rangeTombstones(): readonly RangeTombstone[] {
    if (this.#rangeTombstones.length !== this.rangeTombstoneCount) {
      this.#rangeTombstones = readRangeRecords(this.#shared, this.address)
    }
    return this.#rangeTombstones
  }

  /** Bytes of the region in use. */
  get usedBytes(): number {
    return this.#shared.getU32(this.address + MEMTABLE_USED_BYTES)
  }

  /** What of the shared memory it takes. */
  get memoryBytes(): number {
    return this.capacityBytes
  }

  /** What its entries come to in a table, about: keys, values, and {@link ENTRY_BYTES} for each entry. */
  get dataBytes(): number {
    const { address } = this
    const keysAndValues =
      this.#shared.getU64(address + MEMTABLE_KEY_BYTES) +
      this.#shared.getU64(address + MEMTABLE_VALUE_BYTES)
    return keysAndValues + ENTRY_BYTES * (this.entryCount + this.rangeTombstoneCount)
  }

  get tombstoneCount(): number {
    return this.#kindCount(KIND_TOMBSTONE) + this.weakTombstoneCount
  }

  get weakTombstoneCount(): number {
    return this.#kindCount(KIND_WEAK_TOMBSTONE)
  }

  /** Highest seqno of anything in it; undefined where it is empty. */
  get highestSeqno(): number | undefined {
    return this.isEmpty ? undefined : this.#shared.getU64(this.address + MEMTABLE_SEQNO_MAX)
  }

  /** Lowest seqno of anything in it; the largest number where it is empty. */
  get lowestSeqno(): number {
    return this.isEmpty
      ? Number.MAX_SAFE_INTEGER
      : this.#shared.getU64(this.address + MEMTABLE_SEQNO_MIN)
  }

  acquire(): void {
    this.#references++
  }

  release(): void {
    assert(this.#references > 0, 'a memtable is released once for each reference')
    this.#references--
    if (this.#references === 0) this.#heap.free(this.address)
  }

  #kindCount(kind: number): number {
    return this.#shared.getU32(this.address + MEMTABLE_KIND_COUNTS + 4 * kind)
  }
}
