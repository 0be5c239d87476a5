/**
 * Offsets and field positions of every structure that lives in the shared memory, and the codes that kernels return.
 * The TypeScript compiler and the AssemblyScript compiler both read this one file, so it imports nothing and holds
 * nothing but numeric constants.
 *
 * Naming: `X_BYTES` is a structure's size, `X_FIELD` a field's byte offset from the structure's address. Every
 * structure starts on an 8-byte boundary. Addresses are u32, below 2 GiB, so they are also non-negative i32.
 */

// Value types (format-table.md 1).
export const KIND_VALUE = 0
export const KIND_TOMBSTONE = 1
export const KIND_WEAK_TOMBSTONE = 2
export const KIND_MERGE_OPERAND = 3
export const KIND_INDIRECTION = 4
export const KIND_MAX = 4

// The first page of the memory: nothing at the null address, then constants that `constants_init` writes once.
export const CONSTANTS_ADDRESS = 1024
/** XXH3's default secret: 192 bytes. */
export const XXH3_SECRET_ADDRESS = CONSTANTS_ADDRESS
export const XXH3_SECRET_BYTES = 192
/** First address that regions may take. */
export const REGIONS_ADDRESS = 65536
