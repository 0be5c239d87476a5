// Walks the data blocks of one run, in either direction, and hands them to a merge source one by one. Blocks that the
// cache holds are pinned there and read in place, those that lie in a window are made resident from there; for any other
// one the source stops (SOURCE_WANTS_BLOCK) until the calling thread gives it. The thread that owns the merge; scans and
// compactions alike.
//
//   TABLE ──→ PARTITION_SEEK or _STEP (two-level tables only) ──→ BLOCK_SEEK or _STEP ──→ the source stands on an entry
//     ↑                    ↑                                              │
//     └──── used up ───────┴──────────────── used up ─────────────────────┘
//
// I1: blocks come in key order (or reversed), each once; a table that lies behind the end is not opened.
// I2: a wanted block may come at any time later: nothing that the cursor keeps lies in the cache unpinned.
import {
  INDEX_COUNT,
  INDEX_RECORD_KEY,
  INDEX_RECORD_KEY_LENGTH,
  INDEX_RECORD_OFFSET,
  INDEX_RECORD_SEEN,
  INDEX_RECORD_SIZE,
  RESIDENT_BYTES,
  RESIDENT_COUNT,
  SOURCE_BLOCK,
  SOURCE_ENDED,
  SOURCE_FIRST,
  SOURCE_GIVEN,
  SOURCE_GLOBAL_SEQNO,
  SOURCE_INDEX,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_BLOCK,
  SOURCE_WANTS_BLOCK,
  TABLE_FLAGS,
  TABLE_GLOBAL_SEQNO,
  TABLE_INDEX,
  TABLE_KEY_MAX,
  TABLE_KEY_MAX_LENGTH,
  TABLE_KEY_MIN,
  TABLE_KEY_MIN_LENGTH,
  TABLE_NO_ENTRIES,
  TABLE_OWNER,
  TABLE_PREFIX_FILTER,
  TABLE_RESTRICTION,
  TABLE_RESTRICTION_LENGTH,
  TABLE_TWO_LEVEL,
  WANTED_DATA,
  WANTED_INDEX,
} from '../layout'
import { VIEW_HITS } from '../layout-cache'
import {
  RUN_CURSOR_BEHIND,
  RUN_CURSOR_BOUND,
  RUN_CURSOR_BOUND_LENGTH,
  RUN_CURSOR_CACHE,
  RUN_CURSOR_COUNTERS,
  RUN_CURSOR_END,
  RUN_CURSOR_END_LENGTH,
  RUN_CURSOR_GAP,
  RUN_CURSOR_INDEX,
  RUN_CURSOR_INDEX_NUMBER,
  RUN_CURSOR_PINNED_BLOCK,
  RUN_CURSOR_PINNED_INDEX,
  RUN_CURSOR_PREFIX,
  RUN_CURSOR_RANGES,
  RUN_CURSOR_RESTRICTED,
  RUN_CURSOR_REVERSE,
  RUN_CURSOR_ROWS,
  RUN_CURSOR_SEQNO,
  RUN_CURSOR_STAGE,
  RUN_CURSOR_TABLE,
  RUN_CURSOR_TABLES,
  RUN_CURSOR_TABLE_COUNT,
  RUN_CURSOR_TOP_NUMBER,
  RUN_CURSOR_WANTED_KIND,
  RUN_CURSOR_WANTED_OFFSET,
  RUN_CURSOR_WANTED_SIZE,
  RUN_CURSOR_WINDOW,
} from '../layout-cursor'
import { COUNTERS_CACHED, COUNTERS_PREFIX_SKIPS } from '../layout-metrics'
import { cache_pin, cache_unpin } from './block-cache'
import { note_seen, touch_block, touch_seen } from './block-cache-ahead'
import { window_block, window_rows } from './block-window'
import { touch } from './bytes'
import { cache_find, cache_peek } from './cache-lookup'
import { count_for } from './counters'
import { compare_keys } from './key-order'
import { table_is_covered } from './range-cover'
import { ribbon_contains } from './ribbon'
import { index_record, index_search, resident_entry, resident_search } from './resident-block'

