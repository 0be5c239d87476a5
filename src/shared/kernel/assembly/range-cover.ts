/**
 * Which range tombstone covers a key, asked of everything that a published read state names: memtables, and in each run
 * the one table that may hold the key. Lock-free, any thread.
 *
 * Covers are seqnos plus 1, so that 0 says that there is none.
 *
 * I1: a table is asked whatever its filter or its entries say, and whatever of its keys was given away: a range delete
 *     that a table once held was made.
 */

import {
  RUN_BYTES,
  RUN_HAS_RANGES,
  RUN_TABLES,
  RUN_TABLE_COUNT,
  STATE_HAS_RANGES,
  STATE_MEMTABLES,
  STATE_MEMTABLE_COUNT,
  STATE_RUNS,
  STATE_RUN_COUNT,
  TABLE_KEY_MAX,
  TABLE_KEY_MAX_LENGTH,
  TABLE_KEY_MIN,
  TABLE_KEY_MIN_LENGTH,
  TABLE_RANGES,
  TABLE_SEQNO_MAX,
} from '../layout'
import {
  RANGE_GAP_BYTES,
  RANGE_GAP_COVER,
  RANGE_GAP_HIGH,
  RANGE_GAP_HIGH_LENGTH,
  RANGE_GAP_IS_KNOWN,
  RANGE_GAP_LOW,
  RANGE_GAP_LOW_EXCLUSIVE,
  RANGE_GAP_LOW_LENGTH,
  RANGE_SET_SEQNO_MIN,
} from '../layout-ranges'
import { compare_keys } from './key-order'
import { list_count, list_set, list_upto, ranges_list, ranges_newest, record_before } from './memtable-ranges'
import {
  range_set_cover,
  range_set_cover_at,
  range_set_floor,
  record_end,
  record_end_length,
  record_seqno,
  record_start,
  record_start_length,
  set_bound_count,
  set_key,
  set_key_length,
} from './range-set'

/** Steps from gap to gap after which a table counts as not covered: a table is skipped only where that is cheap to see. */
const GAP_STEPS_MAX = 8

// @ts-ignore: decorator
@inline
function memtable_at(state: usize, index: i32): usize {
  return <usize>load<u32>(<usize>load<u32>(state, STATE_MEMTABLES) + (<usize>index << 2))
}

/** Whether a read of this state has to ask for range tombstones at all: 1 or 0. */
export function state_has_ranges(state: usize): i32 {
  if (load<u32>(state, STATE_HAS_RANGES) != 0) return 1
  const count = load<i32>(state, STATE_MEMTABLE_COUNT)
  for (let i = 0; i < count; i++) if (ranges_newest(memtable_at(state, i)) != 0) return 1
  return 0
}

/** The number of the first table of a run whose key range does not end before the key; the run's count for none. */
function table_at(run: usize, key: usize, keyLength: i32): i32 {
  const tables = <usize>load<u32>(run, RUN_TABLES)
  let low = 0
  let high = load<i32>(run, RUN_TABLE_COUNT)
  while (low < high) {
    const middle = (low + high) >> 1
    const table = <usize>load<u32>(tables + (<usize>middle << 2))
    const last = <usize>load<u32>(table, TABLE_KEY_MAX)
    if (compare_keys(last, load<i32>(table, TABLE_KEY_MAX_LENGTH), key, keyLength) < 0) low = middle + 1
    else high = middle
  }
  return low
}

// @ts-ignore: decorator
@inline
function run_table(run: usize, index: i32): usize {
  return <usize>load<u32>(<usize>load<u32>(run, RUN_TABLES) + (<usize>index << 2))
}

// @ts-ignore: decorator
/** Whether a table's key range begins at or before the key. */
@inline
function begins_by(table: usize, key: usize, keyLength: i32): bool {
  const first = <usize>load<u32>(table, TABLE_KEY_MIN)
  return compare_keys(first, load<i32>(table, TABLE_KEY_MIN_LENGTH), key, keyLength) <= 0
}

function memtable_cover(memtable: usize, key: usize, keyLength: i32, seqno: u64, best: u64): u64 {
  const list = ranges_list(memtable)
  let record = ranges_newest(memtable)
  if (record == 0) return best
  for (const upto = list_upto(list); record != upto && record != 0; record = record_before(record)) {
    const recordSeqno = record_seqno(record)
    if (recordSeqno >= seqno || recordSeqno < best) continue
    if (compare_keys(record_start(record), record_start_length(record), key, keyLength) > 0) continue
    if (compare_keys(key, keyLength, record_end(record), record_end_length(record)) >= 0) continue
    best = recordSeqno + 1
  }
  return list_cover(list, key, keyLength, seqno, best)
}

/** As {@link state_cover}, of the sets of a list; 0 for an empty one. */
export function list_cover(list: usize, key: usize, keyLength: i32, seqno: u64, best: u64): u64 {
  for (let i = list_count(list) - 1; i >= 0; i--) {
    best = range_set_cover(list_set(list, i), key, keyLength, seqno, best)
  }
  return best
}

