// Searches resident blocks and resident indexes (layout.ts). They were checked when they were made, so nothing here
// checks again. Lock-free, any thread.
import {
  INDEX_COUNT,
  INDEX_HEADS,
  INDEX_PREFIX_LENGTH,
  INDEX_RECORD_BYTES,
  INDEX_RECORD_KEY,
  INDEX_RECORD_KEY_LENGTH,
  INDEX_RECORD_SEQNO,
  RESIDENT_BYTES,
  RESIDENT_COUNT,
  RESIDENT_PREFIX_LENGTH,
  RESIDENT_SLOTS,
  RESIDENT_SLOT_BYTES,
} from '../layout'
import { common_prefix, equal_bytes, read_varint, skip_varint, touch } from './bytes'
import { compare_keys, order_head32, order_head64 } from './key-order'

// @ts-ignore: decorator
/** The address of entry number `index`. */
@inline
export function resident_entry(block: usize, index: i32): usize {
  return block + load<u32>(block + RESIDENT_SLOTS + <usize>index * RESIDENT_SLOT_BYTES, 4)
}

// @ts-ignore: decorator
/** The address of an entry's key length; value length, key and value follow. */
@inline
export function resident_lengths(entry: usize): usize {
  return skip_varint(entry + 1)
}

/** Orders entry number `index` against (key, anything): as compare_keys(entry's key, key). */
function compare_entry(block: usize, index: i32, key: usize, keyLength: i32): i32 {
  const lengths = resident_lengths(resident_entry(block, index))
  const entryKeyLength = <i32>read_varint(lengths)
  return compare_keys(skip_varint(skip_varint(lengths)), entryKeyLength, key, keyLength)
}

// @ts-ignore: decorator
/** How a key stands to a block's common prefix: 0 shares it, negative below every key, positive above. */
@inline
function compare_prefix(key: usize, keyLength: i32, first: usize, prefix: i32): i32 {
  if (CUSTOM_ORDER || prefix == 0) return 0
  const shared = common_prefix(key, keyLength, first, prefix)
  if (shared == prefix) return 0
  if (shared == keyLength) return -1
  return load<u8>(key + <usize>shared) < load<u8>(first + <usize>shared) ? -1 : 1
}

/** So many heads are counted rather than halved: their loads do not wait for each other, as the steps of a search do. */
const COUNTED_MAX = 64
const COUNTED_MAX_64 = 32

// @ts-ignore: decorator
/** The number of the first slot whose head is not below `head`; without a branch that the key decides. */
@inline
function lower_bound32(slots: usize, count: i32, head: u32): i32 {
  let low = slots
  let remaining = count
  while (remaining > COUNTED_MAX) {
    const half = remaining >> 1
    const middle = low + (<usize>half << 3)
    const isBelow = load<u32>(middle) < head
    low = isBelow ? middle + RESIDENT_SLOT_BYTES : low
    remaining = isBelow ? remaining - half - 1 : half
  }
  // Heads stand in the lanes 0 and 2, offsets in the others; a lane counts those that are not below, as -1 each.
  const sought = i32x4.splat(<i32>head)
  let counts = i32x4.splat(0)
  const end = low + (<usize>(remaining & ~1) << 3)
  let at = low
  for (; at < end; at += 16) counts = i32x4.add(counts, i32x4.ge_u(v128.load(at), sought))
  let notBelow = -(i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 2))
  if ((remaining & 1) != 0) notBelow += i32(load<u32>(at) >= head)
  return <i32>((low - slots) >> 3) + remaining - notBelow
}

