/**
 * The first 48 bytes of a segment, and the names of segments. Pure; main thread.
 *
 *     off  size  field
 *     0    8     "VARVEWAL"
 *     8    4     version u32, 1
 *     12   4     id u32: one more than that of the segment before it
 *     16   8     first seqno u64: every write of an earlier segment has a lower one, every write here this or a higher one
 *     24   8     persisted below u64: when the segment was made, every write below it was in tables
 *     32   4     previous bytes u32: the length of the segment before it, 0 where there was none
 *     36   4     0
 *     40   8     XXH3-64(bytes 0 … 40)
 *
 * I1: a header is durable, and so is its name, before the first record is written behind it.
 */
import { type Hasher, sameBytes } from '../../shared/base/checksum.js'
import { ByteReader, formatError, type Origin } from '../../shared/format/byte-reader.js'
import { ByteWriter } from '../../shared/format/byte-writer.js'

export const SEGMENT_HEADER_BYTES = 48
const CHECKED_BYTES = 40
const MAGIC = Buffer.from('VARVEWAL')
const VERSION = 1

export interface SegmentHeader {
  readonly id: number
  readonly firstSeqno: number
  readonly persistedBelow: number
  readonly previousBytes: number
}

export function encodeSegmentHeader(header: SegmentHeader, hasher: Hasher): Uint8Array {
  const writer = new ByteWriter(SEGMENT_HEADER_BYTES)
  writer.bytes(MAGIC).u32(VERSION).u32(header.id)
  writer.u64(header.firstSeqno).u64(header.persistedBelow).u32(header.previousBytes).u32(0)
  const bytes = writer.zeros(8).finish()
  hasher.hash64Into(bytes.subarray(0, CHECKED_BYTES), bytes, CHECKED_BYTES)
  return bytes
}

/**
 * Reads the header of the segment `id`.
 * @throws VARVE_INVALID_HEADER, VARVE_CHECKSUM_MISMATCH, VARVE_INVALID_VERSION, VARVE_UNSUPPORTED
 */
export function decodeSegmentHeader(
  bytes: Uint8Array,
  id: number,
  hasher: Hasher,
  origin: Origin,
): SegmentHeader {
  const reader = new ByteReader(bytes, 'log segment header', origin, 'VARVE_INVALID_HEADER')
  if (!sameBytes(reader.bytes(MAGIC.length, 'magic'), MAGIC)) {
    throw formatError('VARVE_INVALID_HEADER', origin, 'no log segment begins here')
  }
  const version = reader.u32('version')
  const found = new Uint8Array(8)
  reader.skip(CHECKED_BYTES - 12, 'fields')
  const expected = reader.bytes(8, 'checksum')
  hasher.hash64Into(bytes.subarray(0, CHECKED_BYTES), found, 0)
  if (!sameBytes(found, expected)) {
    throw formatError(
      'VARVE_CHECKSUM_MISMATCH',
      origin,
      'the checksum of a log segment header is wrong',
      {
        expected: Buffer.from(expected).toString('hex'),
        found: Buffer.from(found).toString('hex'),
      },
    )
  }
  if (version !== VERSION) {
    throw formatError(
      'VARVE_INVALID_VERSION',
      origin,
      `the log has format version ${version}; this package reads ${VERSION}`,
      { version },
    )
  }
  const fields = new ByteReader(bytes, 'log segment header', origin, 'VARVE_INVALID_HEADER')
  fields.skip(12, 'magic and version')
  const header = {
    id: fields.u32('id'),
    firstSeqno: fields.u64('first seqno'),
    persistedBelow: fields.u64('persisted below'),
    previousBytes: fields.u32('previous bytes'),
  }
  if (header.id !== id) {
    throw formatError('VARVE_INVALID_HEADER', origin, `the file is segment ${header.id}, renamed`)
  }
  return header
}

/** The file name of a segment: ids ascend in the order of names. */
export function segmentName(id: number): string {
  return `${String(id).padStart(10, '0')}.wal`
}

/** The id that a file name stands for; undefined where it is not a segment's. */
export function parseSegmentName(name: string): number | undefined {
  const digits = /^(\d{10})\.wal$/.exec(name)?.[1]
  const id = Number(digits)
  return digits === undefined || id > 0xffff_ffff ? undefined : id
}
