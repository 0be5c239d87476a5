/**
 * The primitive encodings of the format (table spec 1): a strict cursor, its writing twin, and byte helpers.
 * Part of the test suite's independent decoder, which imports nothing from the engine it judges.
 */

/** A violation of the format: where in which structure, and what is wrong there. */
export class FormatError extends Error {
  readonly where: string
  readonly what: string

  constructor(where: string, what: string) {
    super(`${where}: ${what}`)
    this.name = 'FormatError'
    this.where = where
    this.what = what
  }
}

export function fail(where: string, what: string): never {
  throw new FormatError(where, what)
}

export function check(condition: boolean, where: string, what: string): asserts condition {
  if (!condition) fail(where, what)
}

/** Demands equality and reports both sides where it does not hold. */
export function checkEqual<T extends bigint | number | string | boolean | undefined>(
  actual: T,
  expected: T,
  where: string,
  what: string,
): void {
  if (actual !== expected) fail(where, `${what} is ${show(actual)}, expected ${show(expected)}`)
}

function show(value: bigint | number | string | boolean | undefined): string {
  if (typeof value === 'bigint' && value > 0xffff_ffffn) return `0x${value.toString(16)}`
  return String(value)
}

/** Unsigned bytewise order, a prefix before what it prefixes: the default comparator. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

export type Comparator = (a: Uint8Array, b: Uint8Array) => number

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s+/g, ''), 'hex'))
}

export function ascii(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

export function utf8(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'utf8'))
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

export function concatBytes(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

/** Reads little-endian fields in order; never past `end`, never a varint in any but its shortest form. */
export class Cursor {
  readonly bytes: Uint8Array
  readonly where: string
  readonly end: number
  position: number
  readonly #view: DataView

  constructor(bytes: Uint8Array, where: string, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.where = where
    this.position = start
    this.end = end
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.end - this.position
  }

  fail(what: string): never {
    fail(`${this.where} at ${this.position}`, what)
  }

  /** Moves past `length` bytes and answers where they begin. */
  skip(length: number): number {
    if (length > this.left) this.fail(`needs ${length} bytes, ${this.left} are left`)
    const start = this.position
    this.position += length
    return start
  }

  take(length: number): Uint8Array {
    const start = this.skip(length)
    return this.bytes.subarray(start, start + length)
  }

  u8(): number {
    return this.#view.getUint8(this.skip(1))
  }

  i8(): number {
    return this.#view.getInt8(this.skip(1))
  }

  u16(): number {
    return this.#view.getUint16(this.skip(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4), true)
  }

  f32(): number {
    return this.#view.getFloat32(this.skip(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.skip(8), true)
  }

  u128(): bigint {
    const low = this.u64()
    return (this.u64() << 64n) | low
  }

  /** A u64 that has to be a safe integer: an offset, a length, a count, an id. */
  size(): number {
    return this.#safe(this.u64())
  }

  var64(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8()
      if (shift === 63n && byte > 1) this.fail('varint exceeds 64 bits')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0n) this.fail('varint is not in its shortest form')
        return value
      }
    }
  }

  var32(): number {
    return this.#limited(0xffff_ffffn)
  }

  var16(): number {
    return this.#limited(0xffffn)
  }

  varSize(): number {
    return this.#safe(this.var64())
  }

  expectEnd(): void {
    if (this.left !== 0) this.fail(`${this.left} surplus bytes`)
  }

  expectMagic(hex: string, what: string): void {
    const found = toHex(this.take(hex.length / 2))
    if (found !== hex) fail(this.where, `${what} magic is ${found}, expected ${hex}`)
  }

  #limited(limit: bigint): number {
    const value = this.var64()
    if (value > limit) this.fail(`varint ${value} exceeds ${limit}`)
    return Number(value)
  }

  #safe(value: bigint): number {
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.fail(`${value} is no safe integer`)
    return Number(value)
  }
}

/** Appends little-endian fields to a growing piece. */
export class Writer {
  #buffer = Buffer.alloc(256)
  #length = 0

  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    const at = this.#grow(1)
    this.#buffer.writeUInt8(value, at)
    return this
  }

  u16(value: number): this {
    const at = this.#grow(2)
    this.#buffer.writeUInt16LE(value, at)
    return this
  }

  u32(value: number): this {
    const at = this.#grow(4)
    this.#buffer.writeUInt32LE(value, at)
    return this
  }

  f32(value: number): this {
    const at = this.#grow(4)
    this.#buffer.writeFloatLE(value, at)
    return this
  }

  u64(value: bigint | number): this {
    const at = this.#grow(8)
    this.#buffer.writeBigUInt64LE(BigInt(value), at)
    return this
  }

  u128(value: bigint): this {
    return this.u64(value & 0xffff_ffff_ffff_ffffn).u64(value >> 64n)
  }

  varint(value: bigint | number): this {
    let rest = BigInt(value)
    while (rest > 0x7fn) {
      this.u8(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    return this.u8(Number(rest))
  }

  bytes(piece: Uint8Array): this {
    const start = this.#grow(piece.length)
    this.#buffer.set(piece, start)
    return this
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#buffer.subarray(0, this.#length))
  }

  #grow(length: number): number {
    const start = this.#length
    this.#length += length
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.alloc(this.#length * 2)
      this.#buffer.copy(larger, 0, 0, start)
      this.#buffer = larger
    }
    return start
  }
}
