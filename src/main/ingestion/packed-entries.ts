/**
 * Packed chunks: many entries in one array, which cost a bulk ingestion far less than pairs do, and travel between threads
 * by transfer. Pure; any thread.
 *
 *     { key length u16 | value length u32 | key | value } …          little-endian, back to back, no header
 *
 * An entry lies in one chunk as a whole. Keys have 1 to 65,535 bytes.
 */
import { rangeError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import type { BytesLike } from '../writing/write-batch.js'

const HEAD_BYTES = 6

/** Bytes of a chunk, roughly. */
const CHUNK_BYTES_DEFAULT = 1024 * 1024

const bytesOf = (value: BytesLike): Uint8Array =>
  typeof value === 'string' ? Buffer.from(value) : value

/**
 * Packs entries into chunks.
 * @param options.chunkBytes when a chunk is full; default 1 MiB. A larger entry has a chunk of its own.
 * @throws RangeError for a key of no or too many bytes
 *
 * @example
 * ```ts
 * // In a worker thread:
 * for (const chunk of packEntries(entries)) port.postMessage(chunk, [chunk.buffer])
 * ```
 */
export function* packEntries(
  entries: Iterable<readonly [key: BytesLike, value: BytesLike]>,
  options: { readonly chunkBytes?: number } = {},
): Generator<Uint8Array<ArrayBuffer>, undefined> {
  const { chunkBytes = CHUNK_BYTES_DEFAULT } = options
  let chunk = new Uint8Array(chunkBytes)
  let top = 0
  for (const [givenKey, givenValue] of entries) {
    const [key, value] = [bytesOf(givenKey), bytesOf(givenValue)]
    if (key.length === 0 || key.length > KEY_BYTES_MAX) {
      throw rangeError(`a key has 1 to ${KEY_BYTES_MAX} bytes, not ${key.length}`)
    }
    const bytes = HEAD_BYTES + key.length + value.length
    if (top + bytes > chunk.length) {
      if (top > 0) yield chunk.slice(0, top)
      if (bytes > chunk.length) chunk = new Uint8Array(bytes)
      top = 0
    }
    const view = new DataView(chunk.buffer)
    view.setUint16(top, key.length, true)
    view.setUint32(top + 2, value.length, true)
    chunk.set(key, top + HEAD_BYTES)
    chunk.set(value, top + HEAD_BYTES + key.length)
    top += bytes
  }
  if (top > 0) yield chunk.slice(0, top)
  return undefined
}
