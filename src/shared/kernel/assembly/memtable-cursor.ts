/**
 * A cursor over a memtable's entries, in internal order, both ways; any thread, in its caller's
 * memory.
 *
 * It holds the slots of one leaf, copied and sorted, and that leaf's fences. Behind its last slot
 * it looks up the upper fence from the root, before its first one the lower: no leaf links, nothing
 * to keep alive. Fences stay fences (memtable-tree.ts, I2), so between them nothing that was there
 * is left out and nothing comes twice, whatever the writer adds meanwhile. Versions of a key are
 * read from its chain.
 *
 *                  index -1        0       ...      count - 1       count
 *                  before the      slots of the leaf                behind the
 *                  first entry                                      last entry
 *
 * I1: with entry != 0, index is its key's slot; entry 0 is either end, with the leaf at that end.
 */

import {
  ENTRY_KEY,
  MEMTABLE_CURSOR_BASE,
  MEMTABLE_CURSOR_COUNT,
  MEMTABLE_CURSOR_ENTRY,
  MEMTABLE_CURSOR_INDEX,
  MEMTABLE_CURSOR_LOWER,
  MEMTABLE_CURSOR_SLOTS,
  MEMTABLE_CURSOR_TOUCHED,
  MEMTABLE_CURSOR_UPPER,
  MEMTABLE_CURSOR_VERSION_COUNT,
  MEMTABLE_CURSOR_VERSION_END,
  MEMTABLE_CURSOR_VERSIONS,
  MEMTABLE_CURSOR_VERSIONS_MAX,
  MEMTABLE_CURSOR_WALKED,
  MEMTABLE_KEY_COUNT,
} from '../layout'
import {
  anchor_newest,
  anchor_oldest,
  entry_compare_key,
  entry_has_key,
  entry_key,
  entry_key_length,
  entry_older,
  entry_value_length,
} from './memtable-entry'
import {
  leaf_sort,
  leaf_total,
  node_lower,
  node_meta,
  node_side,
  node_skip,
  node_upper,
  slot_anchor,
  slot_at,
  slots_lower_bound,
} from './memtable-node'
import { order_is_broken } from './key-order'
import { tree_find_leaf, tree_first_leaf, tree_last_leaf } from './memtable-tree'

const LINE_BYTES: usize = 64

/** What is touched of an entry: by then the processor has seen where the copy of its value leads. */
const REACH_MAX: u32 = 1024

/** What three lines are enough for, wherever an entry begins: at a multiple of eight. */
const REACH_COVERED: usize = 135

const SEEK_TRIES_MAX: i32 = 1000
const LEAF_KEYS_MIN: i32 = 15

@inline function cursor_base(cursor: usize): usize {
  return load<u32>(cursor, MEMTABLE_CURSOR_BASE)
}

@inline function cursor_index(cursor: usize): i32 {
  return load<i32>(cursor, MEMTABLE_CURSOR_INDEX)
}

@inline function cursor_count(cursor: usize): i32 {
  return load<i32>(cursor, MEMTABLE_CURSOR_COUNT)
}

@inline function cursor_anchor(cursor: usize, index: i32): usize {
  return slot_anchor(slot_at(cursor + MEMTABLE_CURSOR_SLOTS, index))
}

/** Puts the cursor on an entry, or, with 0, at an end. RETURNS: the entry. */
@inline function cursor_stand(cursor: usize, index: i32, entry: usize): usize {
  store<i32>(cursor, index, MEMTABLE_CURSOR_INDEX)
  store<u32>(cursor, <u32>entry, MEMTABLE_CURSOR_ENTRY)
  store<u32>(cursor, 0, MEMTABLE_CURSOR_VERSION_COUNT)
  return entry
}

/** Copies a leaf. */
function cursor_load(cursor: usize, leaf: usize): void {
  const meta = node_meta(leaf)
  leaf_sort(leaf, meta, cursor + MEMTABLE_CURSOR_SLOTS)
  store<i32>(cursor, leaf_total(meta), MEMTABLE_CURSOR_COUNT)
  store<u32>(cursor, <u32>node_lower(leaf), MEMTABLE_CURSOR_LOWER)
  store<u32>(cursor, <u32>node_upper(leaf), MEMTABLE_CURSOR_UPPER)
}

