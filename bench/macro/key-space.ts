/**
 * Keys and values of the macro benches: deterministic, made without allocating, known by number. Key `n` in random order
 * is a scrambled `n`, so numbers counted up come as random keys; numbers from `count` up are keys that are absent.
 */

/** Distinct values at most; a key's number says which one it has. Large ones are fewer: they shall not fill the memory. */
const VALUE_COUNT_MAX = 1024
const VALUES_BYTES_MAX = 16 * 2 ** 20
const VALUE_COUNT_MIN = 8

/** A one-to-one scrambling of 32-bit numbers (the finalizer of MurmurHash3). */
export function scramble(number: number): number {
  let x = number >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** Marsaglia's xorshift: the same numbers for the same seed. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = scramble(seed + 1) || 1
  }

  /** An integer from 0 to `end` - 1. */
  below(end: number): number {
    return Math.floor(this.unit() * end)
  }

  /** A number from 0 to less than 1. */
  unit(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return (x >>> 0) / 4_294_967_296
  }
}

export type KeyOrder = 'random' | 'sequential'

export class KeySpace {
  readonly keyBytes: number
  readonly valueBytes: number
  readonly #seed: number
  readonly #key: Buffer
  readonly #missing: Buffer
  readonly #values: Buffer[] = []

  constructor(keyBytes: number, valueBytes: number, seed: number) {
    if (keyBytes < 8) throw new RangeError(`keys have 8 bytes at least, not ${keyBytes}`)
    this.keyBytes = keyBytes
    this.valueBytes = valueBytes
    this.#seed = scramble(seed)
    this.#key = Buffer.alloc(keyBytes, 0x30)
    this.#missing = Buffer.alloc(keyBytes + 1, 0x30)
      .fill(0, 0, 4)
      .fill('.', keyBytes)
    const random = new Random(seed)
    let count = VALUE_COUNT_MAX
    while (count > VALUE_COUNT_MIN && count * valueBytes > VALUES_BYTES_MAX) count /= 2
    for (let i = 0; i < count; i++) this.#values.push(halfRandom(valueBytes, random))
  }

  /** Key `number`, in a Buffer that the next call overwrites. */
  key(number: number, order: KeyOrder): Buffer {
    const key = this.#key
    const isRandom = order === 'random'
    put32(key, 0, isRandom ? scramble(number ^ this.#seed) : 0)
    put32(key, 4, isRandom ? scramble(number + 7) : number)
    return key
  }

  /** A key that is absent and lies right after key `number`, as db_bench makes it: one byte longer. Overwritten as well. */
  missingKey(number: number): Buffer {
    put32(this.#missing, 4, number)
    return this.#missing
  }

  /** Key `number`, in a Buffer of its own. */
  keyCopy(number: number, order: KeyOrder): Buffer {
    return Buffer.from(this.key(number, order))
  }

  /** The value of key `number`; `generation` tells overwritten ones apart. */
  value(number: number, generation = 0): Buffer {
    return this.#values[(number + 517 * generation) & (this.#values.length - 1)] as Buffer
  }
}

/** The numbers below `count`, shuffled. */
export function shuffled(count: number, seed: number): Uint32Array {
  const numbers = Uint32Array.from({ length: count }, (_, i) => i)
  const random = new Random(seed)
  for (let i = count - 1; i > 0; i--) {
    const other = random.below(i + 1)
    const number = numbers[i] as number
    numbers[i] = numbers[other] as number
    numbers[other] = number
  }
  return numbers
}

function put32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

/** Bytes that compress to about a half, as db_bench's do: random ones, then the same again. */
function halfRandom(length: number, random: Random): Buffer {
  const bytes = Buffer.alloc(length)
  const half = Math.ceil(length / 2)
  for (let i = 0; i < length; i++)
    bytes[i] = i < half ? random.below(256) : (bytes[i - half] as number)
  return bytes
}
