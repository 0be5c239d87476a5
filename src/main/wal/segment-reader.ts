/**
 * Reads one segment of the log whole: its intact records in order, and, where they end before the file does, what that
 * means. Pure; main thread.
 *
 *     all records intact                                                  → no damage
 *     damage, and an intact record behind it says that the place was synced → real damage: 'vouched'
 *     damage otherwise                                                    → a torn tail: what a crash leaves
 *
 * A power cut keeps any part of what was not synced, so an intact record behind a torn one proves nothing by itself. The
 * records that do are those of type "synced": they are written after a successful sync and say how far it went.
 *
 * I1: seqnos of writes ascend; a record that breaks this, or that decodes to nonsense under a right checksum, is a
 *     coded error, never skipped.
 */
import type { Hasher } from '../../shared/base/checksum.js'
import type { VarveError } from '../../shared/base/errors.js'
import { formatError, type Origin } from '../../shared/format/byte-reader.js'
import {
  claimedBytes,
  decodeBody,
  isWrite,
  type LogRecord,
  RECORD_MAGIC,
  RecordType,
  readFrameAt,
} from './record.js'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.js'

/** Where the intact records of a segment end before the file does. */
export interface SegmentDamage {
  readonly offset: number
  /** To be thrown where damage is not tolerated: VARVE_CHECKSUM_MISMATCH with file and offset. */
  readonly error: VarveError
  /** True where the place had been synced: no crash explains it. */
  readonly isVouched: boolean
  /** Seqnos of the intact writes behind the damage. */
  readonly seqnosBehind: readonly number[]
}

export interface Segment {
  readonly header: SegmentHeader
  readonly records: readonly LogRecord[]
  /** Where the intact records end. */
  readonly end: number
  readonly damage: SegmentDamage | undefined
}

/** Reads the bytes of segment `id`. @throws for a damaged header, and by I1 */
export function readSegment(bytes: Buffer, id: number, file: string, hasher: Hasher): Segment {
  const header = decodeSegmentHeader(bytes, id, hasher, { file, offset: 0 })
  const records: LogRecord[] = []
  let previous = header.firstSeqno - 1
  let offset = SEGMENT_HEADER_BYTES
  for (;;) {
    const outcome = readFrameAt(bytes, offset, id, hasher)
    if (outcome.kind === 'end') return { header, records, end: offset, damage: undefined }
    const origin = { file, offset }
    if (outcome.kind === 'damaged') {
      const error = damageError(origin, outcome)
      const damage = lookBehind(bytes, id, offset, error, hasher)
      return { header, records, end: offset, damage }
    }
    const record = decodeBody(outcome.body, origin)
    if (isWrite(record.type)) {
      if (record.seqno <= previous) throw outOfOrder(origin, record.seqno, previous)
      previous = record.seqno
    }
    records.push(record)
    offset = outcome.end
  }
}

/** How often the bytes behind damage may be hashed in search of records: chance never needs more than a few. */
const SEARCH_FACTOR = 16

/** Looks for intact records behind the damage at `offset`, and for one that vouches for the place. */
function lookBehind(
  bytes: Buffer,
  id: number,
  offset: number,
  error: VarveError,
  hasher: Hasher,
): SegmentDamage {
  const seqnosBehind: number[] = []
  let isVouched = false
  let at = bytes.indexOf(RECORD_MAGIC, offset + 1)
  let budget = SEARCH_FACTOR * bytes.length
  while (at >= 0) {
    // Made up to be slow: refused as real damage, whatever it is.
    budget -= claimedBytes(bytes, at)
    if (budget < 0) return { offset, error, isVouched: true, seqnosBehind }
    const outcome = readFrameAt(bytes, at, id, hasher)
    if (outcome.kind !== 'ok') {
      at = bytes.indexOf(RECORD_MAGIC, at + 1)
      continue
    }
    const type = outcome.body[0] as number
    const seqno = Number(outcome.body.readBigUInt64LE(1))
    if (type === RecordType.Synced && at - seqno > offset) isVouched = true
    if (isWrite(type)) seqnosBehind.push(seqno)
    at = bytes.indexOf(RECORD_MAGIC, outcome.end)
  }
  return { offset, error, isVouched, seqnosBehind }
}

/** VARVE_CHECKSUM_MISMATCH at a place of a segment. */
export function damageError(
  origin: Origin,
  damage: { readonly why: string; readonly expected: string; readonly found: string },
): VarveError {
  return formatError(
    'VARVE_CHECKSUM_MISMATCH',
    origin,
    `${damage.why}: expected ${damage.expected}, found ${damage.found}; ` +
      `open with recovery: 'stop-at-damage' to go on with what lies before`,
    { expected: damage.expected, found: damage.found, what: 'log record' },
  )
}

function outOfOrder(origin: Origin, seqno: number, previous: number): VarveError {
  return formatError(
    'VARVE_INVALID_BLOCK',
    origin,
    `a log record has seqno ${seqno} behind ${previous}; seqnos of a log ascend`,
    { seqno, previous },
  )
}
