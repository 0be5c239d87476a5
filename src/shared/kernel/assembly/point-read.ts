// The point read (semantics.md 6.1), top to bottom: memtables newest first, then runs in the order of the read state,
// each gated by key range, seqno range and filter, then index, block, entry; last the range tombstones. One call where
// every block is cached; it comes back to the calling thread only to have a block loaded, and is then called again with
// the same READ structure and the block's address in it.
//
// Lock-free, any thread: what it reads is published before its address is, and stays while the read state is held.
//
// I1: in L0 every run is asked that could hold a newer version than the best found; deeper, the first hit ends the read.
// I2: a resumed read goes on with the given block where it stood: it asks for no block twice, whatever the cache forgot,
//     but for a raw one that proves malformed: then for its resident form, which whoever loads it finds out.
import {
  FILTER_BURR,
  FILTER_NONE,
  GIVEN_BROKEN,
  GIVEN_RAW,
  GIVEN_RESIDENT,
  INDEX_COUNT,
  INDEX_RECORD_OFFSET,
  INDEX_RECORD_SIZE,
  MEMTABLE_SEQNO_MIN,
  READ_ABSENT,
  READ_CACHE,
  READ_COUNTERS,
  READ_FOUND,
  READ_FOUND_KIND,
  READ_FOUND_LEVEL,
  READ_FOUND_SEQNO,
  READ_FOUND_TABLE,
  READ_FOUND_VALUE,
  READ_FOUND_VALUE_LENGTH,
  READ_GIVEN,
  READ_GIVEN_FORM,
  READ_HASH,
  READ_HAS_HASH,
  READ_KEY,
  READ_KEY_LENGTH,
  READ_PRESENT,
  READ_RAW,
  READ_RUN,
  READ_SEQNO,
  READ_STATE,
  READ_STOPS,
  READ_WANTED_KIND,
  READ_WANTED_OFFSET,
  READ_WANTED_SIZE,
  READ_WANTED_TABLE,
  READ_WANTS_BLOCK,
  RUN_BYTES,
  RUN_LEVEL,
  RUN_TABLES,
  RUN_TABLE_COUNT,
  STATE_MEMTABLES,
  STATE_MEMTABLE_COUNT,
  STATE_RUNS,
  STATE_RUN_COUNT,
  TABLE_COUNTERS,
  TABLE_FILTER,
  TABLE_FILTER_INDEX,
  TABLE_FILTER_KIND,
  TABLE_FLAGS,
  TABLE_GLOBAL_SEQNO,
  TABLE_INDEX,
  TABLE_KEY_MAX,
  TABLE_KEY_MAX_LENGTH,
  TABLE_KEY_MIN,
  TABLE_KEY_MIN_LENGTH,
  TABLE_LAST_ACCESS,
  TABLE_NO_ENTRIES,
  TABLE_OWNER,
  TABLE_READS,
  TABLE_RESTRICTION,
  TABLE_RESTRICTION_LENGTH,
  TABLE_SEQNO_MAX,
  TABLE_SEQNO_MIN,
  TABLE_TWO_LEVEL,
  WANTED_DATA,
  WANTED_FILTER,
  WANTED_INDEX,
} from '../layout'
import {
  RAW_FOUND_KIND,
  RAW_FOUND_SEQNO,
  RAW_FOUND_VALUE,
  RAW_FOUND_VALUE_LENGTH,
} from '../layout-raw'
import { VIEW_HAS_ROWS, VIEW_HITS } from '../layout-cache'
import {
  COUNTERS_CACHED,
  COUNTERS_FILTER_QUERIES,
  COUNTERS_FILTER_SKIPS,
  COUNTERS_NOW,
  COUNTERS_ROW_HITS,
  COUNTERS_TABLE_READS,
  COUNTERS_TABLE_SAMPLE,
  ROW_CACHE_HASH_BITS,
  ROW_CACHE_KEY,
  ROW_CACHE_KEY_LENGTH,
  ROW_CACHE_KIND,
  ROW_CACHE_OFFSETS,
  ROW_CACHE_SEQNO,
  ROW_CACHE_VALUE_LENGTH,
} from '../layout-metrics'
import { note_seen, touch_seen } from './block-cache-ahead'
import { burr_contains } from './burr'
import { equal_bytes, read_varint, skip_varint } from './bytes'
import { cache_find } from './cache-lookup'
import { count_for } from './counters'
import { compare_keys } from './key-order'
import { memtable_get_hashed } from './memtable'
import {
  entry_kind,
  entry_seqno,
  entry_value,
  entry_value_length,
} from './memtable-entry'
import { memtable_hash } from './memtable-hash'
import { state_cover, state_has_ranges } from './range-cover'
import { raw_block_find } from './raw-block'
import { index_record, index_search, resident_find } from './resident-block'
import { ribbon_contains } from './ribbon'
import { xxh3_64 } from './xxh3'

