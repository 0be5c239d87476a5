/**
 * A growing array of bytes for encoders: little-endian integers, varints, bytes. Every thread; no
 * I/O. The counterpart of {@link ByteReader}.
 *
 * I1: a value outside its field's range is our bug and throws VARVE_ASSERTION; nothing is ever cut
 *     silently.
 */
import { assert } from '../base/errors.js'

export class ByteWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    checkRange(value, 0xff)
    const at = this.#grow(1)
    this.#view.setUint8(at, value)
    return this
  }

  u16(value: number): this {
    checkRange(value, 0xffff)
    const at = this.#grow(2)
    this.#view.setUint16(at, value, true)
    return this
  }

  u32(value: number): this {
    checkRange(value, 0xffff_ffff)
    const at = this.#grow(4)
    this.#view.setUint32(at, value, true)
    return this
  }

  u64(value: number): this {
    checkRange(value, Number.MAX_SAFE_INTEGER)
    const at = this.#grow(8)
    this.#view.setUint32(at, value % 0x1_0000_0000, true)
    this.#view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
    return this
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  zeros(count: number): this {
    this.#grow(count)
    return this
  }

  /** An unsigned LEB128 in its shortest form. */
  varint(value: number): this {
    checkRange(value, Number.MAX_SAFE_INTEGER)
    let rest = value
    while (rest >= 0x80) {
      this.u8((rest % 128) | 0x80)
      rest = Math.floor(rest / 128)
    }
    return this.u8(rest)
  }

  /** Everything written so far: a private copy, exactly as long. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #grow(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length))
      grown.set(this.#bytes)
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    return at
  }
}

function checkRange(value: number, limit: number): void {
  assert(Number.isSafeInteger(value), `${value} is an integer`)
  assert(value >= 0 && value <= limit, `${value} lies in 0..${limit}`)
}