// @ts-ignore: decorator
/** The same of an index's heads: eight parts a step, whose loads do not wait for each other. */
@inline
function lower_bound64(heads: usize, count: i32, head: u64): i32 {
  let low = heads
  let remaining = count
  while (remaining > COUNTED_MAX_64) {
    const part = remaining >> 3
    const step = <usize>part << 3
    let at = low + step - 8
    let below = i32(load<u64>(at) < head)
    below += i32(load<u64>((at += step)) < head)
    below += i32(load<u64>((at += step)) < head)
    below += i32(load<u64>((at += step)) < head)
    below += i32(load<u64>((at += step)) < head)
    below += i32(load<u64>((at += step)) < head)
    below += i32(load<u64>((at += step)) < head)
    low += <usize>below * step
    // The last part takes what the division leaves; the head that ends any other one is known.
    remaining = below == 7 ? remaining - 7 * part : part - 1
  }
  const sign = i64x2.splat(i64.MIN_VALUE)
  const sought = i64x2.splat(<i64>head ^ i64.MIN_VALUE)
  let counts = i64x2.splat(0)
  const end = low + (<usize>(remaining & ~1) << 3)
  let at = low
  for (; at < end; at += 16) {
    counts = i64x2.sub(counts, i64x2.gt_s(sought, v128.xor(v128.load(at), sign)))
  }
  let below = <i32>i64x2.extract_lane(counts, 0) + <i32>i64x2.extract_lane(counts, 1)
  if ((remaining & 1) != 0) below += i32(load<u64>(at) < head)
  return <i32>((low - heads) >> 3) + below
}

/**
 * The number of the first entry whose key is above `key`, or equal to it with a seqno below `seqno`; the block's count
 * where there is none. With seqno = u64.MAX_VALUE it is the first entry with a key at or above `key`.
 */
export function resident_search(block: usize, key: usize, keyLength: i32, seqno: u64): i32 {
  const count = <i32>load<u32>(block, RESIDENT_COUNT)
  const prefix = <i32>load<u32>(block, RESIDENT_PREFIX_LENGTH)
  const firstLengths = resident_lengths(resident_entry(block, 0))
  const firstKey = skip_varint(skip_varint(firstLengths))
  const place = compare_prefix(key, keyLength, firstKey, prefix)
  if (place != 0) return place < 0 ? 0 : count
  const head = order_head32(key + <usize>prefix, keyLength - prefix)
  let low = lower_bound32(block + RESIDENT_SLOTS, count, head)
  return settle_run(block, low, count, head, key, keyLength, seqno)
}

/**
 * The place of (key, seqno) among the entries from number `low` on that have this head: equal heads are settled by whole
 * keys, in order; blocks with long runs of them take a second binary search.
 */
function settle_run(
  block: usize,
  first: i32,
  count: i32,
  head: u32,
  key: usize,
  keyLength: i32,
  seqno: u64,
): i32 {
  const slots = block + RESIDENT_SLOTS
  let low = first
  let high = low
  let width = 1
  while (high < count && load<u32>(slots + (<usize>high << 3)) == head) {
    high += width
    width <<= 1
  }
  if (high > count) high = count
  while (low < high) {
    const middle = (low + high) >> 1
    const order = compare_entry(block, middle, key, keyLength)
    if (order < 0 || (order == 0 && read_varint(resident_entry(block, middle) + 1) >= seqno)) {
      low = middle + 1
    } else {
      high = middle
    }
  }
  return low
}

// @ts-ignore: decorator
/** The last byte of entry number `index`. */
@inline
function entry_last(block: usize, index: i32): usize {
  const slots = block + RESIDENT_SLOTS
  const isLast = index + 1 >= <i32>load<u32>(block, RESIDENT_COUNT)
  return block + load<u32>(isLast ? block + RESIDENT_BYTES : slots + (<usize>index << 3) + 12) - 1
}

/** Touches the entry that {@link resident_find} will look at first. */
export function resident_touch(block: usize, key: usize, keyLength: i32): void {
  const count = <i32>load<u32>(block, RESIDENT_COUNT)
  const prefix = <i32>load<u32>(block, RESIDENT_PREFIX_LENGTH)
  const head = order_head32(key + <usize>prefix, keyLength - prefix)
  const number = lower_bound32(block + RESIDENT_SLOTS, count, head)
  if (number == count) return
  touch(resident_entry(block, number))
  touch(entry_last(block, number))
}

