/**
 * XXH3, 64 and 128 bits, seed 0, default secret, all input lengths: a plain transcription in BigInt. Only the
 * accumulation of inputs over 240 bytes runs on 32-bit halves, for whole files pass through it.
 */

const MASK = 0xffff_ffff_ffff_ffffn
const P32_1 = 0x9e3779b1n
const P32_2 = 0x85ebca77n
const P32_3 = 0xc2b2ae3dn
const P64_1 = 0x9e3779b185ebca87n
const P64_2 = 0xc2b2ae3d27d4eb4fn
const P64_3 = 0x165667b19e3779f9n
const P64_4 = 0x85ebca77c2b2ae63n
const P64_5 = 0x27d4eb2f165667c5n
const PRIME_MX1 = 0x165667919e3779f9n
const PRIME_MX2 = 0x9fb21c651e98df25n

const SECRET_HEX =
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f' +
  'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
  '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
  'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
  'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e' +
  '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e'
const SECRET = Uint8Array.from(Buffer.from(SECRET_HEX, 'hex'))
const SECRET_VIEW = new DataView(SECRET.buffer)

const secret64 = (at: number): bigint => SECRET_VIEW.getBigUint64(at, true)
const secret32 = (at: number): bigint => BigInt(SECRET_VIEW.getUint32(at, true))

const wrap = (value: bigint): bigint => value & MASK
const low32 = (value: bigint): bigint => value & 0xffff_ffffn
const rotate64 = (v: bigint, by: bigint): bigint => wrap(v << by) | (v >> (64n - by))
const xorShift = (value: bigint, by: bigint): bigint => value ^ (value >> by)

function fold(a: bigint, b: bigint): bigint {
  const product = a * b
  return wrap(product) ^ (product >> 64n)
}

function swap32(value: bigint): bigint {
  return BigInt(Buffer.from(value.toString(16).padStart(8, '0'), 'hex').readUInt32LE(0))
}

function swap64(value: bigint): bigint {
  return Buffer.from(value.toString(16).padStart(16, '0'), 'hex').readBigUInt64LE(0)
}

function avalanche(value: bigint): bigint {
  return xorShift(wrap(xorShift(value, 37n) * PRIME_MX1), 32n)
}

function avalancheXxh64(value: bigint): bigint {
  const h = wrap(xorShift(value, 33n) * P64_2)
  return xorShift(wrap(xorShift(h, 29n) * P64_3), 32n)
}

