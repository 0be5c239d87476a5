// Takes data blocks from a piece of a table file that was read in one go: most blocks of a merge come to their source
// without the calling thread. The thread that owns the cursor.
//
// I1: a block that is not sound, or for which a buffer is too small, is not taken: the calling thread reads it again, and
//     tells what is wrong with it or makes room.
import { INDEX_RECORD_OFFSET, INDEX_RECORD_SIZE } from '../layout'
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
import { data_block_load } from './block-frame'

/**
 * The resident form of the data block of `record`, an entry of the index of the run's table `number`, where all of it lies
 * in the window: valid until the next one is taken. Else 0.
 */
export function window_block(window: usize, number: i32, record: usize): usize {
  if (load<i32>(window, BLOCK_WINDOW_TABLE) != number) return 0
  const offset = load<u64>(record, INDEX_RECORD_OFFSET)
  const first = load<u64>(window, BLOCK_WINDOW_OFFSET)
  const size = load<u32>(record, INDEX_RECORD_SIZE)
  if (offset < first || offset - first + size > <u64>load<u32>(window, BLOCK_WINDOW_LENGTH)) return 0
  const target = <usize>load<u32>(window, BLOCK_WINDOW_TARGET)
  const length = data_block_load(
    <usize>load<u32>(window, BLOCK_WINDOW_BYTES_AT) + <usize>(offset - first),
    <i32>size,
    load<i32>(window, BLOCK_WINDOW_CODEC),
    load<i32>(window, BLOCK_WINDOW_HAS_FOOTER),
    <usize>load<u32>(window, BLOCK_WINDOW_PLAIN),
    load<i32>(window, BLOCK_WINDOW_PLAIN_CAPACITY),
    target,
    load<i32>(window, BLOCK_WINDOW_TARGET_CAPACITY),
    <usize>load<u32>(window, BLOCK_WINDOW_SCRATCH),
  )
  if (length < 0) return 0
  store<f64>(window, load<f64>(window, BLOCK_WINDOW_TAKEN) + <f64>size, BLOCK_WINDOW_TAKEN)
  return target
}
