/** The V5 "BuRR" structure, membership filter and retrieval alike: decode, query, rebuild (filter spec 1). */

import { Cursor, check, checkEqual, fail, Writer } from './bytes.js'

export const KIND_MEMBERSHIP = 2
export const KIND_RETRIEVAL = 3

export interface BurrLayer {
  readonly m: number
  readonly thresholds: Uint8Array
  readonly rows: BigUint64Array
}

export interface Burr {
  readonly kind: number
  /** Bits of a fingerprint or value. */
  readonly r: number
  /** Slots covered by one threshold. */
  readonly bucketSize: number
  readonly rootSeed: bigint
  readonly layers: readonly BurrLayer[]
}

const MASK = 0xffff_ffff_ffff_ffffn
const GOLD = 0x9e3779b97f4a7c15n
const BUCKET = 64
const KEEP = 57
const LAYERS_MAX = 4
const OVERSIZE = 1 + Math.fround(0.05)

const wrap = (value: bigint): bigint => value & MASK

function finalize(value: bigint): bigint {
  let z = wrap((value ^ (value >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return z ^ (z >> 31n)
}

export function layerSeed(rootSeed: bigint, layer: number): bigint {
  return finalize(wrap(rootSeed + BigInt(layer) * GOLD))
}

export interface Equation {
  readonly start: number
  readonly coefficients: bigint
  readonly fingerprint: bigint
}

export function equation(hash: bigint, seed: bigint, m: number, r: number): Equation {
  const q = wrap((hash ^ seed) * GOLD)
  const x = (i: bigint): bigint => finalize(wrap(q + i * GOLD))
  return {
    start: Number((x(1n) * BigInt(m - 63)) >> 64n),
    coefficients: x(2n) | 1n,
    fingerprint: x(3n) & ((1n << BigInt(r)) - 1n),
  }
}

/** Decodes and validates the whole structure, trailing bytes and stray bits of the rows included. */
export function decodeBurr(bytes: Uint8Array, expectedKind: number, where: string): Burr {
  const cursor = new Cursor(bytes, where)
  cursor.expectMagic('4c534d04', 'BuRR')
  const kind = cursor.u8()
  checkEqual(kind, expectedKind, where, 'BuRR kind')
  checkEqual(cursor.u8(), 1, where, 'BuRR version')
  const r = cursor.u8()
  check(r >= 1 && r <= 64, where, `BuRR width is ${r}`)
  checkEqual(cursor.u8(), 64, where, 'BuRR band width')
  const bucketSize = cursor.u8()
  check(bucketSize > 0, where, 'BuRR bucket size is 0')
  const layerCount = cursor.u8()
  check(layerCount > 0, where, 'BuRR layer count is 0')
  const rootSeed = cursor.u64()
  const layers = Array.from({ length: layerCount }, (_, i): BurrLayer => {
    const m = cursor.u32()
    const buckets = cursor.u32()
    check(m >= 64, where, `layer ${i} has ${m} slots`)
    checkEqual(buckets, Math.ceil(m / bucketSize), where, `buckets of layer ${i}`)
    checkEqual(cursor.u32(), 8 * m, where, `bytes of the rows of layer ${i}`)
    const thresholds = cursor.take(buckets)
    const rows = BigUint64Array.from({ length: m }, () => cursor.u64())
    const bits = BigInt(r)
    check(
      rows.every((row) => row >> bits === 0n),
      where,
      `layer ${i} has bits past its width`,
    )
    return { m, thresholds, rows }
  })
  cursor.expectEnd()
  return { kind, r, bucketSize, rootSeed, layers }
}

/** What the deciding layer yields for a hash, beside the fingerprint a member would have there. */
export function lookup(
  burr: Burr,
  hash: bigint,
): { value: bigint; fingerprint: bigint } | undefined {
  for (const [i, { m, thresholds, rows }] of burr.layers.entries()) {
    const { start, coefficients, fingerprint } = equation(
      hash,
      layerSeed(burr.rootSeed, i),
      m,
      burr.r,
    )
    if (start % burr.bucketSize >= thresholds[Math.floor(start / burr.bucketSize)]!) continue
    let value = 0n
    for (let k = 0; k < 64; k++) {
      if ((coefficients >> BigInt(k)) & 1n) value ^= rows[start + k]!
    }
    return { value, fingerprint }
  }
  return undefined
}

/** A filter payload: undefined stands for the empty one, which excludes nothing. */
export function decodeFilter(payload: Uint8Array, where: string): Burr | undefined {
  return payload.length === 0 ? undefined : decodeBurr(payload, KIND_MEMBERSHIP, where)
}

export function filterContains(filter: Burr | undefined, hash: bigint): boolean {
  if (filter === undefined) return true
  const found = lookup(filter, hash)
  return found !== undefined && found.value === found.fingerprint
}

function layerSize(count: number): number {
  return 64 * Math.ceil(Math.max(Math.ceil(count * OVERSIZE), 64) / 64)
}

/** A hash with the value a retrieval structure stores for it; a filter stores the fingerprint instead. */
export interface BurrItem {
  readonly hash: bigint
  readonly value?: bigint
}

/**
 * Builds the wire bytes exactly as the format's first writer does; undefined where a layer's equations contradict
 * each other, which another root seed cures. No items give no bytes.
 */
export function buildBurr(
  items: readonly BurrItem[],
  kind: number,
  r: number,
  rootSeed = 0n,
): Uint8Array | undefined {
  if (items.length === 0) return new Uint8Array(0)
  const layers: BurrLayer[] = []
  let current = items
  while (current.length > 0) {
    const layer = layers.length
    if (layer === LAYERS_MAX) fail('BuRR build', 'keys are left after the last layer')
    const last = layer === LAYERS_MAX - 1
    const m = last ? Math.max(2 * layerSize(current.length), 256) : layerSize(current.length)
    const seed = layerSeed(rootSeed, layer)
    const equations = current.map(({ hash, value }) => {
      const found = equation(hash, seed, m, r)
      return value === undefined ? found : { ...found, fingerprint: value }
    })
    const thresholds = last
      ? new Uint8Array(m / BUCKET).fill(BUCKET)
      : chooseThresholds(equations, m)
    const keeps = (i: number): boolean => {
      const { start } = equations[i]!
      return start % BUCKET < thresholds[Math.floor(start / BUCKET)]!
    }
    const rows = solve(
      equations.filter((_, i) => keeps(i)),
      m,
    )
    if (rows === undefined) return undefined
    layers.push({ m, thresholds, rows })
    current = current.filter((_, i) => !keeps(i))
  }
  return encodeBurr({ kind, r, bucketSize: BUCKET, rootSeed, layers })
}

export function buildFilter(hashes: readonly bigint[], r: number, rootSeed = 0n) {
  const items = hashes.map((hash) => ({ hash }))
  return buildBurr(items, KIND_MEMBERSHIP, r, rootSeed)
}

function chooseThresholds(equations: readonly Equation[], m: number): Uint8Array {
  const offsets: number[][] = Array.from({ length: m / BUCKET }, () => [])
  for (const { start } of equations) offsets[Math.floor(start / BUCKET)]!.push(start % BUCKET)
  const threshold = (bucket: number[]): number =>
    bucket.length <= KEEP ? BUCKET : bucket.sort((a, b) => a - b)[KEEP]!
  return Uint8Array.from(offsets, threshold)
}

/** Gaussian elimination on the band, then back substitution with every free row zero. */
function solve(equations: readonly Equation[], m: number): BigUint64Array | undefined {
  const coefficients = new BigUint64Array(m)
  const values = new BigUint64Array(m)
  for (const { start, coefficients: row, fingerprint } of equations) {
    let at = start
    let c = row
    let v = fingerprint
    while (coefficients[at] !== 0n) {
      c ^= coefficients[at]!
      v ^= values[at]!
      if (c === 0n) break
      const zeros = trailingZeros(c)
      at += zeros
      c >>= BigInt(zeros)
    }
    if (c === 0n) {
      if (v !== 0n) return undefined
    } else {
      coefficients[at] = c
      values[at] = v
    }
  }
  const rows = new BigUint64Array(m)
  for (let i = m - 1; i >= 0; i--) {
    if (coefficients[i] === 0n) continue
    let value = values[i]!
    for (let k = 1; k < 64; k++) {
      if ((coefficients[i]! >> BigInt(k)) & 1n) value ^= rows[i + k]!
    }
    rows[i] = value
  }
  return rows
}

function trailingZeros(value: bigint): number {
  const low = Number(value & 0xffff_ffffn)
  if (low !== 0) return 31 - Math.clz32(low & -low)
  const high = Number(value >> 32n)
  return 63 - Math.clz32(high & -high)
}

export function encodeBurr(burr: Burr): Uint8Array {
  const writer = new Writer().bytes(Buffer.from('4c534d04', 'hex')).u8(burr.kind).u8(1).u8(burr.r)
  writer.u8(64).u8(burr.bucketSize).u8(burr.layers.length).u64(burr.rootSeed)
  for (const { m, thresholds, rows } of burr.layers) {
    writer
      .u32(m)
      .u32(thresholds.length)
      .u32(8 * m)
      .bytes(thresholds)
    for (const row of rows) writer.u64(row)
  }
  return writer.finish()
}

/** When the format's first writer closes a filter partition: the size it estimates for `count` hashes. */
export function estimatePartition(count: number, r: number): number {
  const product = Math.fround(Math.fround(count) * Math.fround(r))
  return Math.trunc(Math.fround(Math.fround(product * Math.fround(1.05)) / 8))
}
