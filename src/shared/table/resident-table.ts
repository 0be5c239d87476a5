/**
 * The part of an open table that lives in the shared memory for as long as the table is open, so that a point read needs
 * no message and no copy: the TABLE structure of `layout.ts`, the top of the index, the filter or the index over its
 * partitions, and the key range. Main makes and frees it; any thread reads it.
 *
 * I1: what it leads to never changes after it was made, but for two counters and the hints of the index
 *     (INDEX_RECORD_SEEN), both written by reads.
 */

import { VarveError } from '../base/errors.js'
import { decodePrefixFilter, PREFIX_FILTER_SECTION } from '../format/prefix-filter.js'
import type { RangeTombstone } from '../format/range-tombstone.js'
import {
  BLOCK_TYPE_FILTER,
  FILTER_BURR,
  FILTER_NONE,
  FILTER_RIBBON,
  TABLE_BYTES,
  TABLE_COUNTERS,
  TABLE_FILTER,
  TABLE_FILTER_INDEX,
  TABLE_FILTER_KIND,
  TABLE_FILTER_LENGTH,
  TABLE_FLAGS,
  TABLE_GLOBAL_SEQNO,
  TABLE_ID,
  TABLE_INDEX,
  TABLE_KEY_MAX,
  TABLE_KEY_MAX_LENGTH,
  TABLE_KEY_MIN,
  TABLE_KEY_MIN_LENGTH,
  TABLE_LAST_ACCESS,
  TABLE_NO_ENTRIES,
  TABLE_OWNER,
  TABLE_PATH,
  TABLE_PATH_LENGTH,
  TABLE_PREFIX_FILTER,
  TABLE_RANGES,
  TABLE_READS,
  TABLE_RESTRICTION,
  TABLE_RESTRICTION_LENGTH,
  TABLE_SEQNO_MAX,
  TABLE_SEQNO_MIN,
  TABLE_TWO_LEVEL,
} from '../kernel/layout.js'
import type { Workspace } from '../memory/workspace.js'
import type { BlockLoader, LoadedBlock } from './block-loader.js'
import { FILTER_SECTIONS } from './filter-builder.js'
import { RangeSet } from './range-set.js'
import type { TableFile } from './table-file.js'
import type { ViewTable } from './view-table.js'

/** What the manifest adds to a table file. */
export interface TablePlacement {
  /** The table's number in the block cache: unique in the process. */
  readonly owner: number
  readonly globalSeqno: number
  /** Keys below it are not the table's any more (tight-space compaction), where set. */
  readonly restriction: Uint8Array | undefined
  /** The name of the tree's prefix extractor: a prefix filter under another one is not used. */
  readonly prefixName?: string | undefined
  /** Where its tree counts (kernel/layout-metrics.ts); none where the table is read for a job. */
  readonly counters?: number
}

/** Indexes from this size on are taken from the loader, as they are, instead of being copied. */
const TAKEN_BYTES_MIN = 128 * 1024

/** What of a table is made resident: one that is only walked front to back needs no filter, nor a search in its ranges. */
export type ResidentParts = 'index and filter' | 'index only'

export class ResidentTable implements ViewTable {
  /** Address of the TABLE structure. */
  readonly address: number
  readonly table: TableFile
  readonly placement: TablePlacement
  readonly rangeTombstones: readonly RangeTombstone[]
  /** Bytes of index and filter that stay in memory. */
  readonly indexBytes: number
  readonly filterBytes: number
  readonly #workspace: Workspace
  readonly #pieces: number[] = []
  #rangeSet: RangeSet | undefined

  constructor(
    workspace: Workspace,
    loader: BlockLoader,
    table: TableFile,
    placement: TablePlacement,
    parts: ResidentParts = 'index and filter',
  ) {
    this.#workspace = workspace
    this.table = table
    this.placement = placement
    try {
      this.rangeTombstones = table.readRangeTombstones(workspace, loader)
      this.address = this.#take(TABLE_BYTES)
      workspace.shared.bytes.fill(0, this.address, this.address + TABLE_BYTES)
      this.#writeIdentity()
      if (parts === 'index and filter') this.#writePath()
      this.#loadRanges(parts)
      this.indexBytes = this.#loadIndex(loader)
      this.filterBytes =
        parts === 'index only' ? 0 : this.#loadFilter(loader) + this.#loadPrefixFilter(loader)
    } catch (error) {
      this.dispose()
      throw error
    }
  }

