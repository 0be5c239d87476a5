/** Everything a table says about its entries, recomputed from them and compared. */

import { decodeFilter, filterContains } from './burr.js'
import { check, checkEqual, equalBytes, toHex } from './bytes.js'
import { type KeyPlace, verifyLocator } from './locator.js'
import { type Entry, KIND_INDIRECTION } from './restart-block.js'
import { decodeBlobPointer, type LinkedBlobFile, type SeqnoBounds } from './side-sections.js'
import type { DataBlock, DecodedTable } from './table.js'
import type { TableReader } from './table-reader.js'
import { boundsOf, summarize } from './table-summary.js'
import { xxh3_64 } from './xxh3.js'

export function checkTable(table: DecodedTable, reader: TableReader): void {
  const { meta, blocks } = table
  const { where } = reader
  const counts = { data: blocks.length, fileSize: reader.section('data')!.length }
  checkEqual(meta.dataBlockCount, counts.data, where, 'block_count#data')
  checkEqual(meta.fileSize, counts.fileSize, where, 'file_size')
  const tombstoneCount = table.rangeTombstones.length
  checkEqual(meta.rangeTombstoneCount, tombstoneCount, where, 'range_tombstone_count')
  checkBlockLayout(table, where)
  checkDeletedRows(table, where)
  if (blocks.some((block) => block.skipped)) return
  const userDataSize = sum(blocks, (block) => block.uncompressedLength)
  checkEqual(meta.userDataSize, userDataSize, where, 'user_data_size')
  if (table.columnar) {
    checkColumnar(table, where)
    return
  }
  checkOrder(table.entries, reader)
  checkSummary(table, reader)
  checkKeyRange(table, reader)
  checkFilter(table, reader)
  if (table.locator !== undefined) {
    const places = keyPlaces(table.blocks)
    verifyLocator(table.locator, places, meta.dataRestartInterval, `${where} locator`)
  }
  checkSeqnoBounds(table, where)
  checkZoneMap(table, where)
  checkLinks(table, where)
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}

function checkOrder(entries: readonly Entry[], { compare, where }: TableReader): void {
  for (let i = 1; i < entries.length; i++) {
    const [a, b] = [entries[i - 1]!, entries[i]!]
    const order = compare(a.key, b.key)
    const ordered = order < 0 || (order === 0 && a.seqno > b.seqno)
    check(ordered, where, `entry ${i} (${toHex(b.key)} at ${b.seqno}) is out of order`)
  }
}

/** The entries that begin a new user key: the newest version of each. */
export function distinctKeys(entries: readonly Entry[]): Entry[] {
  return entries.filter((entry, i) => i === 0 || !equalBytes(entry.key, entries[i - 1]!.key))
}

const COUNTED = [
  ['itemCount', 'item_count'],
  ['keyCount', 'key_count'],
  ['keyBytes', 'key_bytes#sum'],
  ['valueBytes', 'value_bytes#sum'],
  ['tombstoneCount', 'tombstone_count'],
  ['weakTombstoneCount', 'weak_tombstone_count'],
  ['weakTombstoneReclaimable', 'weak_tombstone_reclaimable'],
  ['rangeTombstoneCount', 'range_tombstone_count'],
  ['minSeqno', 'seqno#min'],
  ['maxSeqno', 'seqno#max'],
  ['maxKvSeqno', 'seqno#kv_max'],
] as const

function checkSummary(table: DecodedTable, { compare, where }: TableReader): void {
  const { meta, entries, rangeTombstones, sentinel } = table
  const summary = summarize(entries, rangeTombstones, sentinel, compare)
  for (const [field, key] of COUNTED) checkEqual(meta[field], summary[field], where, key)
}

/** First and last key, or the bound of a range tombstone that reaches further; always the outermost of a sentinel. */
function checkKeyRange(table: DecodedTable, { compare, where }: TableReader): void {
  const { meta, rangeTombstones: tombstones, entries, sentinel } = table
  const first = entries[0]!.key
  const last = entries.at(-1)!.key
  const starts = tombstones.map(({ start }) => start).filter((start) => compare(start, first) < 0)
  const ends = tombstones.map(({ end }) => end).filter((end) => compare(end, last) > 0)
  const isIn = (key: Uint8Array, keys: readonly Uint8Array[]) =>
    keys.some((other) => equalBytes(key, other))
  check(isIn(meta.minKey, [first, ...starts]), where, `key#min is ${toHex(meta.minKey)}`)
  check(isIn(meta.maxKey, [last, ...ends]), where, `key#max is ${toHex(meta.maxKey)}`)
  if (!sentinel) return
  const outermost = tombstones.every(
    ({ start, end }) => compare(meta.minKey, start) <= 0 && compare(meta.maxKey, end) >= 0,
  )
  check(outermost, where, 'key range of a sentinel table leaves out a range tombstone')
}

/** No key of the table may be denied; every partition may be asked for its own keys only. */
function checkFilter({ filter, entries }: DecodedTable, { compare, where }: TableReader): void {
  if (filter === undefined) return
  const parts = filter.partitions.map(({ endKey, payload }, i) => {
    const name = `${where} filter block ${i}`
    return { endKey, name, filter: decodeFilter(payload, name) }
  })
  const keys = distinctKeys(entries).map(({ key }) => key)
  let at = 0
  for (const key of keys) {
    for (let end = parts[at]?.endKey; end !== undefined && compare(key, end) > 0; ) {
      end = parts[++at]?.endKey
    }
    const part = parts[at]
    check(part !== undefined, where, `no filter partition reaches ${toHex(key)}`)
    const found = filterContains(part.filter, xxh3_64(key))
    check(found, part.name, `denies the key ${toHex(key)}`)
  }
  checkEqual(at, parts.length - 1, where, 'filter partition of the last key')
  const { endKey } = parts.at(-1)!
  if (endKey !== undefined) {
    check(equalBytes(endKey, keys.at(-1)!), where, 'last filter partition ends past the last key')
  }
}

