/**
 * The options of reads, and what they come to: bounds, seqnos, shapes. Pure; main thread.
 */
import { rangeError, typeError } from '../../shared/base/errors.js'
import {
  type CompareKeys,
  higherBound,
  isEmptyRange,
  type KeyBound,
  type KeyRangeBounds,
  lowerBound,
} from '../../shared/base/key-order.js'
import { probeOf } from '../../shared/base/prefix-extractor.js'
import type { JobCode } from '../../shared/jobs/job-code.js'
import type { BytesLike } from '../writing/write-batch.js'

export interface ReadOptions {
  /** Versions with a lower seqno are seen. Default: what is visible now. */
  readonly seqno?: number
}

/** Between which keys; of two bounds on one side the tighter one counts. Default: all keys. */
export interface IntervalOptions {
  readonly gt?: BytesLike
  readonly gte?: BytesLike
  readonly lt?: BytesLike
  readonly lte?: BytesLike
}

/** What a seekable iterator covers. */
export interface SeekableOptions extends ReadOptions, IntervalOptions {}

/** What iterators over guards cover. */
export interface GuardOptions extends SeekableOptions {
  /** From the largest key down. Default false. */
  readonly reverse?: boolean
  /** Entries at most. Default all. */
  readonly limit?: number
}

export interface RangeOptions extends GuardOptions {
  /** False: yield values only. */
  readonly keys?: boolean
  /** False: yield keys only; values are not read. */
  readonly values?: boolean
}

export interface AsyncRangeOptions extends RangeOptions {
  /** Ends the iteration with VARVE_ABORTED. */
  readonly signal?: AbortSignal
}

/** What an iterator yields of an entry. */
export type Shape = 'entries' | 'keys' | 'values' | 'guards'

/** A seqno that a reader names, Infinity for "the latest". @throws RangeError */
export function requireReadSeqno(given: number): number {
  if (given === Number.POSITIVE_INFINITY) return Number.MAX_SAFE_INTEGER
  if (Number.isSafeInteger(given) && given >= 0) return given
  throw rangeError(`a read seqno must be an integer from 0 to 2^53 - 1, not ${given}`)
}

/** A copy of a key or prefix as bytes. @throws TypeError */
export function toBytes(value: BytesLike, what: string): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  throw typeError(`${what} must be a string or a Uint8Array`)
}

/** The bounds that options give. @throws TypeError */
export function boundsOf(options: IntervalOptions, compare: CompareKeys): KeyRangeBounds {
  const { gt, gte, lt, lte } = options
  let lower: KeyBound | undefined
  let upper: KeyBound | undefined
  if (gte !== undefined) lower = { key: toBytes(gte, 'gte'), isInclusive: true }
  if (gt !== undefined)
    lower = higherBound(lower, { key: toBytes(gt, 'gt'), isInclusive: false }, compare)
  if (lte !== undefined) upper = { key: toBytes(lte, 'lte'), isInclusive: true }
  if (lt !== undefined)
    upper = lowerBound(upper, { key: toBytes(lt, 'lt'), isInclusive: false }, compare)
  return { lower, upper }
}

/** The bounds of a prefix scan, and the prefix where the order has no bounds that say it: keys are checked for it then. */
export interface PrefixBounds extends KeyRangeBounds {
  readonly prefix: Uint8Array | undefined
  /** What filters are asked for, where the tree has an extractor that allows it. */
  readonly probe: Uint8Array | undefined
}

/** The bounds of the keys that start with `prefix`, inside those of `options`. @throws TypeError */
export function prefixBoundsOf(
  prefix: BytesLike,
  options: IntervalOptions,
  { order, prefixes }: Pick<JobCode, 'order' | 'prefixes'>,
): PrefixBounds {
  const start = toBytes(prefix, 'a prefix')
  let { lower, upper } = boundsOf(options, order.compare)
  const range = order.prefixRange(start)
  if (range?.lower !== undefined) lower = higherBound(lower, range.lower, order.compare)
  if (range?.upper !== undefined) upper = lowerBound(upper, range.upper, order.compare)
  const probe = prefixes === undefined ? undefined : probeOf(prefixes, start)
  return { lower, upper, prefix: range === undefined ? start : undefined, probe }
}

/** @throws TypeError */
export function shapeOf({ keys = true, values = true }: RangeOptions): Shape {
  if (!keys && !values) throw typeError('a range yields keys, values, or both')
  return keys && values ? 'entries' : keys ? 'keys' : 'values'
}

/** Entries that a range yields at most: none where its bounds leave none. @throws RangeError */
export function limitOf(
  { limit = Number.POSITIVE_INFINITY }: GuardOptions,
  bounds: KeyRangeBounds,
  compare: CompareKeys,
): number {
  if (!(limit >= 0)) throw rangeError(`limit must not be negative, not ${limit}`)
  return isEmptyRange(bounds, compare) ? 0 : limit
}
