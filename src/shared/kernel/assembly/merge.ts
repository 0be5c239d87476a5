// The k-way merge over memtables and runs of table blocks, in internal key order (user key ascending, seqno descending,
// newer source first) or exactly reversed: a binary heap, or for few sources a list with the next one at its head. Runs on
// the thread that owns the MERGE structure.
//
// I1: while a source is at the top and POSITIONED, its entry is the next one.
// I2: only the top source advances; where it wants a block it stays at the top until it gets one or ends.
import {
  EVENT_DONE,
  EVENT_WANTS_BLOCK,
  MERGE_HEAP,
  MERGE_HEAP_COUNT,
  MERGE_REVERSE,
  MERGE_SOURCES,
  MERGE_SOURCE_COUNT,
  MERGE_WANTED,
  RESIDENT_COUNT,
  SOURCE_BLOCK,
  SOURCE_BYTES,
  SOURCE_CURSOR,
  SOURCE_ENDED,
  SOURCE_FIRST,
  SOURCE_GIVEN,
  SOURCE_GLOBAL_SEQNO,
  SOURCE_HEAD,
  SOURCE_INDEX,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_POSITIONED,
  SOURCE_RANK,
  SOURCE_ROW_BYTES,
  SOURCE_SEQNO,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_MEMTABLE,
  SOURCE_TYPE_ROWS,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
  SOURCE_WANTS_BLOCK,
} from '../layout'
import { read_varint, skip_varint } from './bytes'
import { compare_keys, order_head64 } from './key-order'
import { memtable_cursor_next, memtable_cursor_prev } from './memtable-cursor'
import {
  entry_key,
  entry_key_length,
  entry_kind,
  entry_seqno,
  entry_value,
  entry_value_length,
} from './memtable-entry'
import { resident_entry } from './resident-block'
import { run_cursor_advance } from './run-cursor'

/** Returned beside the EVENT codes: the top source is positioned. */
export const MERGE_READY = -1

// @ts-ignore: decorator
@inline
function load_block_entry(source: usize): void {
  const entry = resident_entry(<usize>load<u32>(source, SOURCE_BLOCK), load<i32>(source, SOURCE_INDEX))
  let at = entry + 1
  const seqno = read_varint(at)
  at = skip_varint(at)
  const keyLength = <u32>read_varint(at)
  at = skip_varint(at)
  const valueLength = <u32>read_varint(at)
  const key = skip_varint(at)
  store<u64>(source, order_head64(key, keyLength), SOURCE_HEAD)
  store<u64>(source, seqno + load<u64>(source, SOURCE_GLOBAL_SEQNO), SOURCE_SEQNO)
  store<u32>(source, <u32>key, SOURCE_KEY)
  store<u32>(source, keyLength, SOURCE_KEY_LENGTH)
  store<u32>(source, <u32>key + keyLength, SOURCE_VALUE)
  store<u32>(source, valueLength, SOURCE_VALUE_LENGTH)
  store<u32>(source, <u32>load<u8>(entry), SOURCE_KIND)
  store<u32>(source, SOURCE_POSITIONED, SOURCE_STATE)
}

// @ts-ignore: decorator
/** Makes a source stand on the row at hand. */
@inline
function load_row(source: usize): void {
  const row = <usize>load<u32>(source, SOURCE_BLOCK)
  v128.store(source, v128.load(row))
  v128.store(source, v128.load(row, 16), 16)
  store<u64>(source, load<u64>(row, SOURCE_KIND), SOURCE_KIND)
  store<u32>(source, SOURCE_POSITIONED, SOURCE_STATE)
}

// @ts-ignore: decorator
/** Makes a source stand on the first entry of what it was given. */
@inline
function load_given(source: usize): void {
  if (load<u32>(source, SOURCE_TYPE) == SOURCE_TYPE_ROWS) load_row(source)
  else load_block_entry(source)
}

// @ts-ignore: decorator
@inline
function load_memtable_entry(source: usize, entry: usize): void {
  if (entry == 0) {
    store<u32>(source, SOURCE_ENDED, SOURCE_STATE)
    return
  }
  const key = entry_key(entry)
  const keyLength = entry_key_length(entry)
  store<u64>(source, order_head64(key, keyLength), SOURCE_HEAD)
  store<u64>(source, entry_seqno(entry), SOURCE_SEQNO)
  store<u32>(source, <u32>key, SOURCE_KEY)
  store<u32>(source, <u32>keyLength, SOURCE_KEY_LENGTH)
  store<u32>(source, <u32>entry_value(entry), SOURCE_VALUE)
  store<u32>(source, <u32>entry_value_length(entry), SOURCE_VALUE_LENGTH)
  store<u32>(source, <u32>entry_kind(entry), SOURCE_KIND)
  store<u32>(source, SOURCE_POSITIONED, SOURCE_STATE)
}

