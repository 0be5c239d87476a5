/**
 * Walks the data blocks of one run, in either direction, and hands them to a merge source one by one. The thread that
 * owns the merge; scans and compactions alike.
 *
 * The current block is copied into a buffer of the cursor's own, so that it stays whatever the cache does meanwhile.
 *
 * I1: blocks come in key order (or reversed), each once; a block that starts behind the bound is not read.
 */
import {
  INDEX_COUNT,
  INDEX_HEADS,
  INDEX_RECORD_BYTES,
  INDEX_RECORD_OFFSET,
  INDEX_RECORD_SIZE,
  RESIDENT_COUNT,
  RESIDENT_SLOT_BYTES,
  RESIDENT_SLOTS,
  SOURCE_BLOCK,
  SOURCE_ENDED,
  SOURCE_GIVEN,
  SOURCE_GLOBAL_SEQNO,
  SOURCE_INDEX,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_BLOCK,
  TABLE_INDEX,
  WANTED_DATA,
  WANTED_INDEX,
} from '../kernel/layout.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'
import type { LoadedBlock } from '../table/block-loader.js'
import type { ResidentTable } from '../table/resident-table.js'

/** Where a cursor gets its blocks from; what it gives is valid until it is asked again. */
export interface BlockGiver {
  get(table: ResidentTable, kind: number, offset: number, size: number): LoadedBlock
}

/** A key in the shared memory. */
export interface KeyRef {
  readonly address: number
  readonly length: number
}

/** One end of a scan: a key in the shared memory, and whether it belongs to the scan. */
export interface BoundRef extends KeyRef {
  readonly isInclusive: boolean
}

/** Tables [from, to) of a run, ascending by key. */
export interface TableSpan {
  readonly tables: readonly ResidentTable[]
  readonly from: number
  readonly to: number
}

/** For the search kernels, in the place of a seqno: all versions of the key lie behind, or before. */
const BEFORE_KEY = -1
const BEHIND_KEY = 0

export class RunCursor {
  readonly #workspace: Workspace
  readonly #giver: BlockGiver
  readonly #span: TableSpan
  readonly #isReverse: boolean
  readonly #block: GrowingBuffer
  /** A copy of the index partition at hand; made for two-level tables only. */
  #partition: GrowingBuffer | undefined
  #tableNumber = 0
  /** The index over data blocks at hand, and the entry in it. */
  #index = 0
  #indexNumber = 0
  /** The entry of the top-level index, where the table has one. */
  #topNumber = 0
  /** Reverse only: the table's restriction lies in the block at hand, so nothing before it counts. */
  #isAtRestriction = false

  /**
   * @param span the run's tables that may hold keys in bounds
   * @param block the cursor's own while it lives; the caller's to give back
   */
  constructor(
    workspace: Workspace,
    giver: BlockGiver,
    span: TableSpan,
    isReverse: boolean,
    block: GrowingBuffer,
  ) {
    this.#workspace = workspace
    this.#giver = giver
    this.#span = span
    this.#isReverse = isReverse
    this.#block = block
  }

  /**
   * Places `source` on the first entry in the range that begins at `bound`, or in reverse on the last one in the range
   * that ends there; without a bound on the first or last of all.
   */
  seek(source: number, bound: BoundRef | undefined): void {
    this.#tableNumber = 0
    this.#walk(source, bound, false)
  }

  /** SOURCE_WANTS_BLOCK: gives the source its next block, or ends it. */
  advance(source: number): void {
    this.#walk(source, undefined, true)
  }

  dispose(): void {
    this.#partition?.dispose()
  }

