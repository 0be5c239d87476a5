/**
 * Offsets of the block cache (assembly/block-cache.ts): part of the layout, read by both compilers, so it imports nothing
 * and holds nothing but numeric constants.
 *
 *     CACHE ──→ buckets: what lies where ──→ records in segments
 *       │                                        ↑
 *       └─────→ a CACHE_VIEW for each thread ─────┘ pins
 */

// CACHE: what all threads share. The first line never changes once there are views.
/** 0: the cache is off. */
export const CACHE_BUCKET_COUNT = 0
export const CACHE_BUCKETS = 4
export const CACHE_SEGMENT_COUNT = 8
export const CACHE_SEGMENT_BYTES = 12
export const CACHE_SEGMENTS = 16
/** Array of u32: how many bytes of each segment are filled. */
export const CACHE_FILLS = 20
/** Array of i32: the next segment in the same list. */
export const CACHE_NEXT = 24
/** Array of u32: the epoch in which each segment in limbo was emptied. */
export const CACHE_STAMPS = 28
/** Segments that new blocks may take before they must prove themselves; the other ones hold what was read twice. */
export const CACHE_SMALL_TARGET = 32
/** Address of the EPOCHS of all threads that have views. */
export const CACHE_EPOCHS = 36
/** u32, atomic: the epoch slot plus one of the thread that changes the cache, or 0. */
export const CACHE_LOCK = 64
// Changed by whoever holds the lock.
/** Number of the segment being filled by each queue, or -1. */
export const CACHE_SMALL_OPEN = 128
export const CACHE_MAIN_OPEN = 132
/** Each queue is a list of segment numbers, oldest first: first and last of each, -1 for none. */
export const CACHE_SMALL_FIRST = 136
export const CACHE_SMALL_LAST = 140
export const CACHE_SMALL_COUNT = 144
export const CACHE_MAIN_FIRST = 148
export const CACHE_MAIN_LAST = 152
export const CACHE_MAIN_COUNT = 156
export const CACHE_FREE_FIRST = 160
export const CACHE_FREE_COUNT = 164
/** List of the segments that were emptied and may still be read. */
export const CACHE_LIMBO_FIRST = 168
/** Segments that are kept free beyond CACHE_RESERVE, since threads were slow to leave their epochs. */
export const CACHE_EXTRA = 172
/** u64: read without the lock, too, by who tells them. */
export const CACHE_INSERTIONS = 176
export const CACHE_EVICTIONS = 184
export const CACHE_USED_BYTES = 192
// Changed by the owner alone, read by whoever holds the lock.
/**
 * u32, atomic: segments that are kept free or on their way to it, for what is kept when one is emptied: 1 where the owner
 * is alone, 2 where other threads have views.
 */
export const CACHE_RESERVE = 200
/** u32, atomic: no view has a number from this one on. */
export const CACHE_VIEWS_TOP = 204
/** u32 each, atomic: addresses of the views, or 0. */
export const CACHE_VIEWS = 256
export const CACHE_VIEWS_MAX = 128
export const CACHE_BYTES = 768

// CACHE_VIEW: one thread's way to a cache. Kernels that take a cache take the address of one. The first line is as in the
// CACHE and never changes, but for VIEW_PINNED_MAX.
export const VIEW_BUCKET_COUNT = 0
export const VIEW_BUCKETS = 4
export const VIEW_SEGMENTS = 8
export const VIEW_SEGMENT_BYTES = 12
export const VIEW_SEGMENT_COUNT = 16
/** u32: 1 where it holds rows (layout-metrics.ts); 1 where metadata has priority. */
export const VIEW_HAS_ROWS = 20
export const VIEW_HAS_PRIORITY = 24
export const VIEW_CACHE = 28
/** The thread's epoch slot. */
export const VIEW_SLOT = 32
export const VIEW_CAPACITY = 36
/** u32, written by the owner: how many segments the thread may pin. */
export const VIEW_PINNED_MAX = 40
// Written by the view's thread alone; the owner clears the pins of one that is gone.
export const VIEW_HITS = 64
export const VIEW_MISSES = 72
/** How many segments the thread pins. */
export const VIEW_PINNED_COUNT = 80
/** u32 each: how often the thread pins each segment. */
export const VIEW_PINS = 128

// A bucket is one cache line of eight slots, u64 each, atomic: 0 is free; else the low half is the block's address, whose
// three low bits tell how often it was used, and the high half a tag, never 0.
export const CACHE_BUCKET_SLOTS = 8
export const CACHE_SLOT_BYTES = 8
export const CACHE_BUCKET_BYTES = 64

// A block in a segment: bytes u32 (the whole record, a multiple of 8), owner u32, offset u64, then the block. Never changed
// once a slot leads to it.
export const CACHE_RECORD_BYTES = 0
export const CACHE_RECORD_OWNER = 4
export const CACHE_RECORD_OFFSET = 8
export const CACHE_RECORD_BLOCK = 16

/**
 * So many bytes of a block are fetched at once when it is looked up, whatever its size: what a search of a default block
 * looks at first, six lines. There is as much memory behind the last segment.
 */
export const CACHE_TOUCHED_BYTES = 384
