/**
 * The bytes of a text that is to be brought in, wherever it comes from, a piece at a time. Any thread.
 */
import { createReadStream } from 'node:fs'
import { ioError, typeError } from '../../shared/base/errors.js'

/** A file by its path or `file:` URL, a `Readable`, or whatever else yields pieces of bytes or of text. */
export type TextSource =
  | string
  | URL
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>

/** Bytes of a file that are read ahead at a time. */
const READ_BYTES = 256 * 1024

/** @throws VARVE_IO for a file that cannot be read, TypeError for what is no source; a stream's own errors */
export async function* piecesOf(source: TextSource): AsyncGenerator<Buffer, undefined> {
  if (typeof source === 'string' || source instanceof URL) {
    try {
      yield* createReadStream(source, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>
    } catch (cause) {
      throw ioError('read', String(source), cause)
    }
    return undefined
  }
  const isIterable =
    typeof source === 'object' &&
    source !== null &&
    (Symbol.asyncIterator in source || Symbol.iterator in source)
  if (!isIterable) {
    throw typeError('a text is read from a path, a URL, a Readable, or an iterable of Buffers')
  }
  for await (const piece of source) {
    if (typeof piece === 'string') yield Buffer.from(piece)
    else if (piece instanceof Uint8Array) {
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    } else throw typeError('a text comes in pieces that are Buffers, Uint8Arrays or strings')
  }
  return undefined
}
