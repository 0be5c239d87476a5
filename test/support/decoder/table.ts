/**
 * The table decoder: every byte of a table file read, every checksum verified, and everything that can be recomputed
 * from the entries recomputed and compared.
 */

import type { Archive, Section } from './archive.js'
import { type Block, decodeBlock } from './block.js'
import { check, checkEqual, equalBytes } from './bytes.js'
import { walkZstdFrame } from './compression.js'
import { stripKvFooter, verifyKvFooter } from './kv-footer.js'
import { decodeLocator, type Locator } from './locator.js'
import type { TableMeta } from './meta.js'
import { decodeDataBody, type Entry, type IndexEntry } from './restart-block.js'
import {
  decodeBlockLayout,
  decodeDeleteBitmap,
  decodeLinkedBlobFiles,
  decodeRangeTombstones,
  decodeSeqnoBounds,
  decodeZoneMap,
  type InnerBlocks,
  type LinkedBlobFile,
  type RangeTombstone,
  type SeqnoBounds,
  type ZoneBlock,
} from './side-sections.js'
import { checkTable } from './table-checks.js'
import {
  decodeFilterSections,
  decodeIndex,
  type TableFilter,
  type TableIndex,
} from './table-index.js'
import { type TableOptions, TableReader } from './table-reader.js'
import { xxh3_128 } from './xxh3.js'

export type { TableOptions } from './table-reader.js'

export interface DataBlock {
  readonly offset: number
  readonly size: number
  readonly uncompressedLength: number
  /** None for a columnar or a skipped block. */
  readonly entries: readonly Entry[]
  readonly hashIndex: Uint8Array | undefined
  readonly skipped: boolean
  /** Inner blocks of the zstd frame; 0 where the payload is none or is encrypted. */
  readonly innerBlocks: number
}

export interface DecodedTable {
  readonly archive: Archive
  readonly sections: readonly Section[]
  readonly meta: TableMeta
  /** Meta keys this decoder does not know. */
  readonly extraMeta: ReadonlyMap<string, Uint8Array>
  readonly columnar: boolean
  readonly blocks: readonly DataBlock[]
  /** All entries in file order, seqnos as stored; none for a columnar table. */
  readonly entries: readonly Entry[]
  readonly rangeTombstones: readonly RangeTombstone[]
  /** Whether the one entry only stands in for the range tombstones of a table without entries. */
  readonly sentinel: boolean
  readonly index: TableIndex
  readonly filter: TableFilter | undefined
  readonly locator: Locator | undefined
  readonly seqnoBounds: readonly SeqnoBounds[] | undefined
  readonly zoneMap: readonly ZoneBlock[] | undefined
  readonly blockLayout: readonly InnerBlocks[] | undefined
  /** Ordinals of deleted rows. */
  readonly deletedRows: readonly number[] | undefined
  readonly linkedBlobFiles: readonly LinkedBlobFile[] | undefined
  readonly unknownSections: readonly { readonly name: string; readonly blocks: readonly Block[] }[]
  /** XXH3-128 of the whole file. */
  readonly checksum: bigint
}

export function decodeTable(bytes: Uint8Array, options: TableOptions = {}): DecodedTable {
  const reader = new TableReader(bytes, options)
  const { meta, where } = reader
  const index = decodeIndex(reader)
  const blocks = decodeDataBlocks(reader, index.entries)
  const entries = blocks.flatMap((block) => block.entries)
  const payload = (name: Parameters<TableReader['block']>[0], type: Block['type']) =>
    reader.block(name, type)?.plaintext
  const tombstones = payload('range_tombstones', 'range-tombstone')
  const bounds = payload('seqno_bounds', 'seqno-bounds')
  const zoneMap = payload('zone_map', 'zone-map')
  const layout = payload('block_layout', 'block-layout')
  const bitmap = payload('delete_bitmap', 'delete-bitmap')
  const locator = payload('locator', 'locator')
  const links = reader.section('linked_blob_files')
  const rangeTombstones = tombstones
    ? decodeRangeTombstones(tombstones, reader.compare, `${where} range_tombstones`)
    : []
  const table: DecodedTable = {
    archive: reader.archive,
    sections: reader.archive.sections,
    meta,
    extraMeta: reader.extraMeta,
    columnar: meta.columnar !== 0,
    blocks,
    entries,
    rangeTombstones,
    sentinel: isSentinel(entries, rangeTombstones, meta, reader),
    index,
    filter: decodeFilterSections(reader),
    locator: locator && decodeLocator(locator, `${where} locator`),
    seqnoBounds: bounds && decodeSeqnoBounds(bounds, `${where} seqno_bounds`),
    zoneMap: zoneMap && decodeZoneMap(zoneMap, `${where} zone_map`),
    blockLayout: layout && decodeBlockLayout(layout, `${where} block_layout`),
    deletedRows: bitmap && decodeDeleteBitmap(bitmap, `${where} delete_bitmap`),
    linkedBlobFiles:
      links && decodeLinkedBlobFiles(reader.raw(links), `${where} linked_blob_files`),
    unknownSections: reader.unknownSections(),
    checksum: xxh3_128(bytes),
  }
  checkTable(table, reader)
  return table
}

