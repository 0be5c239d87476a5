/**
 * A set of range tombstones that answers which one covers a key: the highest seqno below a given one, in logarithmic
 * time and n log n space, however the ranges overlap. Immutable once built; any thread.
 *
 *   header | heads u64 x m | keys {address u32, length u32} x m | covers u64 x m | starts u32 x (2m + 2) |
 *   lists u64 x ... | records u32 x n
 *
 * The m distinct bounds cut the keys into intervals, one from each bound to the next. Over the intervals stands a segment
 * tree in an array: node 1 is the root, node m + i the interval of bound i, node p the parent of 2p and 2p + 1. A range
 * tombstone is in the lists of the few nodes that make up its range; a list's seqnos descend. `covers` has for each
 * interval the highest seqno of all, plus 1: the answer for whoever reads the latest.
 *
 * Records are entries as in a memtable (layout-ranges.ts); the set points into them, so they stay as long as it does.
 *
 * I1: whatever covers interval i is in a list of node m + i or of one above it.
 */

import {
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_SEQNO,
  ENTRY_VALUE_LENGTH,
} from '../layout'
import {
  RANGE_SET_BOUNDS,
  RANGE_SET_BYTES,
  RANGE_SET_COUNT,
  RANGE_SET_HEADS,
  RANGE_SET_PREFIX,
  RANGE_SET_SEQNO_MAX,
  RANGE_SET_SEQNO_MIN,
} from '../layout-ranges'
import { common_prefix } from './bytes'
import { compare_keys, order_head64, order_prefix } from './key-order'

/** What is sorted while a set is built: {u64, u32, u32}. */
const ITEM_BYTES: usize = 16

// --------------------------------------------------------------------------------------- records

@inline export function record_seqno(record: usize): u64 {
  return load<u64>(record, ENTRY_SEQNO)
}

@inline export function record_start(record: usize): usize {
  return record + ENTRY_KEY
}

@inline export function record_start_length(record: usize): i32 {
  return load<u16>(record, ENTRY_KEY_LENGTH)
}

@inline export function record_end(record: usize): usize {
  return record + ENTRY_KEY + record_start_length(record)
}

@inline export function record_end_length(record: usize): i32 {
  return load<i32>(record, ENTRY_VALUE_LENGTH)
}

// ------------------------------------------------------------------------------------ parts of a set

@inline function set_bounds(set: usize): i32 {
  return load<i32>(set, RANGE_SET_BOUNDS)
}

@inline function set_keys(set: usize): usize {
  return set + RANGE_SET_HEADS + (<usize>set_bounds(set) << 3)
}

@inline function set_covers(set: usize): usize {
  return set + RANGE_SET_HEADS + (<usize>set_bounds(set) << 4)
}

@inline function set_starts(set: usize): usize {
  return set_covers(set) + (<usize>set_bounds(set) << 3)
}

@inline function set_lists(set: usize): usize {
  return set_starts(set) + (<usize>(2 * set_bounds(set) + 2) << 2)
}

@inline export function set_records(set: usize): usize {
  const lists = set_lists(set)
  return lists + (<usize>load<u32>(set_starts(set) + (<usize>(2 * set_bounds(set)) << 2)) << 3)
}

/** The key of bound number `index`, and its length. */
@inline export function set_key(set: usize, index: i32): usize {
  return <usize>load<u32>(set_keys(set) + (<usize>index << 3))
}

@inline export function set_key_length(set: usize, index: i32): i32 {
  return load<i32>(set_keys(set) + (<usize>index << 3), 4)
}

/** How many bounds a set has. */
@inline export function set_bound_count(set: usize): i32 {
  return set_bounds(set)
}

// ------------------------------------------------------------------------------------------ searching

