/** Restart blocks: the shared body of data, index and meta blocks, with the hash index (table spec 7, 8, 9, 11). */

import { Cursor, check, checkEqual, equalBytes, fail, Writer } from './bytes.js'
import { xxh3_64 } from './xxh3.js'

/** Value types by tag. */
export const KIND_VALUE = 0
export const KIND_TOMBSTONE = 1
export const KIND_WEAK_TOMBSTONE = 2
export const KIND_MERGE = 3
export const KIND_INDIRECTION = 4

export interface Entry {
  readonly key: Uint8Array
  /** As stored, without the table's global seqno. */
  readonly seqno: bigint
  readonly kind: number
  readonly value: Uint8Array
}

export interface IndexEntry {
  readonly offset: number
  readonly size: number
  readonly seqno: bigint
  readonly endKey: Uint8Array
}

export interface RestartBody<E> {
  readonly restartInterval: number
  readonly step: number
  readonly entries: readonly E[]
  /** Body offset of every entry. */
  readonly positions: readonly number[]
  readonly hashIndex: Uint8Array | undefined
}

const END_MARKER = 0xff
const TRAILER_SIZE = 31
const FREE = 254
const CONFLICT = 255

type EntryReader<E> = (cursor: Cursor, isHead: boolean, head: Uint8Array) => [E, Uint8Array]

function decodeBody<E>(body: Uint8Array, where: string, read: EntryReader<E>): RestartBody<E> {
  check(body.length >= TRAILER_SIZE, where, `body of ${body.length} bytes has no trailer`)
  const trailerAt = body.length - TRAILER_SIZE
  const trailer = new Cursor(body, `${where} trailer`, trailerAt)
  const restartInterval = trailer.u8()
  const step = trailer.u8()
  const heads = trailer.u32()
  const headsAt = trailer.u32()
  const hashLength = trailer.u32()
  const hashAt = trailer.u32()
  checkEqual(trailer.u8(), 1, where, 'prefix truncation')
  check(
    trailer.take(8).every((byte) => byte === 0),
    where,
    'unused trailer fields are not zero',
  )
  const itemCount = trailer.u32()

  check(restartInterval > 0, where, 'restart interval is 0')
  check(step === 2 || step === 4, where, `binary index step is ${step}`)
  check(heads > 0, where, 'binary index is empty')
  checkEqual(heads, Math.ceil(itemCount / restartInterval), where, 'binary index length')
  checkEqual(hashLength > 0, hashAt > 0, where, 'presence of hash index offset and length')
  if (hashLength > 0) checkEqual(hashAt + hashLength, trailerAt, where, 'end of the hash index')
  const headsEnd = hashLength > 0 ? hashAt : trailerAt
  checkEqual(headsAt + heads * step, headsEnd, where, 'end of the binary index')
  check(headsAt > 0, where, 'binary index offset is 0')
  checkEqual(body[headsAt - 1], END_MARKER, where, 'end-of-entries marker')

  const index = new Cursor(body, `${where} binary index`, headsAt, headsEnd)
  const cursor = new Cursor(body, where, 0, headsAt - 1)
  const entries: E[] = []
  const positions: number[] = []
  let head: Uint8Array = new Uint8Array(0)
  for (let i = 0; i < itemCount; i++) {
    const isHead = i % restartInterval === 0
    positions.push(cursor.position)
    if (isHead) {
      const offset = step === 2 ? index.u16() : index.u32()
      checkEqual(offset, cursor.position, where, `offset of restart head ${i / restartInterval}`)
    }
    const [entry, key] = read(cursor, isHead, head)
    if (isHead) head = key
    entries.push(entry)
  }
  cursor.expectEnd()
  const lastHead = positions[(heads - 1) * restartInterval]!
  checkEqual(step, lastHead <= 0xffff ? 2 : 4, where, 'binary index step')
  const hashIndex = hashLength > 0 ? body.subarray(hashAt, trailerAt) : undefined
  return { restartInterval, step, entries, positions, hashIndex }
}

/** A full key at a restart head, otherwise the longest prefix shared with the head's key and the rest. */
function readKey(cursor: Cursor, isHead: boolean, head: Uint8Array): Uint8Array {
  if (isHead) return cursor.take(cursor.var16())
  const shared = cursor.var16()
  const rest = cursor.take(cursor.var16())
  if (shared > head.length) cursor.fail(`shares ${shared} bytes with a key of ${head.length}`)
  if (shared < head.length && rest.length > 0 && rest[0] === head[shared]) {
    cursor.fail('key does not share its longest prefix with the restart head')
  }
  const key = new Uint8Array(shared + rest.length)
  key.set(head.subarray(0, shared))
  key.set(rest, shared)
  return key
}

function readEntry(cursor: Cursor, isHead: boolean, head: Uint8Array): [Entry, Uint8Array] {
  const kind = cursor.u8()
  if (kind > KIND_INDIRECTION) cursor.fail(`unknown value type ${kind}`)
  const seqno = cursor.var64()
  const key = readKey(cursor, isHead, head)
  if (key.length === 0) cursor.fail('empty key')
  const hasValue = kind !== KIND_TOMBSTONE && kind !== KIND_WEAK_TOMBSTONE
  const value = hasValue ? cursor.take(cursor.var32()) : new Uint8Array(0)
  return [{ key, seqno, kind, value }, key]
}

