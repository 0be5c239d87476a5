// A range read's inner loop: merges the sources and packs the newest visible version of each key into a batch of rows,
// forward or in reverse. Runs on the thread that owns the SCAN structure.
//
// Point tombstones hide their key here, and so do range tombstones: the newest version decides for both. What covers a key
// is looked up once for all keys up to the next bound of a range tombstone. Merge operands come back to the calling thread
// (EVENT_OPERAND). A scan of every version applies none of this.
//
// I1: rows below SCAN_TOP are final; after any event the loop can be called again and goes on where it stood.
import {
  EVENT_BATCH_FULL,
  EVENT_DONE,
  EVENT_NO_SPACE,
  EVENT_OPERAND,
  EVENT_WANTS_BLOCK,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
  MERGE_RANGES,
  MERGE_REVERSE,
  RESIDENT_COUNT,
  ROW_BYTES,
  ROW_KEY,
  ROW_KEY_LENGTH,
  ROW_KIND,
  ROW_SEQNO,
  ROW_VALUE_LENGTH,
  SCAN_BOUND,
  SCAN_BOUND_INCLUSIVE,
  SCAN_BOUND_LENGTH,
  SCAN_CACHE,
  SCAN_CAPACITY,
  SCAN_EVERY_VERSION,
  SCAN_FLAGS,
  SCAN_GAP,
  SCAN_HAS_KEY,
  SCAN_KEY,
  SCAN_KEYS_ONLY,
  SCAN_KEY_LENGTH,
  SCAN_MERGE,
  SCAN_OUT,
  SCAN_RANGES,
  SCAN_ROWS,
  SCAN_ROWS_MAX,
  SCAN_SEQNO,
  SCAN_STAGE,
  SCAN_STAGE_MERGING,
  SCAN_STAGE_NEW,
  SCAN_STAGE_SEEKING,
  SCAN_START,
  SCAN_START_BEHIND,
  SCAN_START_LENGTH,
  SCAN_STATE,
  SCAN_TENTATIVE,
  SCAN_TOP,
  SOURCE_BLOCK,
  SOURCE_GLOBAL_SEQNO,
  SOURCE_INDEX,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_SEQNO,
  SOURCE_TYPE,
  SOURCE_TYPE_BLOCK,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
} from '../layout'
import { RANGE_GAP_IS_KNOWN } from '../layout-ranges'
import { copy_bytes, equal_bytes, read_varint, skip_varint } from './bytes'
import { compare_keys, order_head64 } from './key-order'
import {
  MERGE_READY,
  merge_advance,
  merge_go_to,
  merge_is_single,
  merge_next_head,
  merge_settle,
  merge_top,
} from './merge'
import { merge_open, merge_release, merge_seek, merge_start } from './merge-open'
import { gap_cover, state_has_ranges } from './range-cover'
import { resident_entry } from './resident-block'

// States of SCAN_TENTATIVE: no row at SCAN_TOP; a row that a newer version may replace; an operand to be reported once
// the rows before it were taken.
const TENTATIVE_NONE: u32 = 0
const TENTATIVE_ROW: u32 = 1
const TENTATIVE_OPERAND: u32 = 2

/** True where `key` lies behind the scan's bound. */
function is_beyond(scan: usize, key: usize, keyLength: i32, reverse: bool): bool {
  const bound = <usize>load<u32>(scan, SCAN_BOUND)
  if (bound == 0) return false
  const order = compare_keys(key, keyLength, bound, load<i32>(scan, SCAN_BOUND_LENGTH))
  if (order == 0) return load<u32>(scan, SCAN_BOUND_INCLUSIVE) == 0
  return order > 0 != reverse
}

