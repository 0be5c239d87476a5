/** Bodies of the smaller sections: range tombstones, accelerators, linked blob files (table spec 14, 15, 16). */

import { type Comparator, Cursor, check, checkEqual, fail, Writer } from './bytes.js'

export interface RangeTombstone {
  readonly start: Uint8Array
  /** Exclusive. */
  readonly end: Uint8Array
  /** Absolute: the table's global seqno is not added to it. */
  readonly seqno: bigint
}

/** In the order start ascending, seqno descending, end ascending. */
export function compareRangeTombstones(compare: Comparator) {
  return (a: RangeTombstone, b: RangeTombstone): number =>
    compare(a.start, b.start) || Number(b.seqno - a.seqno) || compare(a.end, b.end)
}

/** Decodes and demands the writers' order, although readers sort again. */
export function decodeRangeTombstones(
  payload: Uint8Array,
  compare: Comparator,
  where: string,
): RangeTombstone[] {
  check(payload.length > 0, where, 'no range tombstones')
  const cursor = new Cursor(payload, where)
  const order = compareRangeTombstones(compare)
  const found: RangeTombstone[] = []
  while (cursor.left > 0) {
    const start = cursor.take(cursor.u16())
    const end = cursor.take(cursor.u16())
    const tombstone = { start, end, seqno: cursor.u64() }
    check(compare(start, end) < 0, where, `range tombstone ${found.length} is empty`)
    const previous = found.at(-1)
    check(!previous || order(previous, tombstone) < 0, where, 'range tombstones are out of order')
    found.push(tombstone)
  }
  return found
}

export function encodeRangeTombstones(tombstones: readonly RangeTombstone[]): Uint8Array {
  const writer = new Writer()
  for (const { start, end, seqno } of tombstones) {
    writer.u16(start.length).bytes(start).u16(end.length).bytes(end).u64(seqno)
  }
  return writer.finish()
}

export interface SeqnoBounds {
  readonly offset: number
  readonly min: bigint
  readonly max: bigint
}

export function decodeSeqnoBounds(payload: Uint8Array, where: string): SeqnoBounds[] {
  const cursor = new Cursor(payload, where)
  const read = () => ({ offset: cursor.size(), min: cursor.u64(), max: cursor.u64() })
  const bounds = Array.from({ length: cursor.u32() }, read)
  cursor.expectEnd()
  return bounds
}

export function encodeSeqnoBounds(bounds: readonly SeqnoBounds[]): Uint8Array {
  const writer = new Writer().u32(bounds.length)
  for (const { offset, min, max } of bounds) writer.u64(offset).u64(min).u64(max)
  return writer.finish()
}

export interface ZoneColumn {
  readonly id: number
  readonly type: number
  readonly codec: number
  readonly nulls: number
  readonly rows: number
  readonly min: Uint8Array
  readonly max: Uint8Array
}

export interface ZoneBlock {
  readonly offset: number
  readonly columns: readonly ZoneColumn[]
}

export function decodeZoneMap(payload: Uint8Array, where: string): ZoneBlock[] {
  const cursor = new Cursor(payload, where)
  const readColumn = (): ZoneColumn => ({
    id: cursor.u32(),
    type: cursor.u8(),
    codec: cursor.u8(),
    nulls: cursor.u32(),
    rows: cursor.u32(),
    min: cursor.take(cursor.u32()),
    max: cursor.take(cursor.u32()),
  })
  const blocks = Array.from({ length: cursor.u32() }, (): ZoneBlock => {
    const offset = cursor.size()
    return { offset, columns: Array.from({ length: cursor.u16() }, readColumn) }
  })
  cursor.expectEnd()
  return blocks
}

export function encodeZoneMap(blocks: readonly ZoneBlock[]): Uint8Array {
  const writer = new Writer().u32(blocks.length)
  for (const { offset, columns } of blocks) {
    writer.u64(offset).u16(columns.length)
    for (const { id, type, codec, nulls, rows, min, max } of columns) {
      writer.u32(id).u8(type).u8(codec).u32(nulls).u32(rows)
      writer.u32(min.length).bytes(min).u32(max.length).bytes(max)
    }
  }
  return writer.finish()
}

export interface InnerBlocks {
  readonly offset: number
  /** Cumulative decompressed ends of the inner zstd blocks. */
  readonly ends: readonly number[]
}

