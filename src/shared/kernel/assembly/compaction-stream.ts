// The compaction stream's inner loop (semantics.md 18): merges the sources, drops what no reader can reach, and writes
// the rest into the output block. Flush runs the same loop. The thread of the actor runs it.
//
// The rules look one version ahead only for tombstones, which carry no value: a tombstone waits as PENDING, its key
// copied, until the next entry tells whether it is needed. So no source has to keep a used-up block alive.
//
// I1: after any event but EVENT_DONE the loop can be called again and goes on exactly where it stood.
// I2: nothing at or above the watermark is dropped because of a version that is at or above it too.
import {
  ADD_BLOCK_FULL,
  ADD_NO_SPACE,
  ADD_OK,
  EVENT_BLOCK_FULL,
  EVENT_DONE,
  EVENT_HASHES_FULL,
  EVENT_NO_SPACE,
  EVENT_ROTATE,
  EVENT_YIELD,
  KIND_INDIRECTION,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_SEQNO,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
} from '../layout'
import {
  COMPACTION_BLOCK_SIZE,
  COMPACTION_ENTRIES_DROPPED,
  COMPACTION_ENTRIES_IN,
  COMPACTION_EXACT,
  COMPACTION_EVICT,
  COMPACTION_GROUP,
  COMPACTION_KEY,
  COMPACTION_KEY_LENGTH,
  COMPACTION_KIND,
  COMPACTION_MERGE,
  COMPACTION_ROTATE,
  COMPACTION_SEQNO,
  COMPACTION_SUMS,
  COMPACTION_WATERMARK,
  COMPACTION_WRITER,
  GROUP_NONE,
  GROUP_PENDING,
  GROUP_SKIP,
  GROUP_WRITTEN,
} from '../layout-compaction'
import { copy_bytes, equal_bytes } from './bytes'
import { compare_keys, order_is_broken } from './key-order'
import { MERGE_READY, merge_advance, merge_settle, merge_top } from './merge'
import { is_last_key, table_add } from './table-entries'

/** Entries between two EVENT_YIELDs at most, so that cancel and pause words are seen while everything is dropped. */
const YIELD_ENTRIES = 65536

/** Writes one entry: EVENT_DONE for success, else the event that must be dealt with first. */
function emit(
  compaction: usize,
  key: usize,
  keyLength: i32,
  seqno: u64,
  kind: i32,
  value: usize,
  valueLength: i32,
): i32 {
  const sums = <usize>load<u32>(compaction, COMPACTION_SUMS)
  if (load<u32>(compaction, COMPACTION_ROTATE) != 0 && !is_last_key(sums, key, keyLength)) return EVENT_ROTATE
  const added = table_add(
    <usize>load<u32>(compaction, COMPACTION_WRITER),
    sums,
    load<u32>(compaction, COMPACTION_BLOCK_SIZE),
    key,
    keyLength,
    seqno,
    kind,
    value,
    valueLength,
  )
  if (added == ADD_OK) return EVENT_DONE
  if (added == ADD_BLOCK_FULL) return EVENT_BLOCK_FULL
  return added == ADD_NO_SPACE ? EVENT_NO_SPACE : EVENT_HASHES_FULL
}

// @ts-ignore: decorator
/** Writes the waiting tombstone. */
@inline
function emit_pending(compaction: usize): i32 {
  return emit(
    compaction,
    <usize>load<u32>(compaction, COMPACTION_KEY),
    load<i32>(compaction, COMPACTION_KEY_LENGTH),
    load<u64>(compaction, COMPACTION_SEQNO),
    load<i32>(compaction, COMPACTION_KIND),
    0,
    0,
  )
}

// @ts-ignore: decorator
/**
 * True where a waiting tombstone that nothing follows may go. The seed's rule asks no watermark, for no read can tell; but
 * whoever follows the changes can, so an exact merge keeps what lies at or above it.
 */
@inline
function is_evicted(compaction: usize): bool {
  if (load<u32>(compaction, COMPACTION_EVICT) == 0) return false
  if (load<u32>(compaction, COMPACTION_EXACT) == 0) return true
  return load<u64>(compaction, COMPACTION_SEQNO) < load<u64>(compaction, COMPACTION_WATERMARK)
}

/** Ends a group whose last version is a waiting tombstone that nothing follows: kept, or evicted in the last level. */
function end_group(compaction: usize): i32 {
  if (load<u32>(compaction, COMPACTION_GROUP) == GROUP_PENDING) {
    if (!is_evicted(compaction)) {
      const event = emit_pending(compaction)
      if (event != EVENT_DONE) return event
    } else {
      count_dropped(compaction, 1)
    }
  }
  store<u32>(compaction, GROUP_NONE, COMPACTION_GROUP)
  return EVENT_DONE
}

// @ts-ignore: decorator
@inline
function count_dropped(compaction: usize, entries: u64): void {
  store<u64>(
    compaction,
    load<u64>(compaction, COMPACTION_ENTRIES_DROPPED) + entries,
    COMPACTION_ENTRIES_DROPPED,
  )
}

// @ts-ignore: decorator
/** True where no read at or above the watermark can want the version `seqno`, hidden by the group's last one. */
@inline
function is_unreachable(compaction: usize, seqno: u64): bool {
  const isExact = load<u32>(compaction, COMPACTION_EXACT) != 0
  const decides = isExact ? load<u64>(compaction, COMPACTION_SEQNO) : seqno
  return decides < load<u64>(compaction, COMPACTION_WATERMARK)
}