/** Writes the source's entry as the row at SCAN_TOP without making it final: its size, or 0 where it does not fit. */
function write_row(scan: usize, source: usize): u32 {
  const keyLength = load<u32>(source, SOURCE_KEY_LENGTH)
  const valueLength = load<u32>(source, SOURCE_VALUE_LENGTH)
  const isKeyOnly = (load<u32>(scan, SCAN_FLAGS) & SCAN_KEYS_ONLY) != 0
  const copied = isKeyOnly ? 0 : valueLength
  const bytes = (<u64>ROW_KEY + <u64>keyLength + <u64>copied + 7) & ~7
  const top = load<u32>(scan, SCAN_TOP)
  if (bytes > <u64>load<u32>(scan, SCAN_CAPACITY) - <u64>top) return 0
  const row = <usize>load<u32>(scan, SCAN_OUT) + <usize>top
  store<u32>(row, <u32>bytes, ROW_BYTES)
  store<u32>(row, keyLength, ROW_KEY_LENGTH)
  store<u32>(row, valueLength, ROW_VALUE_LENGTH)
  store<u32>(row, load<u32>(source, SOURCE_KIND), ROW_KIND)
  store<u64>(row, load<u64>(source, SOURCE_SEQNO), ROW_SEQNO)
  copy_bytes(row + ROW_KEY, <usize>load<u32>(source, SOURCE_KEY), keyLength)
  copy_bytes(row + ROW_KEY + <usize>keyLength, <usize>load<u32>(source, SOURCE_VALUE), copied)
  return <u32>bytes
}

// @ts-ignore: decorator
/** Makes the row of `bytes` at SCAN_TOP final. */
@inline
function keep_row(scan: usize, bytes: u32): void {
  store<u32>(scan, load<u32>(scan, SCAN_TOP) + bytes, SCAN_TOP)
  store<u32>(scan, load<u32>(scan, SCAN_ROWS) + 1, SCAN_ROWS)
}

// @ts-ignore: decorator
/** What it means that a row does not fit: a full batch, or a batch too small for this row alone. */
@inline
function full_event(scan: usize): i32 {
  return load<u32>(scan, SCAN_TOP) > 0 ? EVENT_BATCH_FULL : EVENT_NO_SPACE
}

// @ts-ignore: decorator
@inline
function is_group_key(scan: usize, key: usize, keyLength: i32): bool {
  if (load<u32>(scan, SCAN_HAS_KEY) == 0) return false
  const groupLength = load<i32>(scan, SCAN_KEY_LENGTH)
  if (groupLength != keyLength) return false
  return equal_bytes(<usize>load<u32>(scan, SCAN_KEY), key, keyLength)
}

// @ts-ignore: decorator
@inline
function begin_group(scan: usize, key: usize, keyLength: i32): void {
  copy_bytes(<usize>load<u32>(scan, SCAN_KEY), key, keyLength)
  store<i32>(scan, keyLength, SCAN_KEY_LENGTH)
  store<u32>(scan, 1, SCAN_HAS_KEY)
}

// @ts-ignore: decorator
@inline
function hides(kind: i32): bool {
  return kind == KIND_TOMBSTONE || kind == KIND_WEAK_TOMBSTONE
}

// @ts-ignore: decorator
/** Whether a visible range tombstone hides the version (key, seqno). */
@inline
function is_covered(scan: usize, key: usize, keyLength: i32, seqno: u64, limit: u64, reverse: bool): bool {
  const ranges = <usize>load<u32>(scan, SCAN_RANGES)
  if (ranges == 0) return false
  return gap_cover(ranges, scan + SCAN_GAP, key, keyLength, limit, reverse) > seqno + 1
}

/**
 * The forward loop over the block that the top source reads: its entries, as long as they come before those of all other
 * sources and are plain values, without a word on the source about each. Returns an EVENT; or MERGE_READY where
 * the loop over all sources goes on, the merge being settled first. REQUIRES: not every version; no range tombstones.
 */
