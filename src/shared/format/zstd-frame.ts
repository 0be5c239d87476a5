/**
 * The dictionary id in a zstd frame's header (RFC 8878, 3.1.1.1). The native library writes no id for a dictionary of
 * raw content and refuses frames that name one, while files of this format always name it (format-table.md 6.3): so the
 * id is put into the header when a block is written and taken out when it is read.
 *
 *   magic u32 | descriptor u8 | [window u8, unless single segment] | [dictionary id] | [content size] | blocks
 *
 * The descriptor's lowest two bits tell how long the id is: 0, 1, 2 or 4 bytes. Pure; any thread.
 */

/** Bytes that {@link insertDictionaryId} adds. */
export const DICTIONARY_ID_BYTES = 4

const MAGIC = 0xfd2fb528
const DESCRIPTOR_AT = 4
const SINGLE_SEGMENT = 0x20
const ID_LENGTHS = [0, 1, 2, 4] as const

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Where the dictionary id stands or would stand, and its length; undefined where `frame` is no zstd frame. */
function locate(frame: Uint8Array): { readonly at: number; readonly length: number } | undefined {
  if (frame.length < 6 || view(frame).getUint32(0, true) !== MAGIC) return undefined
  const descriptor = frame[DESCRIPTOR_AT] as number
  const at = (descriptor & SINGLE_SEGMENT) === 0 ? 6 : 5
  return { at, length: ID_LENGTHS[(descriptor & 3) as 0 | 1 | 2 | 3] }
}

/** The dictionary id that a frame names: 0 for none, undefined where it is no zstd frame. */
export function dictionaryIdOf(frame: Uint8Array): number | undefined {
  const place = locate(frame)
  if (place === undefined || place.at + place.length > frame.length) return undefined
  const bytes = view(frame)
  if (place.length === 0) return 0
  if (place.length === 1) return bytes.getUint8(place.at)
  return place.length === 2 ? bytes.getUint16(place.at, true) : bytes.getUint32(place.at, true)
}

/**
 * Puts `id` into the header of the frame in the first `length` bytes of `frame`, moving the rest back; returns the new
 * length. A frame that names a dictionary already stays as it is. REQUIRES: room for DICTIONARY_ID_BYTES more.
 */
export function insertDictionaryId(frame: Uint8Array, length: number, id: number): number {
  const place = locate(frame)
  if (place === undefined || place.length !== 0) return length
  frame.copyWithin(place.at + DICTIONARY_ID_BYTES, place.at, length)
  view(frame).setUint32(place.at, id, true)
  frame[DESCRIPTOR_AT] = (frame[DESCRIPTOR_AT] as number) | 3
  return length + DICTIONARY_ID_BYTES
}

/** A copy of `frame` without its dictionary id. */
export function withoutDictionaryId(frame: Uint8Array): Uint8Array {
  const place = locate(frame)
  if (place === undefined || place.length === 0) return Uint8Array.from(frame)
  const out = new Uint8Array(frame.length - place.length)
  out.set(frame.subarray(0, place.at))
  out.set(frame.subarray(place.at + place.length), place.at)
  out[DESCRIPTOR_AT] = (frame[DESCRIPTOR_AT] as number) & ~3
  return out
}
