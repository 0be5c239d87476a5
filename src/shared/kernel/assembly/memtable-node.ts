/**
 * The nodes of a memtable's B+tree: their bytes, searching one, building one. One writer, any
 * number of readers; a node that a split or a rebuild replaced stays as it is while other threads
 * may read, so a reader inside it loses nothing that was published before it came.
 *
 * Heads. A node compares keys by integers: `skip` leading bytes that all its keys share are left
 * out, the next few are kept inline, big-endian. Equal heads are settled by the whole keys. The
 * shared bytes follow from the fences where both exist (`reference` 0); at the tree's edges they
 * are those of the keys at hand, a `reference` entry has them, and a key is first checked against
 * it.
 *
 *   Leaf, 512 bytes                                  Inner node, 1024 bytes
 *   +-------------------------------+ 0              +-------------------------------+ 0
 *   | meta: sorted << 16 | total    |                | meta: slot count              |
 *   | skip, level 0                 |                | skip, level                   |
 *   | reference, lower, upper       |                | reference, lower, upper       |
 *   +-------------------------------+ 32             +-------------------------------+ 32
 *   | 60 slots, u64                 |                | order of even counts, u8[56]  |
 *   |  { head: high 32 bits         |                | order of odd counts, u8[56]   |
 *   |  | anchor: low 32 bits }      |                +-------------------------------+ 144
 *   |                               |                | 55 heads, u64                 |
 *   |   sorted base | unsorted tail |                +-------------------------------+ 584
 *   +-------------------------------+ 512            | 55 links {u32 separator,      |
 *                                                    |           u32 child}          |
 *                                                    +-------------------------------+ 1024
 *
 * A leaf only grows: a slot is written, then one store of `meta` publishes it. An inner node's
 * slots only grow too, and its order is kept twice: the writer prepares the array that belongs to
 * the next count, then publishes it by storing the count. A reader that finds the count unchanged
 * after it took its child has read one consistent state; else it looks again, which can only happen
 * once per insert of the writer.
 *
 * I1: a leaf's slots below `total` never change.
 * I2: the first slot in an inner node's order has no separator: its child takes all keys below the
 * second's.
 * I3: a node's keys lie in [lower, upper).
 * I4: when a child is split, its parent learns (separator, right) before it learns the left half.
 */

import {
  INNER_BYTES,
  INNER_HEADS,
  INNER_LINKS,
  INNER_ORDER_BYTES,
  INNER_ORDERS,
  INNER_SLOTS_MAX,
  LEAF_SLOTS,
  LEAF_SLOTS_MAX,
  NODE_HEADER_BYTES,
  NODE_LEVEL,
  NODE_LOWER,
  NODE_META,
  NODE_REFERENCE,
  NODE_SKIP,
  NODE_UPPER,
} from '../layout'
import {
  entry_compare,
  entry_compare_key,
  entry_key,
  entry_key_length,
  entry_shared_bytes,
  key_head,
} from './memtable-entry'
import { compare_bytes } from './bytes'

// ------------------------------------------------------------------------------------------ header

/**
 * The word that publishes a node's slots. Pairs with the stores in `leaf_append` and
 * `inner_insert`.
 */
@inline export function node_meta(node: usize): u32 {
  return atomic.load<u32>(node, NODE_META)
}

@inline export function node_level(node: usize): i32 {
  return load<u8>(node, NODE_LEVEL)
}

@inline export function node_skip(node: usize): i32 {
  return load<u16>(node, NODE_SKIP)
}

@inline export function node_lower(node: usize): usize {
  return load<u32>(node, NODE_LOWER)
}

/** Pairs with the store in `tree_split_leaf`, which cuts a full leaf's range without copying it. */
@inline export function node_upper(node: usize): usize {
  return atomic.load<u32>(node, NODE_UPPER)
}

/** Written before the node is published and never changed: pairs with whatever store leads to the node. */
@inline export function node_reference(node: usize): usize {
  return atomic.load<u32>(node, NODE_REFERENCE)
}

/** Writes the header of a node without slots. */
export function node_write(
  node: usize, level: i32, skip: i32, reference: usize, lower: usize, upper: usize,
): void {
  memory.fill(node, 0, NODE_HEADER_BYTES)
  store<u16>(node, <u16>skip, NODE_SKIP)
  store<u8>(node, <u8>level, NODE_LEVEL)
  store<u32>(node, skip == 0 ? 0 : <u32>reference, NODE_REFERENCE)
  store<u32>(node, <u32>lower, NODE_LOWER)
  store<u32>(node, <u32>upper, NODE_UPPER)
}

