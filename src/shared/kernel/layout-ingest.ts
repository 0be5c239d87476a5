/**
 * Field positions of an ingest buffer: sorted entries in the shared memory on their way into tables. The part of
 * `layout.ts` that bulk ingestion needs. Imports nothing: two compilers read it.
 */

//   INGEST header | block | block | …            blocks are resident blocks (layout.ts), one behind the other, each on an
//                                                 8-byte boundary; slots have no heads, as nobody searches them
/** Where the next entry goes; the end of the buffer. */
export const INGEST_TOP = 0
export const INGEST_END = 4
/** The block at hand, 0 before the first entry; and how many there are. */
export const INGEST_BLOCK = 8
export const INGEST_BLOCK_COUNT = 12
/** The key of the last entry; a length of 0 is none. */
export const INGEST_LAST_KEY = 16
export const INGEST_LAST_KEY_LENGTH = 20
export const INGEST_ENTRY_COUNT = 24
/** How `ingest_add_packed` ended: one of the PACKED_ codes. */
export const INGEST_OUTCOME = 28
/** Bytes that each entry takes behind the last one, beside itself: where it is sorted later, SORT_BYTES_AN_ENTRY. */
export const INGEST_EXTRA_BYTES = 32
export const INGEST_HEADER_BYTES = 40

/** Entries of a block at most: room for their slots is set aside when it is begun. */
export const INGEST_BLOCK_ENTRIES = 1024
/** A block takes no further entry from this size on. */
export const INGEST_BLOCK_BYTES = 262144

// A packed chunk: entries back to back, { key length u16, value length u32, key, value }, little-endian. Whoever reads one
// may do so a piece at a time, and then an entry may go beyond its end.
export const PACKED_VALUE_LENGTH = 2
export const PACKED_KEY = 6

/** All of the chunk was taken. */
export const PACKED_DONE = 0
/** The buffer is too full for the next entry. */
export const PACKED_FULL = 1
/** The next entry's key is not above the last one. */
export const PACKED_NOT_ASCENDING = 2
/** What comes next is no entry: its key is empty. */
export const PACKED_MALFORMED = 3
/** The next entry goes beyond the end. */
export const PACKED_CUT = 4

/** Bytes that sorting takes for each entry: two records, and a slot of the block that names the entries in order. */
export const SORT_BYTES_AN_ENTRY = 40
/** The same for all entries together: the head of that block, and the boundary that it lies on. */
export const SORT_BYTES = 24

/** The entry's key is not above the last one: nothing was added. */
export const INGEST_NOT_ASCENDING = 0
export const INGEST_ADDED = 1