/** Reads the data blocks by their handles, which have to cover the section without a gap. */
function decodeDataBlocks(reader: TableReader, handles: readonly IndexEntry[]): DataBlock[] {
  const { where, options } = reader
  const data = reader.section('data')!
  let position = 0
  const blocks = handles.map((handle, i) => {
    checkEqual(handle.offset, position, where, `offset of data block ${i}`)
    position += handle.size
    check(position <= data.length, where, `data block ${i} runs past section data`)
    const { restriction } = options
    const below = restriction !== undefined && reader.compare(handle.endKey, restriction) < 0
    if (below) return skipped(handle)
    return decodeRowBlock(reader, handle, i)
  })
  checkEqual(position, data.length, where, 'end of the data blocks')
  return blocks
}

/** A block below the restriction, which may be a hole by now. */
function skipped({ offset, size }: IndexEntry): DataBlock {
  const nothing = { uncompressedLength: 0, entries: [], hashIndex: undefined, innerBlocks: 0 }
  return { offset, size, skipped: true, ...nothing }
}

function decodeRowBlock(reader: TableReader, handle: IndexEntry, ordinal: number): DataBlock {
  const { meta, options, bytes } = reader
  const where = `${reader.where} data block ${ordinal}`
  const type = meta.columnar === 0 ? 'data' : 'columnar'
  const codec = reader.blockOptions(meta.dataCompression)
  const block = decodeBlock(bytes, handle, type, codec, reader.where)
  const { offset, size, uncompressedLength, plaintext } = block
  const isFrame = meta.dataCompression.codec === 'zstd' && options.decrypt === undefined
  const innerBlocks = isFrame ? walkZstdFrame(block.payload, where).innerBlocks : 0
  const common = { offset, size, uncompressedLength, innerBlocks, skipped: false }
  if (type === 'columnar') return { ...common, entries: [], hashIndex: undefined }
  const footer = meta.kvChecksum > 0 ? stripKvFooter(plaintext, meta.kvChecksum, where) : undefined
  const { entries, hashIndex } = decodeDataBody(footer?.body ?? plaintext, where, {
    restartInterval: meta.dataRestartInterval,
    hashRatio: meta.hashRatio,
  })
  if (footer !== undefined) verifyKvFooter(footer, entries, where)
  const last = entries.at(-1)!
  check(equalBytes(handle.endKey, last.key), where, 'end key in the index is not the last key')
  checkEqual(handle.seqno, last.seqno, where, 'seqno in the index')
  return { ...common, entries, hashIndex }
}

/** The weak tombstone at the start of the oldest range tombstone, in a table that records no other seqno. */
function isSentinel(
  entries: readonly Entry[],
  tombstones: readonly RangeTombstone[],
  meta: TableMeta,
  { compare }: TableReader,
): boolean {
  const [entry] = entries
  if (entry === undefined || entries.length !== 1 || tombstones.length === 0) return false
  if (meta.maxKvSeqno !== 0n || entry.kind !== 2) return false
  const oldest = tombstones.reduce((a, b) =>
    b.seqno < a.seqno || (b.seqno === a.seqno && compare(b.start, a.start) < 0) ? b : a,
  )
  return entry.seqno === oldest.seqno && equalBytes(entry.key, oldest.start)
}
