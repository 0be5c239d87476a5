/**
 * Framed records: how the edit log and two manifest sections pack small records so that each can be
 * checked, and a torn one told from a damaged one (format-manifest-blob.md 5). Every thread; no
 * I/O.
 *
 *     off  size  field
 *     0    4     len u32, at most 65 536
 *     4    8     XXH3-64(payload)
 *     12   len   payload
 *
 *     01 00 00 00 | e2 3e ae 27 8d 35 9e 92 | 05          the payload 05
 *
 * I1: the length is believed only up to its limit, so no damage makes a reader allocate or skip
 *     without bound.
 */
import { type Hasher, sameBytes } from '../base/checksum.js'
import { assert } from '../base/errors.js'
import { FRAME_PAYLOAD_BYTES_MAX } from '../base/limits.js'

/** Bytes before a frame's payload. */
export const FRAME_HEADER_BYTES = 12

/**
 * What is found at a record boundary, in the order in which it is decided. `next` is the following
 * boundary.
 */
export type FrameOutcome =
  | { readonly kind: 'truncated' }
  | { readonly kind: 'bad-header'; readonly length: number }
  | { readonly kind: 'len-mismatch'; readonly length: number }
  | {
      readonly kind: 'checksum-mismatch'
      readonly next: number
      readonly expected: Uint8Array
      readonly found: Uint8Array
    }
  | { readonly kind: 'ok'; readonly payload: Uint8Array; readonly next: number }

/** The frame of `payload`. REQUIRES: at most 65 536 bytes. */
export function encodeFrame(payload: Uint8Array, hasher: Hasher): Uint8Array {
  assert(payload.length <= FRAME_PAYLOAD_BYTES_MAX, 'a framed payload fits its limit')
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length)
  new DataView(frame.buffer).setUint32(0, payload.length, true)
  hasher.hash64Into(payload, frame, 4)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/**
 * Reads the frame at `offset`; `expectedLength` where records have one fixed size. The payload is a
 * view.
 */
export function readFrame(
  bytes: Uint8Array,
  offset: number,
  hasher: Hasher,
  expectedLength?: number,
): FrameOutcome {
  const left = bytes.length - offset
  if (left < 4) return { kind: 'truncated' }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true)
  if (length > FRAME_PAYLOAD_BYTES_MAX) return { kind: 'bad-header', length }
  if (expectedLength !== undefined && length !== expectedLength) {
    return { kind: 'len-mismatch', length }
  }
  if (FRAME_HEADER_BYTES + length > left) return { kind: 'truncated' }
  const next = offset + FRAME_HEADER_BYTES + length
  const expected = bytes.slice(offset + 4, offset + FRAME_HEADER_BYTES)
  const payload = bytes.subarray(offset + FRAME_HEADER_BYTES, next)
  const found = new Uint8Array(8)
  hasher.hash64Into(payload, found, 0)
  if (!sameBytes(found, expected)) return { kind: 'checksum-mismatch', next, expected, found }
  return { kind: 'ok', payload, next }
}