function scan_block(scan: usize, merge: usize, source: usize, limit: u64): i32 {
  const block = <usize>load<u32>(source, SOURCE_BLOCK)
  const count = load<i32>(block, RESIDENT_COUNT)
  const globalSeqno = load<u64>(source, SOURCE_GLOBAL_SEQNO)
  const isKeyOnly = (load<u32>(scan, SCAN_FLAGS) & SCAN_KEYS_ONLY) != 0
  const isSingle = merge_is_single(merge)
  const nextHead = isSingle ? <u64>0 : merge_next_head(merge)
  const bound = <usize>load<u32>(scan, SCAN_BOUND)
  const boundHead = bound == 0 ? <u64>0 : order_head64(bound, load<i32>(scan, SCAN_BOUND_LENGTH))
  const rowsMax = load<u32>(scan, SCAN_ROWS_MAX)
  const out = <usize>load<u32>(scan, SCAN_OUT)
  const capacity = <u64>load<u32>(scan, SCAN_CAPACITY)
  const before = load<u32>(scan, SCAN_HAS_KEY) == 0 ? <usize>0 : <usize>load<u32>(scan, SCAN_KEY)
  const first = load<i32>(source, SOURCE_INDEX)
  let group = before
  let groupLength = load<i32>(scan, SCAN_KEY_LENGTH)
  let top = load<u32>(scan, SCAN_TOP)
  let rows = load<u32>(scan, SCAN_ROWS)
  let event = MERGE_READY
  let index = first
  for (; index < count; index++) {
    const entry = resident_entry(block, index)
    let at = entry + 1
    const seqno = read_varint(at) + globalSeqno
    at = skip_varint(at)
    const keyLength = <i32>read_varint(at)
    at = skip_varint(at)
    const valueLength = <u32>read_varint(at)
    const key = skip_varint(at)
    // The first one is the merge's next entry; equal heads are for the merge to tell apart.
    if (!isSingle && index != first && order_head64(key, keyLength) >= nextHead) break
    if (bound != 0 && order_head64(key, keyLength) >= boundHead && is_beyond(scan, key, keyLength, false)) {
      event = EVENT_DONE
      break
    }
    if (seqno >= limit) continue
    if (group != 0 && groupLength == keyLength && equal_bytes(group, key, keyLength)) continue
    if (load<u8>(entry) != KIND_VALUE) break
    if (rows >= rowsMax) {
      event = EVENT_BATCH_FULL
      break
    }
    // Key and value lie side by side, here as there.
    const copied = isKeyOnly ? <u32>keyLength : <u32>keyLength + valueLength
    const bytes = (<u64>ROW_KEY + <u64>copied + 7) & ~7
    if (bytes > capacity - <u64>top) {
      event = top > 0 ? EVENT_BATCH_FULL : EVENT_NO_SPACE
      break
    }
    const row = out + <usize>top
    store<u32>(row, <u32>bytes, ROW_BYTES)
    store<i32>(row, keyLength, ROW_KEY_LENGTH)
    store<u32>(row, valueLength, ROW_VALUE_LENGTH)
    store<u32>(row, KIND_VALUE, ROW_KIND)
    store<u64>(row, seqno, ROW_SEQNO)
    copy_bytes(row + ROW_KEY, key, copied)
    top += <u32>bytes
    rows++
    group = key
    groupLength = keyLength
  }
  store<u32>(scan, top, SCAN_TOP)
  store<u32>(scan, rows, SCAN_ROWS)
  if (group != before) begin_group(scan, group, groupLength)
  if (index != first) merge_go_to(merge, source, index)
  return event
}