class Input {
  readonly length: number
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.length = bytes.length
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  u8 = (at: number): bigint => BigInt(this.#view.getUint8(at))
  u32 = (at: number): bigint => BigInt(this.#view.getUint32(at, true))
  u64 = (at: number): bigint => this.#view.getBigUint64(at, true)
  word = (at: number): number => this.#view.getUint32(at, true)

  mix16 = (at: number, secretAt: number): bigint =>
    fold(this.u64(at) ^ secret64(secretAt), this.u64(at + 8) ^ secret64(secretAt + 8))
}

/** Inputs of 1 to 3 bytes: first, middle and last byte and the length in one word. */
function combine(input: Input): bigint {
  const n = input.length
  const bytes = (input.u8(0) << 16n) | (input.u8(n >> 1) << 24n) | input.u8(n - 1)
  return bytes | (BigInt(n) << 8n)
}

export function xxh3_64(bytes: Uint8Array): bigint {
  const input = new Input(bytes)
  const n = input.length
  const length = BigInt(n)
  if (n === 0) return avalancheXxh64(secret64(56) ^ secret64(64))
  if (n <= 3) return avalancheXxh64(combine(input) ^ secret32(0) ^ secret32(4))
  if (n <= 8) {
    const flip = secret64(8) ^ secret64(16)
    const keyed = (input.u32(n - 4) + (input.u32(0) << 32n)) ^ flip
    let h = wrap((keyed ^ rotate64(keyed, 49n) ^ rotate64(keyed, 24n)) * PRIME_MX2)
    h = wrap((h ^ ((h >> 35n) + length)) * PRIME_MX2)
    return xorShift(h, 28n)
  }
  if (n <= 16) {
    const low = input.u64(0) ^ secret64(24) ^ secret64(32)
    const high = input.u64(n - 8) ^ secret64(40) ^ secret64(48)
    return avalanche(wrap(length + swap64(low) + high + fold(low, high)))
  }
  if (n <= 128) {
    let sum = length * P64_1
    for (let i = (n - 1) >> 5; i >= 0; i--) {
      sum += input.mix16(16 * i, 32 * i) + input.mix16(n - 16 * (i + 1), 32 * i + 16)
    }
    return avalanche(wrap(sum))
  }
  if (n <= 240) {
    let sum = length * P64_1
    for (let i = 0; i < 8; i++) sum += input.mix16(16 * i, 16 * i)
    sum = avalanche(wrap(sum))
    for (let i = 8; i < n >> 4; i++) sum += input.mix16(16 * i, 16 * (i - 8) + 3)
    return avalanche(wrap(sum + input.mix16(n - 16, 119)))
  }
  return mergeAccumulators(accumulate(input), 11, wrap(length * P64_1))
}

/** The 128-bit digest as the integer `high << 64 | low`. */
export function xxh3_128(bytes: Uint8Array): bigint {
  const [low, high] = halves128(new Input(bytes))
  return (high << 64n) | low
}

function halves128(input: Input): [bigint, bigint] {
  const n = input.length
  const length = BigInt(n)
  if (n === 0) {
    const high = secret64(80) ^ secret64(88)
    return [avalancheXxh64(secret64(64) ^ secret64(72)), avalancheXxh64(high)]
  }
  if (n <= 3) {
    const low = combine(input)
    const swapped = swap32(low)
    const high = low32(swapped << 13n) | (swapped >> 19n)
    return [
      avalancheXxh64(low ^ secret32(0) ^ secret32(4)),
      avalancheXxh64(high ^ secret32(8) ^ secret32(12)),
    ]
  }
  if (n <= 8) {
    const keyed = (input.u32(0) + (input.u32(n - 4) << 32n)) ^ secret64(16) ^ secret64(24)
    const product = keyed * wrap(P64_1 + (length << 2n))
    let low = wrap(product)
    const high = wrap((product >> 64n) + (low << 1n))
    low ^= high >> 3n
    low = xorShift(wrap(xorShift(low, 35n) * PRIME_MX2), 28n)
    return [low, avalanche(high)]
  }
  if (n <= 16) {
    const last = input.u64(n - 8)
    const product = (input.u64(0) ^ last ^ secret64(32) ^ secret64(40)) * P64_1
    let low = wrap(wrap(product) + ((length - 1n) << 54n))
    const keyed = last ^ secret64(48) ^ secret64(56)
    const high = wrap((product >> 64n) + keyed + low32(keyed) * (P32_2 - 1n))
    low ^= swap64(high)
    const second = low * P64_2
    return [avalanche(wrap(second)), avalanche(wrap((second >> 64n) + high * P64_2))]
  }
  if (n <= 240) return middle128(input)
  const accumulators = accumulate(input)
  return [
    mergeAccumulators(accumulators, 11, wrap(length * P64_1)),
    mergeAccumulators(accumulators, 117, wrap(~(length * P64_2))),
  ]
}

function middle128(input: Input): [bigint, bigint] {
  const n = input.length
  const length = BigInt(n)
  let low = wrap(length * P64_1)
  let high = 0n
  const mix32 = (first: number, second: number, secretAt: number): void => {
    low = wrap(low + input.mix16(first, secretAt))
    low ^= wrap(input.u64(second) + input.u64(second + 8))
    high = wrap(high + input.mix16(second, secretAt + 16))
    high ^= wrap(input.u64(first) + input.u64(first + 8))
  }
  if (n <= 128) {
    for (let i = (n - 1) >> 5; i >= 0; i--) mix32(16 * i, n - 16 * (i + 1), 32 * i)
  } else {
    for (let at = 0; at < 128; at += 32) mix32(at, at + 16, at)
    low = avalanche(low)
    high = avalanche(high)
    for (let at = 128; at + 32 <= n; at += 32) mix32(at, at + 16, at - 128 + 3)
    mix32(n - 16, n - 32, 103)
  }
  const sum = low * P64_1 + high * P64_4 + length * P64_2
  return [avalanche(wrap(low + high)), wrap(-avalanche(wrap(sum)))]
}

function mergeAccumulators(accumulators: bigint[], secretAt: number, start: bigint): bigint {
  let sum = start
  for (let i = 0; i < 4; i++) {
    const a = accumulators[2 * i]! ^ secret64(secretAt + 16 * i)
    const b = accumulators[2 * i + 1]! ^ secret64(secretAt + 16 * i + 8)
    sum += fold(a, b)
  }
  return avalanche(wrap(sum))
}

/** The eight accumulators of an input over 240 bytes, each held as two 32-bit halves while it runs. */
function accumulate(input: Input): bigint[] {
  const initial = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
  const low = Uint32Array.from(initial, (value) => Number(low32(value)))
  const high = Uint32Array.from(initial, (value) => Number(value >> 32n))
  const stripe = (at: number, secretAt: number): void => {
    for (let lane = 0; lane < 8; lane++) {
      const dataLow = input.word(at + 8 * lane)
      const dataHigh = input.word(at + 8 * lane + 4)
      const keyLow = (dataLow ^ SECRET_VIEW.getUint32(secretAt + 8 * lane, true)) >>> 0
      const keyHigh = (dataHigh ^ SECRET_VIEW.getUint32(secretAt + 8 * lane + 4, true)) >>> 0
      add64(low, high, lane ^ 1, dataLow, dataHigh)
      // keyLow × keyHigh in two 48-bit products, exact in doubles.
      const upper = keyLow * (keyHigh >>> 16)
      const bottom = keyLow * (keyHigh & 0xffff) + (upper % 0x1_0000) * 0x1_0000
      const top = Math.floor(upper / 0x1_0000) + Math.floor(bottom / 0x1_0000_0000)
      add64(low, high, lane, bottom % 0x1_0000_0000, top)
    }
  }
  const scramble = (): void => {
    for (let lane = 0; lane < 8; lane++) {
      const value = (BigInt(high[lane]!) << 32n) | BigInt(low[lane]!)
      const mixed = wrap((xorShift(value, 47n) ^ secret64(128 + 8 * lane)) * P32_1)
      low[lane] = Number(low32(mixed))
      high[lane] = Number(mixed >> 32n)
    }
  }
  const blocks = Math.floor((input.length - 1) / 1024)
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < 16; i++) stripe(1024 * block + 64 * i, 8 * i)
    scramble()
  }
  const stripes = (input.length - 1 - 1024 * blocks) >> 6
  for (let i = 0; i < stripes; i++) stripe(1024 * blocks + 64 * i, 8 * i)
  stripe(input.length - 64, 121)
  return initial.map((_, lane) => (BigInt(high[lane]!) << 32n) | BigInt(low[lane]!))
}

function add64(low: Uint32Array, high: Uint32Array, lane: number, addLow: number, addHigh: number) {
  const sum = low[lane]! + addLow
  low[lane] = sum
  high[lane] = high[lane]! + addHigh + (sum > 0xffff_ffff ? 1 : 0)
}
