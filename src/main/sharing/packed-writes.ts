/**
 * Writes as they travel from an attached thread to the owner: many in one array, which is transferred. Pure; any thread.
 *
 *     OFFSET  SIZE  FIELD
 *          0     1  operation: WRITE_*
 *          1     1  flags: 1, a seqno follows; 2, only where there is room (`tryInsert` and the like)
 *          2     2  0
 *          4     4  length of the first part: key, start or prefix; for a batch the number of operations that follow
 *          8     4  length of the second part: value, operand or end
 *         12     8  the seqno, a double, where flag 1 is set
 *                   first part, second part
 *
 * Little-endian, back to back, nothing aligned. The operations of a batch follow it, without flags.
 */
import { typeError } from '../../shared/base/errors.js'
import {
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../../shared/kernel/layout.js'
import type { BytesLike } from '../bytes-like.js'
import { FIRST_KEY } from '../writing/key-range.js'
import type { WriteBatch } from '../writing/write-batch.js'

export const WRITE_INSERT = 0
export const WRITE_REMOVE = 1
export const WRITE_REMOVE_WEAK = 2
export const WRITE_MERGE = 3
export const WRITE_REMOVE_RANGE = 4
export const WRITE_REMOVE_PREFIX = 5
export const WRITE_BATCH = 6

const FLAG_SEQNO = 1
const FLAG_ROOM = 2

const HEAD_BYTES = 12
const SEQNO_BYTES = 8

/** First size of a pack; it doubles. */
const PACK_BYTES_FIRST = 4096

/** How a write is to be done. */
export interface WriteTerms {
  readonly seqno?: number | undefined
  /** Only where the storage budget has room. */
  readonly needsRoom?: boolean
}

const NOTHING = new Uint8Array(0)

const BATCH_OPERATIONS: Readonly<Record<number, number>> = {
  [KIND_VALUE]: WRITE_INSERT,
  [KIND_TOMBSTONE]: WRITE_REMOVE,
  [KIND_WEAK_TOMBSTONE]: WRITE_REMOVE_WEAK,
  [KIND_MERGE_OPERAND]: WRITE_MERGE,
}

/** @throws TypeError for what is neither */
function bytesOf(value: BytesLike): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return value
  throw typeError(
    `keys and values are strings or Uint8Arrays, not ${value === null ? 'null' : typeof value}`,
  )
}

/** Collects writes: their bytes are copied at once. */
export class PackedWrites {
  #bytes = new Uint8Array(PACK_BYTES_FIRST)
  #length = 0
  #count = 0

  /** Bytes so far. */
  get byteLength(): number {
    return this.#length
  }

  /** Writes so far; a batch is one. */
  get count(): number {
    return this.#count
  }

  /** @throws TypeError, and nothing was added */
  add(operation: number, first: BytesLike, second: BytesLike, terms: WriteTerms = {}): void {
    this.#put(operation, bytesOf(first), bytesOf(second), terms)
    this.#count++
  }

  /** @throws TypeError, VARVE_MIXED_BATCH, and nothing was added */
  addBatch(batch: WriteBatch, terms: WriteTerms = {}): void {
    batch.requireUniform()
    const before = this.#length
    try {
      this.#head(WRITE_BATCH, batch.length, 0, terms)
      for (const { kind, key, value } of batch.entries) {
        this.#put(BATCH_OPERATIONS[kind] as number, bytesOf(key), bytesOf(value), {})
      }
      for (const { start, end } of batch.ranges) {
        // What an empty start stands for is told from the key of the same bytes by identity, which does not travel.
        this.#put(WRITE_REMOVE_RANGE, start === FIRST_KEY ? NOTHING : start, end, {})
      }
    } catch (error) {
      this.#length = before
      throw error
    }
    this.#count++
  }

  /** All of it, the caller's own; nothing is left. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length)
    this.#length = 0
    this.#count = 0
    if (this.#bytes.length > 256 * PACK_BYTES_FIRST) this.#bytes = new Uint8Array(PACK_BYTES_FIRST)
    return taken
  }

  #put(operation: number, first: Uint8Array, second: Uint8Array, terms: WriteTerms): void {
    this.#reserve(HEAD_BYTES + SEQNO_BYTES + first.length + second.length)
    this.#head(operation, first.length, second.length, terms)
    this.#bytes.set(first, this.#length)
    this.#bytes.set(second, this.#length + first.length)
    this.#length += first.length + second.length
  }

  #head(operation: number, first: number, second: number, terms: WriteTerms): void {
    const { seqno, needsRoom = false } = terms
    this.#reserve(HEAD_BYTES + SEQNO_BYTES)
    const view = new DataView(this.#bytes.buffer, this.#length)
    view.setUint8(0, operation)
    view.setUint8(1, (seqno === undefined ? 0 : FLAG_SEQNO) | (needsRoom ? FLAG_ROOM : 0))
    view.setUint16(2, 0)
    view.setUint32(4, first, true)
    view.setUint32(8, second, true)
    this.#length += HEAD_BYTES
    if (seqno === undefined) return
    view.setFloat64(HEAD_BYTES, seqno, true)
    this.#length += SEQNO_BYTES
  }

  #reserve(bytes: number): void {
    const wanted = this.#length + bytes
    if (wanted <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, wanted))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

/** One write of a pack. Its parts are views of the pack. */
export interface PackedWrite {
  readonly operation: number
  readonly first: Uint8Array
  readonly second: Uint8Array
  readonly seqno: number | undefined
  readonly needsRoom: boolean
  /** The operations of a batch; none for others. */
  readonly parts: readonly PackedWrite[]
}

/** Takes a pack apart. @throws TypeError where it is cut short, before anything of the write that is cut was given */
export function* unpackWrites(packed: Uint8Array): Generator<PackedWrite, undefined> {
  const reader = new PackReader(packed)
  while (!reader.isAtEnd) yield reader.next()
  return undefined
}

class PackReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  next(): PackedWrite {
    const head = this.#take(HEAD_BYTES)
    const operation = this.#view.getUint8(head)
    const flags = this.#view.getUint8(head + 1)
    const [first, second] = [
      this.#view.getUint32(head + 4, true),
      this.#view.getUint32(head + 8, true),
    ]
    const seqno =
      (flags & FLAG_SEQNO) === 0 ? undefined : this.#view.getFloat64(this.#take(SEQNO_BYTES), true)
    const rest = { operation, seqno, needsRoom: (flags & FLAG_ROOM) !== 0 }
    if (operation !== WRITE_BATCH) {
      return { ...rest, first: this.#part(first), second: this.#part(second), parts: [] }
    }
    const parts: PackedWrite[] = []
    for (let i = 0; i < first; i++) parts.push(this.next())
    return { ...rest, first: NOTHING, second: NOTHING, parts }
  }

  #part(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #take(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw typeError('a pack of writes is cut short')
    this.#at = start + length
    return start
  }
}
