/** Comparators for tests, as a user would write them: a module that workers import. */
import type { Comparator } from '../../src/shared/base/comparator.js'

/** Shorter keys first, then bytes from the last one to the first: nothing that a prefix says anything about. */
export const shortFromBehind: Comparator = {
  name: 'short-from-behind',
  compare: (a, b) => {
    if (a.length !== b.length) return a.length - b.length
    for (let i = a.length - 1; i >= 0; i--) {
      const difference = (a[i] as number) - (b[i] as number)
      if (difference !== 0) return difference
    }
    return 0
  },
}

/** The same, comparing keys where they lie. */
export const shortFromBehindAt: Comparator = {
  ...shortFromBehind,
  compareAt: (bytes, aStart, aLength, bStart, bLength) => {
    if (aLength !== bLength) return aLength - bLength
    for (let i = aLength - 1; i >= 0; i--) {
      const difference = (bytes[aStart + i] as number) - (bytes[bStart + i] as number)
      if (difference !== 0) return difference
    }
    return 0
  },
}

/** Numbers of 8 bytes, little endian; refuses other keys. */
export const u64le: Comparator = {
  name: 'u64-little-endian',
  compare: (a, b) => {
    if (a.length !== 8 || b.length !== 8) throw new TypeError('a key has 8 bytes')
    const [x, y] = [a.readBigUInt64LE(), b.readBigUInt64LE()]
    return x < y ? -1 : x > y ? 1 : 0
  },
}

/** A comparator made from options: bytes, each read in another order of its values. */
export function rotated({ by }: { readonly by: number }): Comparator {
  const rank = (byte: number): number => (byte + by) & 255
  return {
    name: `rotated-${by}`,
    compare: (a, b) => {
      for (let i = 0; i < Math.min(a.length, b.length); i++) {
        const difference = rank(a[i] as number) - rank(b[i] as number)
        if (difference !== 0) return difference
      }
      return a.length - b.length
    },
  }
}
