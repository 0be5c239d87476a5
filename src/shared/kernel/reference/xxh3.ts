/**
 * XXH3 in plain TypeScript, seed 0, default secret: the oracle that the hash kernels are tested
 * against. Written from the algorithm's definition, for clarity alone. Any thread; tests and
 * benches only.
 */

const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f' +
    'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e' +
    '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)

const PRIME32_1 = 0x9e3779b1n
const PRIME32_2 = 0x85ebca77n
const PRIME32_3 = 0xc2b2ae3dn
const PRIME64_1 = 0x9e3779b185ebca87n
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn
const PRIME64_3 = 0x165667b19e3779f9n
const PRIME64_4 = 0x85ebca77c2b2ae63n
const PRIME64_5 = 0x27d4eb2f165667c5n
const PRIME_MX1 = 0x165667919e3779f9n
const PRIME_MX2 = 0x9fb21c651e98df25n

const STRIPE_BYTES = 64
const BLOCK_STRIPES = 16

type Pair = [low: bigint, high: bigint]

const u64 = (value: bigint) => BigInt.asUintN(64, value)
const u32 = (value: bigint) => BigInt.asUintN(32, value)
const fold = (a: bigint, b: bigint) => u64(a * b) ^ ((a * b) >> 64n)
const avalanche = (hash: bigint) => shift(u64(shift(hash, 37n) * PRIME_MX1), 32n)
const shift = (hash: bigint, count: bigint) => hash ^ (hash >> count)

function avalanche64(hash: bigint): bigint {
  return shift(u64(shift(u64(shift(hash, 33n) * PRIME64_2), 29n) * PRIME64_3), 32n)
}

function swap(value: bigint, bytes: number): bigint {
  let result = 0n
  for (let i = 0n; i < BigInt(bytes); i++) result = (result << 8n) | ((value >> (8n * i)) & 0xffn)
  return result
}