  /**
   * True for a table of range tombstones: its one entry is the sentinel that gives the file a key (format-table.md 14),
   * and is not to be seen. A tombstone at seqno 0 may be taken for one, and hides nothing either.
   */
  get hasNoEntries(): boolean {
    const { itemCount, weakTombstoneCount, seqnoKvMax } = this.table.meta
    if (this.rangeTombstones.length === 0 || itemCount !== 1) return false
    return weakTombstoneCount === 1 && seqnoKvMax === 0
  }

  /** The owner number in the block cache. */
  get owner(): number {
    return this.placement.owner
  }

  get globalSeqno(): number {
    return this.placement.globalSeqno
  }

  get hasRangeTombstones(): boolean {
    return this.rangeTombstones.length > 0
  }

  /** Effective seqnos: with the global seqno where entries carry local ones. */
  get seqnoMax(): number {
    const { meta } = this.table
    const entries = meta.seqnoKvMax + this.placement.globalSeqno
    return this.rangeTombstones.reduce((most, { seqno }) => Math.max(most, seqno), entries)
  }

  /** Point reads that looked into the table since it was opened: past its key range, seqnos and filter. */
  get readCount(): number {
    return this.#workspace.shared.getU64(this.address + TABLE_READS)
  }

  /** When the last of them was, in seconds since 1970; 0 where there was none. */
  get lastAccessSeconds(): number {
    return this.#workspace.shared.getU32(this.address + TABLE_LAST_ACCESS)
  }

  /** The restriction's place in the shared memory, where the table has one. */
  get restrictionKey(): { readonly address: number; readonly length: number } | undefined {
    const address = this.#workspace.shared.getU32(this.address + TABLE_RESTRICTION)
    if (address === 0) return undefined
    const length = this.#workspace.shared.getU32(this.address + TABLE_RESTRICTION_LENGTH)
    return { address, length }
  }

  /** Gives the memory back. REQUIRES: no read state that names this table is in use. */
  dispose(): void {
    for (const piece of this.#pieces.splice(0)) this.#workspace.heap.free(piece)
    this.#rangeSet?.dispose()
    this.#rangeSet = undefined
  }

  #take(bytes: number): number {
    const address = this.#workspace.heap.allocate(bytes)
    this.#pieces.push(address)
    return address
  }