/** `best`, or the seqno plus 1 of what covers the key with a seqno below `seqno`, if that is higher. */
export function state_cover(state: usize, key: usize, keyLength: i32, seqno: u64, best: u64): u64 {
  const count = load<i32>(state, STATE_MEMTABLE_COUNT)
  for (let i = 0; i < count; i++) best = memtable_cover(memtable_at(state, i), key, keyLength, seqno, best)
  if (load<u32>(state, STATE_HAS_RANGES) == 0) return best
  const runs = <usize>load<u32>(state, STATE_RUNS)
  const runCount = load<i32>(state, STATE_RUN_COUNT)
  for (let i = 0; i < runCount; i++) {
    const run = runs + <usize>i * RUN_BYTES
    if (load<u32>(run, RUN_HAS_RANGES) == 0) continue
    const index = table_at(run, key, keyLength)
    if (index == load<i32>(run, RUN_TABLE_COUNT)) continue
    const table = run_table(run, index)
    const set = <usize>load<u32>(table, TABLE_RANGES)
    if (set == 0 || !begins_by(table, key, keyLength)) continue
    best = range_set_cover(set, key, keyLength, seqno, best)
  }
  return best
}

/** As {@link state_cover}, for callers outside: the covering seqno, or -1. Seqnos are safe integers. */
export function state_cover_at(state: usize, key: usize, keyLength: i32, seqno: f64): f64 {
  return <f64>state_cover(state, key, keyLength, <u64>seqno, 0) - 1
}

// ----------------------------------------------------------------------------------------------- gaps

/** Raises the gap's lower bound. */
function raise_low(gap: usize, key: usize, keyLength: i32, isExclusive: u32): void {
  const low = <usize>load<u32>(gap, RANGE_GAP_LOW)
  if (low != 0) {
    const order = compare_keys(low, load<i32>(gap, RANGE_GAP_LOW_LENGTH), key, keyLength)
    if (order > 0 || (order == 0 && load<u32>(gap, RANGE_GAP_LOW_EXCLUSIVE) >= isExclusive)) return
  }
  store<u32>(gap, <u32>key, RANGE_GAP_LOW)
  store<i32>(gap, keyLength, RANGE_GAP_LOW_LENGTH)
  store<u32>(gap, isExclusive, RANGE_GAP_LOW_EXCLUSIVE)
}

/** Sinks the gap's upper bound. */
function sink_high(gap: usize, key: usize, keyLength: i32): void {
  const high = <usize>load<u32>(gap, RANGE_GAP_HIGH)
  if (high != 0 && compare_keys(high, load<i32>(gap, RANGE_GAP_HIGH_LENGTH), key, keyLength) <= 0) return
  store<u32>(gap, <u32>key, RANGE_GAP_HIGH)
  store<i32>(gap, keyLength, RANGE_GAP_HIGH_LENGTH)
}

// @ts-ignore: decorator
@inline
function note_cover(gap: usize, cover: u64): void {
  if (cover > load<u64>(gap, RANGE_GAP_COVER)) store<u64>(gap, cover, RANGE_GAP_COVER)
}

function set_gap(set: usize, gap: usize, key: usize, keyLength: i32, seqno: u64): void {
  if (load<u64>(set, RANGE_SET_SEQNO_MIN) >= seqno) return
  const index = range_set_floor(set, key, keyLength)
  if (index >= 0) raise_low(gap, set_key(set, index), set_key_length(set, index), 0)
  if (index + 1 < set_bound_count(set)) sink_high(gap, set_key(set, index + 1), set_key_length(set, index + 1))
  note_cover(gap, range_set_cover_at(set, index, seqno, load<u64>(gap, RANGE_GAP_COVER)))
}

function memtable_gap(memtable: usize, gap: usize, key: usize, keyLength: i32, seqno: u64): void {
  const list = ranges_list(memtable)
  let record = ranges_newest(memtable)
  if (record == 0) return
  for (const upto = list_upto(list); record != upto && record != 0; record = record_before(record)) {
    if (record_seqno(record) >= seqno) continue
    const start = record_start(record)
    const startLength = record_start_length(record)
    const end = record_end(record)
    const endLength = record_end_length(record)
    if (compare_keys(key, keyLength, start, startLength) < 0) {
      sink_high(gap, start, startLength)
    } else if (compare_keys(key, keyLength, end, endLength) < 0) {
      raise_low(gap, start, startLength, 0)
      sink_high(gap, end, endLength)
      note_cover(gap, record_seqno(record) + 1)
    } else {
      raise_low(gap, end, endLength, 0)
    }
  }
  for (let i = list_count(list) - 1; i >= 0; i--) set_gap(list_set(list, i), gap, key, keyLength, seqno)
}

