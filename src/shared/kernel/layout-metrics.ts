/**
 * Offsets of what is counted while a tree is read, and of rows in the block cache: part of the layout, read by both
 * compilers, so it imports nothing and holds nothing but numeric constants.
 */

// The counters of one tree, u64 each. Kernels raise them without a lock: a count may miss a few where threads meet.
/** Blocks found in the cache: data, index and filter blocks, in the order of WANTED_DATA, WANTED_INDEX, WANTED_FILTER. */
export const COUNTERS_CACHED = 0
/** Point reads that asked the filter of a table, and those that it kept from the table. */
export const COUNTERS_FILTER_QUERIES = 24
export const COUNTERS_FILTER_SKIPS = 32
/** Tables that their prefix filter kept a scan from. */
export const COUNTERS_PREFIX_SKIPS = 64
/** Point reads of a table that a cached row answered. */
export const COUNTERS_ROW_HITS = 40
/** Point reads that looked into a table. */
export const COUNTERS_TABLE_READS = 48
/** u32: the time, in seconds since 1970, as coarse as its clock ticks. */
export const COUNTERS_NOW = 56
export const COUNTERS_BYTES = 72

// How a block enters the cache.
/** It must prove itself. */
export const CACHE_RANK_DATA = 0
/** It stays longest: index and filter blocks. */
export const CACHE_RANK_METADATA = 1
/** A row: small, so it need not prove itself beside blocks, but goes at the next turn unless it is used. */
export const CACHE_RANK_ROW = 2

// A cached row: the newest version of a key in one table. The cache finds it by the table's owner and an offset that no
// file reaches: ROW_CACHE_OFFSETS plus the low ROW_CACHE_HASH_BITS bits of the key's hash.
export const ROW_CACHE_SEQNO = 0
export const ROW_CACHE_KIND = 8
export const ROW_CACHE_KEY_LENGTH = 12
export const ROW_CACHE_VALUE_LENGTH = 16
/** Key and value, one behind the other. */
export const ROW_CACHE_KEY = 20
export const ROW_CACHE_HASH_BITS = 52
/** 2 ** 52. */
export const ROW_CACHE_OFFSETS = 4503599627370496
