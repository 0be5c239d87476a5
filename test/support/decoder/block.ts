/** The block frame: header, payload, parity, and the way back from payload to plaintext (table spec 5, 6, 17). */

import { Cursor, check, checkEqual, equalBytes, fail, Writer } from './bytes.js'
import { type CodecOptions, type Compression, decompress } from './compression.js'
import { computeParity, ECC_META, ECC_OFF, type EccScheme, parityLength } from './ecc.js'
import { xxh3_128 } from './xxh3.js'

export const BLOCK_TYPES = [
  'data',
  'index',
  'filter',
  'meta',
  'range-tombstone',
  'manifest',
  'manifest-footer',
  'block-layout',
  'locator',
  'seqno-bounds',
  'zone-map',
  'columnar',
  'delete-bitmap',
] as const

export type BlockType = (typeof BLOCK_TYPES)[number]

export const FLAG_KV_FOOTER = 1
export const FLAG_PARITY = 2
export const FLAG_COMPRESSED = 4
export const FLAG_ENCRYPTED = 8

const MAGIC = '4c534d04'
const SIZE_LIMIT = 2 ** 28
const ENCRYPTION_OVERHEAD = 71

export interface BlockOptions extends CodecOptions {
  readonly ecc?: EccScheme | undefined
  readonly compression?: Compression | undefined
  /** Opens an encrypted payload; its presence declares the file encrypted. */
  readonly decrypt?: ((payload: Uint8Array, block: BlockHeader) => Uint8Array) | undefined
}

export interface BlockHeader {
  readonly type: BlockType
  /** Only meta and manifest blocks carry flags. */
  readonly flags: number | undefined
  readonly headerSize: number
  readonly checksum: bigint
  readonly dataLength: number
  readonly uncompressedLength: number
}

export interface Block extends BlockHeader {
  readonly offset: number
  /** Header, payload and parity. */
  readonly size: number
  readonly payload: Uint8Array
  readonly plaintext: Uint8Array
}

const hasFlags = (type: BlockType): boolean =>
  type === 'meta' || type === 'manifest' || type === 'manifest-footer'

const headerDigest = (bytes: Uint8Array): number => Number(xxh3_128(bytes) & 0xffff_ffffn)

export function decodeBlockHeader(bytes: Uint8Array, offset: number, end: number, where: string) {
  const cursor = new Cursor(bytes, where, offset, end)
  cursor.expectMagic(MAGIC, 'block')
  const tag = cursor.u8()
  const type = BLOCK_TYPES[tag] ?? fail(where, `unknown block type ${tag}`)
  const flags = hasFlags(type) ? cursor.u8() : undefined
  check(((flags ?? 0) & 0xf0) === 0, where, `block flags ${flags} have unknown bits`)
  const checksum = cursor.u128()
  const dataLength = cursor.u32()
  const uncompressedLength = cursor.u32()
  const digest = headerDigest(bytes.subarray(offset, cursor.position))
  checkEqual(cursor.u32(), digest, where, 'block header checksum')
  check(uncompressedLength <= SIZE_LIMIT, where, `plaintext of ${uncompressedLength} bytes`)
  check(dataLength <= SIZE_LIMIT + ENCRYPTION_OVERHEAD, where, `payload of ${dataLength} bytes`)
  const headerSize = cursor.position - offset
  return { type, flags, headerSize, checksum, dataLength, uncompressedLength } satisfies BlockHeader
}

/**
 * Decodes the block at `offset`. With `size` given (a handle, or a section of one block) the block has to fill it;
 * without, the length of the parity is derived, so that blocks can be walked. Nothing is read at or past `end`.
 */
