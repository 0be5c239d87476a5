/**
 * Writes tables (format-table.md 20.3), one after the other, streaming: what it keeps in memory is one block, the file
 * buffer, and index and filter of the table at hand.
 *
 * The thread of the actor. Entries come in by the kernels, which add them to the block builder and the sums named by
 * {@link TableWriter.writerAddress} and {@link TableWriter.sumsAddress}, and come back here when a block is full.
 *
 * I1: a table with no entries is never written; one of range tombstones only holds a sentinel that the caller added.
 * I2: the file is durable when what `finish` gives has `ended`, unless its shape asks for no sync; its folder is the
 *     caller's to sync.
 */
import { assert } from '../base/errors.js'
import { KEY_BYTES_MAX } from '../base/limits.js'
import type { PrefixIndex } from '../base/prefix-extractor.js'
import { encodeArchiveEnd, type Section } from '../format/archive.js'
import type { Compression } from '../format/compression.js'
import { PREFIX_FILTER_SECTION } from '../format/prefix-filter.js'
import {
  encodeRangeTombstones,
  normalizeRangeTombstones,
  type RangeTombstone,
} from '../format/range-tombstone.js'
import { type BlockSeqnos, encodeSeqnoBounds } from '../format/seqno-bounds.js'
import { encodeTableMeta, type TableMeta } from '../format/table-meta.js'
import { type BlockZone, encodeZoneMap, zoneBytes } from '../format/zone-map.js'
import type { FileSystem, SyncMode } from '../fs/file-system.js'
import { OutgoingFile } from '../fs/outgoing-file.js'
import {
  BLOCK_TYPE_DATA,
  BLOCK_TYPE_FILTER,
  BLOCK_TYPE_META,
  BLOCK_TYPE_RANGE_TOMBSTONE,
  BLOCK_TYPE_SEQNO_BOUNDS,
  BLOCK_TYPE_ZONE_MAP,
} from '../kernel/layout.js'
import {
  TABLE_SUMS_BYTES,
  TABLE_SUMS_HASHES,
  TABLE_SUMS_HASHES_CAPACITY,
  TABLE_SUMS_HASHES_COUNT,
  TABLE_SUMS_ITEM_COUNT,
  TABLE_SUMS_KEY_BYTES,
  TABLE_SUMS_KEY_COUNT,
  TABLE_SUMS_LAST_KEY,
  TABLE_SUMS_LAST_KEY_LENGTH,
  TABLE_SUMS_LAST_SEQNO,
  TABLE_SUMS_SEQNO_MAX,
  TABLE_SUMS_SEQNO_MIN,
  TABLE_SUMS_TOMBSTONE_COUNT,
  TABLE_SUMS_VALUE_BYTES,
  TABLE_SUMS_WEAK_COUNT,
  TABLE_SUMS_WEAK_RECLAIMABLE,
} from '../kernel/layout-sums.js'
import type { Workspace } from '../memory/workspace.js'
import { BlockBuilder } from './block-builder.js'
import { BlockSealer } from './block-sealer.js'
import { FileSink } from './file-sink.js'
import { FilterBuilder, type FilterShape } from './filter-builder.js'
import { IndexBuilder, type KeyPlace } from './index-builder.js'
import { PrefixFilterBuilder } from './prefix-filter-builder.js'
import type { TableProposal } from './table-proposal.js'

/** The four zero pages' worth of bytes that keep the two meta copies apart on disk (format-table.md 16). */
const META_SEPARATOR_BYTES = 4096

const TABLE_VERSION = Uint8Array.of(3)

/** How tables are written: plain data that travels with a job. */
export interface TableShape {
  readonly blockSize: number
  readonly restartInterval: number
  readonly indexRestartInterval: number
  readonly hashRatio: number
  readonly compression: Compression
  readonly indexCompression: Compression
  readonly filter: FilterShape
  /** Estimated index size above which the index gets two levels. */
  readonly indexSpillBytes: number
  /** True to record the seqnos of each data block. */
  readonly hasSeqnoBounds: boolean
  /** True to record the keys and the number of entries of each data block. */
  readonly hasZoneMap: boolean
  readonly initialLevel: number
  /** What the meta block names as the writing program. */
  readonly writerVersion: string
  /** `none` for files that nothing names before they have been read again and removed. */
  readonly syncMode: SyncMode | 'none'
}

