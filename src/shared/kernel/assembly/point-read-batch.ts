// Many point reads in one call. They go down together, some at a time, and each stops where it would wait for memory: while
// one waits, the others' misses are on their way.
//
// Lock-free, any thread, by the rules of a point read. Between the steps of one call the thread inserts nothing, so what
// was found in the cache stays.
import {
  INDEX_RECORD_SEEN,
  KIND_VALUE,
  READ_BYTES,
  READ_CACHE,
  READ_COUNTERS,
  READ_FOUND_KIND,
  READ_FOUND_VALUE,
  READ_FOUND_VALUE_LENGTH,
  READ_GIVEN,
  READ_KEY,
  READ_KEY_LENGTH,
  READ_OUTCOME,
  READ_PRESENT,
  READ_STOPS,
  READ_WANTED_KIND,
  READ_WANTED_OFFSET,
  READ_WANTED_TABLE,
  READ_WANTS_BLOCK,
  TABLE_OWNER,
  WANTED_DATA,
} from '../layout'
import { note_seen, touch_block, touch_bucket, touch_seen } from './block-cache-ahead'
import { copy_bytes } from './bytes'
import { find_block, point_read, start_read } from './point-read'
import { resident_touch } from './resident-block'

/** So many reads go down together: their lines fit the processor's first cache. */
const TOGETHER: i32 = 16

// @ts-ignore: decorator
/** Whether a read has stopped before a data block. */
@inline
function has_stopped(read: usize): bool {
  if (load<i32>(read, READ_OUTCOME) != READ_WANTS_BLOCK) return false
  return load<u32>(read, READ_WANTED_KIND) == WANTED_DATA
}

// @ts-ignore: decorator
@inline
function wanted_owner(read: usize): u32 {
  return load<u32>(<usize>load<u32>(read, READ_WANTED_TABLE), TABLE_OWNER)
}

// @ts-ignore: decorator
/** Whether the index told a read where its block is: that is on its way then. */
@inline
function is_told(read: usize): bool {
  const record = <usize>load<u32>(read, READ_STOPS)
  return record != 0 && load<u32>(record, INDEX_RECORD_SEEN) != 0
}

/** A read has stopped: the block is there, or is missing. If it is there, touches the entry that will be looked at. */
function meet_block(read: usize, cache: usize): void {
  const table = <usize>load<u32>(read, READ_WANTED_TABLE)
  const block = find_block(read, table, WANTED_DATA, load<u64>(read, READ_WANTED_OFFSET))
  const record = <usize>load<u32>(read, READ_STOPS)
  store<u32>(read, <u32>block, READ_GIVEN)
  store<u32>(read, 0, READ_STOPS)
  if (record != 0) note_seen(cache, record, block)
  if (block == 0) return
  resident_touch(block, <usize>load<u32>(read, READ_KEY), load<i32>(read, READ_KEY_LENGTH))
}

/** Takes the reads from `first` to before `end` as far as memory goes, a step of all after a step of all. */
function go_together(first: usize, end: usize, state: usize, cache: usize, counters: usize, seqno: u64): void {
  for (let read = first; read < end; read += READ_BYTES) {
    store<u32>(read, <u32>cache, READ_CACHE)
    store<u32>(read, <u32>counters, READ_COUNTERS)
    store<u32>(read, 1, READ_STOPS)
    start_read(read, state, seqno)
    store<i32>(read, point_read(read), READ_OUTCOME)
    if (!has_stopped(read)) store<u32>(read, 0, READ_STOPS)
  }
  // Apart from the steps before: the processor looks ahead only so far, and what is touched holds it up.
  for (let read = first; read < end; read += READ_BYTES) {
    if (!has_stopped(read)) continue
    touch_bucket(cache, wanted_owner(read), load<u64>(read, READ_WANTED_OFFSET))
    if (load<u32>(read, READ_STOPS) != 0) touch_seen(<usize>load<u32>(read, READ_STOPS))
  }
  for (let read = first; read < end; read += READ_BYTES) {
    if (!has_stopped(read) || is_told(read)) continue
    touch_block(cache, wanted_owner(read), load<u64>(read, READ_WANTED_OFFSET))
  }
  for (let read = first; read < end; read += READ_BYTES) {
    if (has_stopped(read)) meet_block(read, cache)
  }
  for (let read = first; read < end; read += READ_BYTES) {
    if (has_stopped(read) && load<u32>(read, READ_GIVEN) != 0) store<i32>(read, point_read(read), READ_OUTCOME)
  }
}

/**
 * Starts `count` reads that lie one behind the other at `reads`, with READ_KEY and READ_KEY_LENGTH set: each goes as far
 * as memory goes; READ_OUTCOME tells what became of it. Values that are found are copied to `out`, back to back, and
 * READ_FOUND_VALUE names the copy, as long as they fit `capacity` bytes. Returns the bytes copied.
 */
export function point_read_batch(
  reads: usize,
  count: i32,
  state: usize,
  cache: usize,
  counters: usize,
  seqno: f64,
  out: usize,
  capacity: u32,
): i32 {
  let top: u32 = 0
  for (let i = 0; i < count; i += TOGETHER) {
    const first = reads + <usize>i * READ_BYTES
    const end = reads + <usize>min(i + TOGETHER, count) * READ_BYTES
    go_together(first, end, state, cache, counters, <u64>seqno)
    for (let read = first; read < end; read += READ_BYTES) {
      if (load<i32>(read, READ_OUTCOME) != READ_PRESENT) continue
      if (load<u32>(read, READ_FOUND_KIND) != KIND_VALUE) continue
      const length = load<u32>(read, READ_FOUND_VALUE_LENGTH)
      if (length > capacity - top) continue
      copy_bytes(out + <usize>top, <usize>load<u32>(read, READ_FOUND_VALUE), <i32>length)
      store<u32>(read, <u32>out + top, READ_FOUND_VALUE)
      top += length
    }
  }
  return <i32>top
}
