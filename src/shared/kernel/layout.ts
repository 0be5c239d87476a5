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

// Block frame (format-table.md 5).
export const BLOCK_MAGIC = 0x044d534c
export const BLOCK_HEADER_BYTES = 33
export const BLOCK_BYTES_MAX_KERNEL = 268435456

/** Largest seqno that the main thread's numbers hold exactly: 2^53 - 1. */
export const SEQNO_MAX_KERNEL = 9007199254740991

// Trailer of a restart block (format-table.md 7.3).
export const RESTART_TRAILER_BYTES = 31

// What the block kernels return when bytes from disk are wrong. All are negative; sizes and counts are not.
export const BLOCK_ERROR_SHORT = -1
export const BLOCK_ERROR_MAGIC = -2
export const BLOCK_ERROR_TYPE = -3
export const BLOCK_ERROR_HEADER_CHECKSUM = -4
export const BLOCK_ERROR_SIZE = -5
export const BLOCK_ERROR_CHECKSUM = -6
export const BLOCK_ERROR_DECOMPRESS = -7
export const BLOCK_ERROR_FOOTER = -8
export const BLOCK_ERROR_TRAILER = -9
export const BLOCK_ERROR_ENTRY = -10
export const BLOCK_ERROR_ORDER = -11
export const BLOCK_ERROR_COUNT = -12
export const BLOCK_ERROR_HANDLE = -13
/** A seqno above SEQNO_MAX_KERNEL: not damage, but nothing that this engine can count with. */
export const BLOCK_ERROR_SEQNO = -14
/** Not damage: the target is too small; the caller allocates more and calls again. */
export const BLOCK_NO_SPACE = -100

// A data block as the engine keeps it in memory ("resident"): every key whole, found by a sorted array of heads.
//
//   +0  count u32 | +4 prefix length u32 | +8 bytes u32 | +12 reserved
//   +16 slots: { head u32, offset u32 } x count     head = 4 key bytes after the common prefix, big endian
//       entries: kind u8, seqno var, key length var, value length var, key, value
export const RESIDENT_COUNT = 0
export const RESIDENT_PREFIX_LENGTH = 4
export const RESIDENT_BYTES = 8
export const RESIDENT_SLOTS = 16
export const RESIDENT_SLOT_BYTES = 8

// An index block as the engine keeps it in memory.
//
//   +0  count u32 | +4 prefix length u32 | +8 bytes u32 | +12 reserved
//   +16 heads u64 x count                           8 key bytes after the common prefix, big endian
//       records x count: block offset u64, end seqno u64, key address offset u32, key length u32, block size u32, seen u32
//       keys, back to back
export const INDEX_COUNT = 0
export const INDEX_PREFIX_LENGTH = 4
export const INDEX_BYTES = 8
export const INDEX_HEADS = 16
export const INDEX_RECORD_BYTES = 32
export const INDEX_RECORD_OFFSET = 0
export const INDEX_RECORD_SEQNO = 8
export const INDEX_RECORD_KEY = 16
export const INDEX_RECORD_KEY_LENGTH = 20
export const INDEX_RECORD_SIZE = 24
/**
 * Where in the cache a point read saw the block last, 0 where none did: of the indexes that stay in memory alone. A hint,
 * written by any reader: it may lead anywhere in the memory, so that what lies there is touched, and not looked at.
 */
export const INDEX_RECORD_SEEN = 28