/** The first of the copied slots whose key is not below the key. */
function cursor_lower_bound(cursor: usize, leaf: usize, key: usize, length: i32): i32 {
  const side = node_side(leaf, key, length)
  const count = cursor_count(cursor)
  if (side != 0) return side < 0 ? 0 : count
  return slots_lower_bound(cursor + MEMTABLE_CURSOR_SLOTS, count, node_skip(leaf), key, length)
}

/** How far behind an entry's first byte its last one is; that of the one at hand tells it of those to come, more or less. */
@inline function cursor_reach(cursor: usize): usize {
  const entry = <usize>load<u32>(cursor, MEMTABLE_CURSOR_ENTRY)
  if (entry == 0) return REACH_COVERED
  const bytes = <u32>entry_key_length(entry) + <u32>entry_value_length(entry) + <u32>(ENTRY_KEY - 1)
  return max<usize>(min<u32>(bytes, REACH_MAX), REACH_COVERED)
}

/**
 * Touches the entries that a scan is about to read, each line of them: one that is left out is a miss that the scan waits
 * for, and costs it as much as all of these, which do not wait for each other.
 */
function cursor_touch(cursor: usize, reach: usize): void {
  const count = cursor_count(cursor)
  const end = (<usize>memory.size() << 16) - reach - 8
  let touched: u64 = 0
  for (let i = 0; i < count; i++) touched ^= touch(min(cursor_anchor(cursor, i), end), reach)
  for (let i = 0; i < count; i++) {
    const anchor = cursor_anchor(cursor, i)
    const newest = anchor_newest(anchor)
    if (newest != anchor) touched ^= touch(min(newest, end), reach)
  }
  store<u32>(cursor, <u32>touched, MEMTABLE_CURSOR_TOUCHED)
}

/** Loads something of each line from `entry` to `reach` bytes behind it; of the first ones in any case, which is faster. */
@inline function touch(entry: usize, reach: usize): u64 {
  let touched = load<u64>(entry) ^ load<u64>(entry, LINE_BYTES) ^ load<u64>(entry, 2 * LINE_BYTES)
  if (reach > REACH_COVERED) {
    for (let at = LINE_BYTES + 2 * LINE_BYTES; at < reach; at += LINE_BYTES) touched ^= load<u64>(entry + at)
    touched ^= load<u64>(entry + reach)
  }
  return touched
}

/** Readies a cursor over a memtable; it stands nowhere until a seek. */
export function memtable_cursor_init(cursor: usize, base: usize): void {
  store<u32>(cursor, <u32>base, MEMTABLE_CURSOR_BASE)
  store<u32>(cursor, 0, MEMTABLE_CURSOR_COUNT)
  store<u32>(cursor, 0, MEMTABLE_CURSOR_LOWER)
  store<u32>(cursor, 0, MEMTABLE_CURSOR_UPPER)
  cursor_stand(cursor, 0, 0)
}

/**
 * With a custom order: whether a seek that has found no place so often never will. A sound order takes two steps, and
 * one more for each split that the writer makes meanwhile.
 */
@inline function is_lost(tries: i32): bool {
  if (tries < SEEK_TRIES_MAX) return false
  order_is_broken()
  return true
}

/**
 * With a custom order: counts the leaves that the cursor has walked, forward less backward, and tells whether they are
 * more than there can be: then the walk goes in a circle. It takes 16 new keys, on average, to make one more leaf: a full
 * one splits in halves, or leaves the next key alone in a leaf and then splits in halves.
 */
@inline function is_circling(cursor: usize, step: i32): bool {
  const walked = load<i32>(cursor, MEMTABLE_CURSOR_WALKED) + step
  store<i32>(cursor, walked, MEMTABLE_CURSOR_WALKED)
  const leaves = load<i32>(cursor_base(cursor), MEMTABLE_KEY_COUNT) / LEAF_KEYS_MIN + 8
  if (walked <= leaves && -walked <= leaves) return false
  order_is_broken()
  return true
}

