/** Blob files: frames, meta section, archive; every frame read and every total recomputed (manifest spec 11). */

import { decodeArchive, encodeArchive } from './archive.js'
import { decodeBlock, encodeBlock } from './block.js'
import {
  ascii,
  type Comparator,
  Cursor,
  check,
  checkEqual,
  compareBytes,
  concatBytes,
  equalBytes,
  fail,
  utf8,
  Writer,
} from './bytes.js'
import {
  type CodecOptions,
  type Compression,
  decodeCompression,
  decompress,
  encodeCompression,
} from './compression.js'
import { decodeKeyValues, encodeKeyValues } from './meta.js'
import type { BlobPointer } from './side-sections.js'
import { xxh3_64, xxh3_128 } from './xxh3.js'

export interface BlobFrame {
  readonly offset: number
  readonly key: Uint8Array
  readonly seqno: bigint
  /** As stored, compressed where the file is. */
  readonly stored: Uint8Array
  readonly value: Uint8Array
}

export interface BlobMeta {
  readonly version: 3 | 4
  readonly compression: Compression
  readonly crateVersion: string
  readonly createdAt: bigint
  readonly id: number
  readonly itemCount: number
  /** Sum of the stored value lengths, not the size of the file. */
  readonly fileSize: number
  readonly uncompressedSize: number
  readonly minKey: Uint8Array
  readonly maxKey: Uint8Array
}

export interface DecodedBlobFile {
  readonly meta: BlobMeta
  readonly frames: readonly BlobFrame[]
  readonly frameAt: ReadonlyMap<number, BlobFrame>
  readonly checksum: bigint
}

export interface BlobFileOptions extends CodecOptions {
  readonly where?: string | undefined
  readonly compare?: Comparator | undefined
  readonly fileId?: number | undefined
}

const MAGIC = '424c4f34'
const LEGACY_MAGIC = '424c4f42'
const META_TAG = '4d455441'
const LENGTH_LIMIT = 2 ** 28

export function decodeBlobFile(bytes: Uint8Array, options: BlobFileOptions = {}): DecodedBlobFile {
  const { where = 'blob file', compare = compareBytes } = options
  const { sections } = decodeArchive(bytes, where)
  const names = sections.map(({ name }) => name).join(' ')
  checkEqual(names, 'data meta', where, 'sections')
  const [data, metaSection] = [sections[0]!, sections[1]!]
  const tag = new Cursor(bytes, where, metaSection.offset)
  tag.expectMagic(META_TAG, 'meta section')
  const at = { offset: tag.position, size: metaSection.length - 4 }
  const block = decodeBlock(bytes, at, 'meta', {}, `${where} meta`)
  const meta = decodeBlobMeta(block.plaintext, `${where} meta`)
  if (options.fileId !== undefined) checkEqual(meta.id, options.fileId, where, 'id')

  const cursor = new Cursor(bytes, where, 0, data.length)
  const frames: BlobFrame[] = []
  while (cursor.left > 0) {
    const frame = decodeFrame(cursor, meta, options)
    const previous = frames.at(-1)
    if (previous !== undefined) {
      const order = compare(previous.key, frame.key)
      const ordered = order < 0 || (order === 0 && previous.seqno > frame.seqno)
      check(ordered, where, `frame at ${frame.offset} is out of order`)
    }
    frames.push(frame)
  }
  check(frames.length > 0, where, 'no frames')
  const sum = (of: (frame: BlobFrame) => number) => frames.reduce((a, frame) => a + of(frame), 0)
  checkEqual(meta.itemCount, frames.length, where, 'item_count')
  const storedBytes = sum(({ stored }) => stored.length)
  checkEqual(meta.fileSize, storedBytes, where, 'file_size')
  const valueBytes = sum(({ value }) => value.length)
  checkEqual(meta.uncompressedSize, valueBytes, where, 'uncompressed_size')
  check(equalBytes(meta.minKey, frames[0]!.key), where, 'key#min is not the first key')
  check(equalBytes(meta.maxKey, frames.at(-1)!.key), where, 'key#max is not the last key')
  const frameAt = new Map(frames.map((frame) => [frame.offset, frame]))
  return { meta, frames, frameAt, checksum: xxh3_128(bytes) }
}