// Stages: what is opened next. A SEEK looks for the bound, a STEP enters at the near end.
const STAGE_TABLE: u32 = 0
const STAGE_PARTITION_SEEK: u32 = 1
const STAGE_PARTITION_STEP: u32 = 2
const STAGE_BLOCK_SEEK: u32 = 3
const STAGE_BLOCK_STEP: u32 = 4

// @ts-ignore: decorator
@inline
function is_reverse(cursor: usize): bool {
  return load<u32>(cursor, RUN_CURSOR_REVERSE) != 0
}

// @ts-ignore: decorator
@inline
function go(cursor: usize, stage: u32): void {
  store<u32>(cursor, stage, RUN_CURSOR_STAGE)
}

// @ts-ignore: decorator
@inline
function table_number(tables: usize, number: i32): usize {
  return <usize>load<u32>(tables + (<usize>number << 2))
}

/** The table at hand, or 0 beyond either end of the run. */
function table_of(cursor: usize): usize {
  const number = load<i32>(cursor, RUN_CURSOR_TABLE)
  if (number < 0 || number >= load<i32>(cursor, RUN_CURSOR_TABLE_COUNT)) return 0
  return table_number(<usize>load<u32>(cursor, RUN_CURSOR_TABLES), number)
}

function release(cursor: usize, field: usize): void {
  const block = <usize>load<u32>(cursor + field)
  if (block == 0) return
  cache_unpin(<usize>load<u32>(cursor, RUN_CURSOR_CACHE), block)
  store<u32>(cursor + field, 0)
}

/**
 * The block of `record`, pinned in the cache; 0 where it is not there or cannot be pinned. What was pinned before goes.
 * A fresh one was put there for this scan: that is no use of it, or every scan would look like a second one.
 */
function pin_block(cursor: usize, table: usize, field: usize, record: usize, isFresh: bool): usize {
  release(cursor, field)
  const cache = <usize>load<u32>(cursor, RUN_CURSOR_CACHE)
  if (cache == 0) return 0
  const owner = load<u32>(table, TABLE_OWNER)
  const offset = load<u64>(record, INDEX_RECORD_OFFSET)
  const block = isFresh ? cache_peek(cache, owner, offset) : cache_find(cache, owner, offset)
  if (block == 0 || !cache_pin(cache, block)) return 0
  store<u32>(cursor + field, <u32>block)
  return block
}

/**
 * The number of the table that a seek starts in: forward the first that reaches the place, in reverse the last that
 * begins before it.
 */
function first_table(cursor: usize, key: usize, keyLength: i32, behind: bool): i32 {
  const count = load<i32>(cursor, RUN_CURSOR_TABLE_COUNT)
  const reverse = is_reverse(cursor)
  if (key == 0) return reverse ? count - 1 : 0
  const tables = <usize>load<u32>(cursor, RUN_CURSOR_TABLES)
  const edge = reverse ? TABLE_KEY_MIN : TABLE_KEY_MAX
  const edgeLength = reverse ? TABLE_KEY_MIN_LENGTH : TABLE_KEY_MAX_LENGTH
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >> 1
    const table = table_number(tables, middle)
    const order = compare_keys(<usize>load<u32>(table + edge), load<i32>(table + edgeLength), key, keyLength)
    if (order < 0 || (order == 0 && behind)) low = middle + 1
    else high = middle
  }
  return reverse ? low - 1 : low
}

/** True where every key of the table lies behind the end of the walk. */
function is_behind_end(cursor: usize, table: usize): bool {
  const end = <usize>load<u32>(cursor, RUN_CURSOR_END)
  if (end == 0) return false
  const endLength = load<i32>(cursor, RUN_CURSOR_END_LENGTH)
  if (is_reverse(cursor)) {
    return compare_keys(<usize>load<u32>(table, TABLE_KEY_MAX), load<i32>(table, TABLE_KEY_MAX_LENGTH), end, endLength) < 0
  }
  return compare_keys(<usize>load<u32>(table, TABLE_KEY_MIN), load<i32>(table, TABLE_KEY_MIN_LENGTH), end, endLength) > 0
}

