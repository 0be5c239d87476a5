/**
 * Builds a searchable set of range tombstones in the shared memory (kernel/assembly/range-set.ts) from plain ones: of a
 * table when it is opened, of a job. The thread that owns the heap.
 *
 * I1: nothing of it changes after it was made; any thread may search it until it is disposed.
 */
import type { RangeTombstone } from '../format/range-tombstone.js'
import {
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_LINK,
  ENTRY_SEQNO,
  ENTRY_VALUE_LENGTH,
} from '../kernel/layout.js'
import { RANGE_LIST_COUNT, RANGE_LIST_SETS, RANGE_LIST_UPTO } from '../kernel/layout-ranges.js'
import type { Workspace } from '../memory/workspace.js'

export class RangeSet {
  readonly address: number
  readonly #workspace: Workspace
  readonly #records: number

  /** REQUIRES: at least one range tombstone; each start lies before its end. */
  constructor(workspace: Workspace, tombstones: readonly RangeTombstone[]) {
    const { shared, heap } = workspace
    const { kernel } = shared
    const count = tombstones.length
    this.#workspace = workspace
    const pieces: number[] = []
    const take = (bytes: number): number => {
      const piece = heap.allocate(bytes)
      pieces.push(piece)
      return piece
    }
    try {
      const bytes = tombstones.reduce((sum, one) => sum + recordBytes(one), 0)
      this.#records = take(bytes)
      const addresses = take(4 * count)
      this.#writeRecords(tombstones, addresses)
      const scratch = take(kernel.range_set_scratch_bytes(count))
      const roomy = take(kernel.range_set_bytes_max(count))
      const length = kernel.range_set_build(roomy, addresses, count, scratch)
      this.address = take(length)
      shared.bytes.copyWithin(this.address, roomy, roomy + length)
      for (const piece of [addresses, scratch, roomy]) heap.free(piece)
    } catch (error) {
      for (const piece of pieces) heap.free(piece)
      throw error
    }
  }

  dispose(): void {
    this.#workspace.heap.free(this.#records)
    this.#workspace.heap.free(this.address)
  }

  #writeRecords(tombstones: readonly RangeTombstone[], addresses: number): void {
    const { shared } = this.#workspace
    let record = this.#records
    for (const [i, one] of tombstones.entries()) {
      const { start, end, seqno } = one
      shared.setU64(record + ENTRY_SEQNO, seqno)
      shared.setU32(record + ENTRY_LINK, 0)
      shared.setU32(record + ENTRY_VALUE_LENGTH, end.length)
      shared.setU32(record + ENTRY_KEY_LENGTH, start.length)
      shared.bytes.set(start, record + ENTRY_KEY)
      shared.bytes.set(end, record + ENTRY_KEY + start.length)
      shared.setU32(addresses + 4 * i, record)
      record += recordBytes(one)
    }
  }
}

/** The LIST of one set, or an empty one: how a job is told of range tombstones that lie in no published state. */
export class RangeList {
  /** 0 for an empty list. */
  readonly address: number
  readonly #workspace: Workspace
  readonly #set: RangeSet | undefined

  constructor(workspace: Workspace, tombstones: readonly RangeTombstone[]) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    if (tombstones.length === 0) {
      this.address = 0
      return
    }
    this.#set = new RangeSet(workspace, tombstones)
    this.address = heap.allocate(RANGE_LIST_SETS + 4)
    shared.setU32(this.address + RANGE_LIST_COUNT, 1)
    shared.setU32(this.address + RANGE_LIST_UPTO, 0)
    shared.setU32(this.address + RANGE_LIST_SETS, this.#set.address)
  }

  dispose(): void {
    if (this.address !== 0) this.#workspace.heap.free(this.address)
    this.#set?.dispose()
  }
}

/** Bytes of a record, to a multiple of 8. */
function recordBytes({ start, end }: RangeTombstone): number {
  return (ENTRY_KEY + start.length + end.length + 7) & ~7
}
