/**
 * Offsets and field positions of every structure that lives in the shared memory, and the codes that kernels return.
 * The TypeScript compiler and the AssemblyScript compiler both read this one file, so it imports nothing and holds
 * nothing but numeric constants.
 *
 * Naming: `X_BYTES` is a structure's size, `X_FIELD` a field's byte offset from the structure's address. Every
 * structure starts on an 8-byte boundary. Addresses are u32, below 2 GiB, so they are also non-negative i32.
 */

// Value types (format-table.md 1).
export const KIND_VALUE = 0
export const KIND_TOMBSTONE = 1
export const KIND_WEAK_TOMBSTONE = 2
export const KIND_MERGE_OPERAND = 3
export const KIND_INDIRECTION = 4
export const KIND_MAX = 4

// The first page of the memory: nothing at the null address, then constants that `constants_init` writes once.
export const CONSTANTS_ADDRESS = 1024
/** XXH3's default secret: 192 bytes. */
export const XXH3_SECRET_ADDRESS = CONSTANTS_ADDRESS
export const XXH3_SECRET_BYTES = 192
/** First address that regions may take. */
export const REGIONS_ADDRESS = 65536

// Memtable (assembly/memtable*.ts, where the structures are drawn). A region starts on a 64-byte
// boundary:
//
//   header | writer's scratch | hash table | entries, growing up -> free <- nodes, growing down
//
export const MEMTABLE_BYTES_MIN = 16_384
/** A hash slot names an entry in 24 bits, in granules of at most 64 bytes. */
export const MEMTABLE_BYTES_MAX = 0x4000_0000
/** Entries lie on 4-byte boundaries up to 64 MiB; each doubling of the region doubles that. */
export const MEMTABLE_GRANULE_SHIFT_MIN = 2
/** Region bytes per hash slot: 116-byte entries in a full region load the table to 0.56. */
export const MEMTABLE_BYTES_PER_HASH_SLOT = 96
/** Free bytes per slot of the overflow table: a key takes 36 at the least, so it never fills. */
export const MEMTABLE_BYTES_PER_OVERFLOW_SLOT = 32
// The header's first line: read by every reader, written seldom.
/** u32, atomic: the tree's root node. */
export const MEMTABLE_ROOT = 0
/** u32: slots of the hash table, which begins at MEMTABLE_HASH. */
export const MEMTABLE_HASH_SLOTS = 4
/** u32, atomic: address of the overflow hash table, 0 while there is none. */
export const MEMTABLE_OVERFLOW = 8
/** u32: slots of the overflow hash table. */
export const MEMTABLE_OVERFLOW_SLOTS = 12
/** u32: entries lie on boundaries of 1 << this, and hash slots count in that unit. */
export const MEMTABLE_GRANULE_SHIFT = 16
/** u32: bytes of the region. */
export const MEMTABLE_BYTES = 20
// The lines behind it: written by every insert, exact for the writer, a moment late for others.
/** u32: where the next entry's header will begin. */
export const MEMTABLE_ARENA_TOP = 64
/** u32: the lowest byte taken by a node. */
export const MEMTABLE_NODE_BOTTOM = 68
/** u32: bytes of the region that are taken, header and hash included. */
export const MEMTABLE_USED_BYTES = 72
/** u32: entries, every version counted. */
export const MEMTABLE_ENTRY_COUNT = 76
/** u32: distinct user keys. */
export const MEMTABLE_KEY_COUNT = 80
/** u32[5]: entries of each kind. */
export const MEMTABLE_KIND_COUNTS = 84
export const MEMTABLE_TOMBSTONE_COUNT = 88
export const MEMTABLE_WEAK_TOMBSTONE_COUNT = 92
/** u64: the lowest seqno, all ones while empty. */
export const MEMTABLE_SEQNO_MIN = 104
/** u64: the highest seqno, 0 while empty. */
export const MEMTABLE_SEQNO_MAX = 112
/** u64: the key lengths of all entries, summed. */
export const MEMTABLE_KEY_BYTES = 120
/** u64: the value lengths of all entries, summed. */
export const MEMTABLE_VALUE_BYTES = 128
/** u32: inner levels of the tree; 0 while the root is a leaf. */
export const MEMTABLE_HEIGHT = 136
export const MEMTABLE_HEADER_BYTES = 192
/** The writer's scratch: one leaf's slots, sorted. */
export const MEMTABLE_SCRATCH = 192
export const MEMTABLE_HASH = 704

