/**
 * A memtable's B+tree of anchors: finding the leaf of a key (any thread), adding an anchor (the
 * writer).
 *
 * Adding appends to one leaf. A full leaf is first split: one way down loosens and splits the inner
 * nodes that could not take the separator, so that every split finds room above it and nothing
 * recurses. A leaf whose slots came in key order and that the next key would extend keeps its
 * slots, and the key starts a leaf of its own: ascending input fills leaves and copies none.
 *
 * I1: nodes are taken from the free space, or from those that nobody leads to and nobody can be in: they are kept for that
 * only while MEMTABLE_REUSES_NODES says that this thread alone reads, between calls, where no cursor stands in a node
 * (memtable-cursor.ts: it has a copy of the slots). Any other node once published is never written but as memtable-node.ts
 * says.
 * I2: ranges only ever get cut, so a fence stays a fence: a scan may go on from the one that it
 * remembers.
 */

import {
  INNER_BYTES,
  LEAF_BYTES,
  LEAF_SLOTS,
  LEAF_SLOTS_MAX,
  MEMTABLE_HEIGHT,
  MEMTABLE_NODE_BOTTOM,
  MEMTABLE_REUSES_NODES,
  MEMTABLE_ROOT,
  MEMTABLE_SCRATCH,
  MEMTABLE_SPARE_INNERS,
  MEMTABLE_SPARE_LEAVES,
  NODE_UPPER,
} from '../layout'
import { order_is_broken } from './key-order'
import {
  entry_compare_key,
  entry_key,
  entry_key_length,
  entry_shared_bytes,
} from './memtable-entry'
import {
  inner_ascending,
  inner_child,
  inner_full,
  inner_insert,
  inner_position,
  inner_separator,
  inner_set_child,
  inner_write,
  inner_write_range,
  leaf_append,
  leaf_full,
  leaf_sort,
  leaf_sorted,
  leaf_total,
  leaf_write,
  node_level,
  node_lower,
  node_meta,
  node_reference,
  node_side,
  node_skip,
  node_upper,
  node_write,
  slot_anchor,
  slot_at,
  slot_make,
} from './memtable-node'

const SKIP_MAX: i32 = 65535

/** The root. Pairs with the stores in `tree_replace` and `tree_grow`. */
@inline function tree_root(base: usize): usize {
  return atomic.load<u32>(base, MEMTABLE_ROOT)
}

// ------------------------------------------------------------------------------------------- every
// thread

/** The leaf whose range has the key or, if `below`, the keys right below it. */
export function tree_find_leaf(base: usize, key: usize, length: i32, below: bool): usize {
  let node = tree_root(base)
  while (node_level(node) != 0) {
    const count = node_meta(node)
    const position = inner_position(node, count, key, length, below)
    const child = inner_child(node, count, position)
    // An unchanged count says that the order was read whole, and that the child is not the left
    // half of a split whose right half the order did not have yet (memtable-node.ts, I4).
    if (node_meta(node) == count) node = child
  }
  return node
}

/** The leaf of the lowest keys. */
export function tree_first_leaf(base: usize): usize {
  let node = tree_root(base)
  while (node_level(node) != 0) {
    const count = node_meta(node)
    const child = inner_child(node, count, 0)
    if (node_meta(node) == count) node = child
  }
  return node
}

/** The leaf of the highest keys. */
export function tree_last_leaf(base: usize): usize {
  let node = tree_root(base)
  while (node_level(node) != 0) {
    const count = node_meta(node)
    const child = inner_child(node, count, count - 1)
    if (node_meta(node) == count) node = child
  }
  return node
}

// --------------------------------------------------------------------------------------------- the
// writer

/** The most bytes of nodes that adding one anchor can take: see `tree_add`. */
@inline export function tree_worst_bytes(base: usize): i32 {
  const height = load<i32>(base, MEMTABLE_HEIGHT)
  // A leaf loosened, split in two, and a half loosened again; each inner node loosened twice and
  // split; a new root, loosened twice.
  return 4 * LEAF_BYTES + (4 * height + 3) * INNER_BYTES
}

/** A node of `bytes` bytes: the last one of the list at `spares`, or a fresh one. */
@inline function node_take(base: usize, bytes: i32, spares: usize): usize {
  const spare = load<u32>(base + spares)
  if (spare != 0) {
    store<u32>(base + spares, load<u32>(spare))
    return spare
  }
  const node = load<u32>(base, MEMTABLE_NODE_BOTTOM) - bytes
  store<u32>(base, node, MEMTABLE_NODE_BOTTOM)
  return node
}

function leaf_take(base: usize): usize {
  return node_take(base, LEAF_BYTES, MEMTABLE_SPARE_LEAVES)
}

function inner_take(base: usize): usize {
  return node_take(base, INNER_BYTES, MEMTABLE_SPARE_INNERS)
}

