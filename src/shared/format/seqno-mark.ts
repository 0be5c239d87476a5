/**
 * The file `seqno-mark`: how far the seqnos of a tree had come when its tables last forgot. Merges can drop the newest
 * entry, a tombstone that covers nothing more; without the mark the next open would hand its seqno out again, below the
 * cursors of whoever reads changes (semantics.md 18.6, 36.18). The crate passes over the file.
 *
 *     "VSQM" | seqno u64 | XXH3-64 of the twelve bytes before
 *
 * Pure; any thread.
 */
import type { Hasher } from '../base/checksum.js'
import { VarveError } from '../base/errors.js'

export const SEQNO_MARK_BYTES = 20

const MAGIC = 0x4d515356

export function encodeSeqnoMark(seqno: number, hasher: Hasher): Uint8Array {
  const out = new Uint8Array(SEQNO_MARK_BYTES)
  const view = new DataView(out.buffer)
  view.setUint32(0, MAGIC, true)
  view.setBigUint64(4, BigInt(seqno), true)
  hasher.hash64Into(out.subarray(0, 12), out, 12)
  return out
}

/** @throws VARVE_CHECKSUM_MISMATCH, VARVE_INVALID_HEADER */
export function decodeSeqnoMark(bytes: Uint8Array, file: string, hasher: Hasher): number {
  const advice =
    'remove the file if no reader of changes and no log depends on the seqnos of this tree'
  const details = { file, offset: 0 }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length !== SEQNO_MARK_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw new VarveError('VARVE_INVALID_HEADER', `${file} is no seqno mark; ${advice}`, { details })
  }
  const digest = new Uint8Array(8)
  hasher.hash64Into(bytes.subarray(0, 12), digest, 0)
  const seqno = view.getBigUint64(4, true)
  if (Buffer.compare(digest, bytes.subarray(12)) !== 0 || seqno > BigInt(Number.MAX_SAFE_INTEGER)) {
    const [expected, found] = [bytes.subarray(12), digest].map((hash) =>
      Buffer.from(hash).toString('hex'),
    )
    throw new VarveError('VARVE_CHECKSUM_MISMATCH', `${file} is damaged; ${advice}`, {
      details: { ...details, expected: String(expected), found: String(found) },
    })
  }
  return Number(seqno)
}