/** Forward: the bound in the table at hand, which starts at its restriction at the earliest. */
function raise_bound(cursor: usize, table: usize): void {
  const restriction = <usize>load<u32>(table, TABLE_RESTRICTION)
  if (restriction == 0 || is_reverse(cursor)) return
  const length = load<i32>(table, TABLE_RESTRICTION_LENGTH)
  const bound = <usize>load<u32>(cursor, RUN_CURSOR_BOUND)
  if (bound != 0 && compare_keys(bound, load<i32>(cursor, RUN_CURSOR_BOUND_LENGTH), restriction, length) >= 0) return
  store<u32>(cursor, <u32>restriction, RUN_CURSOR_BOUND)
  store<i32>(cursor, length, RUN_CURSOR_BOUND_LENGTH)
  store<u32>(cursor, 0, RUN_CURSOR_BEHIND)
}

// @ts-ignore: decorator
/** The bound as the search kernels take it: all versions of its key lie before the place, or behind it. */
@inline
function bound_seqno(cursor: usize): u64 {
  return load<u32>(cursor, RUN_CURSOR_BEHIND) != 0 ? 0 : u64.MAX_VALUE
}

/** The first index entry that may hold the bound; in reverse the last one that may. */
function search_bound(cursor: usize, index: usize): i32 {
  const count = load<i32>(index, INDEX_COUNT)
  const bound = <usize>load<u32>(cursor, RUN_CURSOR_BOUND)
  const reverse = is_reverse(cursor)
  if (bound == 0) return reverse ? count - 1 : 0
  const found = index_search(index, bound, load<i32>(cursor, RUN_CURSOR_BOUND_LENGTH), bound_seqno(cursor))
  return reverse && found == count ? count - 1 : found
}

// @ts-ignore: decorator
/** To the table behind the one at hand. The bound served its purpose. */
@inline
function next_table(cursor: usize): void {
  store<i32>(cursor, load<i32>(cursor, RUN_CURSOR_TABLE) + (is_reverse(cursor) ? -1 : 1), RUN_CURSOR_TABLE)
  go(cursor, STAGE_TABLE)
}

// @ts-ignore: decorator
/** False where the table's prefix filter says that no key has the prefix of this hash. */
@inline
function may_have_prefix(table: usize, hash: u64): bool {
  const filter = <usize>load<u32>(table, TABLE_PREFIX_FILTER)
  return filter == 0 || ribbon_contains(filter, hash)
}

/**
 * True for a table in which nothing is to be seen: it has no entries, none with the prefix, or range tombstones hide all of
 * them.
 */
function is_hidden(cursor: usize, table: usize): bool {
  if ((load<u32>(table, TABLE_FLAGS) & TABLE_NO_ENTRIES) != 0) return true
  const prefix = <usize>load<u32>(cursor, RUN_CURSOR_PREFIX)
  if (prefix != 0 && !may_have_prefix(table, load<u64>(prefix))) {
    count_for(<usize>load<u32>(cursor, RUN_CURSOR_COUNTERS), COUNTERS_PREFIX_SKIPS)
    return true
  }
  const ranges = <usize>load<u32>(cursor, RUN_CURSOR_RANGES)
  return ranges != 0 && table_is_covered(ranges, table, cursor + RUN_CURSOR_GAP, load<u64>(cursor, RUN_CURSOR_SEQNO))
}

/** STAGE_TABLE: places the table's index on the block to start with; false where the walk is over. */
function open_table(cursor: usize): bool {
  const table = table_of(cursor)
  if (table == 0 || is_behind_end(cursor, table)) return false
  if (is_hidden(cursor, table)) {
    next_table(cursor)
    return true
  }
  store<u32>(cursor, 0, RUN_CURSOR_RESTRICTED)
  raise_bound(cursor, table)
  const top = <usize>load<u32>(table, TABLE_INDEX)
  const number = search_bound(cursor, top)
  if (number < 0 || number >= load<i32>(top, INDEX_COUNT)) {
    next_table(cursor)
  } else if ((load<u32>(table, TABLE_FLAGS) & TABLE_TWO_LEVEL) != 0) {
    store<i32>(cursor, number, RUN_CURSOR_TOP_NUMBER)
    go(cursor, STAGE_PARTITION_SEEK)
  } else {
    store<u32>(cursor, <u32>top, RUN_CURSOR_INDEX)
    store<i32>(cursor, number, RUN_CURSOR_INDEX_NUMBER)
    go(cursor, STAGE_BLOCK_SEEK)
  }
  return true
}

