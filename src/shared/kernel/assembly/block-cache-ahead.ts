// Brings what a look-up in the block cache will read into the processor's cache, before it is read: for callers with
// several blocks to look up, whose misses then do not wait for each other. Lock-free, any thread, by the rules of a
// look-up.
//
// I1: nothing that is read here is trusted: addresses are those of the cache, whatever lies there.
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

/** The beginning of what may be that block. */
export function touch_block(view: usize, owner: u32, offset: u64): void {
  if (load<u32>(view, VIEW_BUCKET_COUNT) == 0) return
  const hash = mix(owner, offset)
  const bucket = bucket_of(view, hash)
  const bits = tag_bits(bucket, tag_of(hash))
  if (bits == 0) return
  // Pairs with the stores in `insert` and in `evict_segment`: 0, or the address of a record.
  const block = block_in(atomic.load<u64>(bucket + (<usize>(ctz(bits) >> 1) << 3)))
  const segments = <usize>load<u32>(view, VIEW_SEGMENTS)
  const end = segments + <usize>load<u32>(view, VIEW_SEGMENT_BYTES) * load<u32>(view, VIEW_SEGMENT_COUNT)
  const record = block - CACHE_RECORD_BLOCK
  if (block == 0 || record + TOUCHED_BYTES > end) return
  for (let line = record; line < record + TOUCHED_BYTES; line += LINE_BYTES) touch(line)
}