// The writer of one restart block (data, index or meta).
export const BLOCK_WRITER_OUT = 0
export const BLOCK_WRITER_CAPACITY = 4
/** Bytes of entries so far. */
export const BLOCK_WRITER_TOP = 8
export const BLOCK_WRITER_COUNT = 12
export const BLOCK_WRITER_RESTART_INTERVAL = 16
/** Array of u32: the offset of each restart head. */
export const BLOCK_WRITER_HEADS = 20
export const BLOCK_WRITER_HEADS_CAPACITY = 24
export const BLOCK_WRITER_HEADS_COUNT = 28
/** Where the current interval's head key lies in the output. */
export const BLOCK_WRITER_HEAD_KEY = 32
export const BLOCK_WRITER_HEAD_KEY_LENGTH = 36
/** Sum of key and value lengths: what the cut of a data block is measured by (format-table.md 8.3). */
export const BLOCK_WRITER_PAYLOAD = 40
/** f32: buckets of the in-block hash index for each entry; 0 for none. */
export const BLOCK_WRITER_HASH_RATIO = 44
/** Array of u64: the hash of each entry's key, kept only where the ratio is not 0. */
export const BLOCK_WRITER_HASHES = 48
export const BLOCK_WRITER_HASHES_CAPACITY = 52
/** Entries until the next restart head. */
export const BLOCK_WRITER_UNTIL_HEAD = 56
export const BLOCK_WRITER_BYTES = 64

// An entry of an index that waits to be written: how a block ends, and where it is. u64 seqno | u64 offset |
// u32 size | u32 key length | key, padded to 8.
export const INDEX_ENTRY_SEQNO = 0
export const INDEX_ENTRY_OFFSET = 8
export const INDEX_ENTRY_SIZE = 16
export const INDEX_ENTRY_KEY_LENGTH = 20
export const INDEX_ENTRY_KEY = 24

// What a table writer's add returns.
export const ADD_OK = 0
/** The block has reached its size: seal it before the next entry. */
export const ADD_BLOCK_FULL = 1
/** The entry was not added: the block buffer or an array is too small for it. */
export const ADD_NO_SPACE = 2

// Block types (format-table.md 5.1).
export const BLOCK_TYPE_DATA = 0
export const BLOCK_TYPE_INDEX = 1
export const BLOCK_TYPE_FILTER = 2
export const BLOCK_TYPE_META = 3
export const BLOCK_TYPE_RANGE_TOMBSTONE = 4
export const BLOCK_TYPE_SEQNO_BOUNDS = 9
export const BLOCK_TYPE_ZONE_MAP = 10

// Codecs that the kernels know; other ones come in and out through the calling thread.
export const CODEC_NONE = 0
export const CODEC_LZ4 = 1

// What `block_verify` found: where a block's payload lies in its frame.
export const BLOCK_INFO_PAYLOAD = 0
export const BLOCK_INFO_PAYLOAD_LENGTH = 4
export const BLOCK_INFO_PLAIN_LENGTH = 8
export const BLOCK_INFO_BYTES = 16

/** Scratch that the block kernels take: a digest, a block's whereabouts, key lengths. */
export const BLOCK_SCRATCH_BYTES = 128
export const BLOCK_SCRATCH_DIGEST = 0
export const BLOCK_SCRATCH_INFO = 32

// One source of a merge: a memtable, or a run of table blocks that the calling thread hands over one by one.
export const SOURCE_HEAD = 0
export const SOURCE_SEQNO = 8
export const SOURCE_KEY = 16
export const SOURCE_KEY_LENGTH = 20
export const SOURCE_VALUE = 24
export const SOURCE_VALUE_LENGTH = 28
export const SOURCE_KIND = 32
export const SOURCE_TYPE = 36
/** Address of the memtable's or the run's cursor; 0 for blocks that come one by one from the calling thread. */
export const SOURCE_CURSOR = 40
/** Address of the resident block, and the number of the current entry in it. */
export const SOURCE_BLOCK = 44
export const SOURCE_INDEX = 48
export const SOURCE_STATE = 52
/** Added to every seqno of the block (format-table.md 19.2). */
export const SOURCE_GLOBAL_SEQNO = 56
/** Recency: the lower one is newer and comes first among equal (key, seqno). */
export const SOURCE_RANK = 64
/** Reverse: entries of the block before this number are not the source's. */
export const SOURCE_FIRST = 68
export const SOURCE_BYTES = 72

export const SOURCE_TYPE_MEMTABLE = 0
export const SOURCE_TYPE_BLOCK = 1
/** A block whose entries lie decoded: SOURCE_BLOCK is the current row, SOURCE_INDEX the end of the rows. Forward only. */
export const SOURCE_TYPE_ROWS = 2

