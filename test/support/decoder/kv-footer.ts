/** Per-entry checksum footers of data blocks: strip, verify, rebuild (table spec 10). */

import { Cursor, check, checkEqual, fail, Writer } from './bytes.js'
import type { Entry } from './restart-block.js'
import { xxh3_64 } from './xxh3.js'

interface Algorithm {
  readonly width: 4 | 8
  digest(domain: Uint8Array): bigint
}

const ALGORITHMS: readonly Algorithm[] = [
  { width: 8, digest: xxh3_64 },
  { width: 4, digest: (domain) => xxh3_64(domain) & 0xffff_ffffn },
  { width: 4, digest: (domain) => BigInt(crc32c(domain)) },
]

export interface KvFooter {
  readonly body: Uint8Array
  readonly algorithm: number
  readonly digests: readonly bigint[]
}

/** Takes the footer off a plaintext; `descriptor` is the table's `descriptor#kv_checksum`, 1 to 3. */
export function stripKvFooter(plaintext: Uint8Array, descriptor: number, where: string): KvFooter {
  check(plaintext.length >= 5, where, 'plaintext is too short for a KV footer')
  const tail = new Cursor(plaintext, `${where} KV footer`, plaintext.length - 5)
  const algorithm = tail.u8()
  const count = tail.u32()
  const known = ALGORITHMS[algorithm] ?? fail(where, `unknown KV checksum algorithm ${algorithm}`)
  checkEqual(algorithm, descriptor - 1, where, 'KV checksum algorithm')
  const start = plaintext.length - 5 - count * known.width
  check(start >= 0, where, 'KV digests run past the plaintext')
  const cursor = new Cursor(plaintext, `${where} KV digests`, start, plaintext.length - 5)
  const read = () => (known.width === 8 ? cursor.u64() : BigInt(cursor.u32()))
  return {
    body: plaintext.subarray(0, start),
    algorithm,
    digests: Array.from({ length: count }, read),
  }
}

export function verifyKvFooter(footer: KvFooter, entries: readonly Entry[], where: string): void {
  checkEqual(footer.digests.length, entries.length, where, 'number of KV digests')
  entries.forEach((entry, i) => {
    const digest = kvDigest(entry, footer.algorithm)
    checkEqual(footer.digests[i], digest, where, `KV digest of entry ${i}`)
  })
}

/** The digest of an entry under algorithm 0 (XXH3-64), 1 (its low half) or 2 (CRC32C). */
export function kvDigest(entry: Entry, algorithm: number): bigint {
  const { key, seqno, kind, value } = entry
  const domain = new Writer().u8(kind).u64(seqno).u32(key.length).bytes(key).bytes(value)
  return ALGORITHMS[algorithm]!.digest(domain.finish())
}

export function encodeKvFooter(entries: readonly Entry[], algorithm: number): Uint8Array {
  const { width } = ALGORITHMS[algorithm]!
  const writer = new Writer()
  for (const entry of entries) {
    const digest = kvDigest(entry, algorithm)
    if (width === 8) writer.u64(digest)
    else writer.u32(Number(digest))
  }
  return writer.u8(algorithm).u32(entries.length).finish()
}

/** CRC-32C (Castagnoli), reflected, bit by bit. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffff_ffff) >>> 0
}
