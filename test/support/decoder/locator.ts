/** The locator section: distinct key to (data block, slot) (filter spec 2). */

import { type Burr, buildBurr, decodeBurr, KIND_RETRIEVAL, lookup } from './burr.js'
import { Cursor, check, checkEqual, Writer } from './bytes.js'

export const PRECISION_RESTART = 0
export const PRECISION_ENTRY = 1
export const PRECISION_BLOCK = 2

export interface Locator {
  readonly precision: number
  readonly blockBits: number
  readonly slotBits: number
  readonly burr: Burr
}

/** Where the newest version of a distinct key lies: 0-based data block, 0-based entry in it. */
export interface KeyPlace {
  readonly hash: bigint
  readonly block: number
  readonly position: number
}

export function decodeLocator(payload: Uint8Array, where: string): Locator {
  const cursor = new Cursor(payload, where)
  checkEqual(cursor.u8(), 1, where, 'locator version')
  const precision = cursor.u8()
  check(precision <= PRECISION_BLOCK, where, `locator precision is ${precision}`)
  const blockBits = cursor.u8()
  const slotBits = cursor.u8()
  check(precision !== PRECISION_BLOCK || slotBits === 0, where, `locator has ${slotBits} slot bits`)
  const burr = decodeBurr(payload.subarray(4), KIND_RETRIEVAL, where)
  checkEqual(burr.r, blockBits + slotBits, where, 'locator value width')
  return { precision, blockBits, slotBits, burr }
}

function slotOf(place: KeyPlace, precision: number, restartInterval: number): number {
  if (precision === PRECISION_BLOCK) return 0
  return precision === PRECISION_ENTRY
    ? place.position
    : Math.floor(place.position / restartInterval)
}

export function verifyLocator(
  locator: Locator,
  places: readonly KeyPlace[],
  restartInterval: number,
  where: string,
): void {
  const { precision, slotBits, burr } = locator
  for (const place of places) {
    const value = lookup(burr, place.hash)?.value
    const slot = BigInt(slotOf(place, precision, restartInterval))
    const expected = (BigInt(place.block) << BigInt(slotBits)) | slot
    checkEqual(value, expected, where, `locator value of hash ${place.hash.toString(16)}`)
  }
}

function bitsFor(value: number): number {
  return Math.max(1, value === 0 ? 1 : Math.floor(Math.log2(value)) + 1)
}

/** The section payload with automatic widths; undefined where the format's first writer leaves it out. */
export function buildLocator(
  places: readonly KeyPlace[],
  precision: number,
  restartInterval: number,
): Uint8Array | undefined {
  if (places.length === 0) return undefined
  const slots = places.map((place) => slotOf(place, precision, restartInterval))
  const max = (numbers: number[]): number => numbers.reduce((a, b) => Math.max(a, b), 0)
  const blockBits = bitsFor(max(places.map(({ block }) => block)))
  const slotBits = precision === PRECISION_BLOCK ? 0 : bitsFor(max(slots))
  const items = places.map(({ hash, block }, i) => ({
    hash,
    value: (BigInt(block) << BigInt(slotBits)) | BigInt(slots[i]!),
  }))
  const burr = buildBurr(items, KIND_RETRIEVAL, blockBits + slotBits)
  if (burr === undefined) return undefined
  return new Writer().u8(1).u8(precision).u8(blockBits).u8(slotBits).bytes(burr).finish()
}