/** A row is what the first bytes of a source are while it stands on the entry, the type included. */
export const SOURCE_ROW_BYTES = 40

/** Nothing left. */
export const SOURCE_ENDED = 0
/** The entry fields are those of the current entry. */
export const SOURCE_POSITIONED = 1
/** The block is used up: the calling thread hands over the next one, or ends the source. */
export const SOURCE_WANTS_BLOCK = 2
/** A block and an index were handed over; the entry fields are not loaded yet. */
export const SOURCE_GIVEN = 3

// A k-way merge: a binary heap of source addresses.
export const MERGE_REVERSE = 0
export const MERGE_SOURCES = 4
export const MERGE_SOURCE_COUNT = 8
/** Array of u32 x source count. */
export const MERGE_HEAP = 12
export const MERGE_HEAP_COUNT = 16
// 20: MERGE_WANTED, below.
/** The published state whose range tombstones hide whole tables, or 0; and below which seqno they are seen. */
export const MERGE_RANGES = 24
export const MERGE_SEQNO = 32
/** Address of the XXH3-64 of a prefix that every wanted key has; 0: none. Tables without it are passed over. */
export const MERGE_PREFIX = 28
/** Where the thread that reads counts (layout-metrics.ts); 0: nowhere. */
export const MERGE_COUNTERS = 40
/** Rows that the reader is likely to take before it looks again: so many are fetched from memory at once when it seeks. */
export const MERGE_ROWS = 44
export const MERGE_BYTES = 48

// What the loops over a merge return to the calling thread.
export const EVENT_DONE = 0
/** The source of number MERGE_WANTED wants its next block. */
export const EVENT_WANTS_BLOCK = 1
/** Seal the output block, then call again. */
export const EVENT_BLOCK_FULL = 2
/** The next entry belongs into a new table: end this one, then call again. */
export const EVENT_ROTATE = 3
/** The output buffer is too small for the next entry alone: give a larger one, then call again. */
export const EVENT_NO_SPACE = 4
/** The batch is full: take its rows, then call again. */
export const EVENT_BATCH_FULL = 5
/** The current key's newest visible version is a merge operand: resolve it, then call again. */
export const EVENT_OPERAND = 6
/** The hash array is full: give a larger one, then call again. */
export const EVENT_HASHES_FULL = 7
/** A slice of work is done and nothing is wanted: look at the cancel word, then call again. */
export const EVENT_YIELD = 8
export const MERGE_WANTED = 20

// A range read: packs visible entries into a batch of rows.
export const SCAN_MERGE = 0
export const SCAN_OUT = 4
export const SCAN_CAPACITY = 8
export const SCAN_TOP = 12
export const SCAN_ROWS = 16
export const SCAN_ROWS_MAX = 20
/** Only entries with a seqno below this are seen. */
export const SCAN_SEQNO = 24
/** SCAN_EVERY_VERSION and SCAN_KEYS_ONLY. */
export const SCAN_FLAGS = 32
/** Where the scan ends: key, length, and 1 where the key itself still belongs to it. Address 0: nowhere. */
export const SCAN_BOUND = 36
export const SCAN_BOUND_LENGTH = 40
export const SCAN_BOUND_INCLUSIVE = 44
/** Buffer of KEY_BYTES_MAX bytes with the group's key, its length, and whether it holds one. */
export const SCAN_KEY = 48
export const SCAN_KEY_LENGTH = 52
export const SCAN_HAS_KEY = 56
/** Reverse scans: what stands at SCAN_TOP; see assembly/scan.ts. */
export const SCAN_TENTATIVE = 60
/** The published state whose range tombstones hide rows, or 0 where none do; the RANGE_GAP at hand. */
export const SCAN_RANGES = 64
export const SCAN_GAP = 72
/** How far the scan is, one of SCAN_STAGE_*. */
export const SCAN_STAGE = 104
/** Where it starts, as `merge_seek` takes it: key (0: at the near end), length, and 1 for right behind the key. */
export const SCAN_START = 108
export const SCAN_START_LENGTH = 112
export const SCAN_START_BEHIND = 116
/** The published state that it reads, and the view of the cache. */
export const SCAN_STATE = 120
export const SCAN_CACHE = 124
export const SCAN_BYTES = 128

