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
