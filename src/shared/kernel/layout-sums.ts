/**
 * Offsets of what a table's entries add up to while it is written (assembly/table-entries.ts, prefix-hashes.ts): part of the
 * layout, read by both compilers, so it imports nothing and holds nothing but numeric constants.
 */

// What a table's entries add up to, for its meta block; and the last key, for index entries and distinct counting.
export const TABLE_SUMS_ITEM_COUNT = 0
export const TABLE_SUMS_KEY_COUNT = 8
export const TABLE_SUMS_TOMBSTONE_COUNT = 16
export const TABLE_SUMS_WEAK_COUNT = 24
export const TABLE_SUMS_WEAK_RECLAIMABLE = 32
export const TABLE_SUMS_KEY_BYTES = 40
export const TABLE_SUMS_VALUE_BYTES = 48
export const TABLE_SUMS_SEQNO_MIN = 56
export const TABLE_SUMS_SEQNO_MAX = 64
/** The seqno of the last entry, for the index. */
export const TABLE_SUMS_LAST_SEQNO = 72
export const TABLE_SUMS_LAST_KIND = 80
export const TABLE_SUMS_LAST_KEY_LENGTH = 84
/** Address of a buffer of KEY_BYTES_MAX bytes that holds the last key. */
export const TABLE_SUMS_LAST_KEY = 88
/** Address of an array of u64, one XXH3-64 for each distinct key; 0 for none. */
export const TABLE_SUMS_HASHES = 92
export const TABLE_SUMS_HASHES_CAPACITY = 96
export const TABLE_SUMS_HASHES_COUNT = 100
/** How the prefixes of keys are found (PREFIX_*), and what the rule asks for: a length, or a delimiter. */
export const TABLE_SUMS_PREFIX_RULE = 104
export const TABLE_SUMS_PREFIX_PARAMETER = 108
/** Address of an array of u64: XXH3-64 of the prefixes of keys, repeats between neighbours left out. */
export const TABLE_SUMS_PREFIX_HASHES = 112
export const TABLE_SUMS_PREFIX_HASHES_CAPACITY = 116
export const TABLE_SUMS_PREFIX_HASHES_COUNT = 120
/** PREFIX_CODE: keys whose prefixes the calling thread is to find, each { length u16, key }; where, how much, so far. */
export const TABLE_SUMS_PREFIX_KEYS = 124
export const TABLE_SUMS_PREFIX_KEYS_CAPACITY = 128
export const TABLE_SUMS_PREFIX_KEYS_TOP = 132
export const TABLE_SUMS_BYTES = 136

/** No prefixes are indexed. */
export const PREFIX_NONE = 0
/** The first bytes of each key that has as many. */
export const PREFIX_FIXED = 1
/** Everything up to and with each delimiter. */
export const PREFIX_DELIMITER = 2
/** By code of the user's, which kernels cannot call. */
export const PREFIX_CODE = 3
/** Most prefixes that kernels find in one key. */
export const PREFIXES_MAX = 16