/** The merge stands: it was built by `merge_build`, or opened and placed. */
export const SCAN_STAGE_MERGING = 0
/** Some of the sources want their first block. */
export const SCAN_STAGE_SEEKING = 1
/** The sources are there, and are to be placed. */
export const SCAN_STAGE_APART = 2
/** The sources are to be made. */
export const SCAN_STAGE_NEW = 3

export const SCAN_EVERY_VERSION = 1
export const SCAN_KEYS_ONLY = 2

// A row of a batch: the header, then key and value; rows start on 8-byte boundaries.
export const ROW_BYTES = 0
export const ROW_KEY_LENGTH = 4
export const ROW_VALUE_LENGTH = 8
export const ROW_KIND = 12
export const ROW_SEQNO = 16
export const ROW_KEY = 24

// One open table, as point reads see it.
export const TABLE_OWNER = 0
export const TABLE_FLAGS = 4
export const TABLE_GLOBAL_SEQNO = 8
/** Effective seqnos: the lowest of anything in the table, the highest of its entries. */
export const TABLE_SEQNO_MIN = 16
export const TABLE_SEQNO_MAX = 24
export const TABLE_KEY_MIN = 32
export const TABLE_KEY_MIN_LENGTH = 36
export const TABLE_KEY_MAX = 40
export const TABLE_KEY_MAX_LENGTH = 44
/** The resident index: over data blocks, or over index blocks where TABLE_TWO_LEVEL is set. */
export const TABLE_INDEX = 48
/** The resident filter and its kind; FILTER_NONE: ask nothing. */
export const TABLE_FILTER = 52
export const TABLE_FILTER_LENGTH = 56
export const TABLE_FILTER_KIND = 60
/** The resident index over filter partitions, or 0. */
export const TABLE_FILTER_INDEX = 64
/** Keys below this one are not the table's any more (tight-space restriction), or 0. */
export const TABLE_RESTRICTION = 68
export const TABLE_RESTRICTION_LENGTH = 72
/** The table's range tombstones: a set (layout-ranges.ts), or 0. */
export const TABLE_RANGES = 76
/** A compact filter over the prefixes of the keys, or 0: ask nothing. */
export const TABLE_PREFIX_FILTER = 80
/** The counters of its tree (layout-metrics.ts), those of the thread that owns it; or 0. */
export const TABLE_COUNTERS = 84
/** u64: the table's id; and the path of its file, UTF-8: any thread opens it for itself. */
export const TABLE_ID = 88
export const TABLE_PATH = 96
export const TABLE_PATH_LENGTH = 100
/**
 * u64: how many point reads looked into the table, about where several threads read; and u32: when the last did, in seconds
 * since 1970. In a cache line of their own: what is written while other threads read the rest.
 */
export const TABLE_READS = 128
export const TABLE_LAST_ACCESS = 136
export const TABLE_BYTES = 144

export const TABLE_TWO_LEVEL = 1
/** The table holds range tombstones only: its one entry is a sentinel, which is not to be seen. */
export const TABLE_NO_ENTRIES = 2

export const FILTER_NONE = 0
export const FILTER_BURR = 1
export const FILTER_RIBBON = 2

// The published read state: memtables newest first, then runs in the order in which a point read asks them.
export const STATE_MEMTABLE_COUNT = 0
export const STATE_RUN_COUNT = 4
/** Array of u32 memtable addresses. */
export const STATE_MEMTABLES = 8
/** Array of run records. */
export const STATE_RUNS = 12
/** u32: 1 where a table of a run has range tombstones. */
export const STATE_HAS_RANGES = 16
/** u32: a number that no other state of the process has, where it is published for other threads. */
export const STATE_NUMBER = 20
export const STATE_BYTES = 24

