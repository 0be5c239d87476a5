/**
 * The frame around a block in plain TypeScript (format-table.md 5, 6, 10): the oracle of the
 * framing kernels. What is damaged yields the kernel's error code. Any thread; tests and benches
 * only.
 */
import {
  BLOCK_BYTES_MAX_KERNEL,
  BLOCK_ERROR_CHECKSUM,
  BLOCK_ERROR_DECOMPRESS,
  BLOCK_ERROR_FOOTER,
  BLOCK_ERROR_HEADER_CHECKSUM,
  BLOCK_ERROR_MAGIC,
  BLOCK_ERROR_SHORT,
  BLOCK_ERROR_SIZE,
  BLOCK_ERROR_TYPE,
  BLOCK_MAGIC,
  BLOCK_TYPE_DATA,
  CODEC_NONE,
} from '../layout.js'
import { lz4Decode } from './lz4.js'
import { decodeDataBody } from './restart-block.js'
import { pushFixed, type Version } from './version.js'
import { xxh3Bits128 } from './xxh3.js'

const MASK_32 = 0xffff_ffffn
const FOOTER_TAIL_BYTES = 5

/** What a sound frame holds. */
export interface Frame {
  readonly payload: Uint8Array
  readonly plainLength: number
  /** Bytes behind the payload: parity. */
  readonly behind: number
}

/** Types whose header carries a flags byte. */
function isFlagged(type: number): boolean {
  return type === 3 || type === 5 || type === 6
}

/** A payload in its frame. */
export function encodeFrame(
  type: number,
  payload: Uint8Array,
  plainLength = payload.length,
  flags = 0,
): Uint8Array {
  const header: number[] = []
  pushFixed(header, BLOCK_MAGIC, 4)
  header.push(type)
  if (isFlagged(type)) header.push(flags)
  const checksum = xxh3Bits128(payload)
  for (let i = 0n; i < 128n; i += 32n) pushFixed(header, Number((checksum >> i) & MASK_32), 4)
  pushFixed(header, payload.length, 4)
  pushFixed(header, plainLength, 4)
  pushFixed(header, Number(xxh3Bits128(Uint8Array.from(header)) & MASK_32), 4)
  return Uint8Array.from([...header, ...payload])
}

/** Checks a frame of a known type; what it holds, or the error code. */
export function decodeFrame(frame: Uint8Array, type: number): Frame | number {
  const hashed = isFlagged(type) ? 30 : 29
  if (frame.length < hashed + 4) return BLOCK_ERROR_SHORT
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  if (view.getUint32(0, true) !== BLOCK_MAGIC) return BLOCK_ERROR_MAGIC
  if (frame[4] !== type) return BLOCK_ERROR_TYPE
  const headerChecksum = Number(xxh3Bits128(frame.subarray(0, hashed)) & MASK_32)
  if (view.getUint32(hashed, true) !== headerChecksum) return BLOCK_ERROR_HEADER_CHECKSUM
  const payloadLength = view.getUint32(hashed - 8, true)
  const plainLength = view.getUint32(hashed - 4, true)
  const behind = frame.length - hashed - 4 - payloadLength
  if (plainLength > BLOCK_BYTES_MAX_KERNEL || behind < 0) return BLOCK_ERROR_SIZE
  const payload = frame.subarray(hashed + 4, hashed + 4 + payloadLength)
  const stored =
    view.getBigUint64(hashed - 24, true) | (view.getBigUint64(hashed - 16, true) << 64n)
  if (xxh3Bits128(payload) !== stored) return BLOCK_ERROR_CHECKSUM
  return { payload, plainLength, behind }
}

/** Undoes compression; the plaintext, or the error code. */
export function decodePayload(frame: Frame, codec: number): Uint8Array | number {
  const { payload, plainLength } = frame
  if (codec === CODEC_NONE) return payload.length === plainLength ? payload : BLOCK_ERROR_SIZE
  return lz4Decode(payload, plainLength) ?? BLOCK_ERROR_DECOMPRESS
}

/** Takes the checksum footer off a data block's plaintext; the body, or the error code. */
export function stripFooter(plain: Uint8Array): Uint8Array | number {
  const tail = plain.length - FOOTER_TAIL_BYTES
  if (tail < 0) return BLOCK_ERROR_FOOTER
  const algorithm = plain[tail]!
  const count = new DataView(plain.buffer, plain.byteOffset).getUint32(tail + 1, true)
  const end = tail - count * (algorithm === 0 ? 8 : 4)
  return algorithm > 2 || end < 0 ? BLOCK_ERROR_FOOTER : plain.subarray(0, end)
}

/** Everything between a data block's frame and its entries, or the error code. */
export function decodeDataBlock(
  bytes: Uint8Array,
  codec: number,
  hasFooter: boolean,
): Version[] | number {
  const frame = decodeFrame(bytes, BLOCK_TYPE_DATA)
  if (typeof frame === 'number') return frame
  const plain = decodePayload(frame, codec)
  if (typeof plain === 'number') return plain
  const body = hasFooter ? stripFooter(plain) : plain
  return typeof body === 'number' ? body : decodeDataBody(body)
}