/**
 * 0 if the key has the bytes that the node skips, else on which side of all such keys it lies: -1
 * or 1.
 */
@inline export function node_side(node: usize, key: usize, length: i32): i32 {
  const reference = node_reference(node)
  return reference == 0 ? 0 : reference_side(node_skip(node), reference, key, length)
}

function reference_side(skip: i32, reference: usize, key: usize, length: i32): i32 {
  const order = compare_bytes(key, min(length, skip), entry_key(reference), skip)
  return order == 0 ? 0 : order < 0 ? -1 : 1
}

// -------------------------------------------------------------------------------------------- leaf

@inline export function leaf_total(meta: u32): i32 {
  return <i32>(meta & 0xffff)
}

@inline export function leaf_sorted(meta: u32): i32 {
  return <i32>(meta >> 16)
}

@inline export function slot_anchor(slot: u64): usize {
  return <usize>(<u32>slot)
}

@inline export function slot_at(slots: usize, index: i32): u64 {
  return load<u64>(slots + (<usize>index << 3))
}

@inline export function slot_put(slots: usize, index: i32, slot: u64): void {
  store<u64>(slots + (<usize>index << 3), slot)
}

/** An anchor's slot in a leaf that skips `skip` bytes. */
@inline export function slot_make(anchor: usize, skip: i32): u64 {
  const head = key_head(entry_key(anchor), entry_key_length(anchor), skip)
  return (head & 0xffff_ffff_0000_0000) | <u64>(<u32>anchor)
}

/** Whether slot `a` sorts before slot `b` of the same leaf. */
@inline export function slot_less(a: u64, b: u64): bool {
  if ((a ^ b) >> 32) return a < b
  return entry_compare(slot_anchor(a), slot_anchor(b)) < 0
}

/**
 * Appends an anchor's slot and publishes it; slots that come in key order extend the sorted base.
 * REQUIRES: the writer; room; a key with the bytes that the leaf skips.
 */
@inline export function leaf_append(leaf: usize, meta: u32, anchor: usize): void {
  const total = leaf_total(meta)
  let sorted = leaf_sorted(meta)
  const slots = leaf + LEAF_SLOTS
  const slot = slot_make(anchor, node_skip(leaf))
  slot_put(slots, total, slot)
  if (sorted == total && (total == 0 || slot_less(slot_at(slots, total - 1), slot))) sorted++
  // Publishes the entry: pairs with the load in `node_meta`.
  atomic.store<u32>(leaf, (<u32>sorted << 16) | <u32>(total + 1), NODE_META)
}

/**
 * Copies a leaf's slots, as of `meta`, in key order to `target`. The tail is sorted where it will
 * not be in the way (at its own indexes of the target); then base and tail are merged to the front,
 * which never overtakes the tail.
 */
export function leaf_sort(leaf: usize, meta: u32, target: usize): void {
  const slots = leaf + LEAF_SLOTS
  const total = leaf_total(meta)
  const sorted = leaf_sorted(meta)
  if (sorted == total) {
    memory.copy(target, slots, <usize>total << 3)
    return
  }
  if (CUSTOM_ORDER) {
    leaf_sort_custom(slots, sorted, total, target)
    return
  }
  for (let i = sorted; i < total; i++) {
    const slot = slot_at(slots, i)
    let j = i
    for (; j > sorted; j--) {
      const before = slot_at(target, j - 1)
      if (slot_less(before, slot)) break
      slot_put(target, j, before)
    }
    slot_put(target, j, slot)
  }
  let output = 0
  let i = 0
  let j = sorted
  while (i < sorted && j < total) {
    const fromBase = slot_at(slots, i)
    const fromTail = slot_at(target, j)
    const less = slot_less(fromBase, fromTail)
    slot_put(target, output++, less ? fromBase : fromTail)
    i += <i32>less
    j += <i32>!less
  }
  for (; i < sorted; i++) slot_put(target, output++, slot_at(slots, i))
}

/** The same with as few comparisons as can be, each of which may be a call out of WebAssembly. */
function leaf_sort_custom(slots: usize, sorted: i32, total: i32, target: usize): void {
  memory.copy(target, slots, <usize>sorted << 3)
  for (let i = sorted; i < total; i++) {
    const slot = slot_at(slots, i)
    let low = 0
    let high = i
    while (low < high) {
      const middle = (low + high) >> 1
      if (slot_less(slot_at(target, middle), slot)) low = middle + 1
      else high = middle
    }
    const place = target + (<usize>low << 3)
    memory.copy(place + 8, place, <usize>(i - low) << 3)
    store<u64>(place, slot)
  }
}