/** Makes a memtable source stand on `entry` (0: it has ended), where its cursor already stands. */
export function source_set_entry(source: usize, entry: i32): void {
  load_memtable_entry(source, <usize>entry)
}

// @ts-ignore: decorator
/** The source's block is used up: it gets the next one, ends, or wants one. */
@inline
function next_block(source: usize): void {
  const cursor = <usize>load<u32>(source, SOURCE_CURSOR)
  if (cursor == 0) {
    store<u32>(source, SOURCE_WANTS_BLOCK, SOURCE_STATE)
    return
  }
  run_cursor_advance(cursor, source)
  if (load<u32>(source, SOURCE_STATE) == SOURCE_GIVEN) load_given(source)
}

// @ts-ignore: decorator
@inline
function advance_source(source: usize, reverse: bool): void {
  const type = load<u32>(source, SOURCE_TYPE)
  if (type == SOURCE_TYPE_ROWS) {
    const row = load<u32>(source, SOURCE_BLOCK) + SOURCE_ROW_BYTES
    if (row == load<u32>(source, SOURCE_INDEX)) {
      next_block(source)
      return
    }
    store<u32>(source, row, SOURCE_BLOCK)
    load_row(source)
    return
  }
  if (type == SOURCE_TYPE_MEMTABLE) {
    const cursor = <usize>load<u32>(source, SOURCE_CURSOR)
    load_memtable_entry(source, <usize>(reverse ? memtable_cursor_prev(cursor) : memtable_cursor_next(cursor)))
    return
  }
  const index = load<i32>(source, SOURCE_INDEX) + (reverse ? -1 : 1)
  const count = load<i32>(<usize>load<u32>(source, SOURCE_BLOCK), RESIDENT_COUNT)
  if (reverse ? index < load<i32>(source, SOURCE_FIRST) : index >= count) {
    next_block(source)
    return
  }
  store<i32>(source, index, SOURCE_INDEX)
  load_block_entry(source)
}

/** As {@link comes_before}, for sources with equal heads. */
function comes_before_alike(a: usize, b: usize, reverse: bool): bool {
  const order = compare_keys(
    <usize>load<u32>(a, SOURCE_KEY),
    load<i32>(a, SOURCE_KEY_LENGTH),
    <usize>load<u32>(b, SOURCE_KEY),
    load<i32>(b, SOURCE_KEY_LENGTH),
  )
  if (order != 0) return order < 0 != reverse
  const seqnoA = load<u64>(a, SOURCE_SEQNO)
  const seqnoB = load<u64>(b, SOURCE_SEQNO)
  if (seqnoA != seqnoB) return seqnoA > seqnoB != reverse
  return load<u32>(a, SOURCE_RANK) < load<u32>(b, SOURCE_RANK) != reverse
}

// @ts-ignore: decorator
/** True when source `a` comes before source `b`. */
@inline
function comes_before(a: usize, b: usize, reverse: bool): bool {
  const headA = load<u64>(a, SOURCE_HEAD)
  const headB = load<u64>(b, SOURCE_HEAD)
  return headA == headB ? comes_before_alike(a, b, reverse) : (headA < headB) != reverse
}

/** So many sources are looked through one by one: cheaper than branches that nobody can foretell. */
const FEW_SOURCES = 8

/** Brings the first one of few sources to the top; the others lie in any order. */
function bring_up(heap: usize, count: i32, reverse: bool): void {
  const old = load<u32>(heap)
  let top = <usize>old
  let topHead = load<u64>(top, SOURCE_HEAD)
  let place = heap
  const end = heap + (<usize>count << 2)
  for (let at = heap + 4; at < end; at += 4) {
    const source = <usize>load<u32>(at)
    const head = load<u64>(source, SOURCE_HEAD)
    const isBefore = head == topHead ? comes_before_alike(source, top, reverse) : (head < topHead) != reverse
    top = isBefore ? source : top
    topHead = isBefore ? head : topHead
    place = isBefore ? at : place
  }
  store<u32>(place, old)
  store<u32>(heap, <u32>top)
}

function sift_down(merge: usize, start: i32): void {
  const heap = <usize>load<u32>(merge, MERGE_HEAP)
  const count = load<i32>(merge, MERGE_HEAP_COUNT)
  const reverse = load<u32>(merge, MERGE_REVERSE) != 0
  if (count <= FEW_SOURCES) {
    if (start == 0 && count > 1) bring_up(heap, count, reverse)
    return
  }
  const moving = <usize>load<u32>(heap + (<usize>start << 2))
  let at = start
  while (true) {
    let child = (at << 1) + 1
    if (child >= count) break
    let source = <usize>load<u32>(heap + (<usize>child << 2))
    if (child + 1 < count) {
      const other = <usize>load<u32>(heap + (<usize>child << 2), 4)
      // Which child it is nobody can foretell: no branch hangs on it.
      const isOther = comes_before(other, source, reverse)
      child += <i32>isOther
      source = isOther ? other : source
    }
    if (comes_before(moving, source, reverse)) break
    store<u32>(heap + (<usize>at << 2), <u32>source)
    at = child
  }
  store<u32>(heap + (<usize>at << 2), <u32>moving)
}

