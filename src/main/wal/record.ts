/**
 * Log records: the frame that finds and checks one, and what its body says. Pure; main thread.
 *
 *     off  size  field
 *     0    4     f7 57 41 4c: where a record begins, so that one behind damage is found again
 *     4    8     XXH3-64(bytes 12 … end), XORed with the segment's id (u32) and the record's offset in it (u32)
 *     12   4     length u32 of the body
 *     16   1     type
 *     17   8     seqno u64
 *     25   …     by type
 *
 *     1 insert         key length u16, key, value
 *     2 remove         key
 *     3 removeWeak     key
 *     4 merge          key length u16, key, operand
 *     5 removeRange    start length u32, start, end
 *     6 removePrefix   prefix
 *     7 batch          count u32; each: type u8 (1 … 5), first length u32, second length u32, first, second
 *     8 clear          –
 *     16 refused       –; the write of this seqno was refused by the tree and is not to be replayed
 *     17 persisted     –; every write below this seqno is in tables
 *     18 synced        –; in place of a seqno, how many bytes before this record the durable part ended when it was made
 *
 * I1: the checksum binds a record to its place: a copy of one inside a value is never taken for a record.
 * I2: nothing is believed before the checksum has been compared, but the length, and that only up to the end of the file.
 */
import type { Hasher } from '../../shared/base/checksum.js'
import { assert } from '../../shared/base/errors.js'
import { ByteReader, formatError, type Origin } from '../../shared/format/byte-reader.js'

export const RecordType = {
  Insert: 1,
  Remove: 2,
  RemoveWeak: 3,
  Merge: 4,
  RemoveRange: 5,
  RemovePrefix: 6,
  Batch: 7,
  Clear: 8,
  Refused: 16,
  Persisted: 17,
  Synced: 18,
} as const

export type RecordType = (typeof RecordType)[keyof typeof RecordType]

const KNOWN: ReadonlySet<number> = new Set(Object.values(RecordType))

/** True where records of the type are writes, with a seqno of their own. */
export function isWrite(type: number): boolean {
  return type <= RecordType.Clear
}

/** Bytes of a frame before its body. */
export const FRAME_BYTES = 16

/** Bytes of a body before what depends on its type. */
export const BODY_HEAD_BYTES = 9

export const RECORD_MAGIC = Buffer.from([0xf7, 0x57, 0x41, 0x4c])

const CHECKSUM_AT = 4
const LENGTH_AT = 12

/** Where a record lies. */
export interface Place {
  readonly segmentId: number
  readonly offset: number
}

/** Flips the bits of `place` in or out of the checksum of the frame at `at`. */
export function bindToPlace(frame: Buffer, at: number, { segmentId, offset }: Place): void {
  const low = at + CHECKSUM_AT
  frame.writeUInt32LE((frame.readUInt32LE(low) ^ segmentId) >>> 0, low)
  frame.writeUInt32LE((frame.readUInt32LE(low + 4) ^ offset) >>> 0, low + 4)
}

/** Bytes of the whole frame at `at`. REQUIRES: it was written by {@link sealFrame}. */
export function frameLength(frame: Buffer, at: number): number {
  return FRAME_BYTES + frame.readUInt32LE(at + LENGTH_AT)
}

/** Bytes that the frame at `at` says it has, as far as the file goes. */
export function claimedBytes(segment: Buffer, at: number): number {
  if (segment.length - at < FRAME_BYTES) return segment.length - at
  return Math.min(segment.length - at, FRAME_BYTES + segment.readUInt32LE(at + LENGTH_AT))
}

/** Fills in magic, length, head and checksum around the `length` bytes of body at `at + FRAME_BYTES`. */
export function sealFrame(
  frame: Buffer,
  at: number,
  record: { readonly length: number; readonly type: RecordType; readonly seqno: number },
  hasher: Hasher,
  place: Place,
): void {
  assert(record.length >= BODY_HEAD_BYTES, 'a body has a head')
  RECORD_MAGIC.copy(frame, at)
  frame.writeUInt32LE(record.length, at + LENGTH_AT)
  frame[at + FRAME_BYTES] = record.type
  frame.writeUInt32LE(record.seqno % 0x1_0000_0000, at + FRAME_BYTES + 1)
  frame.writeUInt32LE(Math.floor(record.seqno / 0x1_0000_0000), at + FRAME_BYTES + 5)
  const hashed = frame.subarray(at + LENGTH_AT, at + FRAME_BYTES + record.length)
  hasher.hash64Into(hashed, frame, at + CHECKSUM_AT)
  bindToPlace(frame, at, place)
}

/** What stands at an offset: an intact record, the end, or why there is none. */
export type FrameOutcome =
  | { readonly kind: 'ok'; readonly body: Buffer; readonly end: number }
  | { readonly kind: 'end' }
  | {
      readonly kind: 'damaged'
      readonly why: string
      readonly expected: string
      readonly found: string
    }