// @ts-ignore: decorator
/** The key's XXH3-64, made once a read. */
@inline
function filter_hash(read: usize): u64 {
  if (load<u32>(read, READ_HAS_HASH) == 0) {
    const hash = xxh3_64(<usize>load<u32>(read, READ_KEY), load<i32>(read, READ_KEY_LENGTH))
    store<u64>(read, hash, READ_HASH)
    store<u32>(read, 1, READ_HAS_HASH)
  }
  return load<u64>(read, READ_HASH)
}

// @ts-ignore: decorator
@inline
function filter_contains(kind: u32, filter: usize, hash: u64): bool {
  return kind == FILTER_BURR ? burr_contains(filter, hash) : ribbon_contains(filter, hash)
}

// @ts-ignore: decorator
@inline
function counters_of(read: usize): usize {
  return <usize>load<u32>(read, READ_COUNTERS)
}

// @ts-ignore: decorator
/** A block of `table` at `offset`, of a WANTED_* kind, where the cache holds it; or 0. */
@inline
export function find_block(read: usize, table: usize, kind: u32, offset: u64): usize {
  const cache = <usize>load<u32>(read, READ_CACHE)
  const cached = cache_find(cache, load<u32>(table, TABLE_OWNER), offset)
  if (cached == 0) return 0
  store<u64>(cache, load<u64>(cache, VIEW_HITS) + 1, VIEW_HITS)
  count_for(counters_of(read), (<usize>kind << 3) + COUNTERS_CACHED)
  return cached
}

function want_block(read: usize, table: usize, kind: u32, record: usize): i32 {
  store<u32>(read, <u32>table, READ_WANTED_TABLE)
  store<u32>(read, kind, READ_WANTED_KIND)
  store<u64>(read, load<u64>(record, INDEX_RECORD_OFFSET), READ_WANTED_OFFSET)
  store<u32>(read, load<u32>(record, INDEX_RECORD_SIZE), READ_WANTED_SIZE)
  return READ_WANTS_BLOCK
}

// @ts-ignore: decorator
/** The table of a run whose key range may hold the key, or 0. */
@inline
function covering_table(run: usize, key: usize, keyLength: i32): usize {
  const tables = <usize>load<u32>(run, RUN_TABLES)
  let low = 0
  let high = load<i32>(run, RUN_TABLE_COUNT)
  const count = high
  while (low < high) {
    const middle = (low + high) >> 1
    const table = <usize>load<u32>(tables + (<usize>middle << 2))
    const order = compare_keys(
      <usize>load<u32>(table, TABLE_KEY_MAX),
      load<i32>(table, TABLE_KEY_MAX_LENGTH),
      key,
      keyLength,
    )
    if (order < 0) low = middle + 1
    else high = middle
  }
  if (low == count) return 0
  const table = <usize>load<u32>(tables + (<usize>low << 2))
  const least = <usize>load<u32>(table, TABLE_KEY_MIN)
  if (compare_keys(least, load<i32>(table, TABLE_KEY_MIN_LENGTH), key, keyLength) > 0) return 0
  const restriction = <usize>load<u32>(table, TABLE_RESTRICTION)
  if (restriction == 0) return table
  const isBelow = compare_keys(key, keyLength, restriction, load<i32>(table, TABLE_RESTRICTION_LENGTH)) < 0
  return isBelow ? 0 : table
}