/** Builds the heap of sources that are GIVEN, POSITIONED or ENDED. */
export function merge_build(merge: usize): void {
  const heap = <usize>load<u32>(merge, MERGE_HEAP)
  const sources = <usize>load<u32>(merge, MERGE_SOURCES)
  const sourceCount = load<i32>(merge, MERGE_SOURCE_COUNT)
  let count = 0
  for (let i = 0; i < sourceCount; i++) {
    const source = sources + <usize>i * SOURCE_BYTES
    if (load<u32>(source, SOURCE_STATE) == SOURCE_GIVEN) load_given(source)
    if (load<u32>(source, SOURCE_STATE) == SOURCE_ENDED) continue
    store<u32>(heap + (<usize>count << 2), <u32>source)
    count++
  }
  store<i32>(merge, count, MERGE_HEAP_COUNT)
  for (let i = (count >> 1) - 1; i >= 0; i--) sift_down(merge, i)
}

/** Brings the next source to the top: MERGE_READY, EVENT_DONE, or EVENT_WANTS_BLOCK with MERGE_WANTED set. */
export function merge_settle(merge: usize): i32 {
  const heap = <usize>load<u32>(merge, MERGE_HEAP)
  while (true) {
    const count = load<i32>(merge, MERGE_HEAP_COUNT)
    if (count == 0) return EVENT_DONE
    const source = <usize>load<u32>(heap)
    const state = load<u32>(source, SOURCE_STATE)
    if (state == SOURCE_POSITIONED) return MERGE_READY
    if (state == SOURCE_WANTS_BLOCK) {
      const number = (source - <usize>load<u32>(merge, MERGE_SOURCES)) / SOURCE_BYTES
      store<u32>(merge, <u32>number, MERGE_WANTED)
      return EVENT_WANTS_BLOCK
    }
    if (state == SOURCE_GIVEN) {
      load_given(source)
    } else {
      store<i32>(merge, count - 1, MERGE_HEAP_COUNT)
      if (count == 1) return EVENT_DONE
      store<u32>(heap, load<u32>(heap + (<usize>(count - 1) << 2)))
    }
    sift_down(merge, 0)
  }
}

// @ts-ignore: decorator
/** The source whose entry is next; only after {@link merge_settle} said MERGE_READY. */
@inline
export function merge_top(merge: usize): usize {
  return <usize>load<u32>(<usize>load<u32>(merge, MERGE_HEAP))
}

// @ts-ignore: decorator
/** Steps over the top entry. */
@inline
export function merge_advance(merge: usize): void {
  const source = merge_top(merge)
  advance_source(source, load<u32>(merge, MERGE_REVERSE) != 0)
  if (load<u32>(source, SOURCE_STATE) == SOURCE_POSITIONED && load<i32>(merge, MERGE_HEAP_COUNT) > 1) {
    sift_down(merge, 0)
  }
}

// @ts-ignore: decorator
/** True where no other source has entries left. */
@inline
export function merge_is_single(merge: usize): bool {
  return load<i32>(merge, MERGE_HEAP_COUNT) == 1
}

/** The least head of the sources below the top one. REQUIRES: there is one. */
export function merge_next_head(merge: usize): u64 {
  const heap = <usize>load<u32>(merge, MERGE_HEAP)
  const count = load<i32>(merge, MERGE_HEAP_COUNT)
  // In a heap it is one of the two right below the top.
  const candidates = count <= FEW_SOURCES ? count : 3
  let least = u64.MAX_VALUE
  for (let i = 1; i < candidates; i++) {
    least = min(least, load<u64>(<usize>load<u32>(heap + (<usize>i << 2)), SOURCE_HEAD))
  }
  return least
}

/**
 * Forward: the top source, which reads a block, goes on to entry number `index` of it, or to the next block where that is
 * its count. Before the entry is looked at, the merge is settled.
 */
export function merge_go_to(merge: usize, source: usize, index: i32): void {
  const count = load<i32>(<usize>load<u32>(source, SOURCE_BLOCK), RESIDENT_COUNT)
  if (index < count) {
    store<i32>(source, index, SOURCE_INDEX)
    store<u32>(source, SOURCE_GIVEN, SOURCE_STATE)
  } else {
    store<i32>(source, count - 1, SOURCE_INDEX)
    merge_advance(merge)
  }
}