/** To the block behind the one at hand, in this table or the next. */
function next_block(cursor: usize): void {
  const table = table_of(cursor)
  const step = is_reverse(cursor) ? -1 : 1
  const isLast = load<u32>(cursor, RUN_CURSOR_RESTRICTED) != 0
  const number = load<i32>(cursor, RUN_CURSOR_INDEX_NUMBER) + step
  if (!isLast && number >= 0 && number < load<i32>(<usize>load<u32>(cursor, RUN_CURSOR_INDEX), INDEX_COUNT)) {
    store<i32>(cursor, number, RUN_CURSOR_INDEX_NUMBER)
    go(cursor, STAGE_BLOCK_STEP)
    return
  }
  if (!isLast && (load<u32>(table, TABLE_FLAGS) & TABLE_TWO_LEVEL) != 0) {
    const top = load<i32>(cursor, RUN_CURSOR_TOP_NUMBER) + step
    if (top >= 0 && top < load<i32>(<usize>load<u32>(table, TABLE_INDEX), INDEX_COUNT)) {
      store<i32>(cursor, top, RUN_CURSOR_TOP_NUMBER)
      go(cursor, STAGE_PARTITION_STEP)
      return
    }
  }
  next_table(cursor)
}

/** An index partition is here: on to the block to start with. */
function enter_partition(cursor: usize, index: usize): void {
  const count = load<i32>(index, INDEX_COUNT)
  const seeks = load<u32>(cursor, RUN_CURSOR_STAGE) == STAGE_PARTITION_SEEK
  const near = is_reverse(cursor) ? count - 1 : 0
  const number = seeks ? search_bound(cursor, index) : near
  store<u32>(cursor, <u32>index, RUN_CURSOR_INDEX)
  store<i32>(cursor, number, RUN_CURSOR_INDEX_NUMBER)
  // The top level promised an end key at or above the bound; a partition that has none is passed over.
  if (number < 0 || number >= count) next_block(cursor)
  else go(cursor, seeks ? STAGE_BLOCK_SEEK : STAGE_BLOCK_STEP)
}

/**
 * True in reverse where the block or partition of `record` ends below the table's restriction: it may not be there any
 * more, and nothing before it is.
 */
function is_consumed(cursor: usize, table: usize, index: usize, record: usize): bool {
  const restriction = <usize>load<u32>(table, TABLE_RESTRICTION)
  if (restriction == 0 || !is_reverse(cursor)) return false
  const key = index + <usize>load<u32>(record, INDEX_RECORD_KEY)
  const keyLength = load<i32>(record, INDEX_RECORD_KEY_LENGTH)
  return compare_keys(key, keyLength, restriction, load<i32>(table, TABLE_RESTRICTION_LENGTH)) < 0
}

/** A seek fetches no more than this of its first block at once: what larger rows wait for, copying them costs as well. */
const TOUCHED_BYTES_MAX: usize = 2048

/**
 * A seek has found its first entry, number `entry` of `block`: the rows that are likely to be taken from there are fetched
 * together, and, where the block has fewer, the head of the next one.
 */
