/**
 * Offsets of what is counted while a tree is read, and of rows in the block cache: part of the layout, read by both
 * compilers, so it imports nothing and holds nothing but numeric constants.
 */

// What the reads of one thread have used of one tree, u64 each. That thread alone writes it: no two threads write one cache
// line.
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
/** Blocks that were loaded, and their bytes in the file, in the order of COUNTERS_CACHED. */
export const COUNTERS_LOADS = 72
export const COUNTERS_LOAD_BYTES = 96
/** u32, of the tree's own counters, read by all threads: the time, in seconds since 1970, as coarse as its clock ticks. */
export const COUNTERS_NOW = 128
export const COUNTERS_BYTES = 192

/** Threads other than the tree's own tell a table of every so many of their reads: once, for all of these. */
export const COUNTERS_TABLE_SAMPLE = 64

// How a block enters the cache.
/** It must prove itself. */
export const CACHE_RANK_DATA = 0
/** It stays longest: index and filter blocks. */
export const CACHE_RANK_METADATA = 1
/** A row: small, so it need not prove itself beside blocks, but goes at the next turn unless it is used. */
export const CACHE_RANK_ROW = 2
/** A block that was used already, in another form: it has proven itself. */
export const CACHE_RANK_USED = 3

// A raw block lies in the cache beside resident ones, at its offset plus RAW_CACHE_OFFSETS, which no file reaches: 2 ** 51.
export const RAW_CACHE_OFFSETS = 2251799813685248

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
