/**
 * Reads entries from CSV (RFC 4180, and what is commonly taken for it). Any thread. The only importer of csv-parse.
 */
import { isUtf8 } from 'node:buffer'
import { type CsvError, type Options, parse } from 'csv-parse'
import { rangeError, typeError, VarveError } from '../../shared/base/errors.js'
import type { BytesLike } from '../bytes-like.js'
import { lineError, requireBytesOf, requireKeyOf } from './line-errors.js'
import { CHUNK_BYTES_DEFAULT, ChunkPacker, owned } from './packed-entries.js'
import { piecesOf, type TextSource } from './source-bytes.js'

/** A column by its name, or by its number from 0; or what makes something of a row's fields. */
export type CsvColumn = string | number | ((fields: readonly string[]) => BytesLike)

export interface CsvOptions {
  readonly key: CsvColumn
  /** Default: the row as JSON: an object by the names of the columns, or an array where they have none. */
  readonly value?: CsvColumn
  /** Default `,`. */
  readonly delimiter?: string
  /** Default `"`; doubled, it stands for itself. */
  readonly quote?: string
  /** True: the first row has the names of the columns. False: they have none. Or the names themselves. Default true. */
  readonly header?: boolean | readonly string[]
  /** Bytes of a row at most. Default 16 MiB. */
  readonly rowBytesMax?: number
}

const ROW_BYTES_MAX_DEFAULT = 16 * 1024 * 1024

const NEWLINE = 10

/**
 * The entries of a CSV text, as packed chunks for `bulkIngest`. Rows end with LF or CRLF; empty lines are passed over, and so
 * is a byte order mark. Every row has as many fields as the first one.
 *
 * Some hundred thousand rows a second: where that is what holds an ingestion up, run it in a worker thread, and send the
 * chunks.
 *
 * @param source a path, a `file:` URL, a Readable, or an (async) iterable of Buffers
 * @throws VARVE_INVALID_ARGUMENT for a row that gives no entry: `details.line` tells which line it is in, from 1; VARVE_IO
 *
 * @example
 * ```ts
 * await tree.bulkIngest(csvEntries('users.csv', { key: 'id' }))
 * await tree.bulkIngest(csvEntries(stream, { key: 0, value: 3, header: false, delimiter: ';' }))
 * ```
 */
export async function* csvEntries(
  source: TextSource,
  options: CsvOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  const packer = new ChunkPacker(CHUNK_BYTES_DEFAULT, owned)
  const chunks: Uint8Array<ArrayBuffer>[] = []
  const rows = new RowReader(options)
  const parser = parse({
    ...parserOptions(options),
    on_record: (fields: string[], { lines }) => {
      const entry = rows.entryOf(fields, lines)
      const full = entry === undefined ? undefined : packer.add(entry[0], entry[1])
      if (full !== undefined) chunks.push(full)
      // Taken: nothing is passed on.
      return null
    },
  })
  // A failure comes by a callback as well.
  parser.on('error', () => undefined).resume()
  const text = new Utf8Check()
  try {
    for await (const piece of piecesOf(source)) {
      text.feed(piece)
      await new Promise<void>((resolve, reject) => {
        parser.write(piece, (error) => (error ? reject(explained(error)) : resolve()))
      })
      yield* chunks.splice(0)
    }
    text.end()
    await new Promise<void>((resolve, reject) => {
      parser.once('error', (error) => reject(explained(error)))
      parser.once('end', resolve)
      parser.end()
    })
  } finally {
    parser.destroy()
  }
  const last = packer.take()
  if (last !== undefined) chunks.push(last)
  yield* chunks
  return undefined
}

/** Looks whether pieces of bytes are UTF-8 together: the parser would put other characters in the place of what is not. */
class Utf8Check {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  #lineCount = 0

  feed(piece: Buffer): void {
    try {
      this.#decoder.decode(piece, { stream: true })
    } catch (cause) {
      throw lineError(this.#badLine(piece), 'it is not UTF-8', cause)
    }
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) {
      this.#lineCount++
    }
  }

  end(): void {
    try {
      this.#decoder.decode()
    } catch (cause) {
      throw lineError(this.#lineCount + 1, 'it is not UTF-8: its last character is cut off', cause)
    }
  }

  #badLine(piece: Buffer): number {
    let line = this.#lineCount + 1
    for (let from = 0; ; line++) {
      const end = piece.indexOf(NEWLINE, from)
      if (end < 0 || !isUtf8(piece.subarray(from, end))) return line
      from = end + 1
    }
  }
}

function parserOptions({
  delimiter = ',',
  quote = '"',
  rowBytesMax = ROW_BYTES_MAX_DEFAULT,
}: CsvOptions): Options<string[]> {
  if (typeof delimiter !== 'string' || delimiter === '') {
    throw typeError('delimiter must be a string that is not empty')
  }
  if (typeof quote !== 'string' || quote.length > 1) {
    throw typeError('quote must be one character, or an empty string for none')
  }
  if (!Number.isInteger(rowBytesMax) || rowBytesMax < 1) {
    throw rangeError(`rowBytesMax must be an integer of 1 or more, not ${rowBytesMax}`)
  }
  return {
    bom: true,
    delimiter,
    quote: quote === '' ? null : quote,
    escape: quote === '' ? null : quote,
    max_record_size: rowBytesMax,
    record_delimiter: ['\n', '\r\n'],
    skip_empty_lines: true,
  }
}

/** What the parser found wrong, as an error of ours. */
function explained(error: Error): Error {
  if (VarveError.is(error)) return error
  const { lines } = error as CsvError & { readonly lines?: unknown }
  if (typeof lines !== 'number') return error
  return lineError(lines, error.message, error)
}

/** Makes entries of rows. */
class RowReader {
  readonly #options: CsvOptions
  #names: readonly string[] | undefined
  #keyOf: ((fields: readonly string[]) => unknown) | undefined
  #valueOf: ((fields: readonly string[]) => unknown) | undefined

  constructor(options: CsvOptions) {
    this.#options = options
  }

  /** Undefined of the row that has the names. */
  entryOf(
    fields: readonly string[],
    line: number,
  ): readonly [key: BytesLike, value: BytesLike] | undefined {
    const { header = true } = this.#options
    if (this.#keyOf === undefined || this.#valueOf === undefined) {
      this.#begin(line, header === true ? fields : header === false ? undefined : header)
      if (header === true) return undefined
    }
    const key = requireKeyOf(line, this.#keyOf?.(fields))
    return [key, requireBytesOf(line, this.#valueOf?.(fields), 'value')]
  }

  #begin(line: number, names: readonly string[] | undefined): void {
    const { key, value } = this.#options
    this.#names = names
    this.#keyOf = this.#getter(line, key)
    this.#valueOf =
      value === undefined ? (fields) => this.#jsonOf(fields) : this.#getter(line, value)
  }

  #getter(line: number, column: CsvColumn): (fields: readonly string[]) => unknown {
    if (typeof column === 'function') return column
    const index = typeof column === 'number' ? column : this.#names?.indexOf(column)
    if (index === undefined || index < 0) {
      const known = this.#names === undefined ? 'columns have no names' : this.#names.join(', ')
      throw lineError(line, `there is no column ${column}: ${known}`)
    }
    return (fields) => fields[index]
  }

  #jsonOf(fields: readonly string[]): string {
    const names = this.#names
    if (names === undefined) return JSON.stringify(fields)
    return JSON.stringify(Object.fromEntries(names.map((name, i) => [name, fields[i]])))
  }
}