/** What goes into a table beside its entries. */
export interface TableEnding {
  /** Written as they are; the key range is widened to cover them unless `keyRange` says what to record. */
  readonly rangeTombstones: readonly RangeTombstone[]
  readonly keyRange?: { readonly min: Uint8Array; readonly max: Uint8Array }
  /** True where the only entry is the sentinel of a table of range tombstones (format-table.md 14). */
  readonly isSentinelOnly?: boolean
  readonly createdAtNs: bigint
}

/** A table whose bytes are all known. */
export interface FinishedTable {
  readonly table: TableProposal
  /** Resolves when the file is durable and closed. */
  readonly ended: Promise<void>
}

export class TableWriter {
  /** The kernels' BLOCK_WRITER and TABLE_SUMS. */
  readonly writerAddress: number
  readonly sumsAddress: number
  readonly shape: TableShape
  readonly #workspace: Workspace
  readonly #fs: FileSystem
  readonly #builder: BlockBuilder
  readonly #sink: FileSink
  readonly #sealer: BlockSealer
  readonly #index: IndexBuilder
  readonly #filter: FilterBuilder
  readonly #prefixes: PrefixFilterBuilder | undefined
  #file: OutgoingFile | undefined
  #id = 0
  #firstKey: Uint8Array = new Uint8Array(0)
  #blockCount = 0
  #plainBytes = 0
  /** Seqnos of the blocks that were sealed. */
  #seqnoMin = Number.POSITIVE_INFINITY
  #seqnoMax = 0
  #blockSeqnos: BlockSeqnos[] = []
  #zones: BlockZone[] = []
  #zoneMapBytes = 0

