/**
 * The order of a tree's keys. Whatever compares keys outside the kernels asks a {@link KeyOrder}; the kernels of a tree
 * are bound to the same one (`shared/memory/shared-memory.ts`). Pure; every thread.
 *
 * I1: keys compare equal only where their bytes are equal, so equality is asked of the bytes, in hashes and filters too.
 * I2: nothing outside a byte order invents a key "right behind" another one: most orders have none. Ranges say instead
 *     whether a bound itself belongs to them.
 */

/** Negative where `a` comes before `b`, positive where it comes behind, 0 where they are the same key. */
export type CompareKeys = (a: Uint8Array, b: Uint8Array) => number

/** {@link CompareKeys} of two keys that lie in `bytes`. */
export type CompareAt = (
  bytes: Uint8Array,
  aStart: number,
  aLength: number,
  bStart: number,
  bLength: number,
) => number

export interface KeyOrder {
  /** By which files name it. */
  readonly name: string
  /** True for the order of bytes, the shorter key first: kernels compare heads of keys, and a key has a successor. */
  readonly isBytes: boolean
  /** Throws VARVE_COMPARATOR where a user's comparator does not answer. */
  readonly compare: CompareKeys
  /** Only of a user's order: whether it answers for the key at all. Throws VARVE_COMPARATOR where it does not. */
  requireKey?(key: Uint8Array): void
  /** The export of the kernel module that compares like this, for an order of ours that is not that of bytes. */
  readonly kernelCompare?: 'compare_reverse'
  /** A user's comparison of two keys where they lie, for kernels; it may throw, and return anything. */
  readonly compareAt?: CompareAt
  /** Where all keys lie that start with a prefix; undefined where they may lie anywhere. */
  prefixRange(prefix: Uint8Array): KeyRangeBounds | undefined
}

/** The default order, by the name that the format gives it. */
export const BYTE_ORDER: KeyOrder = {
  name: 'default',
  isBytes: true,
  compare: Buffer.compare,
  prefixRange: (prefix) => {
    const end = prefixEnd(prefix)
    return {
      lower: prefix.length === 0 ? undefined : { key: prefix, isInclusive: true },
      upper: end === undefined ? undefined : { key: end, isInclusive: false },
    }
  },
}

/** In the order of bytes, the smallest key behind every key that starts with `prefix`; undefined where there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number
    if (byte === 0xff) continue
    // Not `slice`: on a Buffer that would be a view, and the prefix itself would change.
    const end = Uint8Array.from(prefix.subarray(0, i + 1))
    end[i] = byte + 1
    return end
  }
  return undefined
}

/** True where both are the same key: by their bytes, in any order. */
export function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}

/** One end of a range of keys. */
export interface KeyBound {
  readonly key: Uint8Array
  /** True where the key itself belongs to the range. */
  readonly isInclusive: boolean
}

/** A range of keys; a missing bound is open. */
export interface KeyRangeBounds {
  readonly lower: KeyBound | undefined
  readonly upper: KeyBound | undefined
}

/** True where no key can lie between the bounds. */
export function isEmptyRange({ lower, upper }: KeyRangeBounds, compare: CompareKeys): boolean {
  if (lower === undefined || upper === undefined) return false
  const order = compare(lower.key, upper.key)
  return order > 0 || (order === 0 && !(lower.isInclusive && upper.isInclusive))
}

/** The higher of two lower bounds. */
export function higherBound(a: KeyBound | undefined, b: KeyBound, compare: CompareKeys): KeyBound {
  if (a === undefined) return b
  const order = compare(a.key, b.key)
  return order > 0 || (order === 0 && !a.isInclusive) ? a : b
}

/** The lower of two upper bounds. */
export function lowerBound(a: KeyBound | undefined, b: KeyBound, compare: CompareKeys): KeyBound {
  if (a === undefined) return b
  const order = compare(a.key, b.key)
  return order < 0 || (order === 0 && !a.isInclusive) ? a : b
}

/** The smallest key behind `key`, in the order of bytes. */
export function successor(key: Uint8Array): Uint8Array {
  const out = new Uint8Array(key.length + 1)
  out.set(key)
  return out
}