  /** A piece that holds a copy of `bytes`. */
  #keep(bytes: Uint8Array): number {
    const address = this.#take(bytes.length)
    this.#workspace.shared.bytes.set(bytes, address)
    return address
  }

  /** A piece that holds a copy of what the loader's buffers hold. */
  #keepLoaded(block: LoadedBlock): number {
    const address = this.#take(block.length)
    const { bytes } = this.#workspace.shared
    bytes.copyWithin(address, block.address, block.address + block.length)
    return address
  }

  #set(field: number, value: number): void {
    this.#workspace.shared.setU32(this.address + field, value)
  }

  #writeIdentity(): void {
    const { shared } = this.#workspace
    const { meta } = this.table
    const { owner, globalSeqno, restriction, counters = 0 } = this.placement
    // Range tombstones carry absolute seqnos and may lie below every entry's: the lower one counts.
    const lowest = this.rangeTombstones.reduce(
      (least, { seqno }) => Math.min(least, seqno),
      meta.seqnoMin + globalSeqno,
    )
    this.#set(TABLE_OWNER, owner)
    this.#set(TABLE_COUNTERS, counters)
    const levels = this.table.isTwoLevel ? TABLE_TWO_LEVEL : 0
    this.#set(TABLE_FLAGS, levels | (this.hasNoEntries ? TABLE_NO_ENTRIES : 0))
    shared.setU64(this.address + TABLE_GLOBAL_SEQNO, globalSeqno)
    shared.setU64(this.address + TABLE_SEQNO_MIN, lowest)
    shared.setU64(this.address + TABLE_SEQNO_MAX, meta.seqnoKvMax + globalSeqno)
    this.#set(TABLE_KEY_MIN, this.#keep(meta.keyMin))
    this.#set(TABLE_KEY_MIN_LENGTH, meta.keyMin.length)
    this.#set(TABLE_KEY_MAX, this.#keep(meta.keyMax))
    this.#set(TABLE_KEY_MAX_LENGTH, meta.keyMax.length)
    if (restriction === undefined) return
    this.#set(TABLE_RESTRICTION, this.#keep(restriction))
    this.#set(TABLE_RESTRICTION_LENGTH, restriction.length)
  }

  /** By which other threads open the file. */
  #writePath(): void {
    const { file, meta } = this.table
    const path = Buffer.from(file.path)
    this.#workspace.shared.setU64(this.address + TABLE_ID, meta.tableId)
    this.#set(TABLE_PATH, this.#keep(path))
    this.#set(TABLE_PATH_LENGTH, path.length)
  }

  /** Makes the range tombstones searchable. */
  #loadRanges(parts: ResidentParts): void {
    if (this.rangeTombstones.length === 0 || parts === 'index only') return
    this.#rangeSet = new RangeSet(this.#workspace, this.rangeTombstones)
    this.#set(TABLE_RANGES, this.#rangeSet.address)
  }

  /** Loads the top of the index: the copy at the end of the file first, then the other one. */
  #loadIndex(loader: BlockLoader): number {
    const { table } = this
    const partitions = table.section('index')
    const handleMin = partitions?.offset ?? 0
    const handleMax =
      partitions === undefined ? table.meta.dataBytes : partitions.offset + partitions.length
    const load = (name: string): LoadedBlock => {
      const section = table.requireSection(name)
      return loader.loadIndex(table, section.offset, section.length, handleMin, handleMax)
    }
    let block: LoadedBlock
    try {
      block = load(table.section('tli_tail') === undefined ? 'tli' : 'tli_tail')
    } catch (error) {
      if (!VarveError.is(error) || error.kind !== 'corruption') throw error
      block = load('tli')
    }
    this.#set(TABLE_INDEX, this.#keepIndex(loader, block))
    return block.length
  }

  /** A piece with the index that was loaded last: a large one as it lies there. */
  #keepIndex(loader: BlockLoader, block: LoadedBlock): number {
    if (block.length < TAKEN_BYTES_MIN) return this.#keepLoaded(block)
    const address = loader.takeIndex(block)
    this.#pieces.push(address)
    return address
  }

  #loadFilter(loader: BlockLoader): number {
    for (const format of ['varve', 'v5'] as const) {
      const names = FILTER_SECTIONS[format]
      const section = this.table.section(names.filter)
      if (section === undefined) continue
      this.#set(TABLE_FILTER_KIND, format === 'varve' ? FILTER_RIBBON : FILTER_BURR)
      const partitions = this.table.section(names.index)
      if (partitions !== undefined) {
        const end = section.offset + section.length
        const { offset, length } = partitions
        const block = loader.loadIndex(this.table, offset, length, section.offset, end)
        this.#set(TABLE_FILTER_INDEX, this.#keepLoaded(block))
        return block.length
      }
      const type = BLOCK_TYPE_FILTER
      const block = loader.loadPayload(this.table, section.offset, section.length, type, 'filter')
      if (block.length === 0) {
        this.#set(TABLE_FILTER_KIND, FILTER_NONE)
        return 0
      }
      requireSoundFilter(this.#workspace, this.table, section.offset, block, format === 'varve')
      this.#set(TABLE_FILTER, this.#keepLoaded(block))
      this.#set(TABLE_FILTER_LENGTH, block.length)
      return block.length
    }
    return 0
  }

  /** The prefix filter, where the table has one and the tree's extractor wrote it. */
  #loadPrefixFilter(loader: BlockLoader): number {
    const { prefixName } = this.placement
    const section = this.table.section(PREFIX_FILTER_SECTION)
    if (section === undefined || prefixName === undefined) return 0
    const { offset, length } = section
    const block = loader.loadPayload(this.table, offset, length, BLOCK_TYPE_FILTER, 'filter')
    const { shared } = this.#workspace
    const found = decodePrefixFilter(shared.view(block.address, block.length))
    if (found === undefined) throw malformedFilter(this.table, offset)
    if (found.name !== prefixName) return 0
    const filter = { address: block.address + found.offset, length: block.length - found.offset }
    requireSoundFilter(this.#workspace, this.table, offset, filter, true)
    this.#set(TABLE_PREFIX_FILTER, this.#keepLoaded(filter))
    return filter.length
  }
}

/** @throws VARVE_INVALID_HEADER where a filter's payload is malformed; probing relies on this check. */
export function requireSoundFilter(
  { shared }: Workspace,
  table: TableFile,
  offset: number,
  block: LoadedBlock,
  isOwn: boolean,
): void {
  const validate = isOwn ? shared.kernel.ribbon_validate : shared.kernel.burr_validate
  if (validate(block.address, block.length) === 0) return
  throw malformedFilter(table, offset)
}

function malformedFilter(table: TableFile, offset: number): VarveError {
  return new VarveError(
    'VARVE_INVALID_HEADER',
    `${table.file.path}: the filter block at ${offset} is malformed; compact the tree to rewrite it`,
    { details: { file: table.file.path, offset, kind: 'filter' } },
  )
}
