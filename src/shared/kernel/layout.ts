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

// XXH3-128 streaming state (assembly/xxh3-stream.ts). The tail lies right before the buffer, so that the last
// 64 bytes of the input are always one piece of memory.
/** Eight u64 accumulators. */
export const XXH3_STATE_ACCUMULATORS = 0
/** The last 64 bytes that went into the accumulators. */
export const XXH3_STATE_TAIL = 64
/** Bytes not yet folded in: one block of 1024 at most, and never none once a byte has come. */
export const XXH3_STATE_BUFFER = 128
/** Total length, u64. */
export const XXH3_STATE_TOTAL = 1152
/** Bytes in the buffer, u32. */
export const XXH3_STATE_BUFFERED = 1160
export const XXH3_STATE_BYTES = 1168

// LZ4 (assembly/lz4.ts).
/** The encoder's hash table: 4,096 positions of u32. Half a first-level cache; doubling it slows small blocks. */
export const LZ4_TABLE_BYTES = 16384
/** `lz4_compress`: the block does not fit the capacity. */
export const LZ4_DOES_NOT_FIT = -1
/** `lz4_decompress`: the input is no block of the expected length. */
export const LZ4_MALFORMED = -1

// The V5 filter, "BuRR" (assembly/burr.ts).
/** The bytes 4C 53 4D 04. */
export const BURR_MAGIC = 0x044d534c
export const BURR_KIND_MEMBERSHIP = 2
export const BURR_HEADER_BYTES = 18
export const BURR_LAYER_HEADER_BYTES = 12
/** `burr_build`: target or scratch too small. */
export const BURR_NO_SPACE = -1
/** `burr_build`: no root seed gave a solvable system. */
export const BURR_FAILED = -2
/** `burr_validate`: damaged or truncated. */
export const BURR_INVALID_HEADER = -1
/** `burr_validate`: a ribbon of another kind. */
export const BURR_INVALID_KIND = -2

// The compact filter (assembly/ribbon.ts).
/** The bytes "VRB1". */
export const RIBBON_MAGIC = 0x31425256
export const RIBBON_HEADER_BYTES = 12
/** One entry of the layer table: block count in the low 26 bits, seed in the high 6. */
export const RIBBON_LAYER_BYTES = 4
export const RIBBON_BLOCK_COUNT_BITS = 26
export const RIBBON_LAYERS_MAX = 8
/** `ribbon_build`: target or scratch too small. */
export const RIBBON_NO_SPACE = -1
/** `ribbon_build`: no seed gave a solvable last layer. */
export const RIBBON_FAILED = -2
/** `ribbon_validate`: not a well-formed filter of this length. */
export const RIBBON_INVALID = -1