/** Among so many entries with equal heads a key is looked for one by one. */
const RUN_SEARCHED_MIN = 4

/**
 * The address of the newest entry of `key` with a seqno below `seqno`, or 0. The common prefix is not looked at, whose
 * bytes lie where no other byte is wanted: a key without it equals no entry.
 */
export function resident_find(block: usize, key: usize, keyLength: i32, seqno: u64): usize {
  const count = <i32>load<u32>(block, RESIDENT_COUNT)
  const prefix = <i32>load<u32>(block, RESIDENT_PREFIX_LENGTH)
  const head = order_head32(key + <usize>prefix, keyLength - prefix)
  const slots = block + RESIDENT_SLOTS
  let low = lower_bound32(slots, count, head)
  let end = low
  while (end < count && end - low < RUN_SEARCHED_MIN && load<u32>(slots + (<usize>end << 3)) == head) end++
  if (end - low == RUN_SEARCHED_MIN) {
    low = settle_run(block, low, count, head, key, keyLength, seqno)
    end = min(low + 1, count)
  }
  for (; low < end; low++) {
    const entry = resident_entry(block, low)
    // The end of the value comes from memory with its beginning.
    touch(entry_last(block, low))
    const lengths = resident_lengths(entry)
    if (<i32>read_varint(lengths) != keyLength) continue
    if (!equal_bytes(skip_varint(skip_varint(lengths)), key, keyLength)) continue
    if (read_varint(entry + 1) < seqno) return entry
  }
  return 0
}

/** As {@link resident_search}, for callers outside: a seqno is a safe integer, and negative for "any". */
export function resident_search_at(block: usize, key: usize, keyLength: i32, seqno: f64): i32 {
  return resident_search(block, key, keyLength, seqno < 0 ? u64.MAX_VALUE : <u64>seqno)
}

// @ts-ignore: decorator
/** The record of index entry number `index`. */
@inline
export function index_record(index: usize, number: i32): usize {
  const count = load<u32>(index, INDEX_COUNT)
  return index + INDEX_HEADS + (<usize>count << 3) + <usize>number * INDEX_RECORD_BYTES
}

/**
 * The number of the first index entry that is not wholly before (key, seqno): the seek rule of format-table.md 11.2.
 * The index's count where there is none. With u64.MAX_VALUE it is the first entry with an end key at or above `key`.
 */
export function index_search(index: usize, key: usize, keyLength: i32, seqno: u64): i32 {
  const count = <i32>load<u32>(index, INDEX_COUNT)
  const prefix = <i32>load<u32>(index, INDEX_PREFIX_LENGTH)
  const records = index + INDEX_HEADS + (<usize>count << 3)
  const firstKey = index + load<u32>(records, INDEX_RECORD_KEY)
  const place = compare_prefix(key, keyLength, firstKey, prefix)
  if (place != 0) return place < 0 ? 0 : count
  const head = order_head64(key + <usize>prefix, keyLength - prefix)
  const heads = index + INDEX_HEADS
  let low = lower_bound64(heads, count, head)
  let high = low
  let width = 1
  while (high < count && load<u64>(heads + (<usize>high << 3)) == head) {
    high += width
    width <<= 1
  }
  if (high > count) high = count
  while (low < high) {
    const middle = (low + high) >> 1
    const record = records + <usize>middle * INDEX_RECORD_BYTES
    const order = compare_keys(
      index + load<u32>(record, INDEX_RECORD_KEY),
      <i32>load<u32>(record, INDEX_RECORD_KEY_LENGTH),
      key,
      keyLength,
    )
    if (order < 0 || (order == 0 && load<u64>(record, INDEX_RECORD_SEQNO) >= seqno)) low = middle + 1
    else high = middle
  }
  return low
}

/** As {@link index_search}, for callers outside: a seqno is a safe integer, and negative for "any". */
export function index_search_at(index: usize, key: usize, keyLength: i32, seqno: f64): i32 {
  return index_search(index, key, keyLength, seqno < 0 ? u64.MAX_VALUE : <u64>seqno)
}
