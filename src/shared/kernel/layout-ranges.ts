/**
 * Field positions of what holds range tombstones in the shared memory: their records, and the sets that are searched.
 * The part of `layout.ts` for range deletes. Imports nothing: two compilers read it.
 */

/** The kind of a range tombstone's record; no entry of a block or of a memtable's tree has it. */
export const KIND_RANGE_TOMBSTONE = 5

// A memtable's header (layout.ts) continued; these two lie in its first line, which readers load anyway.
/** u32, atomic: the range tombstone that was inserted last, 0 for none. */
export const MEMTABLE_RANGE_NEWEST = 24
/** u32, atomic: the LIST of the memtable's range sets, 0 for none. */
export const MEMTABLE_RANGE_LIST = 28
/** u32: range tombstones; MEMTABLE_ENTRY_COUNT leaves them out. */
export const MEMTABLE_RANGE_COUNT = 140

// A range tombstone is laid out as a memtable's entry: its start is the key, its end the value, and ENTRY_LINK leads to
// the one inserted before it.

// A LIST, immutable: the sets that hold a memtable's range tombstones up to one of the chain, largest set first.
/** u32: sets. */
export const RANGE_LIST_COUNT = 0
/** u32: the newest record that the sets hold; those before it in the chain are looked at one by one. */
export const RANGE_LIST_UPTO = 4
/** u32[count]: addresses of sets. */
export const RANGE_LIST_SETS = 8

// A SET, immutable: range tombstones as a segment tree over their bounds; see assembly/range-set.ts.
/** u32: range tombstones. */
export const RANGE_SET_COUNT = 0
/** u32: distinct bounds, starts and ends together. */
export const RANGE_SET_BOUNDS = 4
/** u64: lowest and highest seqno. */
export const RANGE_SET_SEQNO_MIN = 8
export const RANGE_SET_SEQNO_MAX = 16
/** u32: bytes of the set. */
export const RANGE_SET_BYTES = 24
/** u32: leading bytes that all bounds share and heads leave out. */
export const RANGE_SET_PREFIX = 28
/** u64[bounds]: heads; behind them what assembly/range-set.ts draws. */
export const RANGE_SET_HEADS = 32

/** Range tombstones that a memtable leaves in its chain before it makes a set of them. */
export const RANGE_TAIL_MAX = 32

// A GAP: keys around one key under which the same range tombstones lie, as far as it was looked.
/** u64: the highest visible seqno that covers them, plus 1; 0 for none. */
export const RANGE_GAP_COVER = 0
/** u32, u32: the keys' lower bound, 0 for none, and its length. */
export const RANGE_GAP_LOW = 8
export const RANGE_GAP_LOW_LENGTH = 12
/** u32: 1 where the lower bound itself does not belong to them. */
export const RANGE_GAP_LOW_EXCLUSIVE = 16
/** u32: 1 once the fields were filled in. */
export const RANGE_GAP_IS_KNOWN = 20
/** u32, u32: the keys' exclusive upper bound, 0 for none, and its length. */
export const RANGE_GAP_HIGH = 24
export const RANGE_GAP_HIGH_LENGTH = 28
export const RANGE_GAP_BYTES = 32