// @ts-ignore: decorator
/** Counts an answer of a table's filter, and passes it on as READ_PRESENT for "maybe" or READ_ABSENT. */
@inline
function note_filter(read: usize, isMaybe: bool): i32 {
  count_for(counters_of(read), COUNTERS_FILTER_QUERIES)
  if (isMaybe) return READ_PRESENT
  count_for(counters_of(read), COUNTERS_FILTER_SKIPS)
  return READ_ABSENT
}

// @ts-ignore: decorator
/** Asks one partition of a filter. An empty one excludes nothing; the loader stores its length in front. */
@inline
function ask_partition(read: usize, kind: u32, partition: usize): i32 {
  const isMaybe = load<u32>(partition) == 0 || filter_contains(kind, partition + 8, filter_hash(read))
  return note_filter(read, isMaybe)
}

/** Asks the table's filter: READ_ABSENT, READ_PRESENT for "maybe", or READ_WANTS_BLOCK for a partition. */
function ask_filter(read: usize, table: usize, key: usize, keyLength: i32): i32 {
  const kind = load<u32>(table, TABLE_FILTER_KIND)
  if (kind == FILTER_NONE) return READ_PRESENT
  const partitions = <usize>load<u32>(table, TABLE_FILTER_INDEX)
  if (partitions == 0) {
    const filter = <usize>load<u32>(table, TABLE_FILTER)
    return note_filter(read, filter_contains(kind, filter, filter_hash(read)))
  }
  const number = index_search(partitions, key, keyLength, u64.MAX_VALUE)
  if (number == load<i32>(partitions, INDEX_COUNT)) return note_filter(read, false)
  const record = index_record(partitions, number)
  const filter = find_block(read, table, WANTED_FILTER, load<u64>(record, INDEX_RECORD_OFFSET))
  if (filter == 0) return want_block(read, table, WANTED_FILTER, record)
  return ask_partition(read, kind, filter)
}

/** Books the entry of `block` as the best answer if it is the key's and newer than what was found. */
function take_entry(read: usize, table: usize, block: usize, key: usize, keyLength: i32, seqno: u64): void {
  const entry = resident_find(block, key, keyLength, seqno)
  if (entry == 0) return
  let at = entry + 1
  const entrySeqno = read_varint(at) + load<u64>(table, TABLE_GLOBAL_SEQNO)
  at = skip_varint(skip_varint(at))
  const valueLength = <u32>read_varint(at)
  at = skip_varint(at)
  if (load<u32>(read, READ_FOUND) != 0 && load<u64>(read, READ_FOUND_SEQNO) >= entrySeqno) return
  store<u32>(read, 1, READ_FOUND)
  store<u32>(read, <u32>load<u8>(entry), READ_FOUND_KIND)
  store<u64>(read, entrySeqno, READ_FOUND_SEQNO)
  store<u32>(read, <u32>at + <u32>keyLength, READ_FOUND_VALUE)
  store<u32>(read, valueLength, READ_FOUND_VALUE_LENGTH)
  store<u32>(read, <u32>table, READ_FOUND_TABLE)
}

/**
 * Books a cached row of the table as the best answer if it is newer than what was found; false where there is none that
 * answers. A row is its key's newest version in the table: a read that is too old for it needs the table.
 */
function take_row(read: usize, table: usize, key: usize, keyLength: i32): bool {
  const cache = <usize>load<u32>(read, READ_CACHE)
  const offset = <u64>ROW_CACHE_OFFSETS + (filter_hash(read) & ((<u64>1 << ROW_CACHE_HASH_BITS) - 1))
  const row = cache_find(cache, load<u32>(table, TABLE_OWNER), offset)
  if (row == 0 || load<i32>(row, ROW_CACHE_KEY_LENGTH) != keyLength) return false
  if (!equal_bytes(row + ROW_CACHE_KEY, key, keyLength)) return false
  const seqno = load<u64>(row, ROW_CACHE_SEQNO)
  if (seqno >= load<u64>(read, READ_SEQNO)) return false
  count_for(counters_of(read), COUNTERS_ROW_HITS)
  if (load<u32>(read, READ_FOUND) != 0 && load<u64>(read, READ_FOUND_SEQNO) >= seqno) return true
  store<u32>(read, 1, READ_FOUND)
  store<u32>(read, load<u32>(row, ROW_CACHE_KIND), READ_FOUND_KIND)
  store<u64>(read, seqno, READ_FOUND_SEQNO)
  store<u32>(read, <u32>row + ROW_CACHE_KEY + <u32>keyLength, READ_FOUND_VALUE)
  store<u32>(read, load<u32>(row, ROW_CACHE_VALUE_LENGTH), READ_FOUND_VALUE_LENGTH)
  store<u32>(read, 0, READ_FOUND_TABLE)
  return true
}