export function decodeBlockLayout(payload: Uint8Array, where: string): InnerBlocks[] {
  const cursor = new Cursor(payload, where)
  const layout = Array.from({ length: cursor.u32() }, (): InnerBlocks => {
    const offset = cursor.size()
    const ends = Array.from({ length: cursor.u32() }, () => cursor.u32())
    check(ends.length >= 2, where, `block at ${offset} has ${ends.length} inner blocks`)
    const ascends = ends.every((end, i) => end > (ends[i - 1] ?? -1))
    check(ascends, where, `ends of the block at ${offset} do not ascend`)
    return { offset, ends }
  })
  cursor.expectEnd()
  const ascends = layout.every(({ offset }, i) => offset > (layout[i - 1]?.offset ?? -1))
  check(ascends, where, 'offsets do not ascend')
  return layout
}

const CHUNK_ROWS = 2048
const CHUNK_SPARSE_MAX = 128

/** The deleted rows, ascending; every chunk has to be of the kind its count demands. */
export function decodeDeleteBitmap(payload: Uint8Array, where: string): number[] {
  const cursor = new Cursor(payload, where)
  const rows: number[] = []
  let previous = -1
  for (let chunks = cursor.u32(); chunks > 0; chunks--) {
    const chunk = cursor.u32()
    check(chunk > previous, where, 'chunks do not ascend')
    previous = chunk
    const kind = cursor.u8()
    const inChunk: number[] = []
    if (kind === 0) {
      for (let count = cursor.u16(); count > 0; count--) inChunk.push(cursor.u16())
      const ascends = inChunk.every((row, i) => row > (inChunk[i - 1] ?? -1) && row < CHUNK_ROWS)
      check(ascends && inChunk.length > 0, where, `rows of chunk ${chunk} do not ascend`)
    } else if (kind === 1) {
      const bits = cursor.take(CHUNK_ROWS / 8)
      for (let row = 0; row < CHUNK_ROWS; row++) {
        if (bits[row >> 3]! & (1 << (row & 7))) inChunk.push(row)
      }
    } else fail(where, `chunk ${chunk} has the unknown kind ${kind}`)
    checkEqual(kind, inChunk.length > CHUNK_SPARSE_MAX ? 1 : 0, where, `kind of chunk ${chunk}`)
    rows.push(...inChunk.map((row) => chunk * CHUNK_ROWS + row))
  }
  cursor.expectEnd()
  return rows
}

export function encodeDeleteBitmap(rows: readonly number[]): Uint8Array {
  const chunks = new Map<number, number[]>()
  for (const row of rows) {
    const chunk = Math.floor(row / CHUNK_ROWS)
    chunks.set(chunk, [...(chunks.get(chunk) ?? []), row % CHUNK_ROWS])
  }
  const writer = new Writer().u32(chunks.size)
  for (const [chunk, inChunk] of chunks) {
    const sparse = inChunk.length <= CHUNK_SPARSE_MAX
    writer.u32(chunk).u8(sparse ? 0 : 1)
    if (sparse) {
      writer.u16(inChunk.length)
      for (const row of inChunk) writer.u16(row)
    } else {
      const bits = new Uint8Array(CHUNK_ROWS / 8)
      for (const row of inChunk) bits[row >> 3]! |= 1 << (row & 7)
      writer.bytes(bits)
    }
  }
  return writer.finish()
}

export interface LinkedBlobFile {
  readonly id: number
  readonly references: number
  /** Sum of the uncompressed value lengths. */
  readonly bytes: number
  /** Sum of the stored value lengths. */
  readonly onDiskBytes: number
}

export function decodeLinkedBlobFiles(section: Uint8Array, where: string): LinkedBlobFile[] {
  const cursor = new Cursor(section, where)
  const links = Array.from({ length: cursor.u32() }, (): LinkedBlobFile => {
    const id = cursor.size()
    const references = cursor.size()
    return { id, references, bytes: cursor.size(), onDiskBytes: cursor.size() }
  })
  cursor.expectEnd()
  return links
}

export function encodeLinkedBlobFiles(links: readonly LinkedBlobFile[]): Uint8Array {
  const writer = new Writer().u32(links.length)
  for (const { id, references, bytes, onDiskBytes } of links) {
    writer.u64(id).u64(references).u64(bytes).u64(onDiskBytes)
  }
  return writer.finish()
}

export interface BlobPointer {
  readonly offset: number
  readonly fileId: number
  readonly storedLength: number
  readonly length: number
}

/** The value of an indirection. */
export function decodeBlobPointer(value: Uint8Array, where: string): BlobPointer {
  const cursor = new Cursor(value, where)
  const offset = cursor.varSize()
  const fileId = cursor.varSize()
  const pointer = { offset, fileId, storedLength: cursor.var32(), length: cursor.var32() }
  cursor.expectEnd()
  return pointer
}

export function encodeBlobPointer(pointer: BlobPointer): Uint8Array {
  const { offset, fileId, storedLength, length } = pointer
  return new Writer().varint(offset).varint(fileId).varint(storedLength).varint(length).finish()
}
