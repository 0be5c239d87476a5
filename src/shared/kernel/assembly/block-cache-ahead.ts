// Brings what a look-up in the block cache will read into the processor's cache, before it is read: for callers with
// several blocks to look up, whose misses then do not wait for each other. Lock-free, any thread, by the rules of a
// look-up.
//
// I1: nothing that is read here is trusted: addresses are such as lay in a cache once, whatever lies there now. A cache's
//     memory may be given back, but the memory never shrinks.
import { INDEX_RECORD_SEEN } from '../layout'
import {
  CACHE_RECORD_BLOCK,
  VIEW_BUCKET_COUNT,
  VIEW_SEGMENTS,
  VIEW_SEGMENT_BYTES,
  VIEW_SEGMENT_COUNT,
} from '../layout-cache'
import { block_in, bucket_of, mix, tag_bits, tag_of } from './cache-lookup'
import { touch } from './bytes'

const LINE_BYTES = 64

/** From a record on: its header, and the heads of as many entries as a block of 4 KiB has of a hundred bytes. */
const TOUCHED_BYTES = 5 * LINE_BYTES

// @ts-ignore: decorator
/** The bucket that leads to the block of (owner, offset), if any does. */
@inline
export function touch_bucket(view: usize, owner: u32, offset: u64): void {
  if (load<u32>(view, VIEW_BUCKET_COUNT) != 0) touch(bucket_of(view, mix(owner, offset)))
}

// @ts-ignore: decorator
/** Whether as much as is touched of the block lies in the cache. */
@inline
function is_inside(view: usize, block: usize): bool {
  const end = <usize>load<u32>(view, VIEW_SEGMENT_BYTES) * load<u32>(view, VIEW_SEGMENT_COUNT)
  return block - CACHE_RECORD_BLOCK + TOUCHED_BYTES <= <usize>load<u32>(view, VIEW_SEGMENTS) + end
}

// @ts-ignore: decorator
@inline
function touch_lines(block: usize): void {
  const record = block - CACHE_RECORD_BLOCK
  touch(record)
  touch(record + LINE_BYTES)
  touch(record + 2 * LINE_BYTES)
  touch(record + 3 * LINE_BYTES)
  touch(record + 4 * LINE_BYTES)
}

/** The beginning of what may be that block. */
export function touch_block(view: usize, owner: u32, offset: u64): void {
  if (load<u32>(view, VIEW_BUCKET_COUNT) == 0) return
  const hash = mix(owner, offset)
  const bucket = bucket_of(view, hash)
  const bits = tag_bits(bucket, tag_of(hash))
  if (bits == 0) return
  // Pairs with the stores in `insert` and in `evict_segment`: 0, or the address of a record.
  const block = block_in(atomic.load<u64>(bucket + (<usize>(ctz(bits) >> 1) << 3)))
  if (block != 0 && is_inside(view, block)) touch_lines(block)
}

// @ts-ignore: decorator
/** The beginning of the block of an index's record where it was seen last: on its way while its bucket is looked at. */
@inline
export function touch_seen(record: usize): void {
  const seen = <usize>load<u32>(record, INDEX_RECORD_SEEN)
  if (seen != 0) touch_lines(seen)
}

// @ts-ignore: decorator
/** Has the record of an index that stays in memory tell where its block is; 0 for one that is not in the cache. */
@inline
export function note_seen(view: usize, record: usize, block: usize): void {
  if (load<u32>(record, INDEX_RECORD_SEEN) == <u32>block) return
  if (block == 0 || is_inside(view, block)) store<u32>(record, <u32>block, INDEX_RECORD_SEEN)
}