export function decodeBlock(
  bytes: Uint8Array,
  at: { readonly offset: number; readonly size?: number | undefined; readonly end?: number },
  expected: BlockType | undefined,
  options: BlockOptions,
  location: string,
): Block {
  const { offset } = at
  const where = `${location} block at ${offset}`
  const end = at.end ?? bytes.length
  if (at.size !== undefined) check(offset + at.size <= end, where, 'handle runs past the end')
  const header = decodeBlockHeader(bytes, offset, end, where)
  if (expected !== undefined) checkEqual(header.type, expected, where, 'block type')
  const payloadStart = offset + header.headerSize
  const payloadEnd = payloadStart + header.dataLength
  check(payloadEnd <= end, where, 'payload runs past the end')
  const payload = bytes.subarray(payloadStart, payloadEnd)
  checkEqual(xxh3_128(payload), header.checksum, where, 'payload checksum')

  const ecc = schemeOf(header, options)
  const parity = parityLength(ecc, header.dataLength)
  const framed = header.headerSize + header.dataLength
  if (parity === undefined && at.size === undefined) fail(where, 'parity of unknown length')
  const size = at.size ?? framed + parity!
  check(size >= framed, where, `handle of ${size} bytes is shorter than the block`)
  if (parity !== undefined) {
    checkEqual(size, framed + parity, where, 'block size')
    check(offset + size <= end, where, 'parity runs past the end')
    const stored = bytes.subarray(payloadEnd, offset + size)
    check(equalBytes(stored, computeParity(ecc, payload)), where, `${ecc.kind} parity differs`)
  }
  const plaintext = openPayload(payload, header, options, where)
  return { ...header, offset, size, payload, plaintext }
}

/** Blocks with a flags byte say themselves whether they carry parity, always in the fixed layout. */
function schemeOf(header: BlockHeader, options: BlockOptions): EccScheme {
  if (header.flags === undefined) return options.ecc ?? ECC_OFF
  return header.flags & FLAG_PARITY ? ECC_META : ECC_OFF
}

function openPayload(
  payload: Uint8Array,
  header: BlockHeader,
  options: BlockOptions,
  where: string,
): Uint8Array {
  const compression = options.compression ?? { codec: 'none' }
  if (header.flags !== undefined) {
    const expected =
      (header.flags & FLAG_PARITY) |
      (compression.codec === 'none' ? 0 : FLAG_COMPRESSED) |
      (options.decrypt === undefined ? 0 : FLAG_ENCRYPTED)
    checkEqual(header.flags, expected, where, 'block flags')
    if (header.flags & FLAG_PARITY) check(payload.length > 0, where, 'parity of an empty payload')
  }
  const compressed = options.decrypt === undefined ? payload : options.decrypt(payload, header)
  return decompress(compressed, header.uncompressedLength, compression, options, where)
}

/** Walks a stretch as a chain of blocks that has to end exactly at `end`. */
export function decodeBlockChain(
  bytes: Uint8Array,
  start: number,
  end: number,
  expected: BlockType | undefined,
  options: BlockOptions,
  where: string,
): Block[] {
  const blocks: Block[] = []
  for (let offset = start; offset < end; ) {
    const block = decodeBlock(bytes, { offset, end }, expected, options, where)
    blocks.push(block)
    offset += block.size
  }
  return blocks
}

/** Frames an uncompressed plaintext (or, with `uncompressedLength`, an already compressed payload). */
export function encodeBlock(
  type: BlockType,
  payload: Uint8Array,
  options: { ecc?: EccScheme; uncompressedLength?: number; flags?: number } = {},
): Uint8Array {
  const writer = new Writer().bytes(Buffer.from(MAGIC, 'hex')).u8(BLOCK_TYPES.indexOf(type))
  const ecc = options.ecc ?? ECC_OFF
  const parity = computeParity(hasFlags(type) && ecc.kind !== 'off' ? ECC_META : ecc, payload)
  if (hasFlags(type)) writer.u8((options.flags ?? 0) | (parity.length > 0 ? FLAG_PARITY : 0))
  writer.u128(xxh3_128(payload)).u32(payload.length)
  writer.u32(options.uncompressedLength ?? payload.length)
  writer.u32(headerDigest(writer.finish()))
  return writer.bytes(payload).bytes(parity).finish()
}
