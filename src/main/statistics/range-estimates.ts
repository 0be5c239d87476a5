/**
 * How much lies between two keys, from indexes and zone maps alone: no data block is read (semantics.md 12.4, 12.5). Main
 * thread.
 *
 * I1: what is counted grows with the range: a narrower one never comes out larger.
 */
import {
  higherBound,
  isEmptyRange,
  type KeyBound,
  type KeyRangeBounds,
} from '../../shared/base/key-order.js'
import type { BlockZone } from '../../shared/format/zone-map.js'
import {
  INDEX_COUNT,
  INDEX_HEADS,
  INDEX_RECORD_BYTES,
  INDEX_RECORD_OFFSET,
  INDEX_RECORD_SIZE,
  MEMTABLE_CURSOR_BYTES,
  TABLE_INDEX,
  WANTED_INDEX,
} from '../../shared/kernel/layout.js'
import type { ResidentTable } from '../../shared/table/resident-table.js'
import type { TreeCore } from '../tree-core.js'
import type { Memtable } from '../version/memtable.js'
import type { SuperVersion } from '../version/super-version.js'

/** What a range takes, about. */
export interface ApproximateRangeStats {
  /** Bytes in tables, as they are stored, and in memory. */
  readonly bytes: number
  /** Entries, every version and tombstone counted. */
  readonly keyCount: number
}

/** How many entries a range holds, about. */
export interface RangeCardinality {
  /** Entries, every version and tombstone counted. */
  readonly rows: number
  /** Their share of all entries, 0 to 1. */
  readonly selectivity: number
}

/** Any seqno: the first version of a key in a block counts. */
const ANY_SEQNO = -1

/** Zone maps that were read, for as long as their tables are open. */
const zoneMaps = new WeakMap<ResidentTable, { readonly zones: readonly BlockZone[] | undefined }>()

export class RangeEstimates {
  readonly #core: TreeCore
  readonly #view: SuperVersion
  readonly #bounds: KeyRangeBounds
  readonly #seqno: number

  /** REQUIRES: the view stays while this is used. */
  constructor(core: TreeCore, view: SuperVersion, bounds: KeyRangeBounds, seqno: number) {
    this.#core = core
    this.#view = view
    this.#bounds = bounds
    this.#seqno = seqno
  }

  stats(): ApproximateRangeStats {
    let [bytes, keyCount] = [0, 0]
    if (this.#isEmpty(this.#bounds)) return { bytes, keyCount }
    for (const table of this.#overlapping()) {
      const span = this.#bytesIn(table, this.#within(table))
      if (span === 0) continue
      bytes += span
      keyCount += entriesIn(table, span)
    }
    for (const memtable of this.#memtables()) {
      const count = this.#countIn(memtable)
      if (count === 0) continue
      bytes += Math.round((memtable.usedBytes * count) / memtable.entryCount)
      keyCount += count
    }
    return { bytes, keyCount }
  }

  cardinality(): RangeCardinality {
    let rows = 0
    let total = 0
    for (const table of this.#visible()) total += table.table.meta.itemCount
    for (const memtable of this.#memtables()) total += memtable.entryCount
    if (total === 0 || this.#isEmpty(this.#bounds)) return { rows: 0, selectivity: 0 }
    for (const table of this.#overlapping()) rows += this.#rowsIn(table)
    for (const memtable of this.#memtables()) rows += this.#countIn(memtable)
    return { rows, selectivity: Math.min(rows, total) / total }
  }

  /** Tables with entries that a read at the seqno may see. */
  *#visible(): Generator<ResidentTable> {
    for (const { table } of this.#view.version.tables()) {
      const { resident } = table
      if (!resident.hasNoEntries && table.lowestSeqno < this.#seqno) yield resident
    }
  }

  *#overlapping(): Generator<ResidentTable> {
    for (const table of this.#visible()) {
      const { keyMin, keyMax } = table.table.meta
      const range = this.#within(table)
      if (this.#isEmpty(range)) continue
      if (!this.#isAbove(keyMax, range.lower) || !this.#isBelow(keyMin, range.upper)) continue
      yield table
    }
  }

  #memtables(): readonly Memtable[] {
    const { active, sealed } = this.#view
    return active === undefined ? sealed : [...sealed, active]
  }

  /** The range, as far as the table answers for it. */
  #within({ placement }: ResidentTable): KeyRangeBounds {
    const { restriction } = placement
    if (restriction === undefined) return this.#bounds
    const { compare } = this.#core.order
    const { lower, upper } = this.#bounds
    return { lower: higherBound(lower, { key: restriction, isInclusive: true }, compare), upper }
  }

  #isEmpty(range: KeyRangeBounds): boolean {
    return isEmptyRange(range, this.#core.order.compare)
  }

  /** True where `key` may be the last one of something that reaches into the range. */
  #isAbove(key: Uint8Array, lower: KeyBound | undefined): boolean {
    if (lower === undefined) return true
    const order = this.#core.order.compare(key, lower.key)
    return order > 0 || (order === 0 && lower.isInclusive)
  }

  #isBelow(key: Uint8Array, upper: KeyBound | undefined): boolean {
    if (upper === undefined) return true
    const order = this.#core.order.compare(key, upper.key)
    return order < 0 || (order === 0 && upper.isInclusive)
  }

  #rowsIn(table: ResidentTable): number {
    const range = this.#within(table)
    const zones = this.#zonesOf(table)
    if (zones === undefined) {
      const span = this.#bytesIn(table, range)
      return span === 0 ? 0 : entriesIn(table, span)
    }
    // Blocks ascend by key, so those inside the range are neighbours.
    let rows = 0
    for (let i = this.#firstZone(zones, range.lower); i < zones.length; i++) {
      const zone = zones[i] as BlockZone
      if (!this.#isBelow(zone.min, range.upper)) break
      rows += zone.rowCount
    }
    return rows
  }

  /** The number of the first zone that reaches above the lower bound. */
  #firstZone(zones: readonly BlockZone[], lower: KeyBound | undefined): number {
    let low = 0
    let high = zones.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isAbove((zones[middle] as BlockZone).max, lower)) high = middle
      else low = middle + 1
    }
    return low
  }