/** Decodes a data or meta body; the hash index has to be the one that `hashRatio` gives, 0 for none. */
export function decodeDataBody(
  body: Uint8Array,
  where: string,
  expected: { readonly restartInterval: number; readonly hashRatio: number },
): RestartBody<Entry> {
  const decoded = decodeBody(body, where, readEntry)
  checkEqual(decoded.restartInterval, expected.restartInterval, where, 'restart interval')
  const hashIndex = buildHashIndex(decoded.entries, decoded.restartInterval, expected.hashRatio)
  checkEqual(decoded.hashIndex?.length, hashIndex?.length, where, 'hash index length')
  if (hashIndex !== undefined) {
    check(equalBytes(decoded.hashIndex!, hashIndex), where, 'hash index differs from its keys')
  }
  return decoded
}

function readIndexEntry(
  cursor: Cursor,
  isHead: boolean,
  head: Uint8Array,
): [IndexEntry, Uint8Array] {
  const marker = cursor.u8()
  if (marker !== (isHead ? 0 : 1)) fail(cursor.where, `index entry marker is ${marker}`)
  const offset = cursor.varSize()
  const size = cursor.var32()
  const seqno = cursor.var64()
  const endKey = readKey(cursor, isHead, head)
  return [{ offset, size, seqno, endKey }, endKey]
}

export function decodeIndexBody(
  body: Uint8Array,
  where: string,
  restartInterval: number,
): RestartBody<IndexEntry> {
  const decoded = decodeBody(body, where, readIndexEntry)
  checkEqual(decoded.restartInterval, restartInterval, where, 'restart interval')
  check(decoded.hashIndex === undefined, where, 'an index block has a hash index')
  return decoded
}

/** The hash index of a block; undefined where the ratio is 0 or the binary index has more than 254 heads. */
export function buildHashIndex(
  entries: readonly Entry[],
  restartInterval: number,
  ratio: number,
): Uint8Array | undefined {
  if (!(ratio > 0) || Math.ceil(entries.length / restartInterval) > 254) return undefined
  const product = Math.fround(Math.fround(entries.length) * Math.fround(ratio))
  const buckets = new Uint8Array(Math.max(1, Math.trunc(product))).fill(FREE)
  entries.forEach((entry, i) => {
    const interval = Math.floor(i / restartInterval)
    if (interval > 253) return
    const slot = Number(xxh3_64(entry.key) % BigInt(buckets.length))
    if (buckets[slot] === FREE) buckets[slot] = interval
    else if (buckets[slot] !== interval) buckets[slot] = CONFLICT
  })
  return buckets
}

interface Piece {
  readonly key: Uint8Array
  prefix(writer: Writer, isHead: boolean): void
  suffix(writer: Writer): void
}

function encodeBody(pieces: readonly Piece[], restartInterval: number, hash?: Uint8Array) {
  const writer = new Writer()
  const heads: number[] = []
  let head = new Uint8Array(0)
  pieces.forEach((piece, i) => {
    const isHead = i % restartInterval === 0
    if (isHead) heads.push(writer.length)
    piece.prefix(writer, isHead)
    if (isHead) {
      head = Uint8Array.from(piece.key)
      writer.varint(head.length).bytes(head)
    } else {
      const limit = Math.min(head.length, piece.key.length)
      let shared = 0
      while (shared < limit && head[shared] === piece.key[shared]) shared++
      writer
        .varint(shared)
        .varint(piece.key.length - shared)
        .bytes(piece.key.subarray(shared))
    }
    piece.suffix(writer)
  })
  writer.u8(END_MARKER)
  const headsAt = writer.length
  const step = heads.at(-1)! <= 0xffff ? 2 : 4
  for (const offset of heads) step === 2 ? writer.u16(offset) : writer.u32(offset)
  const hashAt = writer.length
  if (hash !== undefined) writer.bytes(hash)
  writer.u8(restartInterval).u8(step).u32(heads.length).u32(headsAt)
  writer.u32(hash?.length ?? 0).u32(hash === undefined ? 0 : hashAt)
  return writer.u8(1).bytes(new Uint8Array(8)).u32(pieces.length).finish()
}

export function encodeDataBody(
  entries: readonly Entry[],
  restartInterval: number,
  hashRatio = 0,
): Uint8Array {
  const pieces = entries.map(({ key, seqno, kind, value }) => ({
    key,
    prefix: (writer: Writer) => writer.u8(kind).varint(seqno),
    suffix: (writer: Writer) => {
      if (kind !== KIND_TOMBSTONE && kind !== KIND_WEAK_TOMBSTONE) {
        writer.varint(value.length).bytes(value)
      }
    },
  }))
  return encodeBody(pieces, restartInterval, buildHashIndex(entries, restartInterval, hashRatio))
}

export function encodeIndexBody(entries: readonly IndexEntry[], restartInterval: number) {
  const pieces = entries.map(({ offset, size, seqno, endKey }) => ({
    key: endKey,
    prefix: (writer: Writer, isHead: boolean) =>
      writer
        .u8(isHead ? 0 : 1)
        .varint(offset)
        .varint(size)
        .varint(seqno),
    suffix: () => undefined,
  }))
  return encodeBody(pieces, restartInterval)
}
