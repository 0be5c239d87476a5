/**
 * The header of every block of every file (format-table.md 5, format-manifest-blob.md 1.1). Every
 * thread; no I/O.
 *
 *     off  size    field
 *     0    4       magic 4c 53 4d 04 ("LSM" + 4)
 *     4    1       block type
 *     5    0 or 1  block flags, in types 3, 5 and 6 only
 *     +0   16      payload checksum: XXH3-128 of the stored payload
 *     +16  4       data length: stored payload bytes
 *     +20  4       uncompressed length: plaintext bytes
 *     +24  4       header checksum: low 32 bits of XXH3-128 of all bytes before it
 *
 * 33 bytes without the flags, 34 with them; the payload follows, then the parity where there is
 * one.
 *
 * I1: checked in this order: magic, type, flags, header checksum, size caps. Lengths are believed
 *     only after all of them.
 */
import { DIGEST_BYTES, type Hasher, headerCheckOf } from '../base/checksum.js'
import { assert } from '../base/errors.js'
import { BLOCK_BYTES_MAX } from '../base/limits.js'
import { formatError, type Origin } from './byte-reader.js'

/** What a block holds. */
export const BlockType = {
  Data: 0,
  Index: 1,
  Filter: 2,
  Meta: 3,
  RangeTombstone: 4,
  Manifest: 5,
  ManifestFooter: 6,
  BlockLayout: 7,
  Locator: 8,
  SeqnoBounds: 9,
  ZoneMap: 10,
  Columnar: 11,
  DeleteBitmap: 12,
} as const

/** One of the thirteen type bytes. */
export type BlockType = (typeof BlockType)[keyof typeof BlockType]

const TYPE_NAMES = Object.keys(BlockType)

/** Bits of the flags byte; all others must be zero. */
export const BlockFlag = {
  KvFooter: 0x01,
  Parity: 0x02,
  Compressed: 0x04,
  Encrypted: 0x08,
} as const

const FLAGS_MASK = 0x0f
const MAGIC = 0x04_4d_53_4c

/** What encryption may add to a payload at most (format-table.md 5.4). */
const ENCRYPTION_BYTES_MAX = 71

/** The longest header: that of a block with a flags byte. */
export const BLOCK_HEADER_BYTES_MAX = 34

/** A block's header, decoded. */
export interface BlockHeader {
  readonly type: BlockType
  /** Zero in types that have no flags byte. */
  readonly flags: number
  /** XXH3-128 of the stored payload. */
  readonly checksum: Uint8Array
  /** Stored payload bytes. */
  readonly dataLength: number
  /** Plaintext bytes. */
  readonly uncompressedLength: number
}

/** How a block type is called in messages. */
export function blockTypeName(type: number): string {
  return TYPE_NAMES[type] ?? `unknown type ${type}`
}

/** True for the types whose header has a flags byte. */
export function hasBlockFlags(type: BlockType): boolean {
  return type === BlockType.Meta || type === BlockType.Manifest || type === BlockType.ManifestFooter
}

/** Header bytes of a block of that type: 33 or 34. */
export function blockHeaderBytes(type: BlockType): number {
  return hasBlockFlags(type) ? BLOCK_HEADER_BYTES_MAX : BLOCK_HEADER_BYTES_MAX - 1
}

/** Writes a header at `target[offset]` and returns its length. */
export function writeBlockHeader(
  target: Uint8Array,
  offset: number,
  header: BlockHeader,
  hasher: Hasher,
): number {
  const length = blockHeaderBytes(header.type)
  assert(header.checksum.length === DIGEST_BYTES, 'a payload checksum has 16 bytes')
  assert((header.flags & ~FLAGS_MASK) === 0, 'only known block flags are written')
  assert(header.flags === 0 || hasBlockFlags(header.type), 'flags only where the header has them')
  const view = new DataView(target.buffer, target.byteOffset + offset, length)
  view.setUint32(0, MAGIC, true)
  view.setUint8(4, header.type)
  if (hasBlockFlags(header.type)) view.setUint8(5, header.flags)
  const fields = length - 28
  target.set(header.checksum, offset + fields)
  view.setUint32(fields + 16, header.dataLength, true)
  view.setUint32(fields + 20, header.uncompressedLength, true)
  const check = headerCheckOf(hasher, target.subarray(offset, offset + length - 4))
  view.setUint32(fields + 24, check, true)
  return length
}

/** Decodes and checks the header at the start of `bytes` (I1). The checksum is a private copy. */
export function readBlockHeader(bytes: Uint8Array, origin: Origin, hasher: Hasher): BlockHeader {
  const invalid = (message: string) =>
    formatError('VARVE_INVALID_HEADER', origin, `block header: ${message}`, { what: 'Block' })
  const shortest = BLOCK_HEADER_BYTES_MAX - 1
  if (bytes.length < shortest) {
    throw invalid(`truncated: ${shortest} bytes needed, ${bytes.length} are left`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== MAGIC) throw invalid('wrong magic')
  const type = view.getUint8(4)
  if (!isBlockType(type)) throw invalidTag(origin, 'BlockType', type)
  const length = blockHeaderBytes(type)
  if (bytes.length < length) {
    throw invalid(`truncated: ${length} bytes needed, ${bytes.length} are left`)
  }
  const flags = hasBlockFlags(type) ? view.getUint8(5) : 0
  if ((flags & ~FLAGS_MASK) !== 0) throw invalidTag(origin, 'block_flags', flags)
  const stored = view.getUint32(length - 4, true)
  const found = headerCheckOf(hasher, bytes.subarray(0, length - 4))
  if (found !== stored) {
    throw formatError('VARVE_CHECKSUM_MISMATCH', origin, 'block header: checksum mismatch', {
      what: 'block header',
      blockType: blockTypeName(type),
      expected: stored.toString(16),
      found: found.toString(16),
    })
  }
  const fields = length - 28
  const header: BlockHeader = {
    type,
    flags,
    checksum: bytes.slice(fields, fields + DIGEST_BYTES),
    dataLength: view.getUint32(fields + 16, true),
    uncompressedLength: view.getUint32(fields + 20, true),
  }
  checkSize(origin, header.uncompressedLength, BLOCK_BYTES_MAX)
  checkSize(origin, header.dataLength, BLOCK_BYTES_MAX + ENCRYPTION_BYTES_MAX)
  return header
}

function isBlockType(type: number): type is BlockType {
  return type < TYPE_NAMES.length
}

function invalidTag(origin: Origin, name: string, value: number): Error {
  return formatError('VARVE_INVALID_TAG', origin, `block header: invalid ${name} ${value}`, {
    what: name,
    found: value,
  })
}

function checkSize(origin: Origin, declared: number, limit: number): void {
  if (declared <= limit) return
  throw formatError(
    'VARVE_DECOMPRESSED_SIZE',
    origin,
    `block header: ${declared} bytes declared, at most ${limit} are allowed`,
    { declared, limit },
  )
}