/** Where the newest version of every key lies. */
export function keyPlaces(blocks: readonly { readonly entries: readonly Entry[] }[]): KeyPlace[] {
  const places: KeyPlace[] = []
  let previous: Uint8Array | undefined
  blocks.forEach(({ entries }, block) => {
    entries.forEach(({ key }, position) => {
      if (previous === undefined || !equalBytes(previous, key)) {
        places.push({ hash: xxh3_64(key), block, position })
      }
      previous = key
    })
  })
  return places
}

export function seqnoBoundsOf({ offset, entries }: DataBlock): SeqnoBounds {
  return { offset, ...boundsOf(entries.map(({ seqno }) => seqno)) }
}

function checkSeqnoBounds({ seqnoBounds: found, blocks }: DecodedTable, where: string): void {
  if (found === undefined) return
  checkEqual(found.length, blocks.length, where, 'records in seqno_bounds')
  blocks.forEach((block, i) => {
    const expected = seqnoBoundsOf(block)
    checkEqual(found[i]!.offset, expected.offset, where, `seqno_bounds offset of block ${i}`)
    checkEqual(found[i]!.min, expected.min, where, `seqno_bounds minimum of block ${i}`)
    checkEqual(found[i]!.max, expected.max, where, `seqno_bounds maximum of block ${i}`)
  })
}

function checkZoneMap({ zoneMap, blocks }: DecodedTable, where: string): void {
  if (zoneMap === undefined) return
  checkEqual(zoneMap.length, blocks.length, where, 'records in zone_map')
  blocks.forEach(({ offset, entries }, i) => {
    const { columns, offset: found } = zoneMap[i]!
    checkEqual(found, offset, where, `zone_map offset of block ${i}`)
    checkEqual(columns.length, 1, where, `zone_map columns of block ${i}`)
    const { id, type, codec, nulls, rows, min, max } = columns[0]!
    checkEqual(id + type + codec + nulls, 0, where, `zone_map column of block ${i}`)
    checkEqual(rows, entries.length, where, `zone_map rows of block ${i}`)
    check(equalBytes(min, entries[0]!.key), where, `zone_map minimum of block ${i}`)
    check(equalBytes(max, entries.at(-1)!.key), where, `zone_map maximum of block ${i}`)
  })
}

function checkColumnar({ meta, zoneMap, blocks }: DecodedTable, where: string): void {
  if (zoneMap === undefined) return
  checkEqual(zoneMap.length, blocks.length, where, 'records in zone_map')
  zoneMap.forEach(({ offset }, i) => {
    checkEqual(offset, blocks[i]!.offset, where, `zone_map offset of block ${i}`)
  })
  const rows = sum(zoneMap, ({ columns }) => columns[0]?.rows ?? 0)
  checkEqual(rows, meta.itemCount, where, 'rows in zone_map')
}

function checkDeletedRows({ deletedRows, columnar, zoneMap, meta }: DecodedTable, where: string) {
  if (deletedRows === undefined) return
  check(columnar, where, 'delete_bitmap in a table of rows')
  check(zoneMap !== undefined || deletedRows.length === 0, where, 'delete_bitmap without zone_map')
  check((deletedRows.at(-1) ?? -1) < meta.itemCount, where, 'delete_bitmap past the last row')
}

function checkBlockLayout({ blockLayout, blocks }: DecodedTable, where: string): void {
  for (const { offset, ends } of blockLayout ?? []) {
    const block = blocks.find((candidate) => candidate.offset === offset)
    check(block !== undefined, where, `block_layout names no data block at ${offset}`)
    if (block.skipped) continue
    checkEqual(ends.at(-1), block.uncompressedLength, where, `block_layout end at ${offset}`)
    if (block.innerBlocks === 0) continue
    checkEqual(ends.length, block.innerBlocks, where, `block_layout inner blocks at ${offset}`)
  }
}

/** The totals of a table's indirections by blob file, ascending by id. */
export function linksOf(entries: readonly Entry[], where: string): LinkedBlobFile[] {
  const links = new Map<number, LinkedBlobFile>()
  for (const { kind, value } of entries) {
    if (kind !== KIND_INDIRECTION) continue
    const { fileId: id, length, storedLength } = decodeBlobPointer(value, where)
    const { references, bytes, onDiskBytes } = links.get(id) ?? EMPTY_LINK
    links.set(id, {
      id,
      references: references + 1,
      bytes: bytes + length,
      onDiskBytes: onDiskBytes + storedLength,
    })
  }
  return [...links.values()].sort((a, b) => a.id - b.id)
}

const EMPTY_LINK = { references: 0, bytes: 0, onDiskBytes: 0 }

function checkLinks({ linkedBlobFiles, entries }: DecodedTable, where: string): void {
  const expected = linksOf(entries, where)
  checkEqual(linkedBlobFiles !== undefined, expected.length > 0, where, 'presence of blob links')
  const found = [...(linkedBlobFiles ?? [])].sort((a, b) => a.id - b.id)
  const shown = (links: readonly LinkedBlobFile[]): string => JSON.stringify(links)
  checkEqual(shown(found), shown(expected), where, 'linked_blob_files')
}
