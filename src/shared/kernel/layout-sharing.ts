/**
 * Offsets of what threads share of one open tree beyond what kernels walk: which read states there are, up to where writes
 * are visible, and what each reader holds. Part of the layout, so it imports nothing and holds nothing but numeric
 * constants.
 */

// SHARE: one for each shared tree. The owner of the tree writes it.
/** u32, atomic: 0 open, 1 closed: whoever sees a 1 reads nothing more. */
export const SHARE_CLOSED = 0
/** u32, atomic: address of the HISTORY at hand. Replaced whole; the old one stays while an epoch may see it. */
export const SHARE_HISTORY = 4
/** u32, atomic: odd while the owner decides which read states go; a pin that was set meanwhile looks again. */
export const SHARE_COLLECTING = 8
/**
 * u32 each, atomic: the visible seqno, its high word twice. Written high, low, high (second one first), read the other way
 * round: equal high words frame the low word that belongs to them.
 */
export const SHARE_VISIBLE_HIGH_FIRST = 64
export const SHARE_VISIBLE_LOW = 68
export const SHARE_VISIBLE_HIGH_LAST = 72
export const SHARE_BYTES = 128

// HISTORY: immutable once published. Read states, oldest first; the last one is the latest.
export const HISTORY_COUNT = 0
export const HISTORY_ENTRIES = 8
/** u64 each: a read at S uses the entry with exactFrom <= S < exactUntil; until is 2^53 for the latest. */
export const HISTORY_EXACT_FROM = 0
export const HISTORY_EXACT_UNTIL = 8
/** u64: changes below it may be gone. */
export const HISTORY_COLLECTED_BELOW = 16
/** u32: the STATE. */
export const HISTORY_STATE = 24
export const HISTORY_ENTRY_BYTES = 32

// READER: what one attached thread holds. That thread writes it, the owner reads it, and clears it when the thread is gone.
/** u64 each, 0 for none: seqnos plus one that its snapshots pin. */
export const READER_PINS = 0
export const READER_PINS_MAX = 256
/** u32 each, atomic, 0 for none: STATEs that its iterators read, one word however many do. */
export const READER_STATES = 2048
export const READER_STATES_MAX = 64
export const READER_BYTES = 2304
