/**
 * Reads entries from NDJSON: one JSON value a line. Any thread.
 *
 * I1: a line is kept in memory only as far as {@link NdjsonOptions.lineBytesMax} goes.
 */
import { isUtf8 } from 'node:buffer'
import { rangeError } from '../../shared/base/errors.js'
import type { BytesLike } from '../bytes-like.js'
import { lineError, requireBytesOf, requireKeyOf } from './line-errors.js'
import { CHUNK_BYTES_DEFAULT, ChunkPacker, owned } from './packed-entries.js'
import { piecesOf, type TextSource } from './source-bytes.js'

export interface NdjsonOptions {
  /** The field that is the key, a string or a number; or what makes a key of a line's value. */
  readonly key: string | ((row: unknown) => BytesLike)
  /**
   * The field that is the value: a string as it is, anything else as JSON; or what makes a value of a line's value.
   * Default: the line itself, as it stands.
   */
  readonly value?: string | ((row: unknown) => BytesLike)
  /** Bytes of a line at most. Default 64 MiB. */
  readonly lineBytesMax?: number
}

const LINE_BYTES_MAX_DEFAULT = 64 * 1024 * 1024

const NEWLINE = 10

/**
 * The entries of an NDJSON text, as packed chunks for `bulkIngest`. Empty lines are passed over, and so is a byte order mark.
 *
 * @param source a path, a `file:` URL, a Readable, or an (async) iterable of Buffers
 * @throws VARVE_INVALID_ARGUMENT for a line that gives no entry: `details.line` tells which, from 1; VARVE_IO
 *
 * @example
 * ```ts
 * await tree.bulkIngest(ndjsonEntries('users.ndjson', { key: 'id' }))
 * await tree.bulkIngest(ndjsonEntries(response.body, { key: (row) => `user:${row.id}`, value: 'name' }))
 * ```
 */
export async function* ndjsonEntries(
  source: TextSource,
  options: NdjsonOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  const packer = new ChunkPacker(CHUNK_BYTES_DEFAULT, owned)
  const entryOf = entryReader(options)
  const lines = new LineSplitter(options.lineBytesMax)
  let number = 0
  const chunks: Uint8Array<ArrayBuffer>[] = []
  const take = (line: Buffer): void => {
    const entry = entryOf(++number, line)
    const full = entry === undefined ? undefined : packer.add(entry[0], entry[1])
    if (full !== undefined) chunks.push(full)
  }
  for await (const piece of piecesOf(source)) {
    lines.feed(piece, take)
    yield* chunks.splice(0)
  }
  lines.end(take)
  const last = packer.take()
  if (last !== undefined) chunks.push(last)
  yield* chunks
  return undefined
}

/** Cuts pieces of bytes into lines. */
class LineSplitter {
  readonly #bytesMax: number
  /** What has come of a line that is not complete. */
  #rest: Buffer[] = []
  #restBytes = 0
  #lineCount = 0

  constructor(bytesMax = LINE_BYTES_MAX_DEFAULT) {
    if (!Number.isInteger(bytesMax) || bytesMax < 1) {
      throw rangeError(`lineBytesMax must be an integer of 1 or more, not ${bytesMax}`)
    }
    this.#bytesMax = bytesMax
  }

  feed(piece: Buffer, onLine: (line: Buffer) => void): void {
    let from = 0
    for (;;) {
      const end = piece.indexOf(NEWLINE, from)
      this.#requireShort(this.#restBytes + (end < 0 ? piece.length : end) - from)
      if (end < 0) break
      onLine(this.#complete(piece.subarray(from, end)))
      this.#lineCount++
      from = end + 1
    }
    if (from === piece.length) return
    // A copy: whoever gave the piece may use its memory again.
    this.#rest.push(Buffer.from(piece.subarray(from)))
    this.#restBytes += piece.length - from
  }

  end(onLine: (line: Buffer) => void): void {
    if (this.#restBytes > 0) onLine(this.#complete(Buffer.alloc(0)))
  }

  #complete(tail: Buffer): Buffer {
    if (this.#restBytes === 0) return tail
    const line = Buffer.concat([...this.#rest, tail])
    this.#rest = []
    this.#restBytes = 0
    return line
  }

  #requireShort(bytes: number): void {
    if (bytes <= this.#bytesMax) return
    throw lineError(this.#lineCount + 1, `it is longer than ${this.#bytesMax} bytes (lineBytesMax)`)
  }
}

type EntryReader = (
  number: number,
  line: Buffer,
) => readonly [key: BytesLike, value: BytesLike] | undefined

/** What makes an entry of a line; undefined of an empty one. */
function entryReader({ key, value }: NdjsonOptions): EntryReader {
  const keyOf = typeof key === 'function' ? key : fieldOf(key, keyText)
  const bytesOf = typeof value === 'string' ? fieldOf(value, valueText) : value
  return (number, bytes) => {
    if (!isUtf8(bytes)) throw lineError(number, 'it is not UTF-8')
    const isMarked = number === 1 && bytes.length >= 3 && bytes[0] === 0xef
    const line = trimmed(
      isMarked && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes,
    )
    if (line.length === 0) return undefined
    const row = parse(number, line)
    const entryKey = requireKeyOf(number, keyOf(row))
    if (bytesOf === undefined) return [entryKey, line]
    return [entryKey, requireBytesOf(number, bytesOf(row), 'value')]
  }
}

function parse(number: number, line: Buffer): unknown {
  try {
    return JSON.parse(line.toString())
  } catch (cause) {
    throw lineError(number, `it is no JSON: ${(cause as Error).message}`, cause)
  }
}

/** Without the white space of JSON at both ends. */
function trimmed(line: Buffer): Buffer {
  let from = 0
  let end = line.length
  while (from < end && isSpace(line[from] as number)) from++
  while (end > from && isSpace(line[end - 1] as number)) end--
  return from === 0 && end === line.length ? line : line.subarray(from, end)
}

const isSpace = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0d || byte === 0x09 || byte === 0x0a

function fieldOf(name: string, textOf: (field: unknown) => unknown): (row: unknown) => BytesLike {
  return (row) => {
    const isObject = typeof row === 'object' && row !== null && Object.hasOwn(row, name)
    // What is no text is refused by whoever asks, who knows the line.
    return textOf(isObject ? (row as Record<string, unknown>)[name] : undefined) as BytesLike
  }
}

const keyText = (field: unknown): unknown => (typeof field === 'number' ? String(field) : field)

const valueText = (field: unknown): unknown =>
  typeof field === 'string' || field === undefined ? field : JSON.stringify(field)
