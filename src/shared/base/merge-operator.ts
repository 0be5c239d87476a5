/**
 * Merge operators: how a tree folds the operands that `merge` writes (semantics.md 20), and the ones that ship. Pure;
 * every thread.
 *
 * I1: the ones that ship give the same bytes whichever way a key's operands are grouped on their way into its value.
 */
import { mergePatch, partialPatch } from './json-merge-patch.js'

/**
 * A user's fold of operands. It must give the same bytes for the same input, whenever and in whichever thread it is asked,
 * and whichever way operands are grouped: flushes and merges fold what they have of a key, and what they make of it is
 * folded again later. Operands come oldest first, at least one. Throws to refuse; a read then fails with
 * VARVE_MERGE_OPERATOR, and a flush or a merge writes the operands as they are.
 *
 * @example
 * ```ts
 * const join: MergeOperator = {
 *   merge: (_key, base, operands) => Buffer.concat(base === undefined ? operands : [base, ...operands]),
 * }
 * const tree = await open('db', { mergeOperator: join })
 * ```
 */
export interface MergeOperator {
  /** The value that `operands` make of `base`; of nothing where that is undefined: the key was deleted, or never there. */
  merge(key: Uint8Array, base: Uint8Array | undefined, operands: readonly Uint8Array[]): Uint8Array
  /**
   * One operand that does what `operands` do one after the other, before it is known what they stand on; undefined where
   * there is no such operand: they stay as they are. Without this method `merge` is asked, with no base, and what it gives
   * must be fit to be an operand.
   */
  partialMerge?(key: Uint8Array, operands: readonly Uint8Array[]): Uint8Array | undefined
}

/** What an operator gave, which may be anything in JavaScript. @throws TypeError */
export function requireFolded(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new TypeError(`a merge operator gives a Uint8Array, not ${typeof value}`)
}

/** Carries the reference by which a worker gets the same operator (jobs/user-code.ts). */
function shipped(name: string, operator: MergeOperator): MergeOperator {
  return {
    ...operator,
    ...{ [Symbol.for('varve.reference')]: { module: import.meta.url, export: name } },
  }
}

/** Base and operands, one behind the other. */
export const append = shipped('append', {
  merge: (_key, base, operands) =>
    Buffer.concat(base === undefined ? operands : [base, ...operands]),
})

const INT64_BYTES = 8

/**
 * The sum of signed 64-bit integers, little endian, 8 bytes each; no base counts as 0. Overflow wraps around.
 * Use {@link int64} and {@link readInt64}.
 */
export const add = shipped('add', {
  merge(_key, base, operands) {
    let sum = base === undefined ? 0n : int64At(base)
    for (const operand of operands) sum += int64At(operand)
    return int64(sum)
  },
})

/** The largest of base and operands, as unsigned bytes: numbers order as such where they are big endian and of one size. */
export const max = shipped('max', {
  merge: (_key, base, operands) => most(base, operands, 1),
})

/** The smallest of base and operands, as {@link max}. */
export const min = shipped('min', {
  merge: (_key, base, operands) => most(base, operands, -1),
})

/**
 * JSON documents, patched by JSON Merge Patch (RFC 7396): operands are patches, in UTF-8. The result has no spaces and its
 * members are in the order of their names (by UTF-16 code units), so that it does not depend on how patches were grouped.
 */
export const jsonMergePatch = shipped('jsonMergePatch', {
  merge: (_key, base, operands) => mergePatch(base, operands),
  partialMerge: (_key, operands) => partialPatch(operands),
})

/** The merge operators that ship. They run in workers. */
export const mergeOperators = { append, add, max, min, jsonMergePatch } as const

/** A number as `mergeOperators.add` takes it. Beyond 64 bits it wraps around. */
export function int64(value: number | bigint): Buffer {
  const out = Buffer.allocUnsafe(INT64_BYTES)
  out.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)))
  return out
}

/** The number in a value that `mergeOperators.add` made. @throws RangeError where it has not 8 bytes */
export function readInt64(value: Uint8Array): bigint {
  return int64At(value)
}

function int64At(bytes: Uint8Array): bigint {
  if (bytes.length !== INT64_BYTES) {
    throw new RangeError(`a 64-bit integer has ${INT64_BYTES} bytes, not ${bytes.length}`)
  }
  return new DataView(bytes.buffer, bytes.byteOffset, INT64_BYTES).getBigInt64(0, true)
}

function most(
  base: Uint8Array | undefined,
  operands: readonly Uint8Array[],
  sign: number,
): Uint8Array {
  let best = base
  for (const operand of operands) {
    if (best === undefined || sign * Buffer.compare(operand, best) > 0) best = operand
  }
  return best ?? new Uint8Array(0)
}