/** The first of `count` sorted slots whose key is not below the key. */
export function slots_lower_bound(
  slots: usize, count: i32, skip: i32, key: usize, length: i32,
): i32 {
  if (CUSTOM_ORDER) return slots_settle(slots, 0, count, key, length)
  const head = key_head(key, length, skip) & 0xffff_ffff_0000_0000
  let index = 0
  let size = count
  while (size > 1) {
    const half = size >> 1
    index += half & -(<i32>((slot_at(slots, index + half - 1) & 0xffff_ffff_0000_0000) < head))
    size -= half
  }
  if (size == 1) index += <i32>((slot_at(slots, index) & 0xffff_ffff_0000_0000) < head)
  let last = index
  while (last < count && (slot_at(slots, last) ^ head) >> 32 == 0) last++
  return slots_settle(slots, index, last, key, length)
}

/** The first of the slots [index, last) whose whole key is not below the key; `last` where there is none. */
@inline function slots_settle(
  slots: usize, index: i32, last: i32, key: usize, length: i32,
): i32 {
  while (index < last) {
    const middle = (index + last) >> 1
    if (entry_compare_key(slot_anchor(slot_at(slots, middle)), key, length) < 0) index = middle + 1
    else last = middle
  }
  return index
}

/**
 * Writes a leaf of the sorted slots [from, to) of `slots`, whose heads are made anew for its own
 * skip.
 * REQUIRES: at least one slot. `skipMax` bounds the skip where the fences do not give it.
 */
export function leaf_write(
  leaf: usize, slots: usize, from: i32, to: i32, lower: usize, upper: usize, skipMax: i32,
): void {
  const first = slot_anchor(slot_at(slots, from))
  const fenced = lower != 0 && upper != 0
  const skip = fenced
    ? entry_shared_bytes(lower, upper)
    : min(skipMax, entry_shared_bytes(first, slot_anchor(slot_at(slots, to - 1))))
  node_write(leaf, 0, skip, fenced ? 0 : first, lower, upper)
  const count = to - from
  for (let i = 0; i < count; i++) {
    slot_put(leaf + LEAF_SLOTS, i, slot_make(slot_anchor(slot_at(slots, from + i)), skip))
  }
  store<u32>(leaf, (<u32>count << 16) | <u32>count, NODE_META)
}

// ------------------------------------------------------------------------------------------- inner

/** The order array that belongs to a slot count. */
@inline export function inner_order(node: usize, count: i32): usize {
  return node + INNER_ORDERS + <usize>(count & 1) * INNER_ORDER_BYTES
}

@inline function order_at(order: usize, position: i32): usize {
  return load<u8>(order + position)
}

@inline function head_of(node: usize, slot: usize): u64 {
  return load<u64>(node + (slot << 3), INNER_HEADS)
}

@inline function separator_of(node: usize, slot: usize): usize {
  return load<u32>(node + (slot << 3), INNER_LINKS)
}

/** The separator at a position of the order; 0 at the first. */
@inline export function inner_separator(node: usize, count: i32, position: i32): usize {
  return separator_of(node, order_at(inner_order(node, count), position))
}

/** The child at a position of the order. Pairs with the store in `inner_set_child`. */
@inline export function inner_child(node: usize, count: i32, position: i32): usize {
  const slot = order_at(inner_order(node, count), position)
  return atomic.load<u32>(node + (slot << 3), INNER_LINKS + 4)
}

/**
 * Swaps in a new child; the subtree that it replaces stays whole for its readers. REQUIRES: the
 * writer.
 */
@inline export function inner_set_child(node: usize, position: i32, child: usize): void {
  const count = <i32>load<u32>(node, NODE_META)
  const slot = order_at(inner_order(node, count), position)
  // Publishes the child: pairs with the load in `inner_child`.
  atomic.store<u32>(node + (slot << 3), <u32>child, INNER_LINKS + 4)
}

/**
 * The position of the child whose range has the key: the last separator that is not above it, or,
 * if `below`, that is below it.
 */
@inline export function inner_position(
  node: usize, count: i32, key: usize, length: i32, below: bool,
): i32 {
  const side = node_side(node, key, length)
  if (side != 0) return side < 0 ? 0 : count - 1
  if (CUSTOM_ORDER) return settled_position(node, count, 1, count, key, length, below) - 1
  const order = inner_order(node, count)
  const head = key_head(key, length, node_skip(node))
  let position = 1
  let size = count - 1
  while (size > 1) {
    const half = size >> 1
    position += half & -(<i32>(head_of(node, order_at(order, position + half - 1)) < head))
    size -= half
  }
  if (size == 1) position += <i32>(head_of(node, order_at(order, position)) < head)
  if (position < count && head_of(node, order_at(order, position)) == head) {
    position = tied_position(node, count, position, key, length, below)
  }
  return position - 1
}