function decodeFrame(cursor: Cursor, meta: BlobMeta, options: CodecOptions): BlobFrame {
  const offset = cursor.position
  const where = `${cursor.where} frame at ${offset}`
  const legacy = meta.version === 3
  cursor.expectMagic(legacy ? LEGACY_MAGIC : MAGIC, `frame at ${offset}`)
  const checksum = cursor.u128()
  const headerStart = cursor.position
  const seqno = cursor.u64()
  const keyLength = cursor.u16()
  const length = cursor.u32()
  const storedLength = cursor.u32()
  const crcBytes = legacy ? new Uint8Array(0) : cursor.take(4)
  if (!legacy) {
    const crc = frameCrc(cursor.bytes.subarray(headerStart, headerStart + 18))
    checkEqual(new Cursor(crcBytes, where).u32(), crc, where, 'header CRC')
  }
  check(keyLength > 0, where, 'empty key')
  check(length <= LENGTH_LIMIT && storedLength <= LENGTH_LIMIT, where, 'value over 256 MiB')
  const key = cursor.take(keyLength)
  const stored = cursor.take(storedLength)
  const digest = xxh3_128(concatBytes(key, stored, crcBytes))
  checkEqual(digest, checksum, where, 'data checksum')
  const value = decompress(stored, length, meta.compression, options, where)
  return { offset, key, seqno, stored, value }
}

function frameCrc(fields: Uint8Array): number {
  return Number(xxh3_64(fields) & 0xffff_ffffn)
}

function decodeBlobMeta(body: Uint8Array, where: string): BlobMeta {
  const values = decodeKeyValues(body, where)
  const field = <T>(name: string, read: (cursor: Cursor) => T): T => {
    const cursor = new Cursor(values.get(name) ?? fail(where, `key ${name} is missing`), where)
    const value = read(cursor)
    cursor.expectEnd()
    return value
  }
  const rest = (cursor: Cursor): Uint8Array => cursor.take(cursor.left)
  const size = (cursor: Cursor): number => cursor.size()
  const version = field('blob_file_version', (cursor) => cursor.u8())
  if (version !== 3 && version !== 4) fail(where, `blob_file_version is ${version}`)
  const checksumType = field('checksum_type', (cursor) => cursor.u8())
  checkEqual(checksumType, 0, where, 'checksum_type')
  return {
    version,
    compression: decodeCompression(field('compression', rest), where),
    crateVersion: ascii(field('crate_version', rest)),
    createdAt: field('created_at', (cursor) => cursor.u128()),
    id: field('id', size),
    itemCount: field('item_count', size),
    fileSize: field('file_size', size),
    uncompressedSize: field('uncompressed_size', size),
    minKey: field('key#min', rest),
    maxKey: field('key#max', rest),
  }
}

/** The value behind a pointer; the frame has to lie there with this key and these lengths. */
export function readBlob(
  file: DecodedBlobFile,
  key: Uint8Array,
  pointer: BlobPointer,
  where: string,
): Uint8Array {
  const frame = file.frameAt.get(pointer.offset)
  check(frame !== undefined, where, `no frame at ${pointer.offset} of blob file ${pointer.fileId}`)
  check(equalBytes(frame.key, key), where, `frame at ${pointer.offset} has another key`)
  checkEqual(frame.stored.length, pointer.storedLength, where, 'stored length in the frame')
  checkEqual(frame.value.length, pointer.length, where, 'value length in the frame')
  return frame.value
}

/** Encodes a current-version file again from its frames as stored. */
export function encodeBlobFile(
  meta: Pick<BlobMeta, 'compression' | 'crateVersion' | 'createdAt' | 'id'>,
  frames: readonly Omit<BlobFrame, 'offset'>[],
): Uint8Array {
  const data = new Writer()
  let storedBytes = 0
  let valueBytes = 0
  for (const { key, seqno, stored, value } of frames) {
    const fields = new Writer().u64(seqno).u16(key.length).u32(value.length).u32(stored.length)
    const crc = new Writer().u32(frameCrc(fields.finish())).finish()
    data.bytes(Buffer.from(MAGIC, 'hex')).u128(xxh3_128(concatBytes(key, stored, crc)))
    data.bytes(fields.finish()).bytes(crc).bytes(key).bytes(stored)
    storedBytes += stored.length
    valueBytes += value.length
  }
  const u64 = (value: number): Uint8Array => new Writer().u64(value).finish()
  const body = encodeKeyValues([
    ['blob_file_version', Uint8Array.of(4)],
    ['checksum_type', Uint8Array.of(0)],
    ['compression', encodeCompression(meta.compression)],
    ['crate_version', utf8(meta.crateVersion)],
    ['created_at', new Writer().u128(meta.createdAt).finish()],
    ['file_size', u64(storedBytes)],
    ['id', u64(meta.id)],
    ['item_count', u64(frames.length)],
    ['key#max', frames.at(-1)!.key],
    ['key#min', frames[0]!.key],
    ['uncompressed_size', u64(valueBytes)],
  ])
  const metaBytes = concatBytes(Buffer.from(META_TAG, 'hex'), encodeBlock('meta', body))
  return encodeArchive([
    { name: 'data', bytes: data.finish() },
    { name: 'meta', bytes: metaBytes },
  ])
}
