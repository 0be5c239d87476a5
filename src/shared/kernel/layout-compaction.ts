/**
 * Field positions of the compaction stream's structure and the states of its groups: the part of `layout.ts` that only
 * the actors of maintenance and their kernel need. Imports nothing: two compilers read it.
 */

// The compaction stream (semantics.md 18).
export const COMPACTION_MERGE = 0
export const COMPACTION_WRITER = 4
export const COMPACTION_SUMS = 8
/** 1 in the last level: tombstones that cover nothing more go. */
export const COMPACTION_EVICT = 12
export const COMPACTION_WATERMARK = 16
/** Cut a block when its keys and values reach this many bytes. */
export const COMPACTION_BLOCK_SIZE = 24
/** 1: the table has reached its size; rotate at the next user key. */
export const COMPACTION_ROTATE = 28
/** The version group at hand: its key's length and buffer (KEY_BYTES_MAX bytes), and what its last version was. */
export const COMPACTION_KEY = 32
export const COMPACTION_KEY_LENGTH = 36
export const COMPACTION_SEQNO = 40
export const COMPACTION_KIND = 48
/** One of the GROUP_ states. */
export const COMPACTION_GROUP = 52
export const COMPACTION_ENTRIES_IN = 56
export const COMPACTION_ENTRIES_DROPPED = 64
/**
 * 1: a version goes only if the newer one that hides it lies below the watermark itself, so that the output is exact for
 * every read at or above the watermark. 0: the seed's rule, which leans on older super versions (semantics.md 3.4).
 */
export const COMPACTION_EXACT = 72
export const COMPACTION_BYTES = 80

/** No group yet. */
export const GROUP_NONE = 0
/** The last version was written. */
export const GROUP_WRITTEN = 1
/** The last version is a tombstone that waits for what comes behind it. */
export const GROUP_PENDING = 2
/** Every further version of the key goes. */
export const GROUP_SKIP = 3
