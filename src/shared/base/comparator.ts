/**
 * Comparators as users write them, the ones that ship, and how one becomes the {@link KeyOrder} of a tree. Pure; every
 * thread.
 *
 * I1: whatever a comparator does wrong, each call of the order made of it ends: with a number, or with VARVE_COMPARATOR
 *     and what it threw as cause.
 */
import { rangeError, VarveError } from './errors.js'
import { BYTE_ORDER, isSameKey, type KeyOrder, prefixEnd } from './key-order.js'
import { COMPARATOR_NAME_BYTES_MAX } from './limits.js'

/**
 * A strict total order of keys. A tree keeps its comparator's name in its files and refuses to be opened with another one.
 *
 * It must always say the same of the same two keys, and call keys equal only where their bytes are equal: filters and
 * hashes go by the bytes. It is called in the middle of reads and writes, so it must not use the tree; the keys are views
 * that are good only during the call.
 *
 * @example
 * ```ts
 * const byLength: Comparator = {
 *   name: 'by-length',
 *   compare: (a, b) => a.length - b.length || a.compare(b),
 * }
 * const tree = await open('db', { comparator: byLength })
 * ```
 */
export interface Comparator {
  /** Kept in the tree's files: 1 to 256 bytes of UTF-8. */
  readonly name: string
  /** Negative where `a` comes first, positive where `b` does, 0 where they are the same bytes. Throws to refuse a key. */
  compare(a: Buffer, b: Buffer): number
  /**
   * The same of two keys where they lie in `bytes`, for speed: nothing is allocated to call it. Must agree with `compare`.
   */
  compareAt?(
    bytes: Uint8Array,
    aStart: number,
    aLength: number,
    bStart: number,
    bLength: number,
  ): number
  /** True promises that this is the order of bytes: `compare` is then never called, and nothing is slower. */
  readonly isLexicographic?: boolean
}

/** The default: unsigned bytes, the shorter key first. */
const lexicographic: Comparator = {
  name: BYTE_ORDER.name,
  compare: (a, b) => Buffer.compare(a, b),
  isLexicographic: true,
}

/** The order of bytes, backwards. */
export const reverse: Comparator = {
  name: 'reverse-lexicographic',
  compare: (a, b) => Buffer.compare(b, a),
  // How a worker gets it (jobs/user-code.ts).
  ...{ [Symbol.for('varve.reference')]: { module: import.meta.url, export: 'reverse' } },
}

/**
 * Keys of 8 bytes as unsigned integers, big endian; others, and those of different lengths, as bytes. That is the order of
 * bytes throughout, under the name by which other engines know it.
 */
const u64be: Comparator = {
  name: 'u64-big-endian',
  compare: (a, b) => Buffer.compare(a, b),
  isLexicographic: true,
}

/** The comparators that ship; none of them is ever called from a kernel. */
export const comparators = { lexicographic, reverse, u64be } as const

/** The order that a comparator gives. @throws RangeError where its name is empty or too long */
export function orderOf(comparator: Comparator): KeyOrder {
  const { name } = comparator
  const nameBytes = Buffer.byteLength(name)
  if (nameBytes === 0 || nameBytes > COMPARATOR_NAME_BYTES_MAX) {
    throw rangeError(
      `the name of a comparator has 1 to ${COMPARATOR_NAME_BYTES_MAX} bytes, not ${nameBytes}`,
    )
  }
  if (comparator.isLexicographic === true) return { ...BYTE_ORDER, name }
  if (comparator === reverse) return REVERSE_ORDER
  const compareAt = comparator.compareAt?.bind(comparator)
  const compare = (a: Uint8Array, b: Uint8Array): number => {
    let result: unknown
    try {
      result = comparator.compare(toBuffer(a), toBuffer(b))
    } catch (cause) {
      throw thrown(name, cause)
    }
    return checkedResult(name, result, a, b)
  }
  return {
    name,
    isBytes: false,
    ...(compareAt === undefined ? {} : { compareAt }),
    compare,
    requireKey: (key) => {
      if (compare(key, key) !== 0) throw comparatorError(name, 'called a key unequal to itself')
    },
    prefixRange: (prefix) =>
      prefix.length === 0 ? { lower: undefined, upper: undefined } : undefined,
  }
}

/** What a comparator said, if it is an answer. @throws VARVE_COMPARATOR */
export function checkedResult(name: string, result: unknown, a: Uint8Array, b: Uint8Array): number {
  if (typeof result !== 'number' || Number.isNaN(result)) {
    throw comparatorError(name, `returned ${String(result)}, not a number`)
  }
  if (result === 0 && !isSameKey(a, b)) throw comparatorError(name, 'called two keys equal')
  return result
}

/** What a comparator threw, as an error of ours. */
export function thrown(name: string, cause: unknown): VarveError {
  return comparatorError(name, `threw: ${cause instanceof Error ? cause.message : cause}`, cause)
}

export function comparatorError(name: string, what: string, cause?: unknown): VarveError {
  return new VarveError('VARVE_COMPARATOR', `the comparator ${name} ${what}`, {
    details: { comparator: name },
    cause,
  })
}

const REVERSE_ORDER: KeyOrder = {
  name: reverse.name,
  isBytes: false,
  kernelCompare: 'compare_reverse',
  compare: (a, b) => Buffer.compare(b, a),
  prefixRange: (prefix) => {
    if (prefix.length === 0) return { lower: undefined, upper: undefined }
    const end = prefixEnd(prefix)
    return {
      lower: end === undefined ? undefined : { key: end, isInclusive: false },
      upper: { key: prefix, isInclusive: true },
    }
  },
}

function toBuffer(key: Uint8Array): Buffer {
  return Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength)
}
