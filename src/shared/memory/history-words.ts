/**
 * HISTORY (kernel/layout-sharing.ts): the read states that other threads may look at, with the seqnos for which each is
 * exact. The owner of the tree writes one and publishes it whole; any thread reads it.
 *
 * I1: a read at S uses the entry with exactFrom <= S < exactUntil, and where nothing was collected below S there is one.
 */
import {
  HISTORY_COLLECTED_BELOW,
  HISTORY_COUNT,
  HISTORY_ENTRIES,
  HISTORY_ENTRY_BYTES,
  HISTORY_EXACT_FROM,
  HISTORY_EXACT_UNTIL,
  HISTORY_STATE,
} from '../kernel/layout-sharing.js'
import type { Heap } from './heap.js'
import type { SharedMemory } from './shared-memory.js'

/** `exactUntil` of the latest: above every seqno. */
export const EXACT_FOREVER = 2 ** 53

/** One read state. */
export interface HistoryEntry {
  readonly exactFrom: number
  /** Where the next one took over; not below `exactFrom` means that no read uses this one any more but who holds it. */
  readonly exactUntil: number
  readonly collectedBelow: number
  readonly stateAddress: number
}

/** Writes the entries, oldest first, into a piece of the heap that is the caller's to free: its address. */
export function writeHistory(
  shared: SharedMemory,
  heap: Heap,
  entries: readonly HistoryEntry[],
): number {
  const history = heap.allocate(HISTORY_ENTRIES + entries.length * HISTORY_ENTRY_BYTES)
  shared.setU32(history + HISTORY_COUNT, entries.length)
  entries.forEach((entry, i) => {
    const at = history + HISTORY_ENTRIES + i * HISTORY_ENTRY_BYTES
    shared.setU64(at + HISTORY_EXACT_FROM, entry.exactFrom)
    shared.setU64(at + HISTORY_EXACT_UNTIL, entry.exactUntil)
    shared.setU64(at + HISTORY_COLLECTED_BELOW, entry.collectedBelow)
    shared.setU32(at + HISTORY_STATE, entry.stateAddress)
  })
  return history
}

/** A published history. REQUIRES: inside the epoch in which its address was loaded. */
export class HistoryWords {
  readonly #shared: SharedMemory
  readonly #address: number

  constructor(shared: SharedMemory, address: number) {
    this.#shared = shared
    this.#address = address
  }

  get count(): number {
    return this.#shared.getU32(this.#address + HISTORY_COUNT)
  }

  entry(index: number): HistoryEntry {
    const shared = this.#shared
    const at = this.#address + HISTORY_ENTRIES + index * HISTORY_ENTRY_BYTES
    return {
      exactFrom: shared.getU64(at + HISTORY_EXACT_FROM),
      exactUntil: shared.getU64(at + HISTORY_EXACT_UNTIL),
      collectedBelow: shared.getU64(at + HISTORY_COLLECTED_BELOW),
      stateAddress: shared.getU32(at + HISTORY_STATE),
    }
  }

  get latest(): HistoryEntry {
    return this.entry(this.count - 1)
  }

  /** The STATE for a read at `seqno`; 0 where versions that it may see are gone. Allocates nothing. */
  stateAt(seqno: number): number {
    const shared = this.#shared
    const first = this.#address + HISTORY_ENTRIES
    for (let i = this.count - 1; i >= 0; i--) {
      const at = first + i * HISTORY_ENTRY_BYTES
      if (shared.getU64(at + HISTORY_EXACT_FROM) > seqno) continue
      if (seqno < shared.getU64(at + HISTORY_EXACT_UNTIL)) return shared.getU32(at + HISTORY_STATE)
      break
    }
    // Nothing is visible at 0, whatever was collected.
    return seqno <= 0 ? this.latest.stateAddress : 0
  }
}