// @ts-ignore: decorator
/**
 * Counts a read that looks into the table. The thread of the tree tells the table of each. Others would take its cache line
 * from each other: they tell it of every so many, and the time where that is another one.
 */
@inline
function note_read(read: usize, table: usize): void {
  const counters = counters_of(read)
  if (counters == 0) return
  const count = load<u64>(counters, COUNTERS_TABLE_READS) + 1
  store<u64>(counters, count, COUNTERS_TABLE_READS)
  const own = <usize>load<u32>(table, TABLE_COUNTERS)
  if (own == counters) {
    store<u64>(table, load<u64>(table, TABLE_READS) + 1, TABLE_READS)
  } else if (count % COUNTERS_TABLE_SAMPLE == 0) {
    store<u64>(table, load<u64>(table, TABLE_READS) + COUNTERS_TABLE_SAMPLE, TABLE_READS)
  }
  const now = load<u32>(own, COUNTERS_NOW)
  if (load<u32>(table, TABLE_LAST_ACCESS) != now) store<u32>(table, now, TABLE_LAST_ACCESS)
}

// @ts-ignore: decorator
/** The read's seqno as the table's file counts: those of an ingested table all count from its global seqno. */
@inline
function local_seqno(read: usize, table: usize): u64 {
  return load<u64>(read, READ_SEQNO) - load<u64>(table, TABLE_GLOBAL_SEQNO)
}

/** Looks into one table: READ_PRESENT when it is done, whatever came of it, or READ_WANTS_BLOCK. */
function ask_table(read: usize, table: usize, key: usize, keyLength: i32): i32 {
  if ((load<u32>(table, TABLE_FLAGS) & TABLE_NO_ENTRIES) != 0) return READ_PRESENT
  const seqno = load<u64>(read, READ_SEQNO)
  if (load<u64>(table, TABLE_SEQNO_MIN) >= seqno) return READ_PRESENT
  if (load<u32>(read, READ_FOUND) != 0) {
    if (load<u64>(table, TABLE_SEQNO_MAX) <= load<u64>(read, READ_FOUND_SEQNO)) return READ_PRESENT
  }
  if (load<u64>(table, TABLE_GLOBAL_SEQNO) >= seqno) return READ_PRESENT
  const hasRows = load<u32>(<usize>load<u32>(read, READ_CACHE), VIEW_HAS_ROWS) != 0
  if (hasRows && take_row(read, table, key, keyLength)) {
    note_read(read, table)
    return READ_PRESENT
  }
  const asked = ask_filter(read, table, key, keyLength)
  if (asked != READ_PRESENT) return asked == READ_ABSENT ? READ_PRESENT : asked
  note_read(read, table)
  return search_table(read, table, key, keyLength)
}

/** The table may hold the key: its index, and the block. */
function search_table(read: usize, table: usize, key: usize, keyLength: i32): i32 {
  let index = <usize>load<u32>(table, TABLE_INDEX)
  if ((load<u32>(table, TABLE_FLAGS) & TABLE_TWO_LEVEL) != 0) {
    const number = index_search(index, key, keyLength, local_seqno(read, table))
    if (number == load<i32>(index, INDEX_COUNT)) return READ_PRESENT
    const record = index_record(index, number)
    index = find_block(read, table, WANTED_INDEX, load<u64>(record, INDEX_RECORD_OFFSET))
    if (index == 0) return want_block(read, table, WANTED_INDEX, record)
  }
  return search_index(read, table, index, key, keyLength)
}