// A memtable's entry: the header, the key, the value; on a boundary of the region's granule.
/** u64. */
export const ENTRY_SEQNO = 0
/** u32, atomic: the next version of the key; see assembly/memtable-entry.ts. */
export const ENTRY_LINK = 8
/** u32. */
export const ENTRY_VALUE_LENGTH = 12
/** u16. */
export const ENTRY_KEY_LENGTH = 16
/** u8: KIND_*. */
export const ENTRY_KIND = 18
/** u8: 1 in the entry that was its key's first: the one that hash and tree point at. */
export const ENTRY_ANCHOR = 19
export const ENTRY_KEY = 20

// A node of a memtable's tree: this header, then what assembly/memtable-node.ts draws.
/** u32, atomic: a leaf's slots `sorted << 16 | total`; an inner node's slots. */
export const NODE_META = 0
/** u16: leading key bytes that the node's heads leave out. */
export const NODE_SKIP = 4
/** u8: 0 in a leaf, else the levels below. */
export const NODE_LEVEL = 6
/** u32, atomic: an entry that has the skipped bytes, or 0 where the fences imply them. */
export const NODE_REFERENCE = 8
/** u32: the entry whose key bounds the node below, inclusive; 0 for none. */
export const NODE_LOWER = 12
/** u32, atomic: the entry whose key bounds the node above, exclusive; 0 for none. */
export const NODE_UPPER = 16
export const NODE_HEADER_BYTES = 32
export const LEAF_SLOTS_MAX = 60
export const LEAF_SLOTS = 32
export const LEAF_BYTES = 512
export const INNER_SLOTS_MAX = 55
/** Two u8[56]: the slots in key order; which of the two holds is the slot count's lowest bit. */
export const INNER_ORDERS = 32
export const INNER_ORDER_BYTES = 56
export const INNER_HEADS = 144
export const INNER_LINKS = 584
export const INNER_BYTES = 1024

// A cursor over a memtable, in its caller's memory.
/** u32: the memtable. */
export const MEMTABLE_CURSOR_BASE = 0
/** u32: the entry that the cursor stands on, 0 at either end. */
export const MEMTABLE_CURSOR_ENTRY = 4
/** i32: its key's place among the slots; -1 before the first entry, the count behind the last. */
export const MEMTABLE_CURSOR_INDEX = 8
/** u32: slots copied from the leaf. */
export const MEMTABLE_CURSOR_COUNT = 12
/** u32: the leaf's fences, as NODE_LOWER and NODE_UPPER. */
export const MEMTABLE_CURSOR_LOWER = 16
export const MEMTABLE_CURSOR_UPPER = 20
/** u32: newer versions of the current key that wait in the ring, for `prev`. */
export const MEMTABLE_CURSOR_VERSION_COUNT = 24
/** u32: where in the ring, modulo its size, they end; the last is the nearest. */
export const MEMTABLE_CURSOR_VERSION_END = 28
/** u32: where touched bytes go, so that no compiler drops the loads. */
export const MEMTABLE_CURSOR_TOUCHED = 32
/** u64[60]: the leaf's slots in key order. */
export const MEMTABLE_CURSOR_SLOTS = 40
/** u32[64]: the ring of versions. */
export const MEMTABLE_CURSOR_VERSIONS = 520
export const MEMTABLE_CURSOR_VERSIONS_MAX = 64
export const MEMTABLE_CURSOR_BYTES = 776
