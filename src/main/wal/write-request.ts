/**
 * A write as the log takes it: checked as the tree would check it, before anything is logged, and ready to be copied into
 * a record. Pure; main thread.
 */
import { rangeError, typeError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import {
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../../shared/kernel/layout.js'
import type { BytesLike, WriteBatch } from '../index.js'
import { RecordType } from './record.js'

/** What becomes a record. */
export interface WriteRequest {
  readonly type: RecordType
  /** Bytes behind the head of the body. */
  readonly length: number
  /** Bytes of keys and values. */
  readonly payload: number
  readonly fill: (target: Buffer, at: number) => void
}

const OPERATION_HEAD_BYTES = 9

/** The record type of each kind of entry in a batch. */
const TYPE_BY_KIND: Readonly<Record<number, RecordType>> = {
  [KIND_VALUE]: RecordType.Insert,
  [KIND_TOMBSTONE]: RecordType.Remove,
  [KIND_WEAK_TOMBSTONE]: RecordType.RemoveWeak,
  [KIND_MERGE_OPERAND]: RecordType.Merge,
}

/** Bytes of `value`. @throws TypeError */
function lengthOf(value: BytesLike, what: string): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (value instanceof Uint8Array) return value.length
  throw typeError(
    `${what} must be a string or a Uint8Array, not ${value === null ? 'null' : typeof value}`,
  )
}

function keyLengthOf(key: BytesLike): number {
  const length = lengthOf(key, 'a key')
  if (length > 0 && length <= KEY_BYTES_MAX) return length
  throw rangeError(`a key has 1 to ${KEY_BYTES_MAX} bytes, not ${length}`)
}

function boundLengthOf(bound: BytesLike, what: string): number {
  const length = lengthOf(bound, what)
  if (length <= KEY_BYTES_MAX) return length
  throw rangeError(`${what} has at most ${KEY_BYTES_MAX} bytes, not ${length}`)
}

/** Copies `value` to `at`; the offset behind it. */
function put(target: Buffer, at: number, value: BytesLike): number {
  if (typeof value === 'string') return at + target.write(value, at)
  target.set(value, at)
  return at + value.length
}

/** An insert or a merge. */
export function pairRequest(type: RecordType, key: BytesLike, value: BytesLike): WriteRequest {
  const keyLength = keyLengthOf(key)
  const payload = keyLength + lengthOf(value, 'a value')
  const fill = (target: Buffer, at: number): void => {
    put(target, put(target, target.writeUInt16LE(keyLength, at), key), value)
  }
  return { type, length: 2 + payload, payload, fill }
}

/** A remove of one key. */
export function keyRequest(type: RecordType, key: BytesLike): WriteRequest {
  const payload = keyLengthOf(key)
  return { type, length: payload, payload, fill: (target, at) => put(target, at, key) }
}

export function rangeRequest(start: BytesLike, end: BytesLike): WriteRequest {
  const startLength = boundLengthOf(start, 'the start of a range')
  const payload = startLength + boundLengthOf(end, 'the end of a range')
  const fill = (target: Buffer, at: number): void => {
    put(target, put(target, target.writeUInt32LE(startLength, at), start), end)
  }
  return { type: RecordType.RemoveRange, length: 4 + payload, payload, fill }
}

export function prefixRequest(prefix: BytesLike): WriteRequest {
  const payload = boundLengthOf(prefix, 'a prefix')
  const fill = (target: Buffer, at: number): void => {
    put(target, at, prefix)
  }
  return { type: RecordType.RemovePrefix, length: payload, payload, fill }
}

/** @throws VARVE_MIXED_BATCH */
export function batchRequest(batch: WriteBatch): WriteRequest {
  batch.requireUniform()
  // A batch may be used again at once, so what it holds is taken now.
  const operations: [type: RecordType, first: BytesLike, second: BytesLike][] = []
  for (const { kind, key, value } of batch.entries) {
    operations.push([TYPE_BY_KIND[kind] as RecordType, key, value])
  }
  for (const { start, end } of batch.ranges) operations.push([RecordType.RemoveRange, start, end])
  let payload = 0
  const lengths = operations.map(([type, first, second]) => {
    const isRange = type === RecordType.RemoveRange
    const firstLength = isRange ? lengthOf(first, 'the start of a range') : keyLengthOf(first)
    const secondLength = lengthOf(second, 'a value')
    payload += firstLength + secondLength
    return [firstLength, secondLength] as const
  })
  const fill = (target: Buffer, start: number): void => {
    let at = target.writeUInt32LE(operations.length, start)
    operations.forEach(([type, first, second], i) => {
      const [firstLength, secondLength] = lengths[i] as readonly [number, number]
      at = target.writeUInt8(type, at)
      at = target.writeUInt32LE(firstLength, at)
      at = target.writeUInt32LE(secondLength, at)
      at = put(target, put(target, at, first), second)
    })
  }
  const length = 4 + OPERATION_HEAD_BYTES * operations.length + payload
  return { type: RecordType.Batch, length, payload, fill }
}

export const CLEAR_REQUEST: WriteRequest = {
  type: RecordType.Clear,
  length: 0,
  payload: 0,
  fill: () => undefined,
}
