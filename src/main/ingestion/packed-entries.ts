/**
 * Packed chunks: many entries in one array, which cost a bulk ingestion far less than pairs do, and travel between threads
 * by transfer (docs/bulk-ingestion.md). Pure; any thread.
 *
 *     { key length u16 | value length u32 | key | value } …          little-endian, back to back, no header
 *
 * An entry lies in one chunk as a whole. Keys have 1 to 65,535 bytes.
 */
import { rangeError, typeError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import type { BytesLike } from '../bytes-like.js'

const HEAD_BYTES = 6

/** Bytes of a chunk, roughly: large enough that a message for each is lost in it. */
export const CHUNK_BYTES_DEFAULT = 1024 * 1024

const VALUE_BYTES_MAX = 0xffff_ffff

/** UTF-8 takes no more for a unit of a string. */
const BYTES_A_UNIT = 3

/** Keys up to this size are copied by a loop: a call costs more. */
const LOOP_BYTES = 24

/** Gathers entries in chunks. What it gives away is a copy, the taker's; it goes on in the memory it has. */
export class ChunkPacker<B extends ArrayBufferLike> {
  readonly #chunkBytes: number
  readonly #copy: (chunk: Uint8Array) => Uint8Array<B>
  #chunk: Buffer | undefined
  #top = 0

  /** @param copy makes the copies; {@link owned} for memory that can be moved */
  constructor(chunkBytes: number, copy: (chunk: Uint8Array) => Uint8Array<B>) {
    this.#chunkBytes = chunkBytes
    this.#copy = copy
  }

  /**
   * Adds an entry; the chunk before it, where there was no room left in that. An entry that is larger than a chunk has one
   * of its own.
   * @throws TypeError for what is neither string nor Uint8Array, RangeError for a key of no or too many bytes; nothing has
   *   changed then
   */
  add(key: BytesLike, value: BytesLike): Uint8Array<B> | undefined {
    const keyAtMost = bytesAtMost(key, 'key')
    if (keyAtMost === 0 || keyAtMost > KEY_BYTES_MAX) requireKeyLength(key)
    const most = HEAD_BYTES + keyAtMost + bytesAtMost(value, 'value')
    let full: Uint8Array<B> | undefined
    let chunk = this.#chunk
    if (chunk === undefined || this.#top + most > this.#chunkBytes) {
      full = this.take()
      chunk = this.#chunk
      if (chunk === undefined || most > chunk.length) {
        // Not zeroed, and memory of its own: never a piece of what all small buffers share.
        chunk = Buffer.allocUnsafeSlow(Math.max(this.#chunkBytes, most))
        this.#chunk = chunk
      }
    }
    const head = this.#top
    const keyAt = head + HEAD_BYTES
    const keyLength = place(chunk, key, keyAt)
    const valueLength = place(chunk, value, keyAt + keyLength)
    chunk[head] = keyLength
    chunk[head + 1] = keyLength >>> 8
    chunk[head + 2] = valueLength
    chunk[head + 3] = valueLength >>> 8
    chunk[head + 4] = valueLength >>> 16
    chunk[head + 5] = valueLength >>> 24
    this.#top = keyAt + keyLength + valueLength
    return full
  }

  /** What was gathered and not given yet. */
  take(): Uint8Array<B> | undefined {
    const chunk = this.#chunk
    const top = this.#top
    if (chunk === undefined || top === 0) return undefined
    this.#top = 0
    if (chunk.length !== this.#chunkBytes) this.#chunk = undefined
    return this.#copy(chunk.subarray(0, top))
  }
}

function bytesAtMost(value: BytesLike, what: 'key' | 'value'): number {
  if (typeof value === 'string') {
    return value.length * BYTES_A_UNIT
  }
  if (!(value instanceof Uint8Array)) {
    const found = value === null ? 'null' : typeof value
    throw typeError(`a ${what} must be a string or a Uint8Array, not ${found}`)
  }
  if (value.length > VALUE_BYTES_MAX) {
    throw rangeError(`a ${what} has ${VALUE_BYTES_MAX} bytes at most, not ${value.length}`)
  }
  return value.length
}

function requireKeyLength(key: BytesLike): void {
  const length = Buffer.byteLength(key)
  if (length > 0 && length <= KEY_BYTES_MAX) return
  throw rangeError(`a key has 1 to ${KEY_BYTES_MAX} bytes, not ${length}`)
}

/** Copies `value` to `at`; its length in bytes. */
function place(chunk: Buffer, value: BytesLike, at: number): number {
  if (typeof value === 'string') return chunk.write(value, at, 'utf8')
  const { length } = value
  if (length > LOOP_BYTES) chunk.set(value, at)
  else for (let i = 0; i < length; i++) chunk[at + i] = value[i] as number
  return length
}

/**
 * Packs entries into chunks.
 * @param options.chunkBytes when a chunk is full; default 1 MiB. A larger entry has a chunk of its own.
 * @throws TypeError, RangeError for a key of no or too many bytes
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
  const packer = new ChunkPacker(chunkBytes, owned)
  for (const [key, value] of entries) {
    const full = packer.add(key, value)
    if (full !== undefined) yield full
  }
  const last = packer.take()
  if (last !== undefined) yield last
  return undefined
}

/** The same bytes in memory that holds nothing else, as whoever moves it to another thread wants it. */
export function owned(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(chunk)
}
