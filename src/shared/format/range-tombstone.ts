/**
 * The range tombstone block of a table (format-table.md 14): entries back to back to the payload's end.
 *
 *   start length u16 | start | end length u16 | end | seqno u64
 *
 * A range tombstone {start, end, seqno} hides every entry with start <= key < end and a lower seqno. Seqnos in it are
 * absolute: a table's global seqno is not added. Pure; any thread.
 */
import { VarveError } from '../base/errors.js'
import type { CompareKeys } from '../base/key-order.js'

/** A range delete: start inclusive, end exclusive. */
export interface RangeTombstone {
  readonly start: Uint8Array
  readonly end: Uint8Array
  readonly seqno: number
}

const FIXED_BYTES = 12

/** Start ascending, seqno descending, end ascending: the order on disk. */
export function compareRangeTombstones(
  a: RangeTombstone,
  b: RangeTombstone,
  compare: CompareKeys,
): number {
  return compare(a.start, b.start) || b.seqno - a.seqno || compare(a.end, b.end)
}

/** Sorts, and drops tombstones that are there twice. */
export function normalizeRangeTombstones(
  tombstones: readonly RangeTombstone[],
  compare: CompareKeys,
): RangeTombstone[] {
  const byOrder = (a: RangeTombstone, b: RangeTombstone) => compareRangeTombstones(a, b, compare)
  const sorted = [...tombstones].sort(byOrder)
  return sorted.filter((one, i) => i === 0 || byOrder(sorted[i - 1] as RangeTombstone, one) !== 0)
}

/** Encodes the payload. REQUIRES: at least one, in order. */
export function encodeRangeTombstones(tombstones: readonly RangeTombstone[]): Uint8Array {
  const length = tombstones.reduce(
    (sum, { start, end }) => sum + FIXED_BYTES + start.length + end.length,
    0,
  )
  const out = new Uint8Array(length)
  const view = new DataView(out.buffer)
  let at = 0
  for (const { start, end, seqno } of tombstones) {
    view.setUint16(at, start.length, true)
    out.set(start, at + 2)
    at += 2 + start.length
    view.setUint16(at, end.length, true)
    out.set(end, at + 2)
    at += 2 + end.length
    view.setBigUint64(at, BigInt(seqno), true)
    at += 8
  }
  return out
}

/** @throws VARVE_RANGE_TOMBSTONE, VARVE_UNSUPPORTED */
export function decodeRangeTombstones(
  payload: Uint8Array,
  file: string,
  blockOffset: number,
  compare: CompareKeys,
): RangeTombstone[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const fail = (field: string, offset: number): VarveError =>
    new VarveError(
      'VARVE_RANGE_TOMBSTONE',
      `${file}: range tombstone block at ${blockOffset}: bad ${field} at ${offset}`,
      { details: { file, offset: blockOffset, field, position: offset } },
    )
  const tombstones: RangeTombstone[] = []
  let at = 0
  const bytes = (field: string): Uint8Array => {
    if (at + 2 > payload.length) throw fail(`${field} length`, at)
    const length = view.getUint16(at, true)
    at += 2
    if (at + length > payload.length) throw fail(field, at)
    at += length
    return payload.slice(at - length, at)
  }
  if (payload.length === 0) throw fail('payload: it is empty', 0)
  while (at < payload.length) {
    const begin = at
    const start = bytes('start')
    const end = bytes('end')
    if (at + 8 > payload.length) throw fail('seqno', at)
    const seqno = view.getBigUint64(at, true)
    at += 8
    if (compare(start, end) >= 0) throw fail('bounds', begin)
    if (seqno > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new VarveError(
        'VARVE_UNSUPPORTED',
        `${file}: range tombstone at ${blockOffset}: seqno ${seqno} is above 2^53 - 1`,
        { details: { file, offset: blockOffset } },
      )
    }
    tombstones.push({ start, end, seqno: Number(seqno) })
  }
  return tombstones
}