/** Keeps a node for later that nothing leads to any more. */
@inline function node_spare(base: usize, node: usize, spares: usize): void {
  if (load<u32>(base, MEMTABLE_REUSES_NODES) == 0) return
  store<u32>(node, load<u32>(base + spares))
  store<u32>(base + spares, <u32>node)
}

/** Makes an empty tree. */
export function tree_init(base: usize): void {
  const leaf = leaf_take(base)
  node_write(leaf, 0, 0, 0, 0, 0)
  store<u32>(base, 0, MEMTABLE_HEIGHT)
  // Pairs with `tree_root`, as every store of the root.
  atomic.store<u32>(base, <u32>leaf, MEMTABLE_ROOT)
}

/** Publishes `node` in the place of a child, or of the root where `parent` is 0. */
@inline function tree_replace(base: usize, parent: usize, position: i32, node: usize): void {
  if (parent == 0) atomic.store<u32>(base, <u32>node, MEMTABLE_ROOT) // pairs with `tree_root`
  else inner_set_child(parent, position, node)
}

/** Adds a new key's anchor. REQUIRES: the key is absent; `tree_worst_bytes` are free. */
export function tree_add(base: usize, anchor: usize): void {
  const key = entry_key(anchor)
  const length = entry_key_length(anchor)
  while (true) {
    let parent: usize = 0
    let position = 0
    let node = tree_root(base)
    while (node_level(node) != 0) {
      const count = node_meta(node)
      parent = node
      position = inner_position(node, count, key, length, false)
      node = inner_child(node, count, position)
    }
    if (node_side(node, key, length) != 0) {
      node = leaf_loosen(base, parent, position, node, anchor)
    }
    const meta = node_meta(node)
    if (!leaf_full(meta)) {
      leaf_append(node, meta, anchor)
      return
    }
    if (tree_split_leaf(base, node, anchor)) return
  }
}

/**
 * How many skipped bytes a node can keep once `anchor` comes in. REQUIRES: the node has a
 * reference.
 */
@inline function loosened_skip(node: usize, anchor: usize): i32 {
  return min(node_skip(node), entry_shared_bytes(node_reference(node), anchor))
}

/** Replaces a leaf by one that skips fewer bytes, so that it can take `anchor`. */
function leaf_loosen(
  base: usize, parent: usize, position: i32, leaf: usize, anchor: usize,
): usize {
  const meta = node_meta(leaf)
  const slots = base + MEMTABLE_SCRATCH
  leaf_sort(leaf, meta, slots)
  const loose = leaf_take(base)
  const skip = loosened_skip(leaf, anchor)
  leaf_write(loose, slots, 0, leaf_total(meta), node_lower(leaf), node_upper(leaf), skip)
  tree_replace(base, parent, position, loose)
  node_spare(base, leaf, MEMTABLE_SPARE_LEAVES)
  return loose
}

/** The same for an inner node that is to take the separator `anchor`. */
function inner_loosen(
  base: usize, parent: usize, position: i32, node: usize, anchor: usize,
): usize {
  const loose = inner_take(base)
  const skip = loosened_skip(node, anchor)
  const count = <i32>node_meta(node)
  inner_write_range(loose, node, 0, count, node_lower(node), node_upper(node), skip)
  tree_replace(base, parent, position, loose)
  node_spare(base, node, MEMTABLE_SPARE_INNERS)
  return loose
}

/**
 * Splits the full leaf that `anchor` belongs to. RETURNS: whether that also added the anchor.
 */
function tree_split_leaf(base: usize, leaf: usize, anchor: usize): bool {
  const meta = node_meta(leaf)
  const lower = node_lower(leaf)
  const upper = node_upper(leaf)
  const highest = slot_anchor(slot_at(leaf + LEAF_SLOTS, LEAF_SLOTS_MAX - 1))
  const ascending = leaf_sorted(meta) == LEAF_SLOTS_MAX
  if (ascending && entry_compare_key(highest, entry_key(anchor), entry_key_length(anchor)) < 0) {
    split_behind(base, leaf, upper, anchor)
    return true
  }
  const slots = base + MEMTABLE_SCRATCH
  leaf_sort(leaf, meta, slots)
  const middle = LEAF_SLOTS_MAX >> 1
  const separator = slot_anchor(slot_at(slots, middle))
  const left = leaf_take(base)
  const right = leaf_take(base)
  leaf_write(left, slots, 0, middle, lower, separator, SKIP_MAX)
  leaf_write(right, slots, middle, LEAF_SLOTS_MAX, separator, upper, SKIP_MAX)
  const isLinked = tree_add_separator(base, leaf, separator, left, right)
  if (isLinked) node_spare(base, leaf, MEMTABLE_SPARE_LEAVES)
  // A custom order might lead to another full leaf the next time; one of the halves has room for certain.
  if (!CUSTOM_ORDER) return false
  const isRight = entry_compare_key(separator, entry_key(anchor), entry_key_length(anchor)) <= 0
  const half = isRight ? right : left
  leaf_append(half, node_meta(half), anchor)
  return true
}