function scan_forward(scan: usize, merge: usize, limit: u64): i32 {
  const everyVersion = (load<u32>(scan, SCAN_FLAGS) & SCAN_EVERY_VERSION) != 0
  const isPlain = !everyVersion && load<u32>(scan, SCAN_RANGES) == 0
  while (true) {
    let settled = merge_settle(merge)
    if (settled != MERGE_READY) return settled
    let source = merge_top(merge)
    if (isPlain && load<u32>(source, SOURCE_TYPE) == SOURCE_TYPE_BLOCK) {
      const event = scan_block(scan, merge, source, limit)
      if (event != MERGE_READY) return event
      settled = merge_settle(merge)
      if (settled != MERGE_READY) return settled
      source = merge_top(merge)
    }
    const key = <usize>load<u32>(source, SOURCE_KEY)
    const keyLength = load<i32>(source, SOURCE_KEY_LENGTH)
    // The bound first: behind it there may be any number of versions that this scan cannot see.
    if (is_beyond(scan, key, keyLength, false)) return EVENT_DONE
    if (load<u64>(source, SOURCE_SEQNO) >= limit) {
      merge_advance(merge)
      continue
    }
    if (!everyVersion) {
      if (is_group_key(scan, key, keyLength)) {
        merge_advance(merge)
        continue
      }
      const kind = load<i32>(source, SOURCE_KIND)
      if (hides(kind) || is_covered(scan, key, keyLength, load<u64>(source, SOURCE_SEQNO), limit, false)) {
        begin_group(scan, key, keyLength)
        merge_advance(merge)
        continue
      }
      if (kind == KIND_MERGE_OPERAND) {
        if (load<u32>(scan, SCAN_ROWS) > 0) return EVENT_BATCH_FULL
        begin_group(scan, key, keyLength)
        return EVENT_OPERAND
      }
    }
    if (load<u32>(scan, SCAN_ROWS) >= load<u32>(scan, SCAN_ROWS_MAX)) return EVENT_BATCH_FULL
    const bytes = write_row(scan, source)
    if (bytes == 0) return full_event(scan)
    keep_row(scan, bytes)
    if (!everyVersion) begin_group(scan, key, keyLength)
    merge_advance(merge)
  }
}

/**
 * Ends a reverse group: its newest visible version, the row at SCAN_TOP, becomes final, hides the key, or is an operand.
 */
function end_reverse_group(scan: usize, limit: u64): i32 {
  if (load<u32>(scan, SCAN_TENTATIVE) == TENTATIVE_NONE) return EVENT_DONE
  const row = <usize>load<u32>(scan, SCAN_OUT) + <usize>load<u32>(scan, SCAN_TOP)
  const kind = load<i32>(row, ROW_KIND)
  if (
    is_covered(scan, row + ROW_KEY, load<i32>(row, ROW_KEY_LENGTH), load<u64>(row, ROW_SEQNO), limit, true)
  ) {
    store<u32>(scan, TENTATIVE_NONE, SCAN_TENTATIVE)
    return EVENT_DONE
  }
  if (kind == KIND_MERGE_OPERAND) {
    const isFirst = load<u32>(scan, SCAN_ROWS) == 0
    store<u32>(scan, isFirst ? TENTATIVE_NONE : TENTATIVE_OPERAND, SCAN_TENTATIVE)
    return isFirst ? EVENT_OPERAND : EVENT_BATCH_FULL
  }
  store<u32>(scan, TENTATIVE_NONE, SCAN_TENTATIVE)
  if (!hides(kind)) keep_row(scan, load<u32>(row, ROW_BYTES))
  return EVENT_DONE
}

