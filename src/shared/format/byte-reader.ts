/**
 * A bounds-checked cursor over bytes from disk that says what was cut off, in which file and where.
 * Every thread; no I/O.
 *
 * I1: nothing is read past the end; a failure moves nothing.
 * I2: a u64 that a JavaScript number cannot hold exactly is VARVE_UNSUPPORTED, never rounded.
 * I3: `bytes` and `rest` are views into the input; whoever keeps them copies them.
 */
import { DIGEST_BYTES } from '../base/checksum.js'
import { type ErrorCode, type ErrorDetails, VarveError } from '../base/errors.js'

/** Where bytes come from, for error messages. */
export interface Origin {
  readonly file: string
  /** The file offset of the first byte. */
  readonly offset: number
}

/** A failure at a place of a file; the message names both. */
export function formatError(
  code: ErrorCode,
  origin: Origin,
  message: string,
  details: ErrorDetails = {},
  cause?: unknown,
): VarveError {
  return new VarveError(code, `${message} (${origin.file}, offset ${origin.offset})`, {
    details: { ...details, file: origin.file, offset: origin.offset },
    cause,
  })
}

/** True for the failure of a reader that ran out of bytes. */
export function isTruncation(error: unknown): boolean {
  return VarveError.is(error) && error.details['reason'] === 'truncated'
}

export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #origin: Origin
  readonly #what: string
  readonly #code: ErrorCode
  #position = 0

  /** Reads `bytes`, which are a `what` of `origin`; cut or malformed, they throw `code`. */
  constructor(bytes: Uint8Array, what: string, origin: Origin, code: ErrorCode) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
    this.#origin = origin
    this.#code = code
  }

  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#bytes.length - this.#position
  }

  /** Where the cursor stands, in the file. */
  get origin(): Origin {
    return { file: this.#origin.file, offset: this.#origin.offset + this.#position }
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(1, field))
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(2, field), true)
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(4, field), true)
  }

  /** A u64 as a safe integer (I2). */
  u64(field: string): number {
    const origin = this.origin
    const at = this.#take(8, field)
    const high = this.#view.getUint32(at + 4, true)
    if (high > 0x1f_ffff) throw tooLarge(origin, this.#what, field)
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true)
  }

  /** A view of the next `length` bytes (I3). */
  bytes(length: number, field: string): Uint8Array {
    const at = this.#take(length, field)
    return this.#bytes.subarray(at, at + length)
  }

  /** A private copy of the 16 bytes of a stored digest. */
  digest(field: string): Uint8Array {
    return this.bytes(DIGEST_BYTES, field).slice()
  }

  /** An unsigned LEB128 of at most 16 bits. */
  var16(field: string): number {
    return this.#varint(field, 0xffff)
  }

  /** An unsigned LEB128 of at most 32 bits. */
  var32(field: string): number {
    return this.#varint(field, 0xffff_ffff)
  }

  /** An unsigned LEB128 of at most 64 bits, as a safe integer (I2). */
  var64(field: string): number {
    return this.#varint(field, Number.POSITIVE_INFINITY)
  }

  /** A view of everything behind the cursor; the cursor stays (I3). */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#position)
  }

  skip(length: number, field: string): void {
    this.#take(length, field)
  }

  /** Throws unless every byte was consumed. */
  end(): void {
    if (this.remaining > 0) throw this.failure(`${this.remaining} bytes too many`)
  }

  /** The failure of this input at the cursor, to be thrown. */
  failure(message: string, details: ErrorDetails = {}): VarveError {
    return formatError(this.#code, this.origin, `${this.#what}: ${message}`, {
      ...details,
      what: this.#what,
    })
  }

  #take(length: number, field: string): number {
    if (length > this.remaining) {
      throw this.failure(
        `truncated in ${field}: ${length} bytes needed, ${this.remaining} are left`,
        { field, reason: 'truncated' },
      )
    }
    const at = this.#position
    this.#position += length
    return at
  }

  #varint(field: string, limit: number): number {
    const origin = this.origin
    const start = this.#position
    let value = 0
    let scale = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[start + i]
      if (byte === undefined) {
        throw this.failure(`truncated in ${field}`, { field, reason: 'truncated' })
      }
      // The tenth byte holds bit 63 only, and no continuation.
      if (i === 9 && byte > 1) break
      value += (byte & 0x7f) * scale
      scale *= 128
      if (byte < 0x80) {
        if (value > limit) break
        if (value > Number.MAX_SAFE_INTEGER) throw tooLarge(origin, this.#what, field)
        this.#position += i + 1
        return value
      }
    }
    throw this.failure(`${field} is not a varint within its limit`, { field })
  }
}

function tooLarge(origin: Origin, what: string, field: string): VarveError {
  return formatError(
    'VARVE_UNSUPPORTED',
    origin,
    `${what}: ${field} exceeds 2^53 - 1, the largest integer that this engine handles`,
    { what, field },
  )
}
