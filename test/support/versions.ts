/**
 * Random versions of keys for tests of blocks, merges and reads, and how they read in a failure.
 */
import {
  KIND_INDIRECTION,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../../src/shared/kernel/layout.js'
import { compareVersions, type Version } from '../../src/shared/kernel/reference/version.js'
import type { Random } from './random.js'

const KINDS = [
  ...[KIND_VALUE, KIND_VALUE, KIND_VALUE, KIND_TOMBSTONE],
  ...[KIND_WEAK_TOMBSTONE, KIND_MERGE_OPERAND, KIND_INDIRECTION],
]

const LETTERS = 'VTWMI'

export function isTombstone(kind: number): boolean {
  return kind === KIND_TOMBSTONE || kind === KIND_WEAK_TOMBSTONE
}

/** Distinct keys: short ones, ones that share long prefixes, ones that are prefixes of others. */
export function randomKeys(random: Random, count: number): Uint8Array[] {
  const keys = new Map<string, Uint8Array>()
  const prefix = random.bytes(random.pick([0, 0, 3, 8, 40]))
  while (keys.size < count) {
    const bytes = random.bytes(1 + random.below(random.pick([2, 6, 20, 90])))
    const tail = random.chance(0.7) ? bytes.map((byte) => byte & 3) : bytes
    const key = random.chance(0.8) ? Buffer.concat([prefix, tail]) : tail
    keys.set(Buffer.from(key).toString('hex'), Uint8Array.from(key))
  }
  return [...keys.values()].sort(Buffer.compare)
}

export interface VersionShape {
  readonly seqnoMin: number
  readonly seqnoMax: number
  readonly versionsMax: number
  readonly kinds?: readonly number[]
}

/** Versions of some of the keys, in internal order, no (key, seqno) twice. */
export function randomVersions(
  random: Random,
  keys: readonly Uint8Array[],
  shape: VersionShape,
): Version[] {
  const { seqnoMin, seqnoMax, versionsMax, kinds = KINDS } = shape
  return keys
    .flatMap((key) => {
      const span = seqnoMax - seqnoMin + 1
      const count = random.below(versionsMax + 1)
      const seqnos = new Set(Array.from({ length: count }, () => seqnoMin + random.below(span)))
      return [...seqnos].map((seqno): Version => {
        const kind = random.pick(kinds)
        const length = random.pick([0, 1, 5, 30, 130])
        return { key, seqno, kind, value: random.bytes(isTombstone(kind) ? 0 : length) }
      })
    })
    .sort(compareVersions)
}

/** One line for a version: key, seqno, kind, value. */
export function show({ key, seqno, kind, value }: Version): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  return `${hex(key)}#${seqno},${LETTERS[kind]}=${hex(value)}`
}

/**
 * The first difference of two lists of versions, or undefined: a readable failure for long lists.
 */
export function difference(
  found: readonly Version[],
  expected: readonly Version[],
): string | undefined {
  for (let i = 0; i < Math.max(found.length, expected.length); i++) {
    const [one, other] = [found[i], expected[i]].map((version) => version && show(version))
    if (one !== other) return `entry ${i}: found ${one}, expected ${other}`
  }
  return undefined
}
