/**
 * XXH3-64 and XXH3-128 in plain BigInt arithmetic, seed 0, default secret: slow, short and
 * obviously right, for tests. The structure follows the published algorithm: one rule for each of
 * 0, 1-3, 4-8, 9-16, 17-128, 129-240 bytes and one for everything longer.
 */
import type { Hasher } from '../../src/shared/base/checksum.js'

const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f' +
    'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e' +
    '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)
const MASK = 0xffff_ffff_ffff_ffffn
const P32_1 = 0x9e37_79b1n
const P32_2 = 0x85eb_ca77n
const P32_3 = 0xc2b2_ae3dn
const P1 = 0x9e37_79b1_85eb_ca87n
const P2 = 0xc2b2_ae3d_27d4_eb4fn
const P3 = 0x1656_67b1_9e37_79f9n
const P4 = 0x85eb_ca77_c2b2_ae63n
const P5 = 0x27d4_eb2f_1656_67c5n
const MIX_1 = 0x1656_6791_9e37_79f9n
const MIX_2 = 0x9fb2_1c65_1e98_df25n

type Wide = { low: bigint; high: bigint }

const u64 = (value: bigint) => value & MASK
const rotate64 = (value: bigint, bits: bigint) => u64((value << bits) | (value >> (64n - bits)))
const fold = (left: bigint, right: bigint) => u64(left * right) ^ ((left * right) >> 64n)

function swap(value: bigint, bytes: number): bigint {
  let swapped = 0n
  for (let i = 0; i < bytes; i++) swapped = (swapped << 8n) | ((value >> BigInt(8 * i)) & 0xffn)
  return swapped
}

function avalanche(hash: bigint): bigint {
  const mixed = u64((hash ^ (hash >> 37n)) * MIX_1)
  return mixed ^ (mixed >> 32n)
}

function avalanche64(hash: bigint): bigint {
  let mixed = u64((hash ^ (hash >> 33n)) * P2)
  mixed = u64((mixed ^ (mixed >> 29n)) * P3)
  return mixed ^ (mixed >> 32n)
}

/** One input, with little-endian reads of it and of the secret. */
class Input {
  readonly #bytes: Buffer
  readonly length: number
  readonly size: bigint

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes)
    this.length = bytes.length
    this.size = BigInt(bytes.length)
  }

  byte = (offset: number) => BigInt(this.#bytes[offset] ?? 0)
  word = (offset: number) => BigInt(this.#bytes.readUInt32LE(offset))
  long = (offset: number) => this.#bytes.readBigUInt64LE(offset)

  mix16(offset: number, secret: number): bigint {
    return fold(this.long(offset) ^ key(secret), this.long(offset + 8) ^ key(secret + 8))
  }

  mix32(acc: Wide, first: number, second: number, secret: number): void {
    acc.low = u64(acc.low + this.mix16(first, secret))
    acc.low ^= u64(this.long(second) + this.long(second + 8))
    acc.high = u64(acc.high + this.mix16(second, secret + 16))
    acc.high ^= u64(this.long(first) + this.long(first + 8))
  }
}

const key = (offset: number) => SECRET.readBigUInt64LE(offset)
const key32 = (offset: number) => BigInt(SECRET.readUInt32LE(offset))

/** The eight accumulators of an input above 240 bytes. */
function accumulate(input: Input): bigint[] {
  const acc = [P32_3, P1, P2, P3, P4, P32_2, P5, P32_1]
  const stripe = (offset: number, secret: number) => {
    for (let i = 0; i < 8; i++) {
      const value = input.long(offset + 8 * i)
      const keyed = value ^ key(secret + 8 * i)
      acc[i ^ 1] = u64((acc[i ^ 1] ?? 0n) + value)
      acc[i] = u64((acc[i] ?? 0n) + (keyed & 0xffff_ffffn) * (keyed >> 32n))
    }
  }
  const blocks = Math.floor((input.length - 1) / 1024)
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < 16; i++) stripe(block * 1024 + i * 64, 8 * i)
    for (let i = 0; i < 8; i++) {
      const value = acc[i] ?? 0n
      acc[i] = u64((value ^ (value >> 47n) ^ key(128 + 8 * i)) * P32_1)
    }
  }
  const stripes = Math.floor((input.length - 1 - 1024 * blocks) / 64)
  for (let i = 0; i < stripes; i++) stripe(blocks * 1024 + i * 64, 8 * i)
  stripe(input.length - 64, 121)
  return acc
}

function merge(acc: bigint[], secret: number, start: bigint): bigint {
  let result = start
  for (let i = 0; i < 4; i++) {
    const left = (acc[2 * i] ?? 0n) ^ key(secret + 16 * i)
    const right = (acc[2 * i + 1] ?? 0n) ^ key(secret + 16 * i + 8)
    result = u64(result + fold(left, right))
  }
  return avalanche(result)
}

function combine(input: Input): bigint {
  const [first, middle, last] = [0, input.length >> 1, input.length - 1]
  return (
    (input.byte(first) << 16n) | (input.byte(middle) << 24n) | input.byte(last) | (input.size << 8n)
  )
}

