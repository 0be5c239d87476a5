// Finds blocks in the cache: the buckets of its index, and what their words say (block-cache.ts tells of them). Any thread
// that has a view; epochs and pins as told there.
//
// I1: nothing here changes the cache but how often a block was used.
import {
  CACHE_BUCKET_BYTES,
  CACHE_RECORD_BLOCK,
  CACHE_RECORD_OFFSET,
  CACHE_RECORD_OWNER,
  CACHE_TOUCHED_BYTES,
  VIEW_BUCKETS,
  VIEW_BUCKET_COUNT,
  VIEW_HITS,
  VIEW_MISSES,
} from '../layout-cache'
import { touch } from './bytes'

/** Uses a slot counts at most: a block that was hot once leaves after so many rounds of the main queue. */
export const USES_MAX: u64 = 3

/** The bits of a slot's word that count uses: blocks start on multiples of 8. */
export const USES_MASK: u64 = 7

// @ts-ignore: decorator
/** Mixes owner and offset; blocks of one table differ in their offsets only. */
@inline
export function mix(owner: u32, offset: u64): u64 {
  let x = (offset ^ (<u64>owner << 40) ^ <u64>owner) * 0x9e3779b97f4a7c15
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93
  return x ^ (x >> 32)
}

// @ts-ignore: decorator
@inline
export function bucket_of(view: usize, hash: u64): usize {
  const index = <u32>(((hash & 0xffffffff) * <u64>load<u32>(view, VIEW_BUCKET_COUNT)) >> 32)
  return <usize>load<u32>(view, VIEW_BUCKETS) + <usize>index * CACHE_BUCKET_BYTES
}

// @ts-ignore: decorator
/** A slot's tag: never 0, so no word of a slot in use is. */
@inline
export function tag_of(hash: u64): u32 {
  return <u32>(hash >> 32) | 1
}

// @ts-ignore: decorator
@inline
export function block_in(word: u64): usize {
  return <usize>(<u32>(word & 0xffffffff & ~USES_MASK))
}

// @ts-ignore: decorator
@inline
export function word_of(tag: u32, block: usize, uses: u64): u64 {
  return (<u64>tag << 32) | <u64>block | uses
}

// @ts-ignore: decorator
/** Two bits for each slot, the upper one set where the tag may be there: a hint, looked at again by an atomic load. */
@inline
export function tag_bits(bucket: usize, tag: u32): u32 {
  const wanted = i32x4.splat(<i32>tag)
  return (
    (<u32>i32x4.bitmask(i32x4.eq(v128.load(bucket), wanted)) |
      (<u32>i32x4.bitmask(i32x4.eq(v128.load(bucket, 16), wanted)) << 4) |
      (<u32>i32x4.bitmask(i32x4.eq(v128.load(bucket, 32), wanted)) << 8) |
      (<u32>i32x4.bitmask(i32x4.eq(v128.load(bucket, 48), wanted)) << 12)) &
    0xaaaa
  )
}

// @ts-ignore: decorator
/** Has the first lines of a block fetched together: its record says whether it is the right one, and nearly always is. */
@inline
function touch_head(block: usize): void {
  for (let at = block; at < block + CACHE_TOUCHED_BYTES; at += 64) touch(at)
}

// @ts-ignore: decorator
/** The block of (owner, offset), or 0; `isUse`: it counts as used. */
@inline
export function look_up(view: usize, hash: u64, owner: u32, offset: u64, isUse: bool): usize {
  const bucket = bucket_of(view, hash)
  const tag = tag_of(hash)
  for (let bits = tag_bits(bucket, tag); bits != 0; bits &= bits - 1) {
    const slot = bucket + (<usize>(ctz(bits) >> 1) << 3)
    // Pairs with the store in `insert` and in `evict_segment`: what it leads to was whole before.
    const word = atomic.load<u64>(slot)
    if (<u32>(word >> 32) != tag) continue
    const block = block_in(word)
    touch_head(block)
    if (load<u64>(block - CACHE_RECORD_BLOCK + CACHE_RECORD_OFFSET) != offset) continue
    if (load<u32>(block - CACHE_RECORD_BLOCK + CACHE_RECORD_OWNER) != owner) continue
    // A slot that has changed meanwhile is not this block's any more, or was used by another thread.
    if (isUse && (word & USES_MASK) < USES_MAX) atomic.cmpxchg<u64>(slot, word, word + 1)
    return block
  }
  return 0
}

/** As {@link cache_find}, and no use of the block: for who has put it there a moment ago. */
export function cache_peek(view: usize, owner: u32, offset: u64): usize {
  if (load<u32>(view, VIEW_BUCKET_COUNT) == 0) return 0
  return look_up(view, mix(owner, offset), owner, offset, false)
}

/** The address of the cached block, or 0. */
export function cache_find(view: usize, owner: u32, offset: u64): usize {
  if (load<u32>(view, VIEW_BUCKET_COUNT) == 0) return 0
  return look_up(view, mix(owner, offset), owner, offset, true)
}

/** Whether the cache holds a block at this moment: neither counted nor a use of it. */
export function cache_has_at(view: usize, owner: u32, offset: f64): bool {
  return cache_peek(view, owner, <u64>offset) != 0
}

/** As {@link cache_find}, for callers outside; counts hits and misses. */
export function cache_find_at(view: usize, owner: u32, offset: f64): i32 {
  const address = cache_find(view, owner, <u64>offset)
  const counter = address != 0 ? VIEW_HITS : VIEW_MISSES
  store<u64>(view + counter, load<u64>(view + counter) + 1)
  return <i32>address
}