function run_gap(run: usize, gap: usize, key: usize, keyLength: i32, seqno: u64): void {
  const count = load<i32>(run, RUN_TABLE_COUNT)
  const index = table_at(run, key, keyLength)
  let next = index
  if (index < count && begins_by(run_table(run, index), key, keyLength)) {
    const table = run_table(run, index)
    next = index + 1
    raise_low(gap, <usize>load<u32>(table, TABLE_KEY_MIN), load<i32>(table, TABLE_KEY_MIN_LENGTH), 0)
    const set = <usize>load<u32>(table, TABLE_RANGES)
    if (set != 0) set_gap(set, gap, key, keyLength, seqno)
  } else if (index > 0) {
    const before = run_table(run, index - 1)
    raise_low(gap, <usize>load<u32>(before, TABLE_KEY_MAX), load<i32>(before, TABLE_KEY_MAX_LENGTH), 1)
  }
  if (next < count) {
    const behind = run_table(run, next)
    sink_high(gap, <usize>load<u32>(behind, TABLE_KEY_MIN), load<i32>(behind, TABLE_KEY_MIN_LENGTH))
  }
}

/** Fills in the gap around a key, for reads below `seqno`. */
export function state_gap(state: usize, gap: usize, key: usize, keyLength: i32, seqno: u64): void {
  memory.fill(gap, 0, RANGE_GAP_BYTES)
  store<u32>(gap, 1, RANGE_GAP_IS_KNOWN)
  const count = load<i32>(state, STATE_MEMTABLE_COUNT)
  for (let i = 0; i < count; i++) memtable_gap(memtable_at(state, i), gap, key, keyLength, seqno)
  if (load<u32>(state, STATE_HAS_RANGES) == 0) return
  const runs = <usize>load<u32>(state, STATE_RUNS)
  const runCount = load<i32>(state, STATE_RUN_COUNT)
  for (let i = 0; i < runCount; i++) {
    const run = runs + <usize>i * RUN_BYTES
    if (load<u32>(run, RUN_HAS_RANGES) != 0) run_gap(run, gap, key, keyLength, seqno)
  }
}

/** As {@link state_gap}, for callers outside. */
export function state_gap_at(state: usize, gap: usize, key: usize, keyLength: i32, seqno: f64): void {
  state_gap(state, gap, key, keyLength, <u64>seqno)
}

// @ts-ignore: decorator
/**
 * What covers the key, by a gap that was filled in for a key at or before it (at or behind it in reverse), or for none.
 */
@inline
export function gap_cover(state: usize, gap: usize, key: usize, keyLength: i32, seqno: u64, reverse: bool): u64 {
  if (!is_in_gap(gap, key, keyLength, reverse)) state_gap(state, gap, key, keyLength, seqno)
  return load<u64>(gap, RANGE_GAP_COVER)
}

// @ts-ignore: decorator
@inline
function is_in_gap(gap: usize, key: usize, keyLength: i32, reverse: bool): bool {
  if (load<u32>(gap, RANGE_GAP_IS_KNOWN) == 0) return false
  if (reverse) {
    const low = <usize>load<u32>(gap, RANGE_GAP_LOW)
    if (low == 0) return true
    const order = compare_keys(key, keyLength, low, load<i32>(gap, RANGE_GAP_LOW_LENGTH))
    return order > 0 || (order == 0 && load<u32>(gap, RANGE_GAP_LOW_EXCLUSIVE) == 0)
  }
  const high = <usize>load<u32>(gap, RANGE_GAP_HIGH)
  return high == 0 || compare_keys(key, keyLength, high, load<i32>(gap, RANGE_GAP_HIGH_LENGTH)) < 0
}

/**
 * Whether every key of the table's range is covered by visible range tombstones that are newer than all of its entries;
 * false where that would be long to find out. `gap` is scratch of RANGE_GAP_BYTES.
 */
export function table_is_covered(state: usize, table: usize, gap: usize, seqno: u64): bool {
  const last = <usize>load<u32>(table, TABLE_KEY_MAX)
  const lastLength = load<i32>(table, TABLE_KEY_MAX_LENGTH)
  const newest = load<u64>(table, TABLE_SEQNO_MAX) + 1
  let key = <usize>load<u32>(table, TABLE_KEY_MIN)
  let keyLength = load<i32>(table, TABLE_KEY_MIN_LENGTH)
  for (let step = 0; step < GAP_STEPS_MAX; step++) {
    state_gap(state, gap, key, keyLength, seqno)
    if (load<u64>(gap, RANGE_GAP_COVER) <= newest) return false
    key = <usize>load<u32>(gap, RANGE_GAP_HIGH)
    keyLength = load<i32>(gap, RANGE_GAP_HIGH_LENGTH)
    if (key == 0 || compare_keys(last, lastLength, key, keyLength) < 0) return true
  }
  return false
}

/** As {@link table_is_covered}, for callers outside: 1 or 0. */
export function table_is_covered_at(state: usize, table: usize, gap: usize, seqno: f64): i32 {
  return table_is_covered(state, table, gap, <u64>seqno) ? 1 : 0
}
