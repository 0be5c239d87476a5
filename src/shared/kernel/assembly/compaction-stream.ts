// The compaction stream's inner loop (semantics.md 18): merges the sources, drops what no reader can reach, and writes
// the rest into the output block. Flush runs the same loop. The thread of the actor runs it.
//
// The rules look one version ahead only for tombstones, which carry no value: a tombstone waits as PENDING, its key
// copied, until the next entry tells whether it is needed. Operands below the watermark are collected by value (fold.ts)
// and handed to the calling thread once the key's end, a base or a boundary is met. So no source has to keep a used-up
// block alive.
//
//          ┌─────────── next key ────────────────────────────────────────────┐
//        NONE ─→ WRITTEN, PENDING (tombstone) ─→ SKIP (the rest goes), HIDDEN, DRAIN
//          └───→ FOLDING (operand below the watermark) ─→ FOLDED ─→ WRITTEN, SKIP
//
// I1: after any event but EVENT_DONE the loop can be called again and goes on exactly where it stood.
// I2: nothing at or above the watermark is dropped because of a version that is at or above it too.
// I3: operands on both sides of a range tombstone are never folded into one, wherever that tombstone lies.
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
  COMPACTION_APPLIES,
  COMPACTION_BLOCK_SIZE,
  COMPACTION_EMIT_BYTES,
  COMPACTION_ENTRIES_DROPPED,
  COMPACTION_ENTRIES_IN,
  COMPACTION_EVICT,
  COMPACTION_EXACT,
  COMPACTION_FILTERS,
  COMPACTION_FOLD,
  COMPACTION_GAP,
  COMPACTION_GROUP,
  COMPACTION_KEY,
  COMPACTION_KEY_LENGTH,
  COMPACTION_KIND,
  COMPACTION_MERGE,
  COMPACTION_RANGES,
  COMPACTION_REPLACEMENT,
  COMPACTION_REPLACEMENT_LENGTH,
  COMPACTION_ROTATE,
  COMPACTION_SEQNO,
  COMPACTION_SUMS,
  COMPACTION_UNSURE_RANGES,
  COMPACTION_UPPER,
  COMPACTION_UPPER_LENGTH,
  COMPACTION_VERDICT,
  COMPACTION_WATERMARK,
  COMPACTION_WRITER,
  EVENT_FILTER,
  EVENT_FOLD,
  EVENT_FOLD_SPACE,
  FOLD_AS_IT_IS,
  FOLD_DONE,
  FOLD_IS_FINAL,
  FOLD_OPEN,
  FOLD_OUTCOME,
  FOLD_RESULT,
  FOLD_RESULT_LENGTH,
  FOLD_ROWS,
  FOLD_ROW_KIND,
  FOLD_ROW_LENGTH,
  FOLD_ROW_SEQNO,
  FOLD_ROW_VALUE,
  FOLD_SEQNO,
  GROUP_DRAIN,
  GROUP_FOLDED,
  GROUP_FOLDING,
  GROUP_HIDDEN,
  GROUP_NONE,
  GROUP_PENDING,
  GROUP_SKIP,
  GROUP_WRITTEN,
  VERDICT_DESTROY,
  VERDICT_NONE,
  VERDICT_REMOVE,
  VERDICT_REMOVE_WEAK,
  VERDICT_REPLACE,
} from '../layout-compaction'
import { copy_bytes, equal_bytes } from './bytes'
import { fold_close, fold_next_row, fold_push, fold_reset, fold_row } from './fold'
import { compare_keys, order_is_broken } from './key-order'
import { MERGE_READY, merge_advance, merge_settle, merge_top } from './merge'
import { gap_cover, list_cover, state_cover } from './range-cover'
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
  store<i32>(compaction, keyLength + valueLength, COMPACTION_EMIT_BYTES)
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
 * version and everything older goes, in GROUP_DRAIN where the two cancel each other, or in GROUP_WRITTEN where the
 * version is to be looked at itself.
 */