function touch_rows(cursor: usize, table: usize, block: usize, entry: i32): void {
  const rows = load<i32>(cursor, RUN_CURSOR_ROWS)
  if (rows <= 1) return
  const reverse = is_reverse(cursor)
  const count = load<i32>(block, RESIDENT_COUNT)
  const last = reverse ? entry - rows + 1 : entry + rows - 1
  const high = reverse ? entry : last
  const from = resident_entry(block, max(0, reverse ? last : entry))
  const end = high < count - 1 ? resident_entry(block, high + 1) : block + load<u32>(block, RESIDENT_BYTES)
  const to = min(end, from + TOUCHED_BYTES_MAX)
  for (let at = from; at < to; at += 64) touch(at)
  if (last >= 0 && last < count) return
  const index = <usize>load<u32>(cursor, RUN_CURSOR_INDEX)
  const next = load<i32>(cursor, RUN_CURSOR_INDEX_NUMBER) + (reverse ? -1 : 1)
  if (next < 0 || next >= load<i32>(index, INDEX_COUNT)) return
  const record = index_record(index, next)
  const cache = <usize>load<u32>(cursor, RUN_CURSOR_CACHE)
  if (cache == 0) return
  if (load<u32>(record, INDEX_RECORD_SEEN) != 0) touch_seen(record)
  else touch_block(cache, load<u32>(table, TABLE_OWNER), load<u64>(record, INDEX_RECORD_OFFSET))
}

/** A data block is here: places the source in it; false where it holds nothing in bounds. */
function enter_block(cursor: usize, source: usize, table: usize, block: usize): bool {
  const count = load<i32>(block, RESIDENT_COUNT)
  const reverse = is_reverse(cursor)
  const bound = <usize>load<u32>(cursor, RUN_CURSOR_BOUND)
  const seeks = load<u32>(cursor, RUN_CURSOR_STAGE) == STAGE_BLOCK_SEEK
  let entry = reverse ? count - 1 : 0
  if (bound != 0 && count > 0 && seeks) {
    entry = resident_search(block, bound, load<i32>(cursor, RUN_CURSOR_BOUND_LENGTH), bound_seqno(cursor))
    if (reverse) entry--
  }
  // From the first block on everything in the direction of the walk is in bounds.
  store<u32>(cursor, 0, RUN_CURSOR_BOUND)
  let first = 0
  const restriction = <usize>load<u32>(table, TABLE_RESTRICTION)
  if (reverse && restriction != 0 && count > 0) {
    first = resident_search(block, restriction, load<i32>(table, TABLE_RESTRICTION_LENGTH), u64.MAX_VALUE)
    if (first > 0) store<u32>(cursor, 1, RUN_CURSOR_RESTRICTED)
  }
  if (entry < first || entry >= count) return false
  if (seeks) touch_rows(cursor, table, block, entry)
  store<u32>(source, SOURCE_TYPE_BLOCK, SOURCE_TYPE)
  store<u32>(source, <u32>block, SOURCE_BLOCK)
  store<i32>(source, entry, SOURCE_INDEX)
  store<i32>(source, first, SOURCE_FIRST)
  store<u64>(source, load<u64>(table, TABLE_GLOBAL_SEQNO), SOURCE_GLOBAL_SEQNO)
  store<u32>(source, SOURCE_GIVEN, SOURCE_STATE)
  return true
}

/**
 * Goes on until the source stands on an entry, has ended, or wants a block. `given` is the one it wanted, or 0;
 * `isFresh` tells that it was put into the cache a moment ago, which is no hit.
 */