function search_index(read: usize, table: usize, index: usize, key: usize, keyLength: i32): i32 {
  const local = local_seqno(read, table)
  const number = index_search(index, key, keyLength, local)
  if (number == load<i32>(index, INDEX_COUNT)) return READ_PRESENT
  const record = index_record(index, number)
  // An index that lies in the cache itself is never changed.
  const stays = (load<u32>(table, TABLE_FLAGS) & TABLE_TWO_LEVEL) == 0
  if (load<u32>(read, READ_STOPS) != 0) {
    store<u32>(read, stays ? <u32>record : 0, READ_STOPS)
    return want_block(read, table, WANTED_DATA, record)
  }
  if (stays) touch_seen(record)
  const block = find_block(read, table, WANTED_DATA, load<u64>(record, INDEX_RECORD_OFFSET))
  if (stays) note_seen(<usize>load<u32>(read, READ_CACHE), record, block)
  if (block == 0) return want_block(read, table, WANTED_DATA, record)
  take_entry(read, table, block, key, keyLength, local)
  return READ_PRESENT
}

/** Goes on in the table that wanted `block`; as {@link ask_table}. */
function resume_table(read: usize, block: usize, key: usize, keyLength: i32): i32 {
  const table = <usize>load<u32>(read, READ_WANTED_TABLE)
  const kind = load<u32>(read, READ_WANTED_KIND)
  if (kind == WANTED_INDEX) return search_index(read, table, block, key, keyLength)
  if (kind == WANTED_FILTER) {
    const asked = ask_partition(read, load<u32>(table, TABLE_FILTER_KIND), block)
    if (asked == READ_ABSENT) return READ_PRESENT
    note_read(read, table)
    return search_table(read, table, key, keyLength)
  }
  if (load<u32>(read, READ_GIVEN_FORM) == GIVEN_RAW) return take_raw(read, table, block, key, keyLength)
  take_entry(read, table, block, key, keyLength, local_seqno(read, table))
  return READ_PRESENT
}

/** As {@link take_entry}, of a raw block: READ_PRESENT, or READ_WANTS_BLOCK for its resident form. */
function take_raw(read: usize, table: usize, raw: usize, key: usize, keyLength: i32): i32 {
  const entry = read + READ_RAW
  const result = raw_block_find(raw, key, keyLength, local_seqno(read, table), entry)
  if (result < 0) {
    store<u32>(read, GIVEN_BROKEN, READ_GIVEN_FORM)
    return READ_WANTS_BLOCK
  }
  store<u32>(read, GIVEN_RESIDENT, READ_GIVEN_FORM)
  if (result == 0) return READ_PRESENT
  const seqno = load<u64>(entry, RAW_FOUND_SEQNO) + load<u64>(table, TABLE_GLOBAL_SEQNO)
  if (load<u32>(read, READ_FOUND) != 0 && load<u64>(read, READ_FOUND_SEQNO) >= seqno) return READ_PRESENT
  store<u32>(read, 1, READ_FOUND)
  store<u32>(read, load<u32>(entry, RAW_FOUND_KIND), READ_FOUND_KIND)
  store<u64>(read, seqno, READ_FOUND_SEQNO)
  store<u32>(read, load<u32>(entry, RAW_FOUND_VALUE), READ_FOUND_VALUE)
  store<u32>(read, load<u32>(entry, RAW_FOUND_VALUE_LENGTH), READ_FOUND_VALUE_LENGTH)
  store<u32>(read, <u32>table, READ_FOUND_TABLE)
  return READ_PRESENT
}

/** Asks the memtables, newest first; true where one of them answered. */
function ask_memtables(read: usize, state: usize, key: usize, keyLength: i32): bool {
  const count = load<i32>(state, STATE_MEMTABLE_COUNT)
  const memtables = <usize>load<u32>(state, STATE_MEMTABLES)
  const seqno = load<u64>(read, READ_SEQNO)
  let hash: u64 = 0
  for (let i = 0; i < count; i++) {
    const memtable = <usize>load<u32>(memtables + (<usize>i << 2))
    // All that it holds is later than the read, or it is empty, as after each rotation: no miss of its hash table is spent.
    // Whoever sees a write's seqno as visible sees this field as that write left it, or lower.
    if (load<u64>(memtable, MEMTABLE_SEQNO_MIN) >= seqno) continue
    if (hash == 0) hash = memtable_hash(key, keyLength)
    const entry = memtable_get_hashed(memtable, hash, key, keyLength, seqno)
    if (entry == 0) continue
    store<u32>(read, 1, READ_FOUND)
    store<u32>(read, <u32>entry_kind(entry), READ_FOUND_KIND)
    store<u64>(read, entry_seqno(entry), READ_FOUND_SEQNO)
    store<u32>(read, <u32>entry_value(entry), READ_FOUND_VALUE)
    store<u32>(read, <u32>entry_value_length(entry), READ_FOUND_VALUE_LENGTH)
    store<u32>(read, 0, READ_FOUND_TABLE)
    return true
  }
  return false
}