  /** @param prefixes what the tree indexes of the prefixes of its keys */
  constructor(workspace: Workspace, fs: FileSystem, shape: TableShape, prefixes?: PrefixIndex) {
    const { shared, heap } = workspace
    this.shape = shape
    this.#workspace = workspace
    this.#fs = fs
    this.#builder = new BlockBuilder(workspace, {
      bytes: shape.blockSize * 2 + 4096,
      restartInterval: shape.restartInterval,
      hashRatio: shape.hashRatio,
    })
    this.#sink = new FileSink(workspace)
    this.#sealer = new BlockSealer(workspace, this.#sink)
    this.#index = new IndexBuilder(workspace)
    this.#filter = new FilterBuilder(workspace, shape.filter)
    this.writerAddress = this.#builder.address
    this.sumsAddress = heap.allocate(TABLE_SUMS_BYTES)
    shared.bytes.fill(0, this.sumsAddress, this.sumsAddress + TABLE_SUMS_BYTES)
    const { bits } = shape.filter
    if (prefixes !== undefined && bits > 0) {
      this.#prefixes = new PrefixFilterBuilder(workspace, prefixes, bits, this.sumsAddress)
    }
    shared.setU32(this.sumsAddress + TABLE_SUMS_LAST_KEY, heap.allocate(KEY_BYTES_MAX + 8))
    shared.setU32(this.sumsAddress + TABLE_SUMS_HASHES, this.#filter.hashes)
    shared.setU32(this.sumsAddress + TABLE_SUMS_HASHES_CAPACITY, this.#filter.capacity)
  }

  /** True between `start` and `finish` or `abandon`. */
  get isOpen(): boolean {
    return this.#file !== undefined
  }

  /** Bytes of the file so far: sealed blocks. */
  get byteLength(): number {
    return this.#sink.offset
  }

  /** Bytes that index, filter and zone map of the table at hand take in memory. */
  get auxiliaryBytes(): number {
    return this.#index.byteLength + this.#filter.byteLength + this.#zoneMapBytes
  }

  get itemCount(): number {
    return this.#sum(TABLE_SUMS_ITEM_COUNT)
  }

  /** Bytes of the keys and values of the entries added to the table at hand. */
  get entryBytes(): number {
    return this.#sum(TABLE_SUMS_KEY_BYTES) + this.#sum(TABLE_SUMS_VALUE_BYTES)
  }

  /** The last key added: a copy. */
  get lastKey(): Uint8Array {
    const { address, length } = this.#lastKeyPlace()
    return Uint8Array.from(this.#workspace.shared.view(address, length))
  }

  /** The first key added. */
  get firstKey(): Uint8Array {
    return this.#blockCount === 0 ? this.#readFirstKey() : this.#firstKey
  }

  /** Starts the table file `path`, which must not exist. */
  start(id: number, path: string): void {
    assert(this.#file === undefined, 'a table writer starts one table at a time')
    this.#file = new OutgoingFile(this.#fs.create(path), this.shape.syncMode)
    this.#id = id
    this.#sink.open(this.#file)
    this.#builder.reset()
    this.#index.reset()
    this.#filter.reset()
    this.#workspace.shared.kernel.table_sums_reset(this.sumsAddress)
    this.#prefixes?.reset()
    this.#firstKey = new Uint8Array(0)
    this.#blockCount = 0
    this.#plainBytes = 0
    this.#seqnoMin = Number.POSITIVE_INFINITY
    this.#seqnoMax = 0
    this.#blockSeqnos = []
    this.#zones = []
    this.#zoneMapBytes = 0
  }

  /** ADD_NO_SPACE: gives the block more room, for an entry of `entryBytes` at least. */
  growBlock(entryBytes = 0): void {
    this.#builder.grow(entryBytes)
  }

  /** ADD_BLOCK_FULL: seals the data block and notes it in the index. Does nothing to an empty one. */
  sealBlock(): void {
    if (this.#builder.entryCount === 0) return
    const { hasZoneMap } = this.shape
    const firstKey = hasZoneMap || this.#blockCount === 0 ? this.#readFirstKey() : undefined
    if (firstKey !== undefined && this.#blockCount === 0) this.#firstKey = firstKey
    const rowCount = this.#builder.entryCount
    const block = this.#sealer.seal(this.#builder, BLOCK_TYPE_DATA, this.shape.compression)
    this.#index.add(this.#lastKeyPlace(), this.#sum(TABLE_SUMS_LAST_SEQNO), block)
    this.#takeSeqnos(block.offset)
    if (hasZoneMap && firstKey !== undefined) {
      const zone = { offset: block.offset, rowCount, min: firstKey, max: this.lastKey }
      this.#zones.push(zone)
      this.#zoneMapBytes += zoneBytes(zone)
    }
    this.#blockCount++
    this.#plainBytes += block.plainLength
  }

  /** The kernel sums up the seqnos of one block at a time. */
  #takeSeqnos(offset: number): void {
    const { shared } = this.#workspace
    const min = this.#sum(TABLE_SUMS_SEQNO_MIN)
    const max = this.#sum(TABLE_SUMS_SEQNO_MAX)
    if (this.shape.hasSeqnoBounds) this.#blockSeqnos.push({ offset, min, max })
    this.#seqnoMin = Math.min(this.#seqnoMin, min)
    this.#seqnoMax = Math.max(this.#seqnoMax, max)
    shared.kernel.table_sums_next_block(this.sumsAddress)
  }

  /** The hash array is full, or what is kept of prefixes: cuts a filter partition, makes room. */
  cutFilter(): void {
    const { shared } = this.#workspace
    const count = shared.getU32(this.sumsAddress + TABLE_SUMS_HASHES_COUNT)
    this.#prefixes?.makeRoom()
    if (count < this.#filter.capacity) return
    this.#filter.cut(count, this.#lastKeyPlace())
    shared.setU32(this.sumsAddress + TABLE_SUMS_HASHES_COUNT, 0)
  }

  /** The same for the last keys of the table. */
  #endFilter(): void {
    const count = this.#workspace.shared.getU32(this.sumsAddress + TABLE_SUMS_HASHES_COUNT)
    const endKey = this.#lastKeyPlace()
    if (this.#prefixes === undefined) this.#filter.cut(count, endKey)
    else this.#filter.cutLast(count, endKey, this.#prefixes.hashes)
  }

  /** Completes the file, and begins to make it durable; the next table may be started at once. */
  finish(ending: TableEnding): FinishedTable {
    const file = this.#file
    assert(file !== undefined, 'finish follows start')
    assert(this.itemCount > 0, 'a table holds an entry')
    this.sealBlock()
    // Nothing is written while the filter is built: the disk takes the blocks meanwhile.
    this.#sink.flush()
    file.syncSoon()
    this.#endFilter()
    const dataBytes = this.#sink.offset
    const sections: Section[] = [{ name: 'data', offset: 0, length: dataBytes }]
    const index = this.#writeIndex(sections)
    sections.push(...this.#filter.write(this.#sealer, this.shape.indexCompression))
    const prefixFilter = this.#prefixes?.build()
    if (prefixFilter !== undefined) {
      this.#section(sections, PREFIX_FILTER_SECTION, () =>
        this.#sealer.sealPayload(BLOCK_TYPE_FILTER, prefixFilter),
      )
    }
    if (this.shape.hasSeqnoBounds) {
      const payload = encodeSeqnoBounds(this.#blockSeqnos)
      this.#section(sections, 'seqno_bounds', () =>
        this.#sealer.sealPayload(BLOCK_TYPE_SEQNO_BOUNDS, payload),
      )
    }
    if (this.shape.hasZoneMap) {
      const payload = encodeZoneMap(this.#zones)
      this.#section(sections, 'zone_map', () =>
        this.#sealer.sealPayload(BLOCK_TYPE_ZONE_MAP, payload),
      )
    }
    const tombstones = normalizeRangeTombstones(
      ending.rangeTombstones,
      this.#workspace.order.compare,
    )
    if (tombstones.length > 0) {
      const payload = encodeRangeTombstones(tombstones)
      this.#section(sections, 'range_tombstones', () =>
        this.#sealer.sealPayload(BLOCK_TYPE_RANGE_TOMBSTONE, payload),
      )
    }
    const meta = this.#meta(ending, tombstones, dataBytes, index.blockCount)
    const metaBody = encodeTableMeta(meta)
    const writeMeta = (): void => void this.#sealer.sealPayload(BLOCK_TYPE_META, metaBody)
    this.#section(sections, 'meta_mid', writeMeta)
    this.#section(sections, 'table_version', () => this.#sink.append(TABLE_VERSION))
    const separator = new Uint8Array(META_SEPARATOR_BYTES)
    this.#section(sections, 'meta_separator', () => this.#sink.append(separator))
    this.#section(sections, 'tli_tail', index.writeTop)
    this.#section(sections, 'meta', writeMeta)
    index.dispose()
    this.#sink.append(encodeArchiveEnd(sections, this.#sink.offset, this.#workspace.hasher))
    const checksum = this.#sink.finish()
    this.#file = undefined
    const table: TableProposal = {
      id: this.#id,
      checksum,
      fileBytes: this.#sink.offset,
      itemCount: meta.itemCount,
      keyMin: meta.keyMin,
      keyMax: meta.keyMax,
    }
    return { table, ended: file.end() }
  }

  /** Once after each buffer that left the thread: the event loop is to have a turn, in which writes end. */
  takeHandOver(): boolean {
    return this.#sink.takeHandOver()
  }

  /** Resolves when nothing of the table at hand is under way off the thread; never rejects. */
  async settled(): Promise<void> {
    await this.#file?.settled()
  }

  /** Gives up the table at hand: closes its file and removes it. */
  abandon(): void {
    const file = this.#file
    if (file === undefined) return
    this.#file = undefined
    file.abandon()
    this.#fs.remove(file.path)
  }

  /** REQUIRES: nothing of its tables is under way. */
  dispose(): void {
    const { shared, heap } = this.#workspace
    this.abandon()
    this.#builder.dispose()
    this.#sink.dispose()
    this.#index.dispose()
    this.#filter.dispose()
    this.#prefixes?.dispose()
    heap.free(shared.getU32(this.sumsAddress + TABLE_SUMS_LAST_KEY))
    heap.free(this.sumsAddress)
  }

  #sum(field: number): number {
    return this.#workspace.shared.getU64(this.sumsAddress + field)
  }

  #lastKeyPlace(): KeyPlace {
    const { shared } = this.#workspace
    return {
      address: shared.getU32(this.sumsAddress + TABLE_SUMS_LAST_KEY),
      length: shared.getU32(this.sumsAddress + TABLE_SUMS_LAST_KEY_LENGTH),
    }
  }

  /** The first entry's key, from the block that is still being written: kind u8, seqno var, length var, key. */
  #readFirstKey(): Uint8Array {
    const { bytes } = this.#workspace.shared
    let at = this.#builder.bodyAddress + 1
    while ((bytes[at] as number) >= 128) at++
    at++
    let length = 0
    let shift = 0
    for (;;) {
      const byte = bytes[at++] as number
      length |= (byte & 127) << shift
      if (byte < 128) return bytes.slice(at, at + length)
      shift += 7
    }
  }

  #section(sections: Section[], name: string, write: () => unknown): void {
    const offset = this.#sink.offset
    write()
    sections.push({ name, offset, length: this.#sink.offset - offset })
  }

  /** Writes `index` and `tli`; hands back how to write the top level once more. */
  #writeIndex(sections: Section[]): {
    readonly blockCount: number
    readonly writeTop: () => void
    readonly dispose: () => void
  } {
    const { indexRestartInterval, indexCompression, indexSpillBytes } = this.shape
    let top = this.#index
    let blockCount = 1
    if (this.#index.spills(indexSpillBytes)) {
      this.#section(sections, 'index', () => {
        const written = this.#index.writePartitions(
          this.#sealer,
          indexRestartInterval,
          indexCompression,
        )
        top = written.top
        blockCount = written.count
      })
    }
    const writeTop = (): void =>
      void top.writeSingle(this.#sealer, indexRestartInterval, indexCompression)
    this.#section(sections, 'tli', writeTop)
    const dispose = (): void => {
      if (top !== this.#index) top.dispose()
    }
    return { blockCount, writeTop, dispose }
  }

  #meta(
    ending: TableEnding,
    tombstones: readonly RangeTombstone[],
    dataBytes: number,
    indexBlockCount: number,
  ): TableMeta {
    const entriesMin = this.#seqnoMin
    const entriesMax = this.#seqnoMax
    const seqnos = tombstones.map((tombstone) => tombstone.seqno)
    const isSentinelOnly = ending.isSentinelOnly === true
    if (!isSentinelOnly) seqnos.push(entriesMin, entriesMax)
    const range = ending.keyRange ?? this.#widenedRange(tombstones)
    return {
      tableId: this.#id,
      createdAtNs: ending.createdAtNs,
      writerVersion: this.shape.writerVersion,
      initialLevel: this.shape.initialLevel,
      dataBlockCount: this.#blockCount,
      indexBlockCount,
      filterBlockCount: this.#filter.blockCount,
      dataCompression: this.shape.compression,
      indexCompression: this.shape.indexCompression,
      restartInterval: this.shape.restartInterval,
      indexRestartInterval: this.shape.indexRestartInterval,
      hashRatio: this.shape.hashRatio,
      isColumnar: false,
      kvChecksum: 0,
      pageEcc: new Uint8Array(4),
      dataBytes,
      itemCount: this.itemCount,
      keyCount: this.#sum(TABLE_SUMS_KEY_COUNT),
      tombstoneCount: this.#sum(TABLE_SUMS_TOMBSTONE_COUNT),
      weakTombstoneCount: this.#sum(TABLE_SUMS_WEAK_COUNT),
      weakTombstoneReclaimable: this.#sum(TABLE_SUMS_WEAK_RECLAIMABLE),
      rangeTombstoneCount: tombstones.length,
      keyBytes: this.#sum(TABLE_SUMS_KEY_BYTES),
      valueBytes: this.#sum(TABLE_SUMS_VALUE_BYTES),
      userDataBytes: this.#plainBytes,
      keyMin: range.min,
      keyMax: range.max,
      seqnoMin: seqnos.reduce((least, seqno) => Math.min(least, seqno)),
      seqnoMax: seqnos.reduce((most, seqno) => Math.max(most, seqno)),
      seqnoKvMax: isSentinelOnly ? 0 : entriesMax,
    }
  }

  /** First and last key, widened to the range tombstones (format-table.md 19.4). */
  #widenedRange(tombstones: readonly RangeTombstone[]): { min: Uint8Array; max: Uint8Array } {
    const { compare } = this.#workspace.order
    let min = this.#firstKey
    let max = this.lastKey
    for (const { start, end } of tombstones) {
      if (compare(start, min) < 0) min = start
      if (compare(end, max) > 0) max = end
    }
    return { min, max }
  }
}