/**
 * Settles equal heads, from `position` on, by whole keys: the first position that lies behind the
 * key.
 */
function tied_position(
  node: usize, count: i32, position: i32, key: usize, length: i32, below: bool,
): i32 {
  const order = inner_order(node, count)
  const head = head_of(node, order_at(order, position))
  let last = position + 1
  while (last < count && head_of(node, order_at(order, last)) == head) last++
  return settled_position(node, count, position, last, key, length, below)
}

/** The same among the positions [position, last), whatever their heads. */
@inline function settled_position(
  node: usize, count: i32, position: i32, last: i32, key: usize, length: i32, below: bool,
): i32 {
  const order = inner_order(node, count)
  const goesRight = below ? 0 : 1
  while (position < last) {
    const middle = (position + last) >> 1
    const separator = separator_of(node, order_at(order, middle))
    if (entry_compare_key(separator, key, length) < goesRight) position = middle + 1
    else last = middle
  }
  return position
}

/** Zeroes a node-to-be: a reader between two states may look at any slot before it finds out. */
@inline export function inner_write(
  node: usize, level: i32, skip: i32, reference: usize, lower: usize, upper: usize, child: usize,
): void {
  memory.fill(node, 0, INNER_BYTES)
  node_write(node, level, skip, reference, lower, upper)
  store<u32>(node, <u32>child, INNER_LINKS + 4)
  store<u32>(node, 1, NODE_META)
}

/**
 * Writes the slot (separator, child) and the next count's order, with it behind `position`. Not yet
 * published.
 */
@inline function inner_prepare(
  node: usize, count: i32, position: i32, separator: usize, child: usize,
): void {
  const key = entry_key(separator)
  const at = node + (<usize>count << 3)
  store<u64>(at, key_head(key, entry_key_length(separator), node_skip(node)), INNER_HEADS)
  store<u32>(at, <u32>separator, INNER_LINKS)
  store<u32>(at, <u32>child, INNER_LINKS + 4)
  const order = inner_order(node, count)
  const next = inner_order(node, count + 1)
  const front = <usize>position + 1
  memory.copy(next, order, front)
  store<u8>(next + front, <u8>count)
  memory.copy(next + front + 1, order + front, <usize>count - front)
}

/**
 * Adds (separator, child) behind `position` and publishes it.
 * REQUIRES: the writer; room; a separator with the bytes that the node skips.
 */
export function inner_insert(node: usize, position: i32, separator: usize, child: usize): void {
  const count = <i32>load<u32>(node, NODE_META)
  inner_prepare(node, count, position, separator, child)
  // Publishes the slot and the order: pairs with the load in `node_meta`.
  atomic.store<u32>(node, <u32>(count + 1), NODE_META)
}

/**
 * Writes a node of the positions [from, to) of `source`; the first of them gives its child only.
 * Where the fences do not give the skip, its separators do, up to `skipMax`; without separators it
 * is the source's, which the lower fence has.
 */
export function inner_write_range(
  node: usize, source: usize, from: i32, to: i32, lower: usize, upper: usize, skipMax: i32,
): void {
  const count = <i32>load<u32>(source, NODE_META)
  let skip = 0
  let reference: usize = 0
  if (lower != 0 && upper != 0) {
    skip = entry_shared_bytes(lower, upper)
  } else if (to - from > 1) {
    reference = inner_separator(source, count, from + 1)
    skip = min(skipMax, entry_shared_bytes(reference, inner_separator(source, count, to - 1)))
  } else if (lower != 0) {
    reference = lower
    skip = min(skipMax, node_skip(source))
  }
  const child = inner_child(source, count, from)
  inner_write(node, node_level(source), skip, reference, lower, upper, child)
  for (let i = from + 1; i < to; i++) {
    const separator = inner_separator(source, count, i)
    inner_insert(node, i - from - 1, separator, inner_child(source, count, i))
  }
}

/** Whether a node has no room for another slot. */
@inline export function leaf_full(meta: u32): bool {
  return leaf_total(meta) == LEAF_SLOTS_MAX
}

@inline export function inner_full(node: usize): bool {
  return <i32>load<u32>(node, NODE_META) == INNER_SLOTS_MAX
}

/** Whether an inner node's newest separators are its highest: it is growing at its upper end. */
export function inner_ascending(node: usize): bool {
  const count = <i32>load<u32>(node, NODE_META)
  const order = inner_order(node, count)
  return order_at(order, count - 1) == count - 1 && order_at(order, count - 2) == count - 2
}
