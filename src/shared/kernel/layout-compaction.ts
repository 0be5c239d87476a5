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
/** Key and value bytes of the entry that did not fit: EVENT_NO_SPACE. */
export const COMPACTION_EMIT_BYTES = 76
/** A published state whose range tombstones are durable where the output is, or 0. */
export const COMPACTION_RANGES = 80
/** A LIST of range sets that are not: what lies on both sides of one of them is never folded. 0 for none. */
export const COMPACTION_UNSURE_RANGES = 84
/** 1 in the last level: entries under a range tombstone of COMPACTION_RANGES below the watermark go. */
export const COMPACTION_APPLIES = 88
/** Address of the FOLD structure where merge operands are folded, or 0. */
export const COMPACTION_FOLD = 92
/** 1: every entry that is no tombstone and heads what is left of its key is shown first: EVENT_FILTER. */
export const COMPACTION_FILTERS = 96
/** What the filter made of the entry at the top of the merge; VERDICT_NONE: it was not asked yet. */
export const COMPACTION_VERDICT = 100
/** With VERDICT_REPLACE: where the new value lies. */
export const COMPACTION_REPLACEMENT = 104
export const COMPACTION_REPLACEMENT_LENGTH = 108
/** A RANGE_GAP. */
export const COMPACTION_GAP = 112
/** The last key that is merged, where the merge has only a slice of the keys; address 0: to the end. */
export const COMPACTION_UPPER = 144
export const COMPACTION_UPPER_LENGTH = 148
export const COMPACTION_BYTES = 152

export const VERDICT_NONE = 0
export const VERDICT_KEEP = 1
export const VERDICT_REMOVE = 2
export const VERDICT_REMOVE_WEAK = 3
export const VERDICT_REPLACE = 4
export const VERDICT_DESTROY = 5

// What the stream returns beside the events of layout.ts.
/** The operands of the FOLD are complete: store the result and the outcome, then call again. */
export const EVENT_FOLD = 16
/** The FOLD's buffer is too small for the entry at the top of the merge: give a larger one with the same content. */
export const EVENT_FOLD_SPACE = 17
/** The entry at the top of the merge is to be judged: store the verdict, then call again. */
export const EVENT_FILTER = 18

// The operands of one key that become one entry, newest first, in a buffer of the calling thread's.
export const FOLD_OUT = 0
export const FOLD_CAPACITY = 4
export const FOLD_TOP = 8
export const FOLD_ROWS = 12
/** 1: the last row is the value that the operands stand on. */
export const FOLD_HAS_BASE = 16
/** 1: nothing older counts, so that the result is a value; 0: it is an operand again. */
export const FOLD_IS_FINAL = 20
export const FOLD_OUTCOME = 24
export const FOLD_RESULT = 28
export const FOLD_RESULT_LENGTH = 32
/** While rows are written out as they are: the next one's offset. */
export const FOLD_AT = 36
/** The last row's seqno. */
export const FOLD_SEQNO = 40
export const FOLD_BYTES = 48

export const FOLD_OPEN = 0
/** The result is there. */
export const FOLD_DONE = 1
/** The rows are to be written as they are: the operator refused, or there is nothing to fold. */
export const FOLD_AS_IT_IS = 2

// A row of a fold: the header, then the value; rows start on 8-byte boundaries.
export const FOLD_ROW_BYTES = 0
export const FOLD_ROW_KIND = 4
export const FOLD_ROW_SEQNO = 8
export const FOLD_ROW_LENGTH = 16
export const FOLD_ROW_VALUE = 24

/** No group yet. */
export const GROUP_NONE = 0
/** The last version was written. */
export const GROUP_WRITTEN = 1
/** The last version is a tombstone that waits for what comes behind it. */
export const GROUP_PENDING = 2
/** Every further version of the key goes. */
export const GROUP_SKIP = 3
/** Operands are being collected to be folded. */
export const GROUP_FOLDING = 4
/** What was collected is to be written. */
export const GROUP_FOLDED = 5
/** A weak tombstone and its value have cancelled each other: of what is older, tombstones count, the rest goes. */
export const GROUP_DRAIN = 6
/**
 * A value hides what is older, and of that weak tombstones alone count: a later one may cancel the value, and then those
 * below it are still to cancel theirs.
 */
export const GROUP_HIDDEN = 7