function proceed(cursor: usize, source: usize, given: usize, isFresh: bool): void {
  const cache = <usize>load<u32>(cursor, RUN_CURSOR_CACHE)
  let fresh = isFresh
  let block = given
  while (true) {
    const stage = load<u32>(cursor, RUN_CURSOR_STAGE)
    if (stage == STAGE_TABLE) {
      if (open_table(cursor)) continue
      release(cursor, RUN_CURSOR_PINNED_BLOCK)
      release(cursor, RUN_CURSOR_PINNED_INDEX)
      store<u32>(source, SOURCE_ENDED, SOURCE_STATE)
      return
    }
    const table = table_of(cursor)
    const isPartition = stage == STAGE_PARTITION_SEEK || stage == STAGE_PARTITION_STEP
    const index = <usize>load<u32>(isPartition ? table + TABLE_INDEX : cursor + RUN_CURSOR_INDEX)
    const record = index_record(index, load<i32>(cursor + (isPartition ? RUN_CURSOR_TOP_NUMBER : RUN_CURSOR_INDEX_NUMBER)))
    if (block == 0 && is_consumed(cursor, table, index, record)) {
      next_table(cursor)
      continue
    }
    if (block == 0) {
      const field = isPartition ? RUN_CURSOR_PINNED_INDEX : RUN_CURSOR_PINNED_BLOCK
      // An index that lies in the cache itself is never changed.
      const stays = cache != 0 && !isPartition && index == <usize>load<u32>(table, TABLE_INDEX)
      if (stays) touch_seen(record)
      block = pin_block(cursor, table, field, record, fresh)
      if (stays && block != 0) note_seen(cache, record, block)
      if (block != 0 && !fresh) {
        store<u64>(cache, load<u64>(cache, VIEW_HITS) + 1, VIEW_HITS)
        const counters = <usize>load<u32>(cursor, RUN_CURSOR_COUNTERS)
        count_for(counters, COUNTERS_CACHED + (isPartition ? WANTED_INDEX << 3 : WANTED_DATA))
      }
      fresh = false
    }
    if (block == 0 && !isPartition) {
      const window = <usize>load<u32>(cursor, RUN_CURSOR_WINDOW)
      if (window != 0) {
        const number = load<i32>(cursor, RUN_CURSOR_TABLE)
        // All of the block is in bounds: rows need not be searched.
        const isWhole = stage == STAGE_BLOCK_STEP && !is_reverse(cursor)
        if (isWhole && window_rows(window, number, record, source, load<u64>(table, TABLE_GLOBAL_SEQNO))) return
        block = window_block(window, number, record)
      }
    }
    if (block == 0) {
      store<u32>(cursor, isPartition ? WANTED_INDEX : WANTED_DATA, RUN_CURSOR_WANTED_KIND)
      store<u64>(cursor, load<u64>(record, INDEX_RECORD_OFFSET), RUN_CURSOR_WANTED_OFFSET)
      store<u32>(cursor, load<u32>(record, INDEX_RECORD_SIZE), RUN_CURSOR_WANTED_SIZE)
      store<u32>(source, SOURCE_WANTS_BLOCK, SOURCE_STATE)
      return
    }
    if (isPartition) enter_partition(cursor, block)
    else if (enter_block(cursor, source, table, block)) return
    else next_block(cursor)
    block = 0
  }
}

/**
 * Places `source` on the first entry at or behind a place, or in reverse on the last one before it: the place is right
 * before the versions of `key`, or right behind them where `behind` is 1; with key 0 it is the near end. The key stays
 * where it is until the source stands. RUN_CURSOR_TABLES, _REVERSE, _CACHE, _END are the caller's; a cursor in use may be
 * placed again.
 */
export function run_cursor_seek(cursor: usize, source: usize, key: usize, keyLength: i32, behind: i32): void {
  store<u32>(source, SOURCE_TYPE_BLOCK, SOURCE_TYPE)
  store<u32>(cursor, <u32>key, RUN_CURSOR_BOUND)
  store<i32>(cursor, keyLength, RUN_CURSOR_BOUND_LENGTH)
  store<i32>(cursor, behind, RUN_CURSOR_BEHIND)
  store<i32>(cursor, first_table(cursor, key, keyLength, behind != 0), RUN_CURSOR_TABLE)
  go(cursor, STAGE_TABLE)
  proceed(cursor, source, 0, false)
}

/** The source's block is used up: gives it the next one, ends it, or leaves it wanting one. */
export function run_cursor_advance(cursor: usize, source: usize): void {
  next_block(cursor)
  proceed(cursor, source, 0, false)
}

/**
 * The wanted block lies at `block` and stays there as long as the source reads it; 0: it is in the cache now. Goes on
 * until the next event of the source, which may be that it wants that block still: where it could not be pinned.
 */
export function run_cursor_give(cursor: usize, source: usize, block: usize): void {
  proceed(cursor, source, block, block == 0)
}

/** Lets go of what is pinned: the cursor ends. */
export function run_cursor_release(cursor: usize): void {
  release(cursor, RUN_CURSOR_PINNED_BLOCK)
  release(cursor, RUN_CURSOR_PINNED_INDEX)
}