/**
 * Lets `anchor` start a leaf of its own behind a full one, whose range is cut and whose slots stay.
 */
function split_behind(base: usize, leaf: usize, upper: usize, anchor: usize): void {
  const right = leaf_take(base)
  // Without an upper fence, keys to come are taken to share what this one shares with the full
  // leaf's lowest.
  const lowest = slot_anchor(slot_at(leaf + LEAF_SLOTS, 0))
  const skip = entry_shared_bytes(upper == 0 ? lowest : upper, anchor)
  node_write(right, 0, skip, upper == 0 ? anchor : 0, anchor, upper)
  leaf_append(right, 0, anchor)
  tree_add_separator(base, leaf, anchor, leaf, right)
  // Only now: a reader that meets the new fence goes on from there, and must find the right leaf.
  // The reference stays: a reader that came for a key behind the new fence may still be here. Pairs
  // with the load in `node_upper`.
  atomic.store<u32>(leaf, <u32>anchor, NODE_UPPER)
}

/**
 * Makes the parent of `leaf` lead to `left` and, from `separator` on, to `right`. RETURNS: whether it does; a broken order
 * may have led elsewhere.
 */
function tree_add_separator(
  base: usize, leaf: usize, separator: usize, left: usize, right: usize,
): bool {
  const key = entry_key(separator)
  const length = entry_key_length(separator)
  let grandparent: usize = 0
  let parentPosition = 0
  let parent: usize = 0
  let position = 0
  let node = tree_root(base)
  if (node == leaf) node = tree_grow(base, leaf, right)
  while (true) {
    if (node_side(node, key, length) != 0) {
      node = inner_loosen(base, parent, position, node, separator)
    }
    if (inner_full(node)) {
      if (parent == 0) parent = tree_grow(base, node, node)
      // The separator that moves up came from below, and may be news to the parent.
      const middle = inner_middle(node)
      if (node_side(parent, entry_key(middle), entry_key_length(middle)) != 0) {
        parent = inner_loosen(base, grandparent, parentPosition, parent, middle)
      }
      inner_split(base, parent, position, node)
      const parentCount = <i32>node_meta(parent)
      if (CUSTOM_ORDER) {
        // One of the two halves, whatever the order says of the rest: they alone have room for certain.
        if (entry_compare_key(middle, key, length) <= 0) position++
      } else {
        position = inner_position(parent, parentCount, key, length, false)
      }
      node = inner_child(parent, parentCount, position)
      continue
    }
    const count = <i32>node_meta(node)
    const next = inner_position(node, count, key, length, false)
    if (node_level(node) == 1) {
      if (CUSTOM_ORDER && inner_child(node, count, next) != leaf) {
        // The way down has changed since the leaf was found: the halves stay unlinked.
        order_is_broken()
        return false
      }
      inner_insert(node, next, separator, right)
      if (left != leaf) inner_set_child(node, next, left)
      return true
    }
    grandparent = parent
    parentPosition = position
    parent = node
    position = next
    node = inner_child(node, count, position)
  }
}

/** Puts a new root above `root`, with the skip of `model`. RETURNS: it. */
function tree_grow(base: usize, root: usize, model: usize): usize {
  const grown = inner_take(base)
  const reference = node_reference(model)
  const skip = reference == 0 ? 0 : node_skip(model)
  const level = node_level(root) + 1
  inner_write(grown, level, skip, reference, 0, 0, root)
  store<i32>(base, level, MEMTABLE_HEIGHT)
  atomic.store<u32>(base, <u32>grown, MEMTABLE_ROOT) // pairs with `tree_root`
  return grown
}

/**
 * Where a full inner node is split: in the middle, or, if it grows at its upper end, before its
 * last child.
 */
@inline function inner_middle_position(node: usize, count: i32): i32 {
  return inner_ascending(node) ? count - 1 : count >> 1
}

/** The separator that a split of the node moves up. */
@inline function inner_middle(node: usize): usize {
  const count = <i32>node_meta(node)
  return inner_separator(node, count, inner_middle_position(node, count))
}

/** Splits a full inner node below `parent`, which has room and the bytes in common. */
function inner_split(base: usize, parent: usize, position: i32, node: usize): void {
  const count = <i32>node_meta(node)
  const middle = inner_middle_position(node, count)
  const separator = inner_separator(node, count, middle)
  const left = inner_take(base)
  const right = inner_take(base)
  inner_write_range(left, node, 0, middle, node_lower(node), separator, SKIP_MAX)
  inner_write_range(right, node, middle, count, separator, node_upper(node), SKIP_MAX)
  inner_insert(parent, position, separator, right)
  inner_set_child(parent, position, left)
  node_spare(base, node, MEMTABLE_SPARE_INNERS)
}
