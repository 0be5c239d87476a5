/**
 * A plain skiplist memtable, p = 1/4, keys and values inline: the baseline that the B+tree is
 * measured against. Bench only; one thread; no limits checked.
 *
 *   list:  u32 arena top | u32 height | u32 random state | u32 - | u32 previous[16] | head node
 *   node:  u64 seqno | u16 key length | u8 height | u8 - | u32 value length | u32 next[height]
 *          | key | value
 */

import { key_compare } from '../../../src/shared/kernel/assembly/memtable-entry'

const HEIGHT_MAX: i32 = 16
const LIST_TOP: usize = 0
const LIST_HEIGHT: usize = 4
const LIST_RANDOM: usize = 8
const LIST_PREVIOUS: usize = 16
const LIST_HEAD: usize = 80
const NODE_KEY_LENGTH: usize = 8
const NODE_HEIGHT: usize = 10
const NODE_VALUE_LENGTH: usize = 12
const NODE_NEXT: usize = 16

@inline function next_of(node: usize, level: i32): usize {
  return atomic.load<u32>(node + (<usize>level << 2), NODE_NEXT)
}

@inline export function skiplist_key(node: usize): usize {
  return node + NODE_NEXT + (<usize>load<u8>(node, NODE_HEIGHT) << 2)
}

@inline export function skiplist_value(node: usize): usize {
  return skiplist_key(node) + load<u16>(node, NODE_KEY_LENGTH)
}

/** Whether a node sorts before (key, seqno). */
@inline function before(node: usize, key: usize, length: i32, seqno: u64): bool {
  const order = key_compare(skiplist_key(node), load<u16>(node, NODE_KEY_LENGTH), key, length)
  return order != 0 ? order < 0 : load<u64>(node) > seqno
}

export function skiplist_init(list: usize): void {
  const head = list + LIST_HEAD
  memory.fill(list, 0, LIST_HEAD + NODE_NEXT + (HEIGHT_MAX << 2))
  store<u8>(head, HEIGHT_MAX, NODE_HEIGHT)
  store<u32>(list, head + NODE_NEXT + (HEIGHT_MAX << 2), LIST_TOP)
  store<u32>(list, 1, LIST_HEIGHT)
  store<u32>(list, 0x9e3779b9, LIST_RANDOM)
}

export function skiplist_used(list: usize): i32 {
  return load<i32>(list, LIST_TOP) - <i32>list
}

/** 1 + the number of times that two random bits are zero. */
@inline function random_height(list: usize): i32 {
  let state = load<u32>(list, LIST_RANDOM)
  state ^= state << 13
  state ^= state >> 17
  state ^= state << 5
  store<u32>(list, state, LIST_RANDOM)
  return min(HEIGHT_MAX, 1 + (<i32>ctz(state) >> 1))
}

export function skiplist_insert(
  list: usize, key: usize, length: i32, value: usize, valueLength: i32, seqno: u64,
): void {
  const previous = list + LIST_PREVIOUS
  const head = list + LIST_HEAD
  let level = load<i32>(list, LIST_HEIGHT) - 1
  let node = head
  while (level >= 0) {
    const next = next_of(node, level)
    if (next != 0 && before(next, key, length, seqno)) {
      node = next
    } else {
      store<u32>(previous + (<usize>level << 2), <u32>node)
      level--
    }
  }
  const height = random_height(list)
  for (let i = load<i32>(list, LIST_HEIGHT); i < height; i++) {
    store<u32>(previous + (<usize>i << 2), <u32>head)
    store<i32>(list, i + 1, LIST_HEIGHT)
  }
  const added = (<usize>load<u32>(list, LIST_TOP) + 7) & ~7
  store<u64>(added, seqno)
  store<u16>(added, <u16>length, NODE_KEY_LENGTH)
  store<u8>(added, <u8>height, NODE_HEIGHT)
  store<u32>(added, valueLength, NODE_VALUE_LENGTH)
  const keyAt = skiplist_key(added)
  memory.copy(keyAt, key, length)
  memory.copy(keyAt + length, value, valueLength)
  store<u32>(list, <u32>(keyAt + length + valueLength), LIST_TOP)
  for (let i = 0; i < height; i++) {
    const at = <usize>load<u32>(previous + (<usize>i << 2)) + (<usize>i << 2)
    store<u32>(added + (<usize>i << 2), load<u32>(at, NODE_NEXT), NODE_NEXT)
    // Publishes the node to `next_of`.
    atomic.store<u32>(at, <u32>added, NODE_NEXT)
  }
}

/** The first node that does not sort before (key, seqno), or 0. */
export function skiplist_seek(list: usize, key: usize, length: i32, seqno: u64): usize {
  let node = list + LIST_HEAD
  let level = load<i32>(list, LIST_HEIGHT) - 1
  while (true) {
    const next = next_of(node, level)
    if (next != 0 && before(next, key, length, seqno)) node = next
    else if (level == 0) return next
    else level--
  }
}

/** The newest version of the key with a seqno not above `seqno`, or 0. */
export function skiplist_get(list: usize, key: usize, length: i32, seqno: u64): usize {
  const node = skiplist_seek(list, key, length, seqno)
  if (node == 0 || load<u16>(node, NODE_KEY_LENGTH) != length) return 0
  return key_compare(skiplist_key(node), length, key, length) == 0 ? node : 0
}

export function skiplist_next(node: usize): usize {
  return next_of(node, 0)
}

export function skiplist_first(list: usize): usize {
  return next_of(list + LIST_HEAD, 0)
}