/** To the first entry whose key is not below the key: that key's newest version. */
export function memtable_cursor_seek(cursor: usize, key: usize, length: i32): usize {
  if (CUSTOM_ORDER) store<i32>(cursor, 0, MEMTABLE_CURSOR_WALKED)
  return cursor_seek(cursor, key, length)
}

function cursor_seek(cursor: usize, key: usize, length: i32): usize {
  let tries = 0
  while (true) {
    if (CUSTOM_ORDER && is_lost(tries++)) return cursor_stand(cursor, cursor_count(cursor), 0)
    const leaf = tree_find_leaf(cursor_base(cursor), key, length, false)
    cursor_load(cursor, leaf)
    const index = cursor_lower_bound(cursor, leaf, key, length)
    if (index < cursor_count(cursor)) {
      return cursor_stand(cursor, index, anchor_newest(cursor_anchor(cursor, index)))
    }
    const upper = <usize>load<u32>(cursor, MEMTABLE_CURSOR_UPPER)
    if (upper == 0) return cursor_stand(cursor, index, 0)
    // A fence at or below the key was cut after the leaf was found: look again.
    if (entry_compare_key(upper, key, length) > 0) {
      key = entry_key(upper)
      length = entry_key_length(upper)
    }
  }
}

/** To the last entry whose key is below the key: that key's oldest version. */
export function memtable_cursor_seek_before(cursor: usize, key: usize, length: i32): usize {
  if (CUSTOM_ORDER) store<i32>(cursor, 0, MEMTABLE_CURSOR_WALKED)
  return cursor_seek_before(cursor, key, length)
}

function cursor_seek_before(cursor: usize, key: usize, length: i32): usize {
  let tries = 0
  while (true) {
    if (CUSTOM_ORDER && is_lost(tries++)) return cursor_stand(cursor, -1, 0)
    const leaf = tree_find_leaf(cursor_base(cursor), key, length, true)
    cursor_load(cursor, leaf)
    const index = cursor_lower_bound(cursor, leaf, key, length) - 1
    if (index >= 0) {
      return cursor_stand(cursor, index, anchor_oldest(cursor_anchor(cursor, index)))
    }
    const lower = <usize>load<u32>(cursor, MEMTABLE_CURSOR_LOWER)
    if (lower == 0) return cursor_stand(cursor, -1, 0)
    key = entry_key(lower)
    length = entry_key_length(lower)
  }
}

/** To the first entry whose key is above the key: that key's newest version. */
export function memtable_cursor_seek_behind(cursor: usize, key: usize, length: i32): usize {
  const entry = memtable_cursor_seek(cursor, key, length)
  if (entry == 0 || !entry_has_key(entry, key, length)) return entry
  const index = cursor_index(cursor) + 1
  if (index == cursor_count(cursor)) return cursor_next_leaf(cursor)
  return cursor_stand(cursor, index, anchor_newest(cursor_anchor(cursor, index)))
}

/** To the last entry whose key is not above the key: that key's oldest version. */
export function memtable_cursor_seek_upto(cursor: usize, key: usize, length: i32): usize {
  const entry = memtable_cursor_seek(cursor, key, length)
  if (entry == 0 || !entry_has_key(entry, key, length)) {
    return memtable_cursor_seek_before(cursor, key, length)
  }
  const index = cursor_index(cursor)
  return cursor_stand(cursor, index, anchor_oldest(cursor_anchor(cursor, index)))
}

/** To the first entry. */
export function memtable_cursor_first(cursor: usize): usize {
  if (CUSTOM_ORDER) store<i32>(cursor, 0, MEMTABLE_CURSOR_WALKED)
  cursor_load(cursor, tree_first_leaf(cursor_base(cursor)))
  if (cursor_count(cursor) == 0) return cursor_stand(cursor, 0, 0)
  return cursor_stand(cursor, 0, anchor_newest(cursor_anchor(cursor, 0)))
}

