/**
 * Records that are encoded and not written yet, back to back. Main thread.
 *
 * A log position counts the bytes of frames since the log was opened, over all segments: unlike an offset it stays the same
 * when a record moves to the next segment before it is written.
 *
 * I1: a body handed out stays as it is for as long as somebody holds it: a chunk is never used again, only let go.
 */
import type { Hasher } from '../../shared/base/checksum.js'
import {
  BODY_HEAD_BYTES,
  bindToPlace,
  FRAME_BYTES,
  frameLength,
  type Place,
  type RecordType,
  sealFrame,
} from './record.js'

/** Bytes of keys and values that are gathered into one piece of memory, and written by one call. */
const CHUNK_BYTES = 256 * 1024

/** Where the record at a log position lies, or will lie. */
export type PlaceOf = (position: number) => Place

/** A record that was appended. */
export interface Appended {
  readonly body: Buffer
  /** Log positions. */
  readonly start: number
  readonly end: number
}

interface Chunk {
  readonly bytes: Buffer
  start: number
  end: number
}

export class RecordBuffer {
  readonly #hasher: Hasher
  #chunks: Chunk[] = []
  /** The log position of the first byte held. */
  #start = 0
  #end = 0

  constructor(hasher: Hasher) {
    this.#hasher = hasher
  }

  get length(): number {
    return this.#end - this.#start
  }

  /** The log position behind the last record. */
  get end(): number {
    return this.#end
  }

  /** Appends a record; `fill` writes what follows the head of its body, `length` bytes. */
  append(
    type: RecordType,
    seqno: number,
    length: number,
    placeOf: PlaceOf,
    fill?: (target: Buffer, at: number) => void,
  ): Appended {
    const bodyLength = BODY_HEAD_BYTES + length
    const chunk = this.#room(FRAME_BYTES + bodyLength)
    const at = chunk.end
    const start = this.#end
    fill?.(chunk.bytes, at + FRAME_BYTES + BODY_HEAD_BYTES)
    const record = { length: bodyLength, type, seqno }
    sealFrame(chunk.bytes, at, record, this.#hasher, placeOf(start))
    chunk.end = at + FRAME_BYTES + bodyLength
    this.#end += FRAME_BYTES + bodyLength
    const body = chunk.bytes.subarray(at + FRAME_BYTES, chunk.end)
    return { body, start, end: this.#end }
  }

  /** What is held, in pieces for one write each. */
  pieces(): Buffer[] {
    return this.#chunks
      .filter(({ start, end }) => end > start)
      .map(({ bytes, start, end }) => bytes.subarray(start, end))
  }

  /** Everything held was written. */
  taken(): void {
    const last = this.#chunks.at(-1)
    this.#chunks = []
    // What is left of the last chunk takes the next records.
    if (last !== undefined && last.bytes.length - last.end > FRAME_BYTES) {
      last.start = last.end
      this.#chunks.push(last)
    }
    this.#start = this.#end
  }

  /** Drops everything from the log position `position` on. */
  dropFrom(position: number): void {
    let chunkStart = this.#start
    for (const chunk of this.#chunks) {
      const length = chunk.end - chunk.start
      const kept = Math.max(0, Math.min(length, position - chunkStart))
      chunkStart += length
      // Bodies behind the cut may still be looked at: the rest of the chunk is not used again.
      if (kept < length) chunk.end = chunk.start + kept
    }
    this.#chunks = this.#chunks.map((chunk) => ({
      bytes: chunk.bytes.subarray(0, chunk.end),
      start: chunk.start,
      end: chunk.end,
    }))
    this.#end = Math.max(this.#start, Math.min(this.#end, position))
  }

  /** The records that are held move to another segment: their checksums go with them. */
  rebind(from: PlaceOf, to: PlaceOf): void {
    let position = this.#start
    for (const { bytes, start, end } of this.#chunks) {
      for (let at = start; at < end; ) {
        bindToPlace(bytes, at, from(position))
        bindToPlace(bytes, at, to(position))
        const length = frameLength(bytes, at)
        at += length
        position += length
      }
    }
  }

  #room(bytes: number): Chunk {
    const last = this.#chunks.at(-1)
    if (last !== undefined && last.bytes.length - last.end >= bytes) return last
    const chunk = { bytes: Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes)), start: 0, end: 0 }
    this.#chunks.push(chunk)
    return chunk
  }
}