/**
 * A waiting tombstone meets the next version (seqno, kind) of its key. Leaves the group in GROUP_SKIP where that
 * version and everything older goes, or in GROUP_WRITTEN where it is to be looked at itself.
 */
function settle_pending(compaction: usize, seqno: u64, kind: i32): i32 {
  const isReachable = !is_unreachable(compaction, seqno)
  const isWeak = load<i32>(compaction, COMPACTION_KIND) == KIND_WEAK_TOMBSTONE
  const cancels = isWeak && (kind == KIND_VALUE || kind == KIND_INDIRECTION)
  const evicts = !isWeak && load<u32>(compaction, COMPACTION_EVICT) != 0
  if (!isReachable && (cancels || evicts)) {
    count_dropped(compaction, 1)
    store<u32>(compaction, GROUP_SKIP, COMPACTION_GROUP)
    return EVENT_DONE
  }
  const event = emit_pending(compaction)
  if (event != EVENT_DONE) return event
  store<u32>(compaction, isReachable ? GROUP_WRITTEN : GROUP_SKIP, COMPACTION_GROUP)
  return EVENT_DONE
}

/**
 * Opens the group of a new key. A custom order is asked whether the key is behind the last one: a table out of order
 * must never be written, whatever the order says elsewhere.
 */
function begin_group(compaction: usize, key: usize, keyLength: i32): void {
  if (CUSTOM_ORDER) {
    const lastLength = load<i32>(compaction, COMPACTION_KEY_LENGTH)
    const last = <usize>load<u32>(compaction, COMPACTION_KEY)
    // The same key again is an entry that had to wait for room.
    if (lastLength > 0 && compare_keys(last, lastLength, key, keyLength) > 0) order_is_broken()
  }
  copy_bytes(<usize>load<u32>(compaction, COMPACTION_KEY), key, keyLength)
  store<i32>(compaction, keyLength, COMPACTION_KEY_LENGTH)
}

// @ts-ignore: decorator
/** True where the entry (seqno, kind) goes because of the version of its key that was written before it. */
@inline
function is_shadowed(compaction: usize, seqno: u64, kind: i32): bool {
  const lastKind = load<i32>(compaction, COMPACTION_KIND)
  // The same (key, seqno) twice: the newer source has won; only operands count twice (semantics.md 2.5).
  if (seqno == load<u64>(compaction, COMPACTION_SEQNO) && kind != KIND_MERGE_OPERAND) return true
  return lastKind != KIND_MERGE_OPERAND && is_unreachable(compaction, seqno)
}

/** Runs until something is wanted or the sources are done; returns an EVENT code. */
export function compaction_run(compaction: usize): i32 {
  const merge = <usize>load<u32>(compaction, COMPACTION_MERGE)
  let budget = YIELD_ENTRIES
  while (budget-- > 0) {
    const settled = merge_settle(merge)
    if (settled == EVENT_DONE) return end_group(compaction)
    if (settled != MERGE_READY) return settled
    const source = merge_top(merge)
    const key = <usize>load<u32>(source, SOURCE_KEY)
    const keyLength = load<i32>(source, SOURCE_KEY_LENGTH)
    const seqno = load<u64>(source, SOURCE_SEQNO)
    const kind = load<i32>(source, SOURCE_KIND)
    let group = load<u32>(compaction, COMPACTION_GROUP)
    const isSameKey =
      group != GROUP_NONE &&
      load<i32>(compaction, COMPACTION_KEY_LENGTH) == keyLength &&
      equal_bytes(<usize>load<u32>(compaction, COMPACTION_KEY), key, keyLength)
    if (!isSameKey) {
      const event = end_group(compaction)
      if (event != EVENT_DONE) return event
      begin_group(compaction, key, keyLength)
    } else {
      if (group == GROUP_PENDING) {
        if (seqno == load<u64>(compaction, COMPACTION_SEQNO)) {
          count_dropped(compaction, 1)
          step(compaction, merge)
          continue
        }
        const event = settle_pending(compaction, seqno, kind)
        if (event != EVENT_DONE) return event
        group = load<u32>(compaction, COMPACTION_GROUP)
      } else if (group == GROUP_WRITTEN && is_shadowed(compaction, seqno, kind)) {
        if (seqno != load<u64>(compaction, COMPACTION_SEQNO)) {
          group = GROUP_SKIP
          store<u32>(compaction, GROUP_SKIP, COMPACTION_GROUP)
        } else {
          count_dropped(compaction, 1)
          step(compaction, merge)
          continue
        }
      }
      if (group == GROUP_SKIP) {
        count_dropped(compaction, 1)
        step(compaction, merge)
        continue
      }
    }
    if (kind == KIND_TOMBSTONE || kind == KIND_WEAK_TOMBSTONE) {
      store<u32>(compaction, GROUP_PENDING, COMPACTION_GROUP)
    } else {
      const event = emit(
        compaction,
        key,
        keyLength,
        seqno,
        kind,
        <usize>load<u32>(source, SOURCE_VALUE),
        load<i32>(source, SOURCE_VALUE_LENGTH),
      )
      if (event != EVENT_DONE) return event
      store<u32>(compaction, GROUP_WRITTEN, COMPACTION_GROUP)
    }
    store<u64>(compaction, seqno, COMPACTION_SEQNO)
    store<i32>(compaction, kind, COMPACTION_KIND)
    step(compaction, merge)
  }
  return EVENT_YIELD
}

// @ts-ignore: decorator
@inline
function step(compaction: usize, merge: usize): void {
  store<u64>(compaction, load<u64>(compaction, COMPACTION_ENTRIES_IN) + 1, COMPACTION_ENTRIES_IN)
  merge_advance(merge)
}