/** To the last entry. */
export function memtable_cursor_last(cursor: usize): usize {
  if (CUSTOM_ORDER) store<i32>(cursor, 0, MEMTABLE_CURSOR_WALKED)
  cursor_load(cursor, tree_last_leaf(cursor_base(cursor)))
  const index = cursor_count(cursor) - 1
  return cursor_stand(cursor, index, index < 0 ? 0 : anchor_oldest(cursor_anchor(cursor, index)))
}

/** To the next entry; from before the first one to it; behind the last one it stays. */
export function memtable_cursor_next(cursor: usize): usize {
  const entry = <usize>load<u32>(cursor, MEMTABLE_CURSOR_ENTRY)
  let index = cursor_index(cursor)
  if (entry != 0) {
    const older = entry_older(entry)
    if (older != 0) return cursor_stand(cursor, index, older)
  } else if (index >= 0) {
    return 0
  }
  if (++index < cursor_count(cursor)) {
    return cursor_stand(cursor, index, anchor_newest(cursor_anchor(cursor, index)))
  }
  return cursor_next_leaf(cursor)
}

function cursor_next_leaf(cursor: usize): usize {
  const upper = <usize>load<u32>(cursor, MEMTABLE_CURSOR_UPPER)
  if (upper == 0 || (CUSTOM_ORDER && is_circling(cursor, 1))) {
    return cursor_stand(cursor, cursor_count(cursor), 0)
  }
  const reach = cursor_reach(cursor)
  const entry = cursor_seek(cursor, entry_key(upper), entry_key_length(upper))
  cursor_touch(cursor, reach)
  return entry
}

/** To the entry before; from behind the last one to it; before the first one it stays. */
export function memtable_cursor_prev(cursor: usize): usize {
  const entry = <usize>load<u32>(cursor, MEMTABLE_CURSOR_ENTRY)
  let index = cursor_index(cursor)
  if (entry != 0) {
    const newer = cursor_newer(cursor, entry)
    if (newer != 0) return newer
  } else if (index < 0) {
    return 0
  }
  if (--index >= 0) {
    return cursor_stand(cursor, index, anchor_oldest(cursor_anchor(cursor, index)))
  }
  return cursor_prev_leaf(cursor)
}

function cursor_prev_leaf(cursor: usize): usize {
  const lower = <usize>load<u32>(cursor, MEMTABLE_CURSOR_LOWER)
  if (lower == 0 || (CUSTOM_ORDER && is_circling(cursor, -1))) return cursor_stand(cursor, -1, 0)
  const reach = cursor_reach(cursor)
  const entry = cursor_seek_before(cursor, entry_key(lower), entry_key_length(lower))
  cursor_touch(cursor, reach)
  return entry
}

/** Steps to the next newer version of the current key, if there is one. RETURNS: it, or 0. */
@inline function cursor_newer(cursor: usize, entry: usize): usize {
  const newest = anchor_newest(cursor_anchor(cursor, cursor_index(cursor)))
  return newest == entry ? 0 : cursor_newer_from(cursor, newest, entry)
}

/**
 * Chains lead one way, from new to old: walk down from the newest once, keep the last steps in a
 * ring, and serve them from its end.
 */
function cursor_newer_from(cursor: usize, newest: usize, entry: usize): usize {
  const ring = cursor + MEMTABLE_CURSOR_VERSIONS
  const mask: u32 = MEMTABLE_CURSOR_VERSIONS_MAX - 1
  let count = load<u32>(cursor, MEMTABLE_CURSOR_VERSION_COUNT)
  let end = load<u32>(cursor, MEMTABLE_CURSOR_VERSION_END)
  if (count == 0) {
    end = 0
    for (let version = newest; version != entry; version = entry_older(version)) {
      store<u32>(ring + (<usize>(end++ & mask) << 2), <u32>version)
    }
    count = min(end, MEMTABLE_CURSOR_VERSIONS_MAX)
  }
  end--
  const newer = <usize>load<u32>(ring + (<usize>(end & mask) << 2))
  store<u32>(cursor, end, MEMTABLE_CURSOR_VERSION_END)
  store<u32>(cursor, count - 1, MEMTABLE_CURSOR_VERSION_COUNT)
  store<u32>(cursor, <u32>newer, MEMTABLE_CURSOR_ENTRY)
  return newer
}
