/** Entries that the micro benches put into blocks and tables: keys of 16 bytes, values of 100, the same on every run. */
import { KIND_VALUE } from '../../src/shared/kernel/layout.js'
import { compareVersions, type Version } from '../../src/shared/kernel/reference/version.js'
import { Random } from '../../test/support/random.js'
import { rowsOfText } from './texts.js'

export const KEY_BYTES = 16
export const VALUE_BYTES = 100

/** A one-to-one scrambling of 32-bit numbers (the finalizer of MurmurHash3). */
export function scramble(number: number): number {
  let x = number >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** Key `number`: all over the range of keys. */
export function keyOf(number: number): Buffer {
  const key = Buffer.alloc(KEY_BYTES)
  key.writeUInt32BE(scramble(number))
  key.writeUInt32BE(scramble(number + 7), 4)
  key.writeUInt32BE(scramble(~number), 8)
  key.writeUInt32BE(0x6b65_7921, 12)
  return key
}

/** One version each of the keys `first`, `first + step`, …, in key order. */
export function entriesOf(first: number, count: number, step: number, seqno: number): Version[] {
  const text = rowsOfText(VALUE_BYTES * 97)
  const random = new Random(first + 1)
  return Array.from({ length: count }, (_, i): Version => {
    const at = random.below(text.length - VALUE_BYTES)
    const value = text.subarray(at, at + VALUE_BYTES)
    return { key: keyOf(first + i * step), seqno: seqno + i, kind: KIND_VALUE, value }
  }).sort(compareVersions)
}

/** A digest of versions: which, in which order. */
export function digestOfVersions(versions: Iterable<Version>): number {
  let digest = 0
  for (const { key, seqno, kind, value } of versions) {
    digest = Math.imul(digest, 31) + (key[0] as number) * 65_536 + (key[7] as number)
    digest = (Math.imul(digest, 31) + seqno + kind + value.length) | 0
  }
  return digest >>> 0
}
