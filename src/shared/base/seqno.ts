/**
 * Value types (entry kinds), as stored in files and in memory, and the textual notation of an internal key.
 * Pure constants, every thread. The kernels know the same numbers from `kernel/layout.ts`.
 */

/** An entry's kind byte (format-table.md 1). */
export const ValueType = {
  Value: 0,
  Tombstone: 1,
  WeakTombstone: 2,
  MergeOperand: 3,
  Indirection: 4,
} as const

/** One of the five kind bytes. */
export type ValueType = (typeof ValueType)[keyof typeof ValueType]

const NOTATION = ['PUT', 'DEL', 'WEAKDEL', 'MERGE', 'BLOB'] as const

/** `key#seqno,KIND`: how an entry is written in logs, errors, tests and documents. */
export function describeEntry(key: Uint8Array, seqno: number, kind: number): string {
  return `${Buffer.from(key).toString('latin1')}#${seqno},${NOTATION[kind] ?? `?${kind}`}`
}
