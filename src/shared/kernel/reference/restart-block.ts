/**
 * Reads bodies of restart blocks as they come from disk, in plain TypeScript: the oracle of the
 * converting kernels, hostile input included. A body either yields entries or the kernel's error
 * code. Any thread; tests and benches only.
 */
import {
  BLOCK_ERROR_COUNT,
  BLOCK_ERROR_ENTRY,
  BLOCK_ERROR_HANDLE,
  BLOCK_ERROR_ORDER,
  BLOCK_ERROR_SEQNO,
  BLOCK_ERROR_TRAILER,
  KIND_MAX,
  KIND_TOMBSTONE,
  KIND_WEAK_TOMBSTONE,
  RESTART_TRAILER_BYTES,
} from '../layout.js'
import type { IndexedBlock } from './block-writer.js'
import { compareVersions, type Version } from './version.js'

const KEY_BYTES_MAX = 65_535n
const ENTRY_BYTES_MIN = 4

/** Thrown inside this file, caught at its doors. */
class Damage extends Error {
  readonly code: number

  constructor(code: number) {
    super()
    this.code = code
  }
}

interface Shape {
  readonly restartInterval: number
  readonly count: number
  readonly heads: readonly number[]
  readonly entries: Uint8Array
}

/** Reads the entry area front to back. */
class EntryReader {
  readonly #bytes: Uint8Array
  position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.position >= this.#bytes.length
  }

  u8(): number {
    if (this.isAtEnd) throw new Damage(BLOCK_ERROR_ENTRY)
    return this.#bytes[this.position++]!
  }

  varint(): bigint {
    let value = 0n
    for (let length = 1; length <= 10; length++) {
      const byte = this.u8()
      value |= BigInt(byte & 127) << BigInt(7 * (length - 1))
      if (byte >= 128) continue
      if (length === 10 && byte > 1) break
      return value
    }
    throw new Damage(BLOCK_ERROR_ENTRY)
  }

  seqno(): number {
    const value = this.varint()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Damage(BLOCK_ERROR_SEQNO)
    return Number(value)
  }

  take(length: bigint): Uint8Array {
    if (length > BigInt(this.#bytes.length - this.position)) throw new Damage(BLOCK_ERROR_ENTRY)
    const start = this.position
    this.position += Number(length)
    return this.#bytes.subarray(start, this.position)
  }

  /** A key: whole at a restart head, else what it shares with the head's and the rest. */
  key(head: Uint8Array | undefined): Uint8Array {
    const shared = head === undefined ? 0n : this.varint()
    if (shared > BigInt(head?.length ?? 0)) throw new Damage(BLOCK_ERROR_ENTRY)
    const rest = this.varint()
    const length = shared + rest
    if (length === 0n || length > KEY_BYTES_MAX) throw new Damage(BLOCK_ERROR_ENTRY)
    const tail = this.take(rest)
    return Uint8Array.from([...(head ?? []).slice(0, Number(shared)), ...tail])
  }
}

/** Checks the trailer and where the parts of a body lie. */
function readShape(body: Uint8Array): Shape {
  if (body.length < RESTART_TRAILER_BYTES + 2) throw new Damage(BLOCK_ERROR_TRAILER)
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const trailer = body.length - RESTART_TRAILER_BYTES
  const restartInterval = view.getUint8(trailer)
  const step = view.getUint8(trailer + 1)
  const headCount = view.getUint32(trailer + 2, true)
  const binaryOffset = view.getUint32(trailer + 6, true)
  const hashLength = view.getUint32(trailer + 10, true)
  const hashOffset = view.getUint32(trailer + 14, true)
  const count = view.getUint32(trailer + 27, true)
  const hasHash = hashLength !== 0
  const isSound =
    restartInterval > 0 &&
    (step === 2 || step === 4) &&
    headCount > 0 &&
    hasHash === (hashOffset !== 0) &&
    (!hasHash || hashOffset + hashLength === trailer) &&
    binaryOffset + headCount * step === (hasHash ? hashOffset : trailer) &&
    binaryOffset > 0 &&
    body[binaryOffset - 1] === 0xff
  if (!isSound) throw new Damage(BLOCK_ERROR_TRAILER)
  const entries = body.subarray(0, binaryOffset - 1)
  if (count * ENTRY_BYTES_MIN > entries.length) throw new Damage(BLOCK_ERROR_COUNT)
  if (Math.ceil(count / restartInterval) !== headCount) throw new Damage(BLOCK_ERROR_COUNT)
  const heads = Array.from({ length: headCount }, (_, i) =>
    step === 2
      ? view.getUint16(binaryOffset + 2 * i, true)
      : view.getUint32(binaryOffset + 4 * i, true),
  )
  return { restartInterval, count, heads, entries }
}

/** Runs `readOne` for every entry of a body; the entries, or an error code. */
function readBody<Entry>(
  body: Uint8Array,
  readOne: (reader: EntryReader, head: Uint8Array | undefined) => [Entry, Version],
): Entry[] | number {
  try {
    const { restartInterval, count, heads, entries } = readShape(body)
    const reader = new EntryReader(entries)
    const found: Entry[] = []
    let head: Uint8Array | undefined
    let previous: Version | undefined
    for (let i = 0; i < count; i++) {
      const isHead = i % restartInterval === 0
      if (isHead && heads[i / restartInterval] !== reader.position) {
        throw new Damage(BLOCK_ERROR_TRAILER)
      }
      const [entry, version] = readOne(reader, isHead ? undefined : head)
      if (previous !== undefined && compareVersions(previous, version) > 0) {
        throw new Damage(BLOCK_ERROR_ORDER)
      }
      if (isHead) head = version.key
      previous = version
      found.push(entry)
    }
    if (!reader.isAtEnd) throw new Damage(BLOCK_ERROR_ENTRY)
    return found
  } catch (error) {
    if (error instanceof Damage) return error.code
    throw error
  }
}

/** The entries of a data block body, or the error code. */
export function decodeDataBody(body: Uint8Array): Version[] | number {
  return readBody(body, (reader, head) => {
    const kind = reader.u8()
    if (kind > KIND_MAX) throw new Damage(BLOCK_ERROR_ENTRY)
    const seqno = reader.seqno()
    const key = reader.key(head)
    const hasValue = kind !== KIND_TOMBSTONE && kind !== KIND_WEAK_TOMBSTONE
    const value = hasValue ? reader.take(reader.varint()) : new Uint8Array(0)
    const version = { key, seqno, kind, value }
    return [version, version]
  })
}

/**
 * The entries of an index block body whose handles must lie in [handleMin, handleMax), or the code.
 */
export function decodeIndexBody(
  body: Uint8Array,
  handleMin: number,
  handleMax: number,
): IndexedBlock[] | number {
  let previousEnd = BigInt(handleMin)
  return readBody(body, (reader, head) => {
    if (reader.u8() !== (head === undefined ? 0 : 1)) throw new Damage(BLOCK_ERROR_ENTRY)
    const offset = reader.varint()
    const size = reader.varint()
    const seqno = reader.seqno()
    const endKey = reader.key(head)
    const end = offset + size
    if (offset < previousEnd || size === 0n || end > BigInt(handleMax) || size > 0x7fff_ffffn) {
      throw new Damage(BLOCK_ERROR_HANDLE)
    }
    previousEnd = end
    const block = { endKey, seqno, offset: Number(offset), size: Number(size) }
    return [block, { key: endKey, seqno, kind: 0, value: endKey }]
  })
}