export const RUN_LEVEL = 0
export const RUN_TABLE_COUNT = 4
/** Array of u32: addresses of TABLE structures, ascending by key. */
export const RUN_TABLES = 8
/** u32: 1 where a table of the run has range tombstones. */
export const RUN_HAS_RANGES = 12
export const RUN_BYTES = 16

// One point read in progress.
export const READ_STATE = 0
/** The view of the cache (layout-cache.ts). */
export const READ_CACHE = 4
export const READ_KEY = 8
export const READ_KEY_LENGTH = 12
export const READ_SEQNO = 16
/** XXH3-64 of the key, made when the first filter asks. */
export const READ_HASH = 24
export const READ_HAS_HASH = 32
/** The run to go on with; runs before it are done. */
export const READ_RUN = 36
/** The best answer so far; READ_FOUND is 0 or 1. */
export const READ_FOUND = 40
export const READ_FOUND_KIND = 44
export const READ_FOUND_SEQNO = 48
export const READ_FOUND_VALUE = 56
export const READ_FOUND_VALUE_LENGTH = 60
/**
 * READ_WANTS_BLOCK: the block that is missing. Putting it into the cache may evict the block that READ_FOUND_VALUE
 * points into: whoever loads copies the value first, and points the field at the copy.
 */
export const READ_WANTED_TABLE = 64
export const READ_WANTED_KIND = 68
export const READ_WANTED_OFFSET = 72
export const READ_WANTED_SIZE = 80
/** The wanted block, loaded: set before the read goes on; 0 at its start. */
export const READ_GIVEN = 84
/** Set with it: GIVEN_RAW where it is a raw block. GIVEN_BROKEN comes back where that could not be searched. */
export const READ_GIVEN_FORM = 108
/** Reads of a batch: what the last call returned. */
export const READ_OUTCOME = 88
/** The level of the best answer: in L0 every run is asked. */
export const READ_FOUND_LEVEL = 92
/** The table whose block the best answer lies in; 0 for a memtable's and a cached row's. */
export const READ_FOUND_TABLE = 96
/** Where the thread that reads counts (layout-metrics.ts); 0: nowhere. */
export const READ_COUNTERS = 100
/**
 * Reads of a batch: 1 until the first data block, which is then wanted whether the cache holds it or not; from there on the
 * address of the index's record where that may be told where the block is, else 0.
 */
export const READ_STOPS = 104
/** RAW_FOUND, for a search of a raw block. */
export const READ_RAW = 112
export const READ_BYTES = 136

export const GIVEN_RESIDENT = 0
export const GIVEN_RAW = 1
export const GIVEN_BROKEN = 2

export const READ_ABSENT = 0
export const READ_PRESENT = 1
export const READ_WANTS_BLOCK = 2

export const WANTED_DATA = 0
export const WANTED_INDEX = 1
export const WANTED_FILTER = 2
// XXH3-128 streaming state (assembly/xxh3-stream.ts). The tail lies right before the buffer, so that the last
// 64 bytes of the input are always one piece of memory.
/** Eight u64 accumulators. */
export const XXH3_STATE_ACCUMULATORS = 0
/** The last 64 bytes that went into the accumulators. */
export const XXH3_STATE_TAIL = 64
/** Bytes not yet folded in: one block of 1024 at most, and never none once a byte has come. */
export const XXH3_STATE_BUFFER = 128
/** Total length, u64. */
export const XXH3_STATE_TOTAL = 1152
/** Bytes in the buffer, u32. */
export const XXH3_STATE_BUFFERED = 1160
export const XXH3_STATE_BYTES = 1168

// LZ4 (assembly/lz4.ts).
/** The encoder's hash table: 4,096 positions of u32. Half a first-level cache; doubling it slows small blocks. */
export const LZ4_TABLE_BYTES = 16384
/** `lz4_compress`: the block does not fit the capacity. */
export const LZ4_DOES_NOT_FIT = -1
/** `lz4_decompress`: the input is no block of the expected length. */
export const LZ4_MALFORMED = -1

