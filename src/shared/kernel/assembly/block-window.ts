// Takes data blocks from a piece of a table file that was read in one go: most blocks of a merge come to their source
// without the calling thread. The thread that owns the cursor.
//
// I1: a block that is not sound, or for which a buffer is too small, is not taken: the calling thread reads it again, and
//     tells what is wrong with it or makes room.
import {
  INDEX_RECORD_OFFSET,
  INDEX_RECORD_SIZE,
  SOURCE_BLOCK,
  SOURCE_GIVEN,
  SOURCE_INDEX,
  SOURCE_ROW_BYTES,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_ROWS,
} from '../layout'
import {
  BLOCK_WINDOW_BYTES_AT,
  BLOCK_WINDOW_CODEC,
  BLOCK_WINDOW_HAS_FOOTER,
  BLOCK_WINDOW_LENGTH,
  BLOCK_WINDOW_OFFSET,
  BLOCK_WINDOW_PLAIN,
  BLOCK_WINDOW_PLAIN_CAPACITY,
  BLOCK_WINDOW_SCRATCH,
  BLOCK_WINDOW_TABLE,
  BLOCK_WINDOW_TAKEN,
  BLOCK_WINDOW_TARGET,
  BLOCK_WINDOW_TARGET_CAPACITY,
} from '../layout-cursor'
import { data_block_load, data_block_rows } from './block-frame'

// @ts-ignore: decorator
/** Where the data block of `record`, an entry of the index of the run's table `number`, lies in the window; else 0. */
@inline
function frame_of(window: usize, number: i32, record: usize): usize {
  if (load<i32>(window, BLOCK_WINDOW_TABLE) != number) return 0
  const offset = load<u64>(record, INDEX_RECORD_OFFSET)
  const size = <u64>load<u32>(record, INDEX_RECORD_SIZE)
  const first = load<u64>(window, BLOCK_WINDOW_OFFSET)
  if (offset < first || offset - first + size > <u64>load<u32>(window, BLOCK_WINDOW_LENGTH)) return 0
  return <usize>load<u32>(window, BLOCK_WINDOW_BYTES_AT) + <usize>(offset - first)
}

// @ts-ignore: decorator
@inline
function count_taken(window: usize, record: usize): void {
  const taken = load<f64>(window, BLOCK_WINDOW_TAKEN) + <f64>load<u32>(record, INDEX_RECORD_SIZE)
  store<f64>(window, taken, BLOCK_WINDOW_TAKEN)
}

/** The resident form of a block that lies in the window, valid until the next one is taken; else 0. */
export function window_block(window: usize, number: i32, record: usize): usize {
  const frame = frame_of(window, number, record)
  if (frame == 0) return 0
  const target = <usize>load<u32>(window, BLOCK_WINDOW_TARGET)
  const length = data_block_load(
    frame,
    load<i32>(record, INDEX_RECORD_SIZE),
    load<i32>(window, BLOCK_WINDOW_CODEC),
    load<i32>(window, BLOCK_WINDOW_HAS_FOOTER),
    <usize>load<u32>(window, BLOCK_WINDOW_PLAIN),
    load<i32>(window, BLOCK_WINDOW_PLAIN_CAPACITY),
    target,
    load<i32>(window, BLOCK_WINDOW_TARGET_CAPACITY),
    <usize>load<u32>(window, BLOCK_WINDOW_SCRATCH),
  )
  if (length < 0) return 0
  count_taken(window, record)
  return target
}

/**
 * Gives `source` a block that lies in the window, as rows, which are valid as long as the next one is not taken and the
 * window stays; false where it does not lie there.
 */
export function window_rows(window: usize, number: i32, record: usize, source: usize, globalSeqno: u64): bool {
  const frame = frame_of(window, number, record)
  if (frame == 0) return false
  const target = <usize>load<u32>(window, BLOCK_WINDOW_TARGET)
  const count = data_block_rows(
    frame,
    load<i32>(record, INDEX_RECORD_SIZE),
    load<i32>(window, BLOCK_WINDOW_CODEC),
    load<i32>(window, BLOCK_WINDOW_HAS_FOOTER),
    <usize>load<u32>(window, BLOCK_WINDOW_PLAIN),
    load<i32>(window, BLOCK_WINDOW_PLAIN_CAPACITY),
    target,
    load<i32>(window, BLOCK_WINDOW_TARGET_CAPACITY),
    <usize>load<u32>(window, BLOCK_WINDOW_SCRATCH),
    globalSeqno,
  )
  // A sound block has an entry.
  if (count <= 0) return false
  count_taken(window, record)
  store<u32>(source, SOURCE_TYPE_ROWS, SOURCE_TYPE)
  store<u32>(source, <u32>target, SOURCE_BLOCK)
  store<u32>(source, <u32>target + <u32>count * SOURCE_ROW_BYTES, SOURCE_INDEX)
  store<u32>(source, SOURCE_GIVEN, SOURCE_STATE)
  return true
}