/** An input seen as words, with the length at hand. */
class Input {
  readonly #buffer: Buffer
  readonly length: number
  readonly size: bigint

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.length = bytes.length
    this.size = BigInt(bytes.length)
  }

  u64(offset: number): bigint {
    return this.#buffer.readBigUInt64LE(offset)
  }

  u32(offset: number): bigint {
    return BigInt(this.#buffer.readUInt32LE(offset))
  }

  /** One to three bytes and the length in 32 bits. */
  tiny(): bigint {
    const [first, middle, last] = [0, this.length >> 1, this.length - 1].map((at) =>
      BigInt(this.#buffer.readUInt8(at)),
    )
    return (first! << 16n) | (middle! << 24n) | last! | (this.size << 8n)
  }

  mix16(offset: number, secret: number): bigint {
    return fold(
      this.u64(offset) ^ SECRET.readBigUInt64LE(secret),
      this.u64(offset + 8) ^ SECRET.readBigUInt64LE(secret + 8),
    )
  }

  sum16(offset: number): bigint {
    return this.u64(offset) + this.u64(offset + 8)
  }
}

const flip = (offset: number) => SECRET.readBigUInt64LE(offset) ^ SECRET.readBigUInt64LE(offset + 8)
const flip32 = (offset: number) =>
  BigInt((SECRET.readUInt32LE(offset) ^ SECRET.readUInt32LE(offset + 4)) >>> 0)

/** XXH3-64 of `bytes`. */
export function xxh3Bits64(bytes: Uint8Array): bigint {
  const input = new Input(bytes)
  const { length, size } = input
  if (length > 240) return merge(accumulate(input), 11, u64(size * PRIME64_1))
  if (length > 16) return medium64(input)
  if (length > 8) {
    const low = input.u64(0) ^ flip(24)
    const high = input.u64(length - 8) ^ flip(40)
    return avalanche(u64(size + swap(low, 8) + high + fold(low, high)))
  }
  if (length >= 4) {
    const keyed = (input.u32(length - 4) + (input.u32(0) << 32n)) ^ flip(8)
    const rotated =
      keyed ^ u64((keyed << 49n) | (keyed >> 15n)) ^ u64((keyed << 24n) | (keyed >> 40n))
    const first = u64(rotated * PRIME_MX2)
    return shift(u64((first ^ u64((first >> 35n) + size)) * PRIME_MX2), 28n)
  }
  return length > 0 ? avalanche64(input.tiny() ^ flip32(0)) : avalanche64(flip(56))
}

function medium64(input: Input): bigint {
  const { length } = input
  let sum = input.size * PRIME64_1
  if (length <= 128) {
    for (let step = (length - 1) >> 5; step >= 0; step--) {
      sum += input.mix16(16 * step, 32 * step)
      sum += input.mix16(length - 16 * step - 16, 32 * step + 16)
    }
    return avalanche(u64(sum))
  }
  for (let i = 0; i < 8; i++) sum += input.mix16(16 * i, 16 * i)
  sum = avalanche(u64(sum))
  for (let i = 8; i < length >> 4; i++) sum += input.mix16(16 * i, 16 * (i - 8) + 3)
  return avalanche(u64(sum + input.mix16(length - 16, 119)))
}

/** XXH3-128 of `bytes`, as one number. */
export function xxh3Bits128(bytes: Uint8Array): bigint {
  const [low, high] = pair128(new Input(bytes))
  return (high << 64n) | low
}

function pair128(input: Input): Pair {
  const { length, size } = input
  if (length > 240) {
    const sums = accumulate(input)
    return [merge(sums, 11, u64(size * PRIME64_1)), merge(sums, 117, u64(~(size * PRIME64_2)))]
  }
  if (length > 16) return medium128(input)
  if (length > 8) {
    const last = input.u64(length - 8)
    const product = (input.u64(0) ^ last ^ flip(32)) * PRIME64_1
    const flipped = last ^ flip(48)
    const low = u64(u64(product) + (BigInt(length - 1) << 54n))
    const high = u64((product >> 64n) + flipped + u32(flipped) * (PRIME32_2 - 1n))
    const second = (low ^ swap(high, 8)) * PRIME64_2
    return [avalanche(u64(second)), avalanche(u64((second >> 64n) + high * PRIME64_2))]
  }
  if (length >= 4) {
    const keyed = (input.u32(0) + (input.u32(length - 4) << 32n)) ^ flip(16)
    const product = keyed * u64(PRIME64_1 + (size << 2n))
    const high = u64((product >> 64n) + (u64(product) << 1n))
    const low = u64(product) ^ (high >> 3n)
    return [shift(u64(shift(low, 35n) * PRIME_MX2), 28n), avalanche(high)]
  }
  if (length > 0) {
    const low = input.tiny()
    const swapped = swap(low, 4)
    const high = u32((swapped << 13n) | (swapped >> 19n))
    return [avalanche64(low ^ flip32(0)), avalanche64(high ^ flip32(8))]
  }
  return [avalanche64(flip(64)), avalanche64(flip(80))]
}

function medium128(input: Input): Pair {
  const { length, size } = input
  let low = u64(size * PRIME64_1)
  let high = 0n
  const step = (head: number, tail: number, secret: number) => {
    low = u64(low + input.mix16(head, secret)) ^ u64(input.sum16(tail))
    high = u64(high + input.mix16(tail, secret + 16)) ^ u64(input.sum16(head))
  }
  if (length <= 128) {
    for (let i = (length - 1) >> 5; i >= 0; i--) step(16 * i, length - 16 * i - 16, 32 * i)
  } else {
    for (let at = 0; at < 128; at += 32) step(at, at + 16, at)
    low = avalanche(low)
    high = avalanche(high)
    for (let at = 128; at + 32 <= length; at += 32) step(at, at + 16, at - 128 + 3)
    step(length - 16, length - 32, 103)
  }
  return [
    avalanche(u64(low + high)),
    u64(-avalanche(u64(low * PRIME64_1 + high * PRIME64_4 + size * PRIME64_2))),
  ]
}

/** The eight accumulators after the whole of a long input. */
function accumulate(input: Input): bigint[] {
  const sums = [
    ...[PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3],
    ...[PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1],
  ]
  const stripe = (offset: number, secret: number) => {
    for (let i = 0; i < 8; i++) {
      const data = input.u64(offset + 8 * i)
      const key = data ^ SECRET.readBigUInt64LE(secret + 8 * i)
      sums[i ^ 1] = u64(sums[i ^ 1]! + data)
      sums[i] = u64(sums[i]! + u32(key) * (key >> 32n))
    }
  }
  const stripes = Math.floor((input.length - 1) / STRIPE_BYTES)
  for (let i = 0; i < stripes; i++) {
    stripe(i * STRIPE_BYTES, (i % BLOCK_STRIPES) * 8)
    if (i % BLOCK_STRIPES === BLOCK_STRIPES - 1) scramble(sums)
  }
  stripe(input.length - STRIPE_BYTES, 121)
  return sums
}

function scramble(sums: bigint[]): void {
  for (let i = 0; i < 8; i++) {
    const keyed = shift(sums[i]!, 47n) ^ SECRET.readBigUInt64LE(128 + 8 * i)
    sums[i] = u64(keyed * PRIME32_1)
  }
}

function merge(sums: bigint[], secret: number, start: bigint): bigint {
  let result = start
  for (let i = 0; i < 4; i++) {
    const at = secret + 16 * i
    const low = sums[2 * i]! ^ SECRET.readBigUInt64LE(at)
    result += fold(low, sums[2 * i + 1]! ^ SECRET.readBigUInt64LE(at + 8))
  }
  return avalanche(u64(result))
}
