/**
 * A memtable's range tombstones: a chain of records in its arena, newest insertion first, and over most of it sets that
 * are searched (range-set.ts). One writer; any number of readers.
 *
 *     MEMTABLE_RANGE_NEWEST → record → record → … → record → record → … → 0
 *                             └ one by one ──┘      └ in the sets ─┘
 *     MEMTABLE_RANGE_LIST → {upto: that one, sets}
 *
 * Once the part that is looked at one by one has grown to RANGE_TAIL_MAX, it becomes a set, together with all sets that
 * are not larger than what it comes to: so a record is moved a logarithmic number of times, and there are that many sets.
 * What a set replaces stays in the arena, for readers that are still at it.
 *
 * I1: a record is whole before MEMTABLE_RANGE_NEWEST leads to it, a list before MEMTABLE_RANGE_LIST does; nothing of them
 *     changes afterwards.
 * I2: a reader loads the list first: the chain then leads to its record in any case.
 */

import { ENTRY_LINK, MEMTABLE_ARENA_TOP, MEMTABLE_NODE_BOTTOM } from '../layout'
import {
  KIND_RANGE_TOMBSTONE,
  MEMTABLE_RANGE_COUNT,
  MEMTABLE_RANGE_LIST,
  MEMTABLE_RANGE_NEWEST,
  RANGE_LIST_COUNT,
  RANGE_LIST_SETS,
  RANGE_LIST_UPTO,
  RANGE_SET_COUNT,
  RANGE_TAIL_MAX,
} from '../layout-ranges'
import { memtable_raise_top, memtable_take_entry } from './memtable'
import { range_set_build, range_set_bytes_max, range_set_scratch_bytes, set_records } from './range-set'

/**
 * The chain's newest record and the list, as a reader needs them: the list first (I2). The load pairs with the store in
 * `join_sets`.
 */
@inline export function ranges_list(base: usize): usize {
  return <usize>atomic.load<u32>(base, MEMTABLE_RANGE_LIST)
}

/** Pairs with the store in `memtable_commit_range`. */
@inline export function ranges_newest(base: usize): usize {
  return <usize>atomic.load<u32>(base, MEMTABLE_RANGE_NEWEST)
}

/** The record at which the chain need not be followed further. */
@inline export function list_upto(list: usize): usize {
  return list == 0 ? 0 : <usize>load<u32>(list, RANGE_LIST_UPTO)
}

@inline export function list_count(list: usize): i32 {
  return list == 0 ? 0 : load<i32>(list, RANGE_LIST_COUNT)
}

@inline export function list_set(list: usize, index: i32): usize {
  return <usize>load<u32>(list + RANGE_LIST_SETS + (<usize>index << 2))
}

@inline export function record_before(record: usize): usize {
  return <usize>load<u32>(record, ENTRY_LINK)
}

/** Publishes the range tombstone whose start and end were copied to the address that `memtable_reserve` gave. */
export function memtable_commit_range(
  base: usize, startLength: i32, endLength: i32, seqno: f64,
): void {
  const record = memtable_take_entry(base, startLength, endLength, KIND_RANGE_TOMBSTONE, <u64>seqno)
  store<u32>(record, load<u32>(base, MEMTABLE_RANGE_NEWEST), ENTRY_LINK)
  store<u32>(base, load<u32>(base, MEMTABLE_RANGE_COUNT) + 1, MEMTABLE_RANGE_COUNT)
  // Pairs with the load in `ranges_newest`.
  atomic.store<u32>(base, <u32>record, MEMTABLE_RANGE_NEWEST)
}

/** Makes a set of what is looked at one by one, if it is long enough, and if the memtable has room for it. */
export function memtable_settle_ranges(base: usize): void {
  const list = ranges_list(base)
  const upto = list_upto(list)
  const newest = ranges_newest(base)
  let tail = 0
  for (let record = newest; record != upto; record = record_before(record)) tail++
  if (tail < RANGE_TAIL_MAX) return
  // As many sets as are not larger than what they are joined to; fewer where there is no room for that.
  let kept = list_count(list)
  let count = tail
  while (kept > 0) {
    const size = load<i32>(list_set(list, kept - 1), RANGE_SET_COUNT)
    if (size > count || !has_room(base, count + size, kept)) break
    count += size
    kept--
  }
  if (has_room(base, count, kept + 1)) join_sets(base, list, kept, count)
}

/** Bytes of a list of `count` sets. */
@inline function list_bytes(count: i32): i32 {
  return RANGE_LIST_SETS + (count << 2)
}

/** An address rounded up to 8 bytes. */
@inline function aligned(address: usize): usize {
  return (address + 7) & ~7
}

function has_room(base: usize, count: i32, sets: i32): bool {
  const free = load<u32>(base, MEMTABLE_NODE_BOTTOM) - load<u32>(base, MEMTABLE_ARENA_TOP)
  const needed =
    <u64>range_set_bytes_max(count) + <u64>range_set_scratch_bytes(count) + <u64>(count << 2) + <u64>list_bytes(sets)
  return needed + 256 <= <u64>free
}

/** Builds one set of the tail and all sets from number `kept` on, and publishes the list with it. */
function join_sets(base: usize, list: usize, kept: i32, count: i32): void {
  const newest = ranges_newest(base)
  const upto = list_upto(list)
  const set = aligned(<usize>load<u32>(base, MEMTABLE_ARENA_TOP))
  const records = aligned(set + <usize>range_set_bytes_max(count))
  let at = records
  for (let record = newest; record != upto; record = record_before(record)) {
    store<u32>(at, <u32>record)
    at += 4
  }
  for (let i = kept; i < list_count(list); i++) {
    const joined = list_set(list, i)
    const bytes = <usize>load<u32>(joined, RANGE_SET_COUNT) << 2
    memory.copy(at, set_records(joined), bytes)
    at += bytes
  }
  const bytes = range_set_build(set, records, count, aligned(at))
  const fresh = aligned(set + <usize>bytes)
  store<i32>(fresh, kept + 1, RANGE_LIST_COUNT)
  store<u32>(fresh, <u32>newest, RANGE_LIST_UPTO)
  for (let i = 0; i < kept; i++) {
    store<u32>(fresh + RANGE_LIST_SETS + (<usize>i << 2), <u32>list_set(list, i))
  }
  store<u32>(fresh + RANGE_LIST_SETS + (<usize>kept << 2), <u32>set)
  memtable_raise_top(base, fresh + <usize>list_bytes(kept + 1))
  // Pairs with the load in `ranges_list`.
  atomic.store<u32>(base, <u32>fresh, MEMTABLE_RANGE_LIST)
}