function scan_reverse(scan: usize, merge: usize, limit: u64): i32 {
  if (load<u32>(scan, SCAN_TENTATIVE) == TENTATIVE_OPERAND) {
    store<u32>(scan, TENTATIVE_NONE, SCAN_TENTATIVE)
    return EVENT_OPERAND
  }
  const everyVersion = (load<u32>(scan, SCAN_FLAGS) & SCAN_EVERY_VERSION) != 0
  while (true) {
    const settled = merge_settle(merge)
    if (settled == EVENT_DONE) return end_reverse_group(scan, limit)
    if (settled != MERGE_READY) return settled
    const source = merge_top(merge)
    const key = <usize>load<u32>(source, SOURCE_KEY)
    const keyLength = load<i32>(source, SOURCE_KEY_LENGTH)
    const isVisible = load<u64>(source, SOURCE_SEQNO) < limit
    if (!is_group_key(scan, key, keyLength)) {
      const event = end_reverse_group(scan, limit)
      if (event != EVENT_DONE) return event
    }
    if (is_beyond(scan, key, keyLength, true)) return EVENT_DONE
    if (!isVisible) {
      merge_advance(merge)
      continue
    }
    const isFull = load<u32>(scan, SCAN_ROWS) >= load<u32>(scan, SCAN_ROWS_MAX)
    if (isFull && load<u32>(scan, SCAN_TENTATIVE) == TENTATIVE_NONE) return EVENT_BATCH_FULL
    const bytes = write_row(scan, source)
    if (bytes == 0) return full_event(scan)
    if (everyVersion) {
      keep_row(scan, bytes)
      merge_advance(merge)
      continue
    }
    store<u32>(scan, TENTATIVE_ROW, SCAN_TENTATIVE)
    begin_group(scan, key, keyLength)
    merge_advance(merge)
  }
}

/**
 * Makes the sources and places them, as far as that is still to be done. EVENT_DONE: the merge stands; EVENT_WANTS_BLOCK as
 * {@link merge_start}.
 */
function scan_place(scan: usize, merge: usize, stage: u32): i32 {
  if (stage == SCAN_STAGE_NEW) {
    const end = <usize>load<u32>(scan, SCAN_BOUND)
    const state = <usize>load<u32>(scan, SCAN_STATE)
    const hides = (load<u32>(scan, SCAN_FLAGS) & SCAN_EVERY_VERSION) == 0 && state_has_ranges(state) != 0
    store<u32>(scan, hides ? <u32>state : 0, SCAN_RANGES)
    store<u32>(merge, hides ? <u32>state : 0, MERGE_RANGES)
    merge_open(merge, state, <usize>load<u32>(scan, SCAN_CACHE), end, load<i32>(scan, SCAN_BOUND_LENGTH))
  }
  if (stage != SCAN_STAGE_SEEKING) {
    store<u32>(scan, 0, SCAN_HAS_KEY)
    store<u32>(scan, TENTATIVE_NONE, SCAN_TENTATIVE)
    store<u32>(scan + SCAN_GAP, 0, RANGE_GAP_IS_KNOWN)
  }
  store<u32>(scan, SCAN_STAGE_SEEKING, SCAN_STAGE)
  const event =
    stage == SCAN_STAGE_SEEKING
      ? merge_start(merge)
      : merge_seek(
          merge,
          <usize>load<u32>(scan, SCAN_START),
          load<i32>(scan, SCAN_START_LENGTH),
          load<i32>(scan, SCAN_START_BEHIND),
        )
  if (event == EVENT_DONE) store<u32>(scan, SCAN_STAGE_MERGING, SCAN_STAGE)
  return event
}

/**
 * Runs until the batch is full, something is wanted, or the scan is over; returns an EVENT code. On EVENT_OPERAND the
 * key at SCAN_KEY is the operand's; the calling thread answers for it and calls again.
 */
export function scan_run(scan: usize): i32 {
  const merge = <usize>load<u32>(scan, SCAN_MERGE)
  const stage = load<u32>(scan, SCAN_STAGE)
  if (stage != SCAN_STAGE_MERGING && scan_place(scan, merge, stage) != EVENT_DONE) return EVENT_WANTS_BLOCK
  const limit = load<u64>(scan, SCAN_SEQNO)
  return load<u32>(merge, MERGE_REVERSE) != 0
    ? scan_reverse(scan, merge, limit)
    : scan_forward(scan, merge, limit)
}

/** Lets go of all blocks that the scan pins: it ends, or begins anew with sources of other bounds. */
export function scan_release(scan: usize): void {
  if (load<u32>(scan, SCAN_STAGE) == SCAN_STAGE_NEW) return
  store<u32>(scan, SCAN_STAGE_NEW, SCAN_STAGE)
  merge_release(<usize>load<u32>(scan, SCAN_MERGE))
}