  /** The table at hand, counted in the direction of the walk; undefined behind the last one. */
  #table(): ResidentTable | undefined {
    const { tables, from, to } = this.#span
    const number = this.#isReverse ? to - 1 - this.#tableNumber : from + this.#tableNumber
    return number >= from && number < to ? tables[number] : undefined
  }

  #end(source: number): void {
    const { shared } = this.#workspace
    shared.setU32(source + SOURCE_TYPE, SOURCE_TYPE_BLOCK)
    shared.setU32(source + SOURCE_STATE, SOURCE_ENDED)
  }

  /**
   * Gives the source the next block with an entry in bounds, or ends it.
   * @param isInside the index stands on a block that was given: the next one is wanted, and no bound counts any more
   */
  #walk(source: number, bound: BoundRef | undefined, isInside: boolean): void {
    let isStanding = isInside
    let wanted = bound
    for (;;) {
      const table = this.#table()
      if (table === undefined) {
        this.#end(source)
        return
      }
      const start = isStanding ? undefined : this.#startBound(table, wanted)
      const isThere = isStanding
        ? !this.#isAtRestriction && this.#stepIndex(table)
        : this.#seekTable(table, start)
      if (isThere && this.#giveBlock(source, table, start)) return
      isStanding = isThere
      if (isThere) {
        wanted = undefined
        continue
      }
      this.#isAtRestriction = false
      this.#tableNumber++
    }
  }

  /** A restricted table starts at its restriction at the earliest. */
  #startBound(table: ResidentTable, bound: BoundRef | undefined): BoundRef | undefined {
    const restriction = table.restrictionKey
    if (restriction === undefined || this.#isReverse) return bound
    const start = { ...restriction, isInclusive: true }
    if (bound === undefined) return start
    const { shared } = this.#workspace
    const given = shared.view(bound.address, bound.length)
    const least = shared.view(restriction.address, restriction.length)
    return shared.order.compare(given, least) < 0 ? start : bound
  }

  #count(index: number): number {
    return this.#workspace.shared.getU32(index + INDEX_COUNT)
  }

  /** Which side of the bound's key the range begins on, or in reverse ends on. */
  #placeOf({ isInclusive }: BoundRef): number {
    return isInclusive === this.#isReverse ? BEHIND_KEY : BEFORE_KEY
  }

  /** The first index entry that may hold the bound; in reverse the last one that may. */
  #searchIndex(index: number, bound: BoundRef | undefined): number {
    const count = this.#count(index)
    if (bound === undefined) return this.#isReverse ? count - 1 : 0
    const { kernel } = this.#workspace.shared
    const found = kernel.index_search_at(index, bound.address, bound.length, this.#placeOf(bound))
    return this.#isReverse ? Math.min(found, count - 1) : found
  }

  /** Places index and top index; false where the table has no block in bounds. */
  #seekTable(table: ResidentTable, bound: BoundRef | undefined): boolean {
    const { shared } = this.#workspace
    const top = shared.getU32(table.address + TABLE_INDEX)
    const number = this.#searchIndex(top, bound)
    if (number === this.#count(top)) return false
    if (!table.table.isTwoLevel) {
      this.#index = top
      this.#indexNumber = number
      return true
    }
    this.#topNumber = number
    this.#openPartition(table)
    this.#indexNumber = this.#searchIndex(this.#index, bound)
    // The top level promised an end key at or above the bound; a partition that has none is passed over.
    return this.#indexNumber < this.#count(this.#index) || this.#stepIndex(table)
  }

  /** The handle that index entry `number` holds. */
  #handle(index: number, number: number): { readonly offset: number; readonly size: number } {
    const { shared } = this.#workspace
    const record = index + INDEX_HEADS + 8 * this.#count(index) + number * INDEX_RECORD_BYTES
    return {
      offset: shared.getU64(record + INDEX_RECORD_OFFSET),
      size: shared.getU32(record + INDEX_RECORD_SIZE),
    }
  }

  /** Copies the index partition that the top entry names. */
  #openPartition(table: ResidentTable): void {
    const { shared, heap } = this.#workspace
    const top = shared.getU32(table.address + TABLE_INDEX)
    const { offset, size } = this.#handle(top, this.#topNumber)
    const loaded = this.#giver.get(table, WANTED_INDEX, offset, size)
    this.#partition ??= new GrowingBuffer(heap, loaded.length)
    this.#partition.reserve(loaded.length)
    const { address } = this.#partition
    shared.bytes.copyWithin(address, loaded.address, loaded.address + loaded.length)
    this.#index = address
  }

  /** To the next index entry in the direction of the walk; false at the table's end. */
  #stepIndex(table: ResidentTable): boolean {
    const step = this.#isReverse ? -1 : 1
    const next = this.#indexNumber + step
    if (next >= 0 && next < this.#count(this.#index)) {
      this.#indexNumber = next
      return true
    }
    if (!table.table.isTwoLevel) return false
    const top = this.#workspace.shared.getU32(table.address + TABLE_INDEX)
    const nextTop = this.#topNumber + step
    if (nextTop < 0 || nextTop >= this.#count(top)) return false
    this.#topNumber = nextTop
    this.#openPartition(table)
    this.#indexNumber = this.#isReverse ? this.#count(this.#index) - 1 : 0
    return true
  }

  /** Takes the entries below a restriction out of the copied block, by moving the slots of the other ones down. */
  #cutBelow(block: number, restriction: KeyRef | undefined): void {
    if (restriction === undefined) return
    const { shared } = this.#workspace
    const { address, length } = restriction
    const cut = shared.kernel.resident_search_at(block, address, length, BEFORE_KEY)
    if (cut === 0) return
    const count = shared.getU32(block + RESIDENT_COUNT)
    const slots = block + RESIDENT_SLOTS
    const from = slots + cut * RESIDENT_SLOT_BYTES
    shared.bytes.copyWithin(slots, from, slots + count * RESIDENT_SLOT_BYTES)
    shared.setU32(block + RESIDENT_COUNT, count - cut)
    this.#isAtRestriction = true
  }

  /** Hands the block at hand to the source, on its first entry in bounds; false where it has none. */
  #giveBlock(source: number, table: ResidentTable, bound: BoundRef | undefined): boolean {
    const { shared } = this.#workspace
    const { offset, size } = this.#handle(this.#index, this.#indexNumber)
    const loaded = this.#giver.get(table, WANTED_DATA, offset, size)
    this.#block.reserve(loaded.length)
    const { address } = this.#block
    shared.bytes.copyWithin(address, loaded.address, loaded.address + loaded.length)
    if (this.#isReverse) this.#cutBelow(address, table.restrictionKey)
    const count = shared.getU32(address + RESIDENT_COUNT)
    let entry = this.#isReverse ? count - 1 : 0
    if (bound !== undefined && count > 0) {
      const found = shared.kernel.resident_search_at(
        address,
        bound.address,
        bound.length,
        this.#placeOf(bound),
      )
      entry = this.#isReverse ? found - 1 : found
    }
    if (entry < 0 || entry >= count) return false
    shared.setU32(source + SOURCE_TYPE, SOURCE_TYPE_BLOCK)
    shared.setU32(source + SOURCE_BLOCK, address)
    shared.setI32(source + SOURCE_INDEX, entry)
    shared.setU64(source + SOURCE_GLOBAL_SEQNO, table.placement.globalSeqno)
    shared.setU32(source + SOURCE_STATE, SOURCE_GIVEN)
    return true
  }
}
