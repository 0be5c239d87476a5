/**
 * What a range delete covers, as bytes: [start, end), checked (semantics.md 5.2). Pure; main thread.
 */
import { rangeError, typeError } from '../../shared/base/errors.js'
import { type KeyOrder, prefixEnd } from '../../shared/base/key-order.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import type { BytesLike } from '../bytes-like.js'

export interface ByteRange {
  /** Inclusive. */
  readonly start: Uint8Array
  /** Exclusive. */
  readonly end: Uint8Array
}

/** The smallest key of all in the order of bytes: what an empty start stands for. This very array. */
export const FIRST_KEY = Uint8Array.of(0)

function boundBytes(value: BytesLike, what: string): Uint8Array {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw typeError(
      `${what} must be a string or a Uint8Array, not ${value === null ? 'null' : typeof value}`,
    )
  }
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  if (bytes.length <= KEY_BYTES_MAX) return bytes
  throw rangeError(`${what} has at most ${KEY_BYTES_MAX} bytes, not ${bytes.length}`)
}

/** The bounds as bytes; whether they hold a key is for {@link holdsKeys}. @throws TypeError, RangeError */
export function rangeOf(start: BytesLike, end: BytesLike): ByteRange {
  const from = boundBytes(start, 'the start of a range')
  const upper = boundBytes(end, 'the end of a range')
  return { start: from.length === 0 ? FIRST_KEY : from, end: upper }
}

/** False where no key lies in the range: such a delete is not written. @throws RangeError, VARVE_COMPARATOR */
export function holdsKeys({ start, end }: ByteRange, order: KeyOrder): boolean {
  if (start === FIRST_KEY && !order.isBytes) {
    throw rangeError(
      `only the order of bytes has a first key: a range has a start under ${order.name}`,
    )
  }
  return order.compare(start, end) < 0
}

/**
 * The range of the keys that start with `prefix`; undefined where it has no end: for no bytes, or 0xff bytes alone.
 * @throws TypeError, RangeError for what no key could start with
 */
export function prefixRangeOf(prefix: BytesLike): ByteRange | undefined {
  const start = boundBytes(prefix, 'a prefix')
  const end = prefixEnd(start)
  return end === undefined ? undefined : { start, end }
}