// @ts-ignore: decorator
/** READ_PRESENT for what was found, unless a visible range tombstone hides it. */
@inline
function present_unless_covered(read: usize, state: usize, key: usize, keyLength: i32): i32 {
  if (state_has_ranges(state) == 0) return READ_PRESENT
  const shown = load<u64>(read, READ_FOUND_SEQNO) + 1
  const cover = state_cover(state, key, keyLength, load<u64>(read, READ_SEQNO), shown)
  return cover > shown ? READ_ABSENT : READ_PRESENT
}

/**
 * Finds the newest visible version of the key: READ_ABSENT where there is none or a range tombstone hides it,
 * READ_PRESENT with the READ_FOUND fields set (the kind may be a tombstone), or READ_WANTS_BLOCK with the READ_WANTED
 * fields set: load it, set READ_GIVEN, and call again.
 */
export function point_read(read: usize): i32 {
  const state = <usize>load<u32>(read, READ_STATE)
  const key = <usize>load<u32>(read, READ_KEY)
  const keyLength = load<i32>(read, READ_KEY_LENGTH)
  const given = <usize>load<u32>(read, READ_GIVEN)
  if (given == 0 && ask_memtables(read, state, key, keyLength)) {
    return present_unless_covered(read, state, key, keyLength)
  }
  const runCount = load<i32>(state, STATE_RUN_COUNT)
  const runs = <usize>load<u32>(state, STATE_RUNS)
  let i = load<i32>(read, READ_RUN)
  if (given != 0) {
    store<u32>(read, 0, READ_GIVEN)
    if (resume_table(read, given, key, keyLength) == READ_WANTS_BLOCK) return READ_WANTS_BLOCK
    store<u32>(read, load<u32>(runs + <usize>i * RUN_BYTES, RUN_LEVEL), READ_FOUND_LEVEL)
    i++
  }
  for (; i < runCount; i++) {
    const run = runs + <usize>i * RUN_BYTES
    const level = load<u32>(run, RUN_LEVEL)
    if (load<u32>(read, READ_FOUND) != 0 && level != load<u32>(read, READ_FOUND_LEVEL)) {
      return present_unless_covered(read, state, key, keyLength)
    }
    const table = covering_table(run, key, keyLength)
    if (table == 0) continue
    store<i32>(read, i, READ_RUN)
    if (ask_table(read, table, key, keyLength) == READ_WANTS_BLOCK) return READ_WANTS_BLOCK
    store<u32>(read, level, READ_FOUND_LEVEL)
  }
  return load<u32>(read, READ_FOUND) != 0 ? present_unless_covered(read, state, key, keyLength) : READ_ABSENT
}

/** Starts the read at `read`, whose cache, counters and key are set, and does as {@link point_read}. */
export function point_read_begin(read: usize, state: usize, keyLength: i32, seqno: f64): i32 {
  store<i32>(read, keyLength, READ_KEY_LENGTH)
  store<u32>(read, 0, READ_STOPS)
  start_read(read, state, <u64>seqno)
  return point_read(read)
}

// @ts-ignore: decorator
@inline
export function start_read(read: usize, state: usize, seqno: u64): void {
  store<u32>(read, <u32>state, READ_STATE)
  store<u64>(read, seqno, READ_SEQNO)
  store<u32>(read, 0, READ_HAS_HASH)
  store<u32>(read, 0, READ_RUN)
  store<u32>(read, 0, READ_FOUND)
  store<u32>(read, 0, READ_GIVEN)
  store<u32>(read, GIVEN_RESIDENT, READ_GIVEN_FORM)
}
