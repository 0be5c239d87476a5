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
export const INGEST_HEADER_BYTES = 32

/** Entries of a block at most: room for their slots is set aside when it is begun. */
export const INGEST_BLOCK_ENTRIES = 1024
/** A block takes no further entry from this size on. */
export const INGEST_BLOCK_BYTES = 262144

/** The entry's key is not above the last one: nothing was added. */
export const INGEST_NOT_ASCENDING = 0
export const INGEST_ADDED = 1