function settle_pending(compaction: usize, seqno: u64, kind: i32): i32 {
  const isReachable = !is_unreachable(compaction, seqno)
  const isWeak = load<i32>(compaction, COMPACTION_KIND) == KIND_WEAK_TOMBSTONE
  const cancels = isWeak && (kind == KIND_VALUE || kind == KIND_INDIRECTION)
  const evicts = !isWeak && load<u32>(compaction, COMPACTION_EVICT) != 0
  if (!isReachable && (cancels || evicts)) {
    count_dropped(compaction, 1)
    store<u32>(compaction, evicts ? GROUP_SKIP : GROUP_DRAIN, COMPACTION_GROUP)
    store<u64>(compaction, seqno, COMPACTION_SEQNO)
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

// @ts-ignore: decorator
/** True where a range tombstone that is applied here covers the entry. */
@inline
function is_covered(compaction: usize, key: usize, keyLength: i32, seqno: u64): bool {
  if (load<u32>(compaction, COMPACTION_APPLIES) == 0) return false
  const ranges = <usize>load<u32>(compaction, COMPACTION_RANGES)
  if (ranges == 0) return false
  const watermark = load<u64>(compaction, COMPACTION_WATERMARK)
  return gap_cover(ranges, compaction + COMPACTION_GAP, key, keyLength, watermark, false) > seqno + 1
}

/** Takes the entry at the top into the fold, and steps over it; EVENT_DONE, or EVENT_FOLD_SPACE. */
function collect(compaction: usize, merge: usize, source: usize, kind: i32): i32 {
  const fold = <usize>load<u32>(compaction, COMPACTION_FOLD)
  const isReplaced = load<u32>(compaction, COMPACTION_VERDICT) == VERDICT_REPLACE
  const value = isReplaced ? load<u32>(compaction, COMPACTION_REPLACEMENT) : load<u32>(source, SOURCE_VALUE)
  const length = isReplaced
    ? load<i32>(compaction, COMPACTION_REPLACEMENT_LENGTH)
    : load<i32>(source, SOURCE_VALUE_LENGTH)
  if (!fold_push(fold, kind, load<u64>(source, SOURCE_SEQNO), <usize>value, length)) return EVENT_FOLD_SPACE
  step(compaction, merge)
  return EVENT_DONE
}

/** Ends the collecting: the operator is asked, or the rows are written as they are. */
function close_fold(compaction: usize, isFinal: bool, hasBase: bool): void {
  fold_close(<usize>load<u32>(compaction, COMPACTION_FOLD), isFinal, hasBase)
  store<u32>(compaction, GROUP_FOLDED, COMPACTION_GROUP)
}

/** A further version (seqno, kind) of the key whose operands are being collected: EVENT_DONE, or EVENT_FOLD_SPACE. */
function continue_fold(compaction: usize, merge: usize, source: usize): i32 {
  const key = <usize>load<u32>(source, SOURCE_KEY)
  const keyLength = load<i32>(source, SOURCE_KEY_LENGTH)
  const seqno = load<u64>(source, SOURCE_SEQNO)
  const kind = load<i32>(source, SOURCE_KIND)
  // What lies between the newest operand and this version, the operand's own seqno included.
  const limit = load<u64>(compaction, COMPACTION_SEQNO) + 1
  const ranges = <usize>load<u32>(compaction, COMPACTION_RANGES)
  const shown = seqno + 1
  if (ranges != 0 && state_cover(ranges, key, keyLength, limit, shown) > shown) {
    close_fold(compaction, true, false)
    return EVENT_DONE
  }
  const unsure = <usize>load<u32>(compaction, COMPACTION_UNSURE_RANGES)
  if (unsure != 0 && list_cover(unsure, key, keyLength, limit, shown) > shown) {
    close_fold(compaction, false, false)
    return EVENT_DONE
  }
  if (kind == KIND_MERGE_OPERAND) return collect(compaction, merge, source, kind)
  // The same (key, seqno) twice: the newer source has won.
  if (seqno == load<u64>(<usize>load<u32>(compaction, COMPACTION_FOLD), FOLD_SEQNO)) {
    drop(compaction, merge)
    return EVENT_DONE
  }
  if (kind == KIND_VALUE) {
    const event = collect(compaction, merge, source, kind)
    if (event == EVENT_DONE) close_fold(compaction, true, true)
    return event
  }
  if (kind == KIND_INDIRECTION) {
    // A value in a blob file cannot be folded onto: all of it stays as it is.
    close_fold(compaction, false, false)
    store<u32>(<usize>load<u32>(compaction, COMPACTION_FOLD), FOLD_AS_IT_IS, FOLD_OUTCOME)
    return EVENT_DONE
  }
  close_fold(compaction, true, false)
  return EVENT_DONE
}

/** Writes what was folded, or the rows as they are: EVENT_DONE, EVENT_FOLD, or what must be dealt with first. */
function finish_fold(compaction: usize): i32 {
  const fold = <usize>load<u32>(compaction, COMPACTION_FOLD)
  const outcome = load<u32>(fold, FOLD_OUTCOME)
  if (outcome == FOLD_OPEN) return EVENT_FOLD
  const key = <usize>load<u32>(compaction, COMPACTION_KEY)
  const keyLength = load<i32>(compaction, COMPACTION_KEY_LENGTH)
  if (outcome == FOLD_DONE) {
    const isFinal = load<u32>(fold, FOLD_IS_FINAL) != 0
    const kind = isFinal ? KIND_VALUE : KIND_MERGE_OPERAND
    const event = emit(
      compaction,
      key,
      keyLength,
      load<u64>(compaction, COMPACTION_SEQNO),
      kind,
      <usize>load<u32>(fold, FOLD_RESULT),
      load<i32>(fold, FOLD_RESULT_LENGTH),
    )
    if (event != EVENT_DONE) return event
    count_dropped(compaction, load<u32>(fold, FOLD_ROWS) - 1)
    store<i32>(compaction, kind, COMPACTION_KIND)
    store<u32>(compaction, isFinal ? GROUP_SKIP : GROUP_WRITTEN, COMPACTION_GROUP)
    return EVENT_DONE
  }
  for (let row = fold_row(fold); row != 0; row = fold_row(fold)) {
    const seqno = load<u64>(row, FOLD_ROW_SEQNO)
    const kind = load<i32>(row, FOLD_ROW_KIND)
    const event = emit(compaction, key, keyLength, seqno, kind, row + FOLD_ROW_VALUE, load<i32>(row, FOLD_ROW_LENGTH))
    if (event != EVENT_DONE) return event
    store<u64>(compaction, seqno, COMPACTION_SEQNO)
    store<i32>(compaction, kind, COMPACTION_KIND)
    fold_next_row(fold, row)
  }
  store<u32>(compaction, GROUP_WRITTEN, COMPACTION_GROUP)
  return EVENT_DONE
}

/** The entry at the top goes as if it had never been: whatever comes next heads what is left of the key. */
function forget(compaction: usize, merge: usize): void {
  store<u32>(compaction, GROUP_NONE, COMPACTION_GROUP)
  drop(compaction, merge)
}

// @ts-ignore: decorator
/** Drops the entry at the top. */
@inline
function drop(compaction: usize, merge: usize): void {
  count_dropped(compaction, 1)
  step(compaction, merge)
}

// @ts-ignore: decorator
/** What the filter's verdict makes of an entry's kind. */
@inline
function judged_kind(verdict: u32, kind: i32): i32 {
  if (verdict == VERDICT_REMOVE) return KIND_TOMBSTONE
  if (verdict == VERDICT_REMOVE_WEAK) return KIND_WEAK_TOMBSTONE
  return verdict == VERDICT_REPLACE && kind == KIND_INDIRECTION ? KIND_VALUE : kind
}

/** The entry at the top heads what is left of its key: EVENT_DONE once it was dealt with, else what comes first. */
function take_head(compaction: usize, merge: usize, source: usize): i32 {
  const key = <usize>load<u32>(source, SOURCE_KEY)
  const keyLength = load<i32>(source, SOURCE_KEY_LENGTH)
  const seqno = load<u64>(source, SOURCE_SEQNO)
  let kind = load<i32>(source, SOURCE_KIND)
  const isTombstone = kind == KIND_TOMBSTONE || kind == KIND_WEAK_TOMBSTONE
  const verdict = load<u32>(compaction, COMPACTION_VERDICT)
  if (load<u32>(compaction, COMPACTION_FILTERS) != 0 && !isTombstone) {
    if (verdict == VERDICT_NONE) return EVENT_FILTER
    if (verdict == VERDICT_DESTROY) {
      forget(compaction, merge)
      return EVENT_DONE
    }
    kind = judged_kind(verdict, kind)
  }
  if (is_covered(compaction, key, keyLength, seqno)) {
    forget(compaction, merge)
    return EVENT_DONE
  }
  const fold = <usize>load<u32>(compaction, COMPACTION_FOLD)
  if (kind == KIND_MERGE_OPERAND && fold != 0 && seqno < load<u64>(compaction, COMPACTION_WATERMARK)) {
    fold_reset(fold)
    const event = collect(compaction, merge, source, kind)
    if (event != EVENT_DONE) return event
    store<u32>(compaction, GROUP_FOLDING, COMPACTION_GROUP)
  } else if (kind == KIND_TOMBSTONE || kind == KIND_WEAK_TOMBSTONE) {
    store<u32>(compaction, GROUP_PENDING, COMPACTION_GROUP)
    step(compaction, merge)
  } else {
    const isReplaced = verdict == VERDICT_REPLACE
    const event = emit(
      compaction,
      key,
      keyLength,
      seqno,
      kind,
      <usize>(isReplaced ? load<u32>(compaction, COMPACTION_REPLACEMENT) : load<u32>(source, SOURCE_VALUE)),
      isReplaced ? load<i32>(compaction, COMPACTION_REPLACEMENT_LENGTH) : load<i32>(source, SOURCE_VALUE_LENGTH),
    )
    if (event != EVENT_DONE) return event
    store<u32>(compaction, GROUP_WRITTEN, COMPACTION_GROUP)
    step(compaction, merge)
  }
  store<u64>(compaction, seqno, COMPACTION_SEQNO)
  store<i32>(compaction, kind, COMPACTION_KIND)
  return EVENT_DONE
}

// @ts-ignore: decorator
/** The version written last hides all further ones. */
@inline
function hide_older(compaction: usize): void {
  const kind = load<i32>(compaction, COMPACTION_KIND)
  const isValue = kind == KIND_VALUE || kind == KIND_INDIRECTION
  store<u32>(compaction, isValue ? GROUP_HIDDEN : GROUP_SKIP, COMPACTION_GROUP)
}

/** What becomes of a further version of the group's key. */
const FURTHER_HEAD: i32 = -1

/**
 * Deals with the entry at the top, a further version of the group's key: FURTHER_HEAD where it heads what is left, else
 * EVENT_DONE once it is gone, or what comes first.
 */
function take_further(compaction: usize, merge: usize, source: usize): i32 {
  const seqno = load<u64>(source, SOURCE_SEQNO)
  const kind = load<i32>(source, SOURCE_KIND)
  const group = load<u32>(compaction, COMPACTION_GROUP)
  if (group == GROUP_FOLDING) return continue_fold(compaction, merge, source)
  const isSame = seqno == load<u64>(compaction, COMPACTION_SEQNO)
  if (group == GROUP_PENDING) {
    if (isSame) {
      drop(compaction, merge)
      return EVENT_DONE
    }
    const event = settle_pending(compaction, seqno, kind)
    if (event != EVENT_DONE) return event
    if (load<u32>(compaction, COMPACTION_GROUP) == GROUP_WRITTEN) return FURTHER_HEAD
  } else if (group == GROUP_WRITTEN) {
    if (!is_shadowed(compaction, seqno, kind)) return FURTHER_HEAD
    if (!isSame) {
      hide_older(compaction)
      if (load<u32>(compaction, COMPACTION_GROUP) == GROUP_HIDDEN && kind == KIND_WEAK_TOMBSTONE) return FURTHER_HEAD
      store<u64>(compaction, seqno, COMPACTION_SEQNO)
    }
  } else if (group == GROUP_HIDDEN) {
    if (!isSame && kind == KIND_WEAK_TOMBSTONE) return FURTHER_HEAD
    store<u64>(compaction, seqno, COMPACTION_SEQNO)
  } else if (group == GROUP_DRAIN) {
    // The pair is gone, but a tombstone may hide something older in a table that is not part of the merge.
    if (!isSame && (kind == KIND_TOMBSTONE || kind == KIND_WEAK_TOMBSTONE)) return FURTHER_HEAD
    store<u64>(compaction, seqno, COMPACTION_SEQNO)
  }
  drop(compaction, merge)
  return EVENT_DONE
}

// @ts-ignore: decorator
/** True where the entry lies behind the slice that is merged. */
@inline
function is_beyond(compaction: usize, source: usize): bool {
  const upper = <usize>load<u32>(compaction, COMPACTION_UPPER)
  if (upper == 0) return false
  const key = <usize>load<u32>(source, SOURCE_KEY)
  const keyLength = load<i32>(source, SOURCE_KEY_LENGTH)
  return compare_keys(key, keyLength, upper, load<i32>(compaction, COMPACTION_UPPER_LENGTH)) > 0
}

/** Runs until something is wanted or the sources are done; returns an EVENT code. */
export function compaction_run(compaction: usize): i32 {
  const merge = <usize>load<u32>(compaction, COMPACTION_MERGE)
  let budget = YIELD_ENTRIES
  while (budget-- > 0) {
    if (load<u32>(compaction, COMPACTION_GROUP) == GROUP_FOLDED) {
      const event = finish_fold(compaction)
      if (event != EVENT_DONE) return event
    }
    const settled = merge_settle(merge)
    if (settled != MERGE_READY && settled != EVENT_DONE) return settled
    const isFolding = load<u32>(compaction, COMPACTION_GROUP) == GROUP_FOLDING
    if (settled == EVENT_DONE || is_beyond(compaction, merge_top(merge))) {
      if (!isFolding) return end_group(compaction)
      close_fold(compaction, false, false)
      continue
    }
    const source = merge_top(merge)
    const key = <usize>load<u32>(source, SOURCE_KEY)
    const keyLength = load<i32>(source, SOURCE_KEY_LENGTH)
    const isSameKey =
      load<u32>(compaction, COMPACTION_GROUP) != GROUP_NONE &&
      load<i32>(compaction, COMPACTION_KEY_LENGTH) == keyLength &&
      equal_bytes(<usize>load<u32>(compaction, COMPACTION_KEY), key, keyLength)
    if (isSameKey) {
      const event = take_further(compaction, merge, source)
      if (event == EVENT_DONE) continue
      if (event != FURTHER_HEAD) return event
    } else if (isFolding) {
      close_fold(compaction, false, false)
      continue
    } else {
      const event = end_group(compaction)
      if (event != EVENT_DONE) return event
      begin_group(compaction, key, keyLength)
    }
    const event = take_head(compaction, merge, source)
    if (event != EVENT_DONE) return event
  }
  return EVENT_YIELD
}

// @ts-ignore: decorator
@inline
function step(compaction: usize, merge: usize): void {
  store<u64>(compaction, load<u64>(compaction, COMPACTION_ENTRIES_IN) + 1, COMPACTION_ENTRIES_IN)
  store<u32>(compaction, VERDICT_NONE, COMPACTION_VERDICT)
  merge_advance(merge)
}