const CHECKSUM_BYTES = 8

/** Reads the frame at `offset` of a whole segment. */
export function readFrameAt(
  segment: Buffer,
  offset: number,
  segmentId: number,
  hasher: Hasher,
): FrameOutcome {
  const left = segment.length - offset
  if (left === 0) return { kind: 'end' }
  if (left < FRAME_BYTES) {
    return damaged(`the file ends inside a record's head`, FRAME_BYTES, left)
  }
  const magic = segment.subarray(offset, offset + RECORD_MAGIC.length)
  if (!magic.equals(RECORD_MAGIC)) {
    return damaged('no record begins here', RECORD_MAGIC.toString('hex'), magic.toString('hex'))
  }
  const length = segment.readUInt32LE(offset + LENGTH_AT)
  if (length < BODY_HEAD_BYTES || length > left - FRAME_BYTES) {
    return damaged(
      'the length of a record is impossible',
      `${BODY_HEAD_BYTES} … ${left - FRAME_BYTES}`,
      length,
    )
  }
  const end = offset + FRAME_BYTES + length
  const head = Buffer.from(segment.subarray(offset, offset + FRAME_BYTES))
  bindToPlace(head, 0, { segmentId, offset })
  const expected = head.subarray(CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_BYTES)
  const found = Buffer.alloc(CHECKSUM_BYTES)
  hasher.hash64Into(segment.subarray(offset + LENGTH_AT, end), found, 0)
  if (!found.equals(expected)) {
    return damaged(
      'the checksum of a record is wrong',
      expected.toString('hex'),
      found.toString('hex'),
    )
  }
  return { kind: 'ok', body: segment.subarray(offset + FRAME_BYTES, end), end }
}

function damaged(why: string, expected: string | number, found: string | number): FrameOutcome {
  return { kind: 'damaged', why, expected: String(expected), found: String(found) }
}

/** One operation of a batch, or of a record of its own: `second` is empty where the type has none. */
export interface Operation {
  readonly type: RecordType
  readonly first: Buffer
  readonly second: Buffer
}

/** What a body says. */
export interface LogRecord extends Operation {
  readonly seqno: number
  /** Of a batch only. */
  readonly operations: readonly Operation[]
}

const EMPTY = Buffer.alloc(0)
const NO_OPERATIONS: readonly Operation[] = []

/**
 * Takes a body apart; what it holds are views of it.
 * @throws VARVE_INVALID_TAG, VARVE_INVALID_BLOCK, VARVE_UNSUPPORTED
 */
export function decodeBody(body: Buffer, origin: Origin): LogRecord {
  const type = body[0] as number
  if (!KNOWN.has(type)) {
    throw formatError('VARVE_INVALID_TAG', origin, `${type} is no type of a log record`, { type })
  }
  const known = type as RecordType
  const reader = new ByteReader(body, 'log record', origin, 'VARVE_INVALID_BLOCK')
  reader.skip(1, 'type')
  const seqno = reader.u64('seqno')
  switch (known) {
    case RecordType.Insert:
    case RecordType.Merge: {
      const first = view(reader.bytes(reader.u16('key length'), 'key'))
      return { type: known, seqno, first, second: view(reader.rest()), operations: NO_OPERATIONS }
    }
    case RecordType.Remove:
    case RecordType.RemoveWeak:
    case RecordType.RemovePrefix:
      return {
        type: known,
        seqno,
        first: view(reader.rest()),
        second: EMPTY,
        operations: NO_OPERATIONS,
      }
    case RecordType.RemoveRange: {
      const first = view(reader.bytes(reader.u32('start length'), 'start'))
      return { type: known, seqno, first, second: view(reader.rest()), operations: NO_OPERATIONS }
    }
    case RecordType.Batch:
      return {
        type: known,
        seqno,
        first: EMPTY,
        second: EMPTY,
        operations: decodeBatch(reader, origin),
      }
    default:
      reader.end()
      return { type: known, seqno, first: EMPTY, second: EMPTY, operations: NO_OPERATIONS }
  }
}

function decodeBatch(reader: ByteReader, origin: Origin): Operation[] {
  const count = reader.u32('count')
  const operations: Operation[] = []
  // No room is taken for what the count promises: each operation has to be there.
  for (let i = 0; i < count; i++) {
    const type = reader.u8('type')
    if (type < RecordType.Insert || type > RecordType.RemoveRange) {
      throw formatError('VARVE_INVALID_TAG', origin, `${type} is no type of a batch's operation`, {
        type,
      })
    }
    const [firstLength, secondLength] = [reader.u32('first length'), reader.u32('second length')]
    operations.push({
      type: type as RecordType,
      first: view(reader.bytes(firstLength, 'first')),
      second: view(reader.bytes(secondLength, 'second')),
    })
  }
  reader.end()
  return operations
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
