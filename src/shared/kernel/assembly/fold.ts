// The operands of one key on their way into one entry: collected while the compaction stream goes on, for what they lie in
// may be used up before the last of them is met. The thread of the actor.
//
// I1: rows are newest first; at most the last one is a value.
import {
  FOLD_AS_IT_IS,
  FOLD_AT,
  FOLD_CAPACITY,
  FOLD_HAS_BASE,
  FOLD_IS_FINAL,
  FOLD_OPEN,
  FOLD_OUT,
  FOLD_OUTCOME,
  FOLD_ROWS,
  FOLD_ROW_BYTES,
  FOLD_ROW_KIND,
  FOLD_ROW_LENGTH,
  FOLD_ROW_SEQNO,
  FOLD_ROW_VALUE,
  FOLD_SEQNO,
  FOLD_TOP,
} from '../layout-compaction'
import { copy_bytes } from './bytes'

/** Empties the fold for the next key. */
export function fold_reset(fold: usize): void {
  store<u32>(fold, 0, FOLD_TOP)
  store<u32>(fold, 0, FOLD_ROWS)
  store<u32>(fold, 0, FOLD_HAS_BASE)
  store<u32>(fold, 0, FOLD_IS_FINAL)
  store<u32>(fold, FOLD_OPEN, FOLD_OUTCOME)
  store<u32>(fold, 0, FOLD_AT)
}

/** Appends a version; false where the buffer is too small for it. */
export function fold_push(fold: usize, kind: i32, seqno: u64, value: usize, valueLength: i32): bool {
  const bytes = (<u64>FOLD_ROW_VALUE + <u64>(<u32>valueLength) + 7) & ~7
  const top = load<u32>(fold, FOLD_TOP)
  if (bytes > <u64>load<u32>(fold, FOLD_CAPACITY) - <u64>top) return false
  const row = <usize>load<u32>(fold, FOLD_OUT) + <usize>top
  store<u32>(row, <u32>bytes, FOLD_ROW_BYTES)
  store<i32>(row, kind, FOLD_ROW_KIND)
  store<u64>(row, seqno, FOLD_ROW_SEQNO)
  store<i32>(row, valueLength, FOLD_ROW_LENGTH)
  copy_bytes(row + FOLD_ROW_VALUE, value, valueLength)
  store<u32>(fold, top + <u32>bytes, FOLD_TOP)
  store<u32>(fold, load<u32>(fold, FOLD_ROWS) + 1, FOLD_ROWS)
  store<u64>(fold, seqno, FOLD_SEQNO)
  return true
}

/** The rows are complete. A lone operand with nothing below it is itself: the operator need not be asked. */
export function fold_close(fold: usize, isFinal: bool, hasBase: bool): void {
  store<u32>(fold, isFinal ? 1 : 0, FOLD_IS_FINAL)
  store<u32>(fold, hasBase ? 1 : 0, FOLD_HAS_BASE)
  const isAlone = !isFinal && load<u32>(fold, FOLD_ROWS) == 1
  store<u32>(fold, isAlone ? FOLD_AS_IT_IS : FOLD_OPEN, FOLD_OUTCOME)
}

// @ts-ignore: decorator
/** The next row to be written as it is, or 0 behind the last one. */
@inline
export function fold_row(fold: usize): usize {
  const at = load<u32>(fold, FOLD_AT)
  return at < load<u32>(fold, FOLD_TOP) ? <usize>load<u32>(fold, FOLD_OUT) + <usize>at : 0
}

// @ts-ignore: decorator
@inline
export function fold_next_row(fold: usize, row: usize): void {
  store<u32>(fold, load<u32>(fold, FOLD_AT) + load<u32>(row, FOLD_ROW_BYTES), FOLD_AT)
}
