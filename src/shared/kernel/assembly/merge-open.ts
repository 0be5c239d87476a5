// Opens a merge over everything that a read looks at, and places it: one source for each memtable and run of a published
// state. Runs on the thread that owns the MERGE structure.
//
// The caller gives one piece of memory at MERGE_SOURCES, in which they lie as drawn, newest source first:
//
//   SOURCE x count | heap u32 x count, to a multiple of 8 | MEMTABLE_CURSOR x memtables | RUN_CURSOR x runs
//
// I1: a merge that was opened may be placed any number of times.
import {
  EVENT_DONE,
  EVENT_WANTS_BLOCK,
  MEMTABLE_CURSOR_BASE,
  MEMTABLE_CURSOR_BYTES,
  MEMTABLE_SEQNO_MIN,
  MERGE_COUNTERS,
  MERGE_HEAP,
  MERGE_PREFIX,
  MERGE_RANGES,
  MERGE_REVERSE,
  MERGE_ROWS,
  MERGE_SEQNO,
  MERGE_SOURCES,
  MERGE_SOURCE_COUNT,
  MERGE_WANTED,
  RUN_BYTES,
  RUN_TABLES,
  RUN_TABLE_COUNT,
  SOURCE_BYTES,
  SOURCE_CURSOR,
  SOURCE_RANK,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_BLOCK,
  SOURCE_TYPE_MEMTABLE,
  SOURCE_WANTS_BLOCK,
  STATE_MEMTABLES,
  STATE_MEMTABLE_COUNT,
  STATE_RUNS,
  STATE_RUN_COUNT,
} from '../layout'
import {
  RUN_CURSOR_BYTES,
  RUN_CURSOR_CACHE,
  RUN_CURSOR_COUNTERS,
  RUN_CURSOR_END,
  RUN_CURSOR_END_LENGTH,
  RUN_CURSOR_PINNED_BLOCK,
  RUN_CURSOR_PINNED_INDEX,
  RUN_CURSOR_PREFIX,
  RUN_CURSOR_RANGES,
  RUN_CURSOR_REVERSE,
  RUN_CURSOR_ROWS,
  RUN_CURSOR_SEQNO,
  RUN_CURSOR_TABLES,
  RUN_CURSOR_TABLE_COUNT,
  RUN_CURSOR_WINDOW,
} from '../layout-cursor'
import {
  memtable_cursor_first,
  memtable_cursor_init,
  memtable_cursor_last,
  memtable_cursor_seek,
  memtable_cursor_seek_before,
  memtable_cursor_seek_behind,
  memtable_cursor_seek_upto,
} from './memtable-cursor'
import { merge_build, source_set_entry } from './merge'
import { run_cursor_release, run_cursor_seek } from './run-cursor'

/**
 * Makes the sources of `state`, in the direction of MERGE_REVERSE. Tables that are covered as a whole are passed over where
 * MERGE_RANGES says so. Runs look for their blocks in `cache` (0: nowhere) and
 * open no table that lies behind the key at `end` (0: none), which stays where it is while the merge lives.
 */
export function merge_open(merge: usize, state: usize, cache: usize, end: usize, endLength: i32): void {
  const memtableCount = load<i32>(state, STATE_MEMTABLE_COUNT)
  const runCount = load<i32>(state, STATE_RUN_COUNT)
  const count = memtableCount + runCount
  const sources = <usize>load<u32>(merge, MERGE_SOURCES)
  const heap = sources + <usize>count * SOURCE_BYTES
  const reverse = load<u32>(merge, MERGE_REVERSE)
  store<i32>(merge, count, MERGE_SOURCE_COUNT)
  store<u32>(merge, <u32>heap, MERGE_HEAP)
  let cursor = (heap + (<usize>count << 2) + 7) & ~7
  for (let i = 0; i < count; i++) {
    const source = sources + <usize>i * SOURCE_BYTES
    store<i32>(source, i, SOURCE_RANK)
    store<u32>(source, <u32>cursor, SOURCE_CURSOR)
    if (i < memtableCount) {
      const memtable = load<u32>(<usize>load<u32>(state, STATE_MEMTABLES) + (<usize>i << 2))
      store<u32>(source, SOURCE_TYPE_MEMTABLE, SOURCE_TYPE)
      memtable_cursor_init(cursor, <usize>memtable)
      cursor += MEMTABLE_CURSOR_BYTES
      continue
    }
    const run = <usize>load<u32>(state, STATE_RUNS) + <usize>(i - memtableCount) * RUN_BYTES
    store<u32>(source, SOURCE_TYPE_BLOCK, SOURCE_TYPE)
    store<u32>(cursor, load<u32>(run, RUN_TABLES), RUN_CURSOR_TABLES)
    store<u32>(cursor, load<u32>(run, RUN_TABLE_COUNT), RUN_CURSOR_TABLE_COUNT)
    store<u32>(cursor, reverse, RUN_CURSOR_REVERSE)
    store<u32>(cursor, <u32>cache, RUN_CURSOR_CACHE)
    store<u32>(cursor, <u32>end, RUN_CURSOR_END)
    store<i32>(cursor, endLength, RUN_CURSOR_END_LENGTH)
    store<u32>(cursor, load<u32>(merge, MERGE_RANGES), RUN_CURSOR_RANGES)
    store<u64>(cursor, load<u64>(merge, MERGE_SEQNO), RUN_CURSOR_SEQNO)
    store<u32>(cursor, load<u32>(merge, MERGE_PREFIX), RUN_CURSOR_PREFIX)
    store<u32>(cursor, load<u32>(merge, MERGE_COUNTERS), RUN_CURSOR_COUNTERS)
    store<u32>(cursor, load<u32>(merge, MERGE_ROWS), RUN_CURSOR_ROWS)
    store<u32>(cursor, 0, RUN_CURSOR_WINDOW)
    store<u32>(cursor, 0, RUN_CURSOR_PINNED_BLOCK)
    store<u32>(cursor, 0, RUN_CURSOR_PINNED_INDEX)
    cursor += RUN_CURSOR_BYTES
  }
}

