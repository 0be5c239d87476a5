/** Compression descriptors and payload decoding; zstd frames are walked to their end (table spec 6). */

import { Cursor, check, checkEqual, fail, Writer } from './bytes.js'
import { decompressLz4 } from './lz4.js'
import { xxh3_64 } from './xxh3.js'

export type Compression =
  | { readonly codec: 'none' }
  | { readonly codec: 'lz4' }
  | { readonly codec: 'zstd'; readonly level: number; readonly dictionaryId?: number }

/** Decompresses one zstd frame into `length` bytes; the dictionary is given where the table uses one. */
export type ZstdDecoder = (bytes: Uint8Array, length: number, dictionary?: Uint8Array) => Uint8Array

export interface CodecOptions {
  readonly zstd?: ZstdDecoder | undefined
  readonly dictionary?: Uint8Array | undefined
}

export function decodeCompression(bytes: Uint8Array, where: string): Compression {
  const cursor = new Cursor(bytes, where)
  const tag = cursor.u8()
  let compression: Compression
  if (tag === 0) compression = { codec: 'none' }
  else if (tag === 1) compression = { codec: 'lz4' }
  else if (tag === 3) compression = { codec: 'zstd', level: cursor.i8() }
  else if (tag === 4) {
    compression = { codec: 'zstd', level: cursor.i8(), dictionaryId: cursor.u32() }
  } else fail(where, `unknown compression tag ${tag}`)
  if (compression.codec === 'zstd') check(compression.level <= 22, where, 'zstd level over 22')
  cursor.expectEnd()
  return compression
}

export function encodeCompression(compression: Compression): Uint8Array {
  if (compression.codec === 'none') return Uint8Array.of(0)
  if (compression.codec === 'lz4') return Uint8Array.of(1)
  const writer = new Writer().u8(compression.dictionaryId === undefined ? 3 : 4)
  writer.u8(compression.level & 0xff)
  if (compression.dictionaryId !== undefined) writer.u32(compression.dictionaryId)
  return writer.finish()
}

export function dictionaryId(dictionary: Uint8Array): number {
  return Number(xxh3_64(dictionary) & 0xffff_ffffn)
}

export function decompress(
  payload: Uint8Array,
  length: number,
  compression: Compression,
  options: CodecOptions,
  where: string,
): Uint8Array {
  if (compression.codec === 'none') {
    checkEqual(payload.length, length, where, 'stored length of an uncompressed piece')
    return payload
  }
  if (compression.codec === 'lz4') return decompressLz4(payload, length, where)
  const frame = walkZstdFrame(payload, where)
  if (frame.contentSize !== undefined) {
    checkEqual(frame.contentSize, BigInt(length), where, 'zstd content size')
  }
  const { zstd, dictionary } = options
  if (zstd === undefined) fail(where, 'is zstd compressed and no zstd decoder was given')
  if (compression.dictionaryId === undefined) {
    checkEqual(frame.dictionaryId ?? 0, 0, where, 'dictionary id in the zstd frame')
  } else {
    checkDictionary(frame.dictionaryId, compression.dictionaryId, dictionary, where)
  }
  const plain =
    compression.dictionaryId === undefined
      ? zstd(payload, length)
      : zstd(payload, length, dictionary)
  checkEqual(plain.length, length, where, 'length of the zstd content')
  return plain
}

function checkDictionary(
  inFrame: number | undefined,
  inDescriptor: number,
  dictionary: Uint8Array | undefined,
  where: string,
): void {
  if (dictionary === undefined) fail(where, 'needs a zstd dictionary and none was given')
  checkEqual(dictionaryId(dictionary), inDescriptor, where, 'id of the dictionary given')
  const view = new DataView(dictionary.buffer, dictionary.byteOffset, dictionary.byteLength)
  const trained = dictionary.length >= 8 && view.getUint32(0, true) === 0xec30a437
  const expected = trained ? view.getUint32(4, true) : Math.max(1, inDescriptor)
  checkEqual(inFrame, expected, where, 'dictionary id in the zstd frame')
}

export interface ZstdFrame {
  readonly contentSize: bigint | undefined
  readonly dictionaryId: number | undefined
  readonly innerBlocks: number
}

/** Walks the headers of the one frame (RFC 8878) that `payload` has to be, and demands that nothing follows it. */
export function walkZstdFrame(payload: Uint8Array, where: string): ZstdFrame {
  const cursor = new Cursor(payload, `${where} zstd frame`)
  cursor.expectMagic('28b52ffd', 'zstd frame')
  const descriptor = cursor.u8()
  const singleSegment = (descriptor & 0x20) !== 0
  check((descriptor & 0x08) === 0, where, 'zstd frame has its reserved bit set')
  if (!singleSegment) cursor.u8()
  const little = (width: number): bigint =>
    cursor.take(width).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const idWidth = [0, 1, 2, 4][descriptor & 3]!
  const id = idWidth === 0 ? undefined : Number(little(idWidth))
  const sizeWidth = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  let contentSize = sizeWidth === 0 ? undefined : little(sizeWidth)
  if (sizeWidth === 2) contentSize = contentSize! + 256n
  let innerBlocks = 0
  for (let last = false; !last; innerBlocks++) {
    const header = Number(little(3))
    last = (header & 1) === 1
    const type = (header >> 1) & 3
    check(type !== 3, where, 'zstd frame has a block of the reserved type')
    cursor.skip(type === 1 ? 1 : header >> 3)
  }
  if (descriptor & 0x04) cursor.skip(4)
  cursor.expectEnd()
  return { contentSize, dictionaryId: id, innerBlocks }
}
