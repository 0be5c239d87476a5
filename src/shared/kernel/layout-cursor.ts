/**
 * Offsets of the cursor over one run of tables (assembly/run-cursor.ts): part of the layout, read by both compilers, so
 * it imports nothing and holds nothing but numeric constants.
 */

/** Array of u32: addresses of TABLE structures, ascending by key; and how many. */
export const RUN_CURSOR_TABLES = 0
export const RUN_CURSOR_TABLE_COUNT = 4
export const RUN_CURSOR_REVERSE = 8
/** The view of the cache (layout-cache.ts); 0: every block comes from the calling thread. */
export const RUN_CURSOR_CACHE = 12
/** i32: number of the table at hand. */
export const RUN_CURSOR_TABLE = 16
/** What to do next: one of the stages of assembly/run-cursor.ts. */
export const RUN_CURSOR_STAGE = 20
/** The index over data blocks at hand, and the entry in it; the entry of the top level, where there is one. */
export const RUN_CURSOR_INDEX = 24
export const RUN_CURSOR_INDEX_NUMBER = 28
export const RUN_CURSOR_TOP_NUMBER = 32
/** Blocks that are pinned in the cache, or 0: data, index partition. */
export const RUN_CURSOR_PINNED_BLOCK = 36
export const RUN_CURSOR_PINNED_INDEX = 40
/** 1: the table's restriction lies in the block at hand (reverse only). */
export const RUN_CURSOR_RESTRICTED = 44
/**
 * Where the seek starts: before the versions of a key, or behind them where RUN_CURSOR_BEHIND is 1; address 0 for none. It
 * is used until the first block was found.
 */
export const RUN_CURSOR_BOUND = 48
export const RUN_CURSOR_BOUND_LENGTH = 52
export const RUN_CURSOR_BEHIND = 80
/** Tables wholly behind this key are not opened: a key, or address 0. */
export const RUN_CURSOR_END = 56
export const RUN_CURSOR_END_LENGTH = 60
/** The block that is missing: WANTED_DATA or WANTED_INDEX, and its handle. */
export const RUN_CURSOR_WANTED_OFFSET = 64
export const RUN_CURSOR_WANTED_KIND = 72
export const RUN_CURSOR_WANTED_SIZE = 76
/** As MERGE_RANGES and MERGE_SEQNO; and a RANGE_GAP of scratch. */
export const RUN_CURSOR_RANGES = 84
export const RUN_CURSOR_SEQNO = 88
export const RUN_CURSOR_GAP = 96
/** As MERGE_PREFIX. */
export const RUN_CURSOR_PREFIX = 128
/** As MERGE_COUNTERS. */
export const RUN_CURSOR_COUNTERS = 132
/** As MERGE_ROWS. */
export const RUN_CURSOR_ROWS = 136
/** A BLOCK_WINDOW that data blocks are taken from, or 0. */
export const RUN_CURSOR_WINDOW = 140
export const RUN_CURSOR_BYTES = 144

// A piece of a table file in memory, from which a cursor that walks front to back takes one data block after the other
// (assembly/block-window.ts). The thread that owns the cursor.

/** u64: where in the file the piece begins. */
export const BLOCK_WINDOW_OFFSET = 0
/** Where it lies, and how many bytes it has. */
export const BLOCK_WINDOW_BYTES_AT = 8
export const BLOCK_WINDOW_LENGTH = 12
/** i32: the number in its run of the table that the file is; -1 for none. */
export const BLOCK_WINDOW_TABLE = 16
/** How the table's data blocks are read: CODEC, and whether they end in digests. */
export const BLOCK_WINDOW_CODEC = 20
export const BLOCK_WINDOW_HAS_FOOTER = 24
/** Where a block is decompressed, and where its resident form is made; and scratch for the block kernels. */
export const BLOCK_WINDOW_PLAIN = 28
export const BLOCK_WINDOW_PLAIN_CAPACITY = 32
export const BLOCK_WINDOW_TARGET = 36
export const BLOCK_WINDOW_TARGET_CAPACITY = 40
export const BLOCK_WINDOW_SCRATCH = 44
/** f64: bytes of all blocks that were taken. */
export const BLOCK_WINDOW_TAKEN = 48
export const BLOCK_WINDOW_BYTES = 56