/** XXH3-64 of `bytes`. */
export function xxh3(bytes: Uint8Array): bigint {
  const input = new Input(bytes)
  const { length, size } = input
  if (length === 0) return avalanche64(key(56) ^ key(64))
  if (length <= 3) return avalanche64(combine(input) ^ key32(0) ^ key32(4))
  if (length <= 8) {
    let hash = u64(input.word(length - 4) + (input.word(0) << 32n)) ^ key(8) ^ key(16)
    hash = u64((hash ^ rotate64(hash, 49n) ^ rotate64(hash, 24n)) * MIX_2)
    hash = u64((hash ^ ((hash >> 35n) + size)) * MIX_2)
    return hash ^ (hash >> 28n)
  }
  if (length <= 16) {
    const low = input.long(0) ^ key(24) ^ key(32)
    const high = input.long(length - 8) ^ key(40) ^ key(48)
    return avalanche(u64(size + swap(low, 8) + high + fold(low, high)))
  }
  let acc = u64(size * P1)
  if (length <= 128) {
    for (let i = Math.floor((length - 1) / 32); i >= 0; i--) {
      acc += input.mix16(16 * i, 32 * i) + input.mix16(length - 16 * (i + 1), 32 * i + 16)
    }
    return avalanche(u64(acc))
  }
  if (length <= 240) {
    for (let i = 0; i < 8; i++) acc += input.mix16(16 * i, 16 * i)
    acc = avalanche(u64(acc))
    for (let i = 8; i < length >> 4; i++) acc += input.mix16(16 * i, 16 * (i - 8) + 3)
    return avalanche(u64(acc + input.mix16(length - 16, 119)))
  }
  return merge(accumulate(input), 11, acc)
}

/** XXH3-128 of `bytes`. */
export function xxh3Wide(bytes: Uint8Array): Wide {
  const input = new Input(bytes)
  const { length, size } = input
  if (length === 0) {
    return { low: avalanche64(key(64) ^ key(72)), high: avalanche64(key(80) ^ key(88)) }
  }
  if (length <= 3) {
    const low = combine(input)
    const swapped = swap(low, 4)
    const high = ((swapped << 13n) | (swapped >> 19n)) & 0xffff_ffffn
    return {
      low: avalanche64(low ^ key32(0) ^ key32(4)),
      high: avalanche64(high ^ key32(8) ^ key32(12)),
    }
  }
  if (length <= 8) {
    const keyed = (input.word(0) + (input.word(length - 4) << 32n)) ^ key(16) ^ key(24)
    const product = keyed * u64(P1 + (size << 2n))
    const high = u64((product >> 64n) + (u64(product) << 1n))
    let low = u64(product) ^ (high >> 3n)
    low = u64((low ^ (low >> 35n)) * MIX_2)
    return { low: low ^ (low >> 28n), high: avalanche(high) }
  }
  if (length <= 16) {
    const first = input.long(0)
    const last = input.long(length - 8)
    const product = (first ^ last ^ key(32) ^ key(40)) * P1
    const keyed = last ^ key(48) ^ key(56)
    const high = u64((product >> 64n) + keyed + (keyed & 0xffff_ffffn) * (P32_2 - 1n))
    const low = u64(product + ((size - 1n) << 54n)) ^ swap(high, 8)
    const final = low * P2
    return { low: avalanche(u64(final)), high: avalanche(u64((final >> 64n) + high * P2)) }
  }
  if (length > 240) {
    const acc = accumulate(input)
    return { low: merge(acc, 11, u64(size * P1)), high: merge(acc, 117, u64(~(size * P2))) }
  }
  const acc: Wide = { low: u64(size * P1), high: 0n }
  if (length <= 128) {
    for (let i = Math.floor((length - 1) / 32); i >= 0; i--) {
      input.mix32(acc, 16 * i, length - 16 * (i + 1), 32 * i)
    }
  } else {
    for (let i = 0; i < 4; i++) input.mix32(acc, 32 * i, 32 * i + 16, 32 * i)
    acc.low = avalanche(acc.low)
    acc.high = avalanche(acc.high)
    for (let end = 160; end <= length; end += 32) {
      input.mix32(acc, end - 32, end - 16, 3 + end - 160)
    }
    input.mix32(acc, length - 16, length - 32, 103)
  }
  return {
    low: avalanche(u64(acc.low + acc.high)),
    high: u64(-avalanche(u64(acc.low * P1 + acc.high * P4 + size * P2))),
  }
}

/**
 * The test hasher, remembering its last few thousand answers: fault loops hash the same bytes again
 * and again.
 */
class SlowHasher implements Hasher {
  readonly #known = new Map<string, Wide>()

  hash64Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
    const hash = this.#remember(`64:${Buffer.from(bytes).toString('latin1')}`, () => ({
      low: xxh3(bytes),
      high: 0n,
    }))
    new DataView(target.buffer, target.byteOffset).setBigUint64(offset, hash.low, true)
  }

  hash128Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
    const name = `128:${Buffer.from(bytes).toString('latin1')}`
    const hash = this.#remember(name, () => xxh3Wide(bytes))
    const view = new DataView(target.buffer, target.byteOffset)
    view.setBigUint64(offset, hash.low, true)
    view.setBigUint64(offset + 8, hash.high, true)
  }

  #remember(name: string, compute: () => Wide): Wide {
    let hash = this.#known.get(name)
    if (hash === undefined) {
      hash = compute()
      if (this.#known.size > 4096) this.#known.clear()
      this.#known.set(name, hash)
    }
    return hash
  }
}

export const slowHasher: Hasher = new SlowHasher()