/** Places a memtable's source; as {@link run_cursor_seek}. */
function seek_memtable(cursor: usize, reverse: bool, key: usize, keyLength: i32, behind: bool): usize {
  if (key == 0) return reverse ? memtable_cursor_last(cursor) : memtable_cursor_first(cursor)
  if (reverse) {
    return behind
      ? memtable_cursor_seek_upto(cursor, key, keyLength)
      : memtable_cursor_seek_before(cursor, key, keyLength)
  }
  return behind
    ? memtable_cursor_seek_behind(cursor, key, keyLength)
    : memtable_cursor_seek(cursor, key, keyLength)
}

/** Places every source, as {@link run_cursor_seek}. Returns as {@link merge_start}. */
export function merge_seek(merge: usize, key: usize, keyLength: i32, behind: i32): i32 {
  const sources = <usize>load<u32>(merge, MERGE_SOURCES)
  const count = load<i32>(merge, MERGE_SOURCE_COUNT)
  const reverse = load<u32>(merge, MERGE_REVERSE) != 0
  const seqno = load<u64>(merge, MERGE_SEQNO)
  for (let i = 0; i < count; i++) {
    const source = sources + <usize>i * SOURCE_BYTES
    const cursor = <usize>load<u32>(source, SOURCE_CURSOR)
    if (load<u32>(source, SOURCE_TYPE) == SOURCE_TYPE_BLOCK) {
      run_cursor_seek(cursor, source, key, keyLength, behind)
    } else if (load<u64>(<usize>load<u32>(cursor, MEMTABLE_CURSOR_BASE), MEMTABLE_SEQNO_MIN) >= seqno) {
      // All that it holds is later than the read, or it is empty, as after each rotation.
      source_set_entry(source, 0)
    } else {
      source_set_entry(source, <i32>seek_memtable(cursor, reverse, key, keyLength, behind != 0))
    }
  }
  return merge_start(merge)
}

/**
 * EVENT_WANTS_BLOCK, with MERGE_WANTED set, as long as a source waits for its first block: it is given, and this is called
 * again. EVENT_DONE: the merge stands.
 */
export function merge_start(merge: usize): i32 {
  const sources = <usize>load<u32>(merge, MERGE_SOURCES)
  const count = load<i32>(merge, MERGE_SOURCE_COUNT)
  for (let i = 0; i < count; i++) {
    if (load<u32>(sources + <usize>i * SOURCE_BYTES, SOURCE_STATE) != SOURCE_WANTS_BLOCK) continue
    store<i32>(merge, i, MERGE_WANTED)
    return EVENT_WANTS_BLOCK
  }
  merge_build(merge)
  return EVENT_DONE
}

/** Lets go of what the runs of a merge pin. */
export function merge_release(merge: usize): void {
  const sources = <usize>load<u32>(merge, MERGE_SOURCES)
  const count = load<i32>(merge, MERGE_SOURCE_COUNT)
  for (let i = 0; i < count; i++) {
    const source = sources + <usize>i * SOURCE_BYTES
    if (load<u32>(source, SOURCE_TYPE) != SOURCE_TYPE_BLOCK) continue
    run_cursor_release(<usize>load<u32>(source, SOURCE_CURSOR))
  }
}