// The V5 filter, "BuRR" (assembly/burr.ts).
/** The bytes 4C 53 4D 04. */
export const BURR_MAGIC = 0x044d534c
export const BURR_KIND_MEMBERSHIP = 2
export const BURR_HEADER_BYTES = 18
export const BURR_LAYER_HEADER_BYTES = 12
/** `burr_build`: target or scratch too small. */
export const BURR_NO_SPACE = -1
/** `burr_build`: no root seed gave a solvable system. */
export const BURR_FAILED = -2
/** `burr_validate`: damaged or truncated. */
export const BURR_INVALID_HEADER = -1
/** `burr_validate`: a ribbon of another kind. */
export const BURR_INVALID_KIND = -2
// Memtable (assembly/memtable*.ts, where the structures are drawn). A region starts on a 64-byte boundary:
//
//   header | writer's scratch | hash table | entries, growing up -> ... free ... <- nodes, growing down
//
export const MEMTABLE_BYTES_MIN = 16_384
/** A hash slot names an entry in 24 bits, in granules of at most 64 bytes. */
export const MEMTABLE_BYTES_MAX = 0x4000_0000
/** Entries of regions up to 64 MiB lie on 4-byte boundaries; each doubling of the region doubles that. */
export const MEMTABLE_GRANULE_SHIFT_MIN = 2
/** Region bytes per hash slot: 116-byte entries in a full region load the table to 0.56. */
export const MEMTABLE_BYTES_PER_HASH_SLOT = 96
/** Free bytes per slot of the overflow table: a new key takes 36 at the least, so that table never fills. */
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
// 24, 28, 140: range tombstones, in layout-ranges.ts.
/** u32: its number in its tree, for people. */
export const MEMTABLE_ID = 32
/**
 * u32: 1 while no other thread reads: nodes that the tree does not lead to any more are used again. The writer's thread
 * takes it back, for good, before another thread learns of the memtable.
 */
export const MEMTABLE_REUSES_NODES = 36
/** u64: the lowest seqno, all ones while empty. Reads at or below it pass by; seldom written, since seqnos ascend. */
export const MEMTABLE_SEQNO_MIN = 40
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
/** u64: the highest seqno, 0 while empty. */
export const MEMTABLE_SEQNO_MAX = 112
/** u64: the key lengths of all entries, summed. */
export const MEMTABLE_KEY_BYTES = 120
/** u64: the value lengths of all entries, summed. */
export const MEMTABLE_VALUE_BYTES = 128
/** u32: inner levels of the tree; 0 while the root is a leaf. */
export const MEMTABLE_HEIGHT = 136
/** u32: the first leaf and the first inner node that are to be used again, 0 for none; each names the next one. */
export const MEMTABLE_SPARE_LEAVES = 144
export const MEMTABLE_SPARE_INNERS = 148
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
/** i32: with a custom order, leaves walked since the last seek, forward less backward. */
export const MEMTABLE_CURSOR_WALKED = 36
/** u64[60]: the leaf's slots in key order. */
export const MEMTABLE_CURSOR_SLOTS = 40
/** u32[64]: the ring of versions. */
export const MEMTABLE_CURSOR_VERSIONS = 520
export const MEMTABLE_CURSOR_VERSIONS_MAX = 64
export const MEMTABLE_CURSOR_BYTES = 776

// The compact filter (assembly/ribbon.ts).
/** The bytes "VRB1". */
export const RIBBON_MAGIC = 0x31425256
export const RIBBON_HEADER_BYTES = 12
/** One entry of the layer table: block count in the low 26 bits, seed in the high 6. */
export const RIBBON_LAYER_BYTES = 4
export const RIBBON_BLOCK_COUNT_BITS = 26
export const RIBBON_LAYERS_MAX = 8
/** `ribbon_build`: target or scratch too small. */
export const RIBBON_NO_SPACE = -1
/** `ribbon_build`: no seed gave a solvable last layer. */
export const RIBBON_FAILED = -2
/** `ribbon_validate`: not a well-formed filter of this length. */
export const RIBBON_INVALID = -1