/** The number of the last bound at or below the key; -1 where it lies before all of them. */
export function range_set_floor(set: usize, key: usize, keyLength: i32): i32 {
  const count = set_bounds(set)
  const prefix = load<i32>(set, RANGE_SET_PREFIX)
  if (prefix > 0) {
    const first = set_key(set, 0)
    const shared = common_prefix(key, keyLength, first, prefix)
    if (shared < prefix) {
      if (shared == keyLength) return -1
      return load<u8>(key + <usize>shared) < load<u8>(first + <usize>shared) ? -1 : count - 1
    }
  }
  const head = order_head64(key + <usize>prefix, keyLength - prefix)
  const heads = set + RANGE_SET_HEADS
  // The first head above the key's.
  let low = 0
  let remaining = count
  while (remaining > 0) {
    const half = remaining >> 1
    const isAtOrBelow = load<u64>(heads + (<usize>(low + half) << 3)) <= head
    low = isAtOrBelow ? low + half + 1 : low
    remaining = isAtOrBelow ? remaining - half - 1 : half
  }
  // Among equal heads whole keys decide.
  let high = low
  let width = 1
  while (low > 0 && load<u64>(heads + (<usize>(low - 1) << 3)) == head) {
    low = max(low - width, 0)
    width <<= 1
  }
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare_keys(set_key(set, middle), set_key_length(set, middle), key, keyLength) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** `best`, or the seqno plus 1 of what covers interval `index` with a seqno below `seqno`, if that is higher. */
export function range_set_cover_at(set: usize, index: i32, seqno: u64, best: u64): u64 {
  if (index < 0) return best
  const cover = load<u64>(set_covers(set) + (<usize>index << 3))
  if (cover <= best || cover <= seqno) return max(cover, best)
  // What covers it latest is not visible yet: look at every list on the way up.
  const starts = set_starts(set)
  const lists = set_lists(set)
  for (let node = set_bounds(set) + index; node >= 1; node >>= 1) {
    let low = load<u32>(starts + (<usize>node << 2))
    let high = load<u32>(starts + (<usize>node << 2), 4)
    const end = high
    while (low < high) {
      const middle = (low + high) >> 1
      if (load<u64>(lists + (<usize>middle << 3)) >= seqno) low = middle + 1
      else high = middle
    }
    if (low < end) best = max(best, load<u64>(lists + (<usize>low << 3)) + 1)
  }
  return best
}

/** `best`, or the seqno plus 1 of what covers the key with a seqno below `seqno`, if that is higher. */
export function range_set_cover(set: usize, key: usize, keyLength: i32, seqno: u64, best: u64): u64 {
  if (load<u64>(set, RANGE_SET_SEQNO_MIN) >= seqno || load<u64>(set, RANGE_SET_SEQNO_MAX) < best) return best
  return range_set_cover_at(set, range_set_floor(set, key, keyLength), seqno, best)
}

// ------------------------------------------------------------------------------------------- building

/** More bytes than a set of `count` range tombstones can take. */
export function range_set_bytes_max(count: i32): i32 {
  const bounds = 2 * count
  // In the lists of two nodes a level at most.
  const depth = 33 - <i32>clz<u32>(bounds)
  const lists = <u64>count * <u64>(2 * depth) * 8
  const bytes = <u64>(RANGE_SET_HEADS + 16) + <u64>bounds * 32 + lists + <u64>count * 4 + 8
  return bytes > <u64>i32.MAX_VALUE ? i32.MAX_VALUE : <i32>bytes
}

/** Bytes of scratch that building a set takes. */
export function range_set_scratch_bytes(count: i32): i32 {
  return count > 0x100_0000 ? i32.MAX_VALUE : count * 96 + 64
}

/** Whether item `a` comes before item `b`: seqnos descend; heads ascend, whole keys decide between equal ones. */
@inline function comes_first(a: usize, b: usize, isSeqno: bool): bool {
  const first = load<u64>(a)
  const second = load<u64>(b)
  if (isSeqno) return first >= second
  if (first != second) return first < second
  return compare_keys(load<u32>(a, 8), load<i32>(a, 12), load<u32>(b, 8), load<i32>(b, 12)) <= 0
}

/** Merge sort, stable; `temporary` is as large as the items. */
function sort_items(items: usize, temporary: usize, count: i32, isSeqno: bool): void {
  let from = items
  let to = temporary
  for (let width = 1; width < count; width <<= 1) {
    for (let start = 0; start < count; start += width << 1) {
      const middle = min(start + width, count)
      const end = min(start + (width << 1), count)
      let left = from + <usize>start * ITEM_BYTES
      let right = from + <usize>middle * ITEM_BYTES
      const leftEnd = right
      const rightEnd = from + <usize>end * ITEM_BYTES
      let out = to + <usize>start * ITEM_BYTES
      while (left < leftEnd && right < rightEnd) {
        const takesLeft = comes_first(left, right, isSeqno)
        const taken = takesLeft ? left : right
        store<u64>(out, load<u64>(taken))
        store<u64>(out, load<u64>(taken, 8), 8)
        if (takesLeft) left += ITEM_BYTES
        else right += ITEM_BYTES
        out += ITEM_BYTES
      }
      memory.copy(out, left, leftEnd - left)
      memory.copy(out + (leftEnd - left), right, rightEnd - right)
    }
    const swapped = from
    from = to
    to = swapped
  }
  if (from != items) memory.copy(items, from, <usize>count * ITEM_BYTES)
}

/** The bytes that every start and end begins with. */
function shared_prefix(records: usize, count: i32): i32 {
  const first = <usize>load<u32>(records)
  const key = record_start(first)
  let shared = record_start_length(first)
  for (let i = 0; i < count && shared > 0; i++) {
    const record = <usize>load<u32>(records + (<usize>i << 2))
    shared = order_prefix(key, shared, record_start(record), record_start_length(record))
    shared = order_prefix(key, shared, record_end(record), record_end_length(record))
  }
  return shared
}

/** Writes the sorted bounds, each once. */
function write_bounds(set: usize, records: usize, count: i32, scratch: usize): void {
  const prefix = shared_prefix(records, count)
  store<i32>(set, prefix, RANGE_SET_PREFIX)
  for (let i = 0; i < count; i++) {
    const record = <usize>load<u32>(records + (<usize>i << 2))
    const item = scratch + <usize>(2 * i) * ITEM_BYTES
    const startLength = record_start_length(record)
    const endLength = record_end_length(record)
    store<u64>(item, order_head64(record_start(record) + <usize>prefix, startLength - prefix))
    store<u32>(item, <u32>record_start(record), 8)
    store<u32>(item, startLength, 12)
    store<u64>(item, order_head64(record_end(record) + <usize>prefix, endLength - prefix), ITEM_BYTES)
    store<u32>(item, <u32>record_end(record), ITEM_BYTES + 8)
    store<u32>(item, endLength, ITEM_BYTES + 12)
  }
  sort_items(scratch, scratch + <usize>(2 * count) * ITEM_BYTES, 2 * count, false)
  let bounds = 1
  for (let i = 1; i < 2 * count; i++) {
    const item = scratch + <usize>i * ITEM_BYTES
    const last = scratch + <usize>(bounds - 1) * ITEM_BYTES
    if (compare_keys(load<u32>(item, 8), load<i32>(item, 12), load<u32>(last, 8), load<i32>(last, 12)) == 0) continue
    memory.copy(last + ITEM_BYTES, item, ITEM_BYTES)
    bounds++
  }
  store<i32>(set, bounds, RANGE_SET_BOUNDS)
  const keys = set_keys(set)
  for (let i = 0; i < bounds; i++) {
    const item = scratch + <usize>i * ITEM_BYTES
    store<u64>(set + RANGE_SET_HEADS + (<usize>i << 3), load<u64>(item))
    store<u64>(keys + (<usize>i << 3), load<u64>(item, 8))
  }
}

/** Writes the records by descending seqno, into `sorted` as items. */
function sort_records(records: usize, count: i32, sorted: usize, temporary: usize): void {
  for (let i = 0; i < count; i++) {
    const record = <usize>load<u32>(records + (<usize>i << 2))
    const item = sorted + <usize>i * ITEM_BYTES
    store<u64>(item, record_seqno(record))
    store<u32>(item, <u32>record, 8)
  }
  sort_items(sorted, temporary, count, true)
}

/** Puts the range of an item's record, as the nodes of its first interval and of the one behind its last, in front of it. */
function place_item(set: usize, item: usize): void {
  const record = <usize>load<u32>(item, 8)
  const bounds = set_bounds(set)
  store<i32>(item, bounds + range_set_floor(set, record_start(record), record_start_length(record)))
  store<i32>(item, bounds + range_set_floor(set, record_end(record), record_end_length(record)), 4)
}

/**
 * Adds 1 to `counts` of each node that makes up a placed item's range, or puts `seqno` at the place that each of them has
 * reached.
 */
function visit_nodes(item: usize, counts: usize, lists: usize, seqno: u64): void {
  let left = load<i32>(item)
  let right = load<i32>(item, 4)
  while (left < right) {
    if ((left & 1) != 0) visit_node(counts + (<usize>(left++) << 2), lists, seqno)
    if ((right & 1) != 0) visit_node(counts + (<usize>(--right) << 2), lists, seqno)
    left >>= 1
    right >>= 1
  }
}

@inline function visit_node(count: usize, lists: usize, seqno: u64): void {
  const place = load<u32>(count)
  if (lists != 0) store<u64>(lists + (<usize>place << 3), seqno)
  store<u32>(count, place + 1)
}

/**
 * Builds a set of the `count` records whose addresses lie at `records`, 1 at least. RETURNS: its bytes.
 * REQUIRES: range_set_bytes_max bytes at `set`, range_set_scratch_bytes at `scratch`.
 */
export function range_set_build(set: usize, records: usize, count: i32, scratch: usize): i32 {
  store<i32>(set, count, RANGE_SET_COUNT)
  write_bounds(set, records, count, scratch)
  const bounds = set_bounds(set)
  const sorted = scratch
  sort_records(records, count, sorted, scratch + <usize>count * ITEM_BYTES)
  store<u64>(set, load<u64>(sorted), RANGE_SET_SEQNO_MAX)
  store<u64>(set, load<u64>(sorted + <usize>(count - 1) * ITEM_BYTES), RANGE_SET_SEQNO_MIN)
  // Counted first, then turned into where each node's list starts, then filled, newest first.
  const counts = scratch + <usize>count * ITEM_BYTES
  const nodes = 2 * bounds
  memory.fill(counts, 0, <usize>(nodes + 1) << 2)
  for (let i = 0; i < count; i++) {
    const item = sorted + <usize>i * ITEM_BYTES
    // Once: an order that contradicts itself must not fill other lists than were counted.
    place_item(set, item)
    visit_nodes(item, counts, 0, 0)
  }
  const starts = set_starts(set)
  let total: u32 = 0
  for (let node = 0; node <= nodes; node++) {
    const nodeCount = load<u32>(counts + (<usize>node << 2))
    store<u32>(starts + (<usize>node << 2), total)
    store<u32>(counts + (<usize>node << 2), total)
    total += nodeCount
  }
  store<u32>(starts + (<usize>(nodes + 1) << 2), total)
  const lists = set_lists(set)
  const ordered = set_records(set)
  for (let i = 0; i < count; i++) {
    const item = sorted + <usize>i * ITEM_BYTES
    const record = <usize>load<u32>(item, 8)
    visit_nodes(item, counts, lists, record_seqno(record))
    store<u32>(ordered + (<usize>i << 2), <u32>record)
  }
  write_covers(set)
  const bytes = <i32>(ordered - set) + (count << 2)
  store<i32>(set, bytes, RANGE_SET_BYTES)
  return bytes
}

function write_covers(set: usize): void {
  const bounds = set_bounds(set)
  const starts = set_starts(set)
  const lists = set_lists(set)
  for (let i = 0; i < bounds; i++) {
    let cover: u64 = 0
    for (let node = bounds + i; node >= 1; node >>= 1) {
      const start = load<u32>(starts + (<usize>node << 2))
      if (start == load<u32>(starts + (<usize>node << 2), 4)) continue
      cover = max(cover, load<u64>(lists + (<usize>start << 3)) + 1)
    }
    store<u64>(set_covers(set) + (<usize>i << 3), cover)
  }
}
