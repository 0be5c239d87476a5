/** Page ECC: descriptor, parity length, and the parity of all three schemes recomputed (filter/ECC spec 3). */

import { checkEqual } from './bytes.js'

export type EccScheme =
  | { readonly kind: 'off' }
  | { readonly kind: 'sec-ded' }
  | { readonly kind: 'xor'; readonly data: number; readonly parity: 1 }
  | { readonly kind: 'reed-solomon'; readonly data: number; readonly parity: number }
  | { readonly kind: 'unrecognized'; readonly bytes: Uint8Array }

export const ECC_OFF: EccScheme = { kind: 'off' }

/** The fixed layout of meta and manifest blocks. */
export const ECC_META: EccScheme = { kind: 'reed-solomon', data: 4, parity: 2 }

export function decodeEcc(bytes: Uint8Array, where: string): EccScheme {
  checkEqual(bytes.length, 4, where, 'length of the ECC descriptor')
  const [kind, data, parity, granularity] = bytes as unknown as [number, number, number, number]
  if (granularity === 0) {
    if (kind === 0 && data === 0 && parity === 0) return ECC_OFF
    if (kind === 1 && data === 0 && parity === 0) return { kind: 'sec-ded' }
    if (kind === 2 && data >= 1 && parity === 1) return { kind: 'xor', data, parity }
    if (kind === 3 && data >= 1 && parity >= 2) return { kind: 'reed-solomon', data, parity }
  }
  return { kind: 'unrecognized', bytes }
}

export function encodeEcc(scheme: EccScheme): Uint8Array {
  switch (scheme.kind) {
    case 'off':
      return Uint8Array.of(0, 0, 0, 0)
    case 'sec-ded':
      return Uint8Array.of(1, 0, 0, 0)
    case 'xor':
      return Uint8Array.of(2, scheme.data, 1, 0)
    case 'reed-solomon':
      return Uint8Array.of(3, scheme.data, scheme.parity, 0)
    case 'unrecognized':
      return scheme.bytes
  }
}

/** The bytes that follow a payload of `length` bytes; undefined where the scheme is not recognized. */
export function parityLength(scheme: EccScheme, length: number): number | undefined {
  if (scheme.kind === 'unrecognized') return undefined
  if (length === 0 || scheme.kind === 'off') return 0
  if (scheme.kind === 'sec-ded') return Math.ceil(length / 8)
  return shardSize(length, scheme.data) * scheme.parity
}

export function computeParity(scheme: EccScheme, payload: Uint8Array): Uint8Array {
  if (payload.length === 0) return new Uint8Array(0)
  switch (scheme.kind) {
    case 'off':
    case 'unrecognized':
      return new Uint8Array(0)
    case 'sec-ded':
      return secDedParity(payload)
    case 'xor':
      return xorParity(payload, scheme.data)
    case 'reed-solomon':
      return reedSolomonParity(payload, scheme.data, scheme.parity)
  }
}

function shardSize(length: number, shards: number): number {
  const size = Math.ceil(length / shards)
  return size + (size % 2)
}

function oddPopulation(byte: number): boolean {
  const bits = byte.toString(2).replaceAll('0', '').length
  return bits >= 3 && bits % 2 === 1
}

/** The columns of the Hsiao (72,64) code: the 64 smallest bytes of odd population, three at least. */
const COLUMNS = Array.from({ length: 256 }, (_, byte) => byte)
  .filter(oddPopulation)
  .slice(0, 64)

function secDedParity(payload: Uint8Array): Uint8Array {
  const parity = new Uint8Array(Math.ceil(payload.length / 8))
  payload.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) {
      if (byte & (1 << bit)) parity[at >> 3]! ^= COLUMNS[8 * (at & 7) + bit]!
    }
  })
  return parity
}

function xorParity(payload: Uint8Array, shards: number): Uint8Array {
  const size = shardSize(payload.length, shards)
  const parity = new Uint8Array(size)
  for (let at = 0; at < payload.length; at++) parity[at % size]! ^= payload[at]!
  return parity
}

const CANTOR_BASIS = [
  0x0001, 0xacca, 0x3c0e, 0x163e, 0xc582, 0xed2e, 0x914c, 0x4012, 0x6c98, 0x10d8, 0x6a72, 0xb900,
  0xfdb8, 0xfb34, 0xff38, 0x991e,
]

class Field {
  readonly log = new Uint16Array(65536)
  readonly exp = new Uint16Array(65536)

  constructor() {
    const discreteLog = new Uint16Array(65536)
    for (let i = 0, state = 1; i < 65535; i++) {
      discreteLog[state] = i
      state <<= 1
      if (state & 0x10000) state ^= 0x1002d
    }
    for (let value = 1; value < 65536; value++) {
      const linear = CANTOR_BASIS.reduce((sum, b, bit) => (value & (1 << bit) ? sum ^ b : sum), 0)
      const log = discreteLog[linear]!
      this.log[value] = log
      this.exp[log] = value
    }
  }

  multiply(a: number, b: number): number {
    return a === 0 || b === 0 ? 0 : this.exp[(this.log[a]! + this.log[b]!) % 65535]!
  }

  invert(a: number): number {
    return this.exp[(65535 - this.log[a]!) % 65535]!
  }
}

let field: Field | undefined

/** Multiplication of the 16-bit field, for tests against the spot checks. */
export function fieldMultiply(a: number, b: number): number {
  field ??= new Field()
  return field.multiply(a, b)
}

/** Row `parity`, column `data` of the generator of RS(dataShards, parityShards). */
export function generator(dataShards: number, parityShards: number, j: number, i: number): number {
  field ??= new Field()
  const powerOfTwo = (x: number): number => 2 ** Math.ceil(Math.log2(x))
  const high = powerOfTwo(dataShards) >= powerOfTwo(parityShards)
  const m = powerOfTwo(high ? parityShards : dataShards)
  const x = m + (high ? i : j)
  return field.multiply(Math.floor(x / m), field.invert(x ^ (high ? j : i)))
}

/** Where the two bytes of element `k` stand in a shard: chunks of 64 bytes hold low halves, then high halves. */
function elementBytes(k: number, size: number): [number, number] {
  const chunk = Math.floor(k / 32) * 64
  const width = Math.min(64, size - chunk)
  const low = chunk + (k % 32)
  return [low, low + width / 2]
}

function reedSolomonParity(payload: Uint8Array, data: number, parity: number): Uint8Array {
  const size = shardSize(payload.length, data)
  const result = new Uint8Array(size * parity)
  for (let j = 0; j < parity; j++) {
    for (let i = 0; i < data; i++) {
      const factor = generator(data, parity, j, i)
      for (let k = 0; k < size / 2; k++) {
        const [low, high] = elementBytes(k, size)
        const element = (payload[i * size + low] ?? 0) | ((payload[i * size + high] ?? 0) << 8)
        const product = fieldMultiply(factor, element)
        result[j * size + low]! ^= product & 0xff
        result[j * size + high]! ^= product >> 8
      }
    }
  }
  return result
}