  #zonesOf(table: ResidentTable): readonly BlockZone[] | undefined {
    const known = zoneMaps.get(table)
    if (known !== undefined) return known.zones
    const zones = table.table.readZoneMap(this.#core.workspace, this.#core.loader)
    zoneMaps.set(table, { zones })
    return zones
  }

  /** Bytes of the data blocks from that of the lower bound to that of the upper one. */
  #bytesIn(table: ResidentTable, { lower, upper }: KeyRangeBounds): number {
    const { dataBytes } = table.table.meta
    const start = lower === undefined ? 0 : (this.#blockOf(table, lower.key)?.offset ?? dataBytes)
    const last = upper === undefined ? undefined : this.#blockOf(table, upper.key)
    const end = last === undefined ? dataBytes : last.offset + last.size
    return Math.max(0, end - start)
  }

  /** The block that would hold `key`: undefined behind the last one. */
  #blockOf(table: ResidentTable, key: Uint8Array): { offset: number; size: number } | undefined {
    const { shared } = this.#core
    const top = shared.getU32(table.address + TABLE_INDEX)
    const found = this.#searchIndex(top, key)
    if (found === undefined || !table.table.isTwoLevel) return found
    const { provider } = this.#core
    const partition = provider.get(table, WANTED_INDEX, found.offset, found.size)
    return this.#searchIndex(partition.address, key)
  }

  #searchIndex(index: number, key: Uint8Array): { offset: number; size: number } | undefined {
    const { shared } = this.#core
    const number = this.#withKey(key, (address) =>
      shared.kernel.index_search_at(index, address, key.length, ANY_SEQNO),
    )
    const count = shared.getU32(index + INDEX_COUNT)
    if (number === count) return undefined
    const record = index + INDEX_HEADS + 8 * count + number * INDEX_RECORD_BYTES
    return {
      offset: shared.getU64(record + INDEX_RECORD_OFFSET),
      size: shared.getU32(record + INDEX_RECORD_SIZE),
    }
  }

  /** Entries of a memtable in the range, below the seqno. */
  #countIn({ address, isEmpty }: Memtable): number {
    if (isEmpty) return 0
    const { shared, workspace } = this.#core
    const { kernel } = shared
    const { lower, upper } = this.#bounds
    const cursor = workspace.heap.allocate(MEMTABLE_CURSOR_BYTES)
    try {
      kernel.memtable_cursor_init(cursor, address)
      if (lower === undefined) kernel.memtable_cursor_first(cursor)
      else {
        const seek = lower.isInclusive
          ? kernel.memtable_cursor_seek
          : kernel.memtable_cursor_seek_behind
        this.#withKey(lower.key, (key) => seek(cursor, key, lower.key.length))
      }
      const isInclusive = upper?.isInclusive === true ? 1 : 0
      const count = (key: number): number =>
        kernel.memtable_count_upto(cursor, key, upper?.key.length ?? 0, isInclusive, this.#seqno)
      return upper === undefined ? count(0) : this.#withKey(upper.key, count)
    } finally {
      workspace.heap.free(cursor)
    }
  }

  /** Calls `use` with the address of a copy of `key`. */
  #withKey(key: Uint8Array, use: (address: number) => number): number {
    const { heap } = this.#core.workspace
    const address = heap.allocate(key.length + 8)
    try {
      this.#core.shared.bytes.set(key, address)
      return use(address)
    } finally {
      heap.free(address)
    }
  }
}

/** Entries in so many bytes of a table's data: at least one. */
function entriesIn({ table }: ResidentTable, bytes: number): number {
  const { itemCount, dataBytes } = table.meta
  return Math.max(1, Math.round((itemCount * bytes) / dataBytes))
}
