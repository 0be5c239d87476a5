// The block cache: decoded blocks in shared memory, found by (owner, offset), where an owner is one open table.
//
// Blocks lie in segments that are filled front to back and emptied whole, so memory never fragments. Two queues of
// segments make it scan-resistant (S3-FIFO, Yang et al., SOSP 2023, kept as two logs): a new block enters the small
// queue; when its segment is emptied it moves to the main queue if it was used meanwhile, and goes otherwise. The main
// queue re-enters blocks that were used, each re-entry costing one use. Metadata enters the main queue at once, and so do
// rows, but without uses: they are small, and beside blocks they would be gone before they are read again.
//
// An entry of the index is a slot of one of eight in its bucket; a full bucket gives up its least used slot.
//
// A pinned segment is passed over by eviction: what lies in it stays where it is, found or not. There are fewer pinned
// segments than segments by three at least: two may be open, and one is left to be emptied.
//
// I1: a slot's address always points at a whole block, in a segment that belongs to a queue.
// I2: one thread at a time inserts and pins; lookups run on any thread and never write but to `uses`, a hint.
import {
  CACHE_BUCKET_ADDRESSES,
  CACHE_BUCKET_BYTES,
  CACHE_BUCKET_COUNT,
  CACHE_BUCKET_OFFSETS,
  CACHE_BUCKET_OWNERS,
  CACHE_BUCKET_SLOTS,
  CACHE_BUCKET_USES,
  CACHE_BUCKETS,
  CACHE_EVICTIONS,
  CACHE_FILLS,
  CACHE_FREE_FIRST,
  CACHE_HITS,
  CACHE_INSERTIONS,
  CACHE_MAIN_COUNT,
  CACHE_MAIN_FIRST,
  CACHE_MAIN_LAST,
  CACHE_MAIN_OPEN,
  CACHE_MISSES,
  CACHE_NEXT,
  CACHE_PINNED_COUNT,
  CACHE_PINNED_MAX,
  CACHE_PINS,
  CACHE_RECORD_BLOCK,
  CACHE_RECORD_BYTES,
  CACHE_RECORD_OFFSET,
  CACHE_RECORD_OWNER,
  CACHE_SEGMENT_BYTES,
  CACHE_SEGMENT_COUNT,
  CACHE_SEGMENTS,
  CACHE_SMALL_COUNT,
  CACHE_SMALL_FIRST,
  CACHE_SMALL_LAST,
  CACHE_SMALL_OPEN,
  CACHE_SMALL_TARGET,
  CACHE_USED_BYTES,
} from '../layout'
import { CACHE_RANK_DATA, CACHE_RANK_METADATA } from '../layout-metrics'

/** Uses a slot counts at most: a block that was hot once leaves after so many rounds of the main queue. */
const USES_MAX: u8 = 3

// The fields of a queue, by the offset of its first one, in the order first, last, count.
const QUEUE_LAST = 4
const QUEUE_COUNT = 8

// @ts-ignore: decorator
/** Mixes owner and offset; blocks of one table differ in their offsets only. */
@inline
function mix(owner: u32, offset: u64): u64 {
  let x = (offset ^ (<u64>owner << 40) ^ <u64>owner) * 0x9e3779b97f4a7c15
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93
  return x ^ (x >> 32)
}

// @ts-ignore: decorator
@inline
function bucket_of(cache: usize, hash: u64): usize {
  const index = <u32>(((hash & 0xffffffff) * <u64>load<u32>(cache, CACHE_BUCKET_COUNT)) >> 32)
  return <usize>load<u32>(cache, CACHE_BUCKETS) + <usize>index * CACHE_BUCKET_BYTES
}

// @ts-ignore: decorator
/** A slot's tag: never 0, which marks a free slot. */
@inline
function tag_of(hash: u64): u32 {
  return <u32>(hash >> 32) | 1
}

/** The slot of (owner, offset) in its bucket, or -1. */
function slot_of(bucket: usize, tag: u32, owner: u32, offset: u64): i32 {
  for (let i = 0; i < CACHE_BUCKET_SLOTS; i++) {
    if (load<u32>(bucket + (<usize>i << 2)) != tag) continue
    if (load<u64>(bucket + (<usize>i << 3), CACHE_BUCKET_OFFSETS) != offset) continue
    if (load<u32>(bucket + (<usize>i << 2), CACHE_BUCKET_OWNERS) == owner) return i
  }
  return -1
}

/** As {@link cache_find}, and no use of the block: for who has put it there a moment ago. */
export function cache_peek(cache: usize, owner: u32, offset: u64): usize {
  if (load<u32>(cache, CACHE_BUCKET_COUNT) == 0) return 0
  const hash = mix(owner, offset)
  const bucket = bucket_of(cache, hash)
  const slot = slot_of(bucket, tag_of(hash), owner, offset)
  return slot < 0 ? 0 : <usize>load<u32>(bucket + (<usize>slot << 2), CACHE_BUCKET_ADDRESSES)
}

/** The address of the cached block, or 0. */
export function cache_find(cache: usize, owner: u32, offset: u64): usize {
  if (load<u32>(cache, CACHE_BUCKET_COUNT) == 0) return 0
  const hash = mix(owner, offset)
  const bucket = bucket_of(cache, hash)
  const slot = slot_of(bucket, tag_of(hash), owner, offset)
  if (slot < 0) return 0
  const uses = load<u8>(bucket + <usize>slot, CACHE_BUCKET_USES)
  if (uses < USES_MAX) store<u8>(bucket + <usize>slot, uses + 1, CACHE_BUCKET_USES)
  return <usize>load<u32>(bucket + (<usize>slot << 2), CACHE_BUCKET_ADDRESSES)
}

/** As {@link cache_find}, for callers outside; counts hits and misses. */
export function cache_find_at(cache: usize, owner: u32, offset: f64): i32 {
  const address = cache_find(cache, owner, <u64>offset)
  const counter = address != 0 ? CACHE_HITS : CACHE_MISSES
  store<u64>(cache + counter, load<u64>(cache + counter) + 1)
  return <i32>address
}

// @ts-ignore: decorator
/** How often the segment that holds `block` is pinned: the address of that count. */
@inline
function pins_of(cache: usize, block: usize): usize {
  const segment = (<u32>block - load<u32>(cache, CACHE_SEGMENTS)) / load<u32>(cache, CACHE_SEGMENT_BYTES)
  return <usize>load<u32>(cache, CACHE_PINS) + (<usize>segment << 2)
}

/** Keeps a cached block where it is until {@link cache_unpin}; false where too much is pinned already. */
export function cache_pin(cache: usize, block: usize): bool {
  const pins = pins_of(cache, block)
  const count = load<u32>(pins)
  if (count == 0) {
    const pinned = load<u32>(cache, CACHE_PINNED_COUNT)
    if (pinned >= load<u32>(cache, CACHE_PINNED_MAX)) return false
    store<u32>(cache, pinned + 1, CACHE_PINNED_COUNT)
  }
  store<u32>(pins, count + 1)
  return true
}

/** Takes one pin back. */
export function cache_unpin(cache: usize, block: usize): void {
  const pins = pins_of(cache, block)
  const count = load<u32>(pins) - 1
  store<u32>(pins, count)
  if (count == 0) store<u32>(cache, load<u32>(cache, CACHE_PINNED_COUNT) - 1, CACHE_PINNED_COUNT)
}

/** Takes the first segment off a queue: its number, or -1. */
function shift(cache: usize, queue: usize): i32 {
  const segment = load<i32>(cache + queue)
  if (segment < 0) return -1
  const next = load<i32>(<usize>load<u32>(cache, CACHE_NEXT) + (<usize>segment << 2))
  store<i32>(cache + queue, next)
  if (next < 0) store<i32>(cache + queue, -1, QUEUE_LAST)
  store<u32>(cache + queue, load<u32>(cache + queue, QUEUE_COUNT) - 1, QUEUE_COUNT)
  return segment
}

/** Puts a segment at the end of a queue. */
function push(cache: usize, queue: usize, segment: i32): void {
  const next = <usize>load<u32>(cache, CACHE_NEXT)
  const last = load<i32>(cache + queue, QUEUE_LAST)
  store<i32>(next + (<usize>segment << 2), -1)
  if (last < 0) store<i32>(cache + queue, segment)
  else store<i32>(next + (<usize>last << 2), segment)
  store<i32>(cache + queue, segment, QUEUE_LAST)
  store<u32>(cache + queue, load<u32>(cache + queue, QUEUE_COUNT) + 1, QUEUE_COUNT)
}

/** Takes a free segment: its number, or -1. */
function take_free(cache: usize): i32 {
  const segment = load<i32>(cache, CACHE_FREE_FIRST)
  if (segment < 0) return -1
  const next = <usize>load<u32>(cache, CACHE_NEXT) + (<usize>segment << 2)
  store<i32>(cache, load<i32>(next), CACHE_FREE_FIRST)
  store<u32>(<usize>load<u32>(cache, CACHE_FILLS) + (<usize>segment << 2), 0)
  return segment
}

function give_free(cache: usize, segment: i32): void {
  const next = <usize>load<u32>(cache, CACHE_NEXT) + (<usize>segment << 2)
  store<i32>(next, load<i32>(cache, CACHE_FREE_FIRST))
  store<i32>(cache, segment, CACHE_FREE_FIRST)
}

/** Room for `bytes` in the open segment of a queue: the record's address, or 0 where it does not fit. */
function append(cache: usize, openField: usize, bytes: u32): usize {
  const segment = load<i32>(cache + openField)
  if (segment < 0) return 0
  const fill = <usize>load<u32>(cache, CACHE_FILLS) + (<usize>segment << 2)
  const used = load<u32>(fill)
  const segmentBytes = load<u32>(cache, CACHE_SEGMENT_BYTES)
  if (bytes > segmentBytes - used) return 0
  store<u32>(fill, used + bytes)
  return <usize>load<u32>(cache, CACHE_SEGMENTS) + <usize>segment * segmentBytes + used
}

/** A cache of few segments may have all of them open: closes one, so that there is one to empty. */
function close_open_segment(cache: usize): void {
  if (load<u32>(cache, CACHE_SMALL_COUNT) + load<u32>(cache, CACHE_MAIN_COUNT) > 0) return
  const small = load<i32>(cache, CACHE_SMALL_OPEN)
  if (small >= 0) {
    store<i32>(cache, -1, CACHE_SMALL_OPEN)
    push(cache, CACHE_SMALL_FIRST, small)
    return
  }
  const main = load<i32>(cache, CACHE_MAIN_OPEN)
  store<i32>(cache, -1, CACHE_MAIN_OPEN)
  push(cache, CACHE_MAIN_FIRST, main)
}

/** Takes the oldest segment that nobody pins off a queue: its number, or -1. Pinned ones go to the end. */
function shift_unpinned(cache: usize, queue: usize): i32 {
  const pins = <usize>load<u32>(cache, CACHE_PINS)
  for (let left = load<u32>(cache + queue, QUEUE_COUNT); left > 0; left--) {
    const segment = shift(cache, queue)
    if (load<u32>(pins + (<usize>segment << 2)) == 0) return segment
    push(cache, queue, segment)
  }
  return -1
}

/**
 * Empties one segment: blocks that were used move to the main queue while it has room, the other ones go. The
 * segment itself becomes free, or, where moved blocks need one, the main queue's next open segment.
 */
function evict_segment(cache: usize): void {
  close_open_segment(cache)
  const smallCount = load<u32>(cache, CACHE_SMALL_COUNT)
  const mainCount = load<u32>(cache, CACHE_MAIN_COUNT)
  let fromSmall = smallCount > 0 && (mainCount == 0 || smallCount >= load<u32>(cache, CACHE_SMALL_TARGET))
  let segment = shift_unpinned(cache, fromSmall ? CACHE_SMALL_FIRST : CACHE_MAIN_FIRST)
  if (segment < 0) {
    fromSmall = !fromSmall
    segment = shift_unpinned(cache, fromSmall ? CACHE_SMALL_FIRST : CACHE_MAIN_FIRST)
  }
  const segmentBytes = load<u32>(cache, CACHE_SEGMENT_BYTES)
  const start = <usize>load<u32>(cache, CACHE_SEGMENTS) + <usize>segment * segmentBytes
  const fills = <usize>load<u32>(cache, CACHE_FILLS)
  const end = start + load<u32>(fills + (<usize>segment << 2))
  let evictions: u64 = 0
  let evictedBytes: u64 = 0
  // Blocks that stay slide to the front of the same segment, which then re-enters the main queue as it is: no second
  // segment is needed, and what is left of it goes on being filled.
  let kept = start
  let at = start
  while (at < end) {
    const bytes = load<u32>(at, CACHE_RECORD_BYTES)
    const owner = load<u32>(at, CACHE_RECORD_OWNER)
    const offset = load<u64>(at, CACHE_RECORD_OFFSET)
    const hash = mix(owner, offset)
    const bucket = bucket_of(cache, hash)
    const slot = slot_of(bucket, tag_of(hash), owner, offset)
    const isLive =
      slot >= 0 &&
      load<u32>(bucket + (<usize>slot << 2), CACHE_BUCKET_ADDRESSES) == <u32>(at + CACHE_RECORD_BLOCK)
    if (isLive) {
      const uses = load<u8>(bucket + <usize>slot, CACHE_BUCKET_USES)
      if (uses > 0) {
        const target = append(cache, CACHE_MAIN_OPEN, bytes)
        let record = target
        if (target == 0) {
          record = kept
          kept += <usize>bytes
        }
        if (record != at) memory.copy(record, at, bytes)
        store<u32>(bucket + (<usize>slot << 2), <u32>(record + CACHE_RECORD_BLOCK), CACHE_BUCKET_ADDRESSES)
        // One use stays with a block that enters the main queue, or a full bucket would give it up
        // as readily as one that was read once.
        store<u8>(bucket + <usize>slot, fromSmall ? 1 : uses - 1, CACHE_BUCKET_USES)
      } else {
        store<u32>(bucket + (<usize>slot << 2), 0)
        evictions++
        evictedBytes += <u64>bytes
      }
    }
    at += <usize>bytes
  }
  store<u64>(cache, load<u64>(cache, CACHE_EVICTIONS) + evictions, CACHE_EVICTIONS)
  store<u64>(cache, load<u64>(cache, CACHE_USED_BYTES) - evictedBytes, CACHE_USED_BYTES)
  if (kept == start) {
    give_free(cache, segment)
    return
  }
  store<u32>(fills + (<usize>segment << 2), <u32>(kept - start))
  const open = load<i32>(cache, CACHE_MAIN_OPEN)
  if (open >= 0) push(cache, CACHE_MAIN_FIRST, open)
  store<i32>(cache, segment, CACHE_MAIN_OPEN)
}

/** Gives up the least used slot of a full bucket; its block becomes dead space in its segment. */
function free_slot(cache: usize, bucket: usize): i32 {
  let victim = 0
  let fewest: u32 = 256
  for (let i = 0; i < CACHE_BUCKET_SLOTS; i++) {
    if (load<u32>(bucket + (<usize>i << 2)) == 0) return i
    const uses = <u32>load<u8>(bucket + <usize>i, CACHE_BUCKET_USES)
    if (uses < fewest) {
      fewest = uses
      victim = i
    }
  }
  drop_slot(cache, bucket, victim)
  return victim
}

function drop_slot(cache: usize, bucket: usize, slot: i32): void {
  const block = <usize>load<u32>(bucket + (<usize>slot << 2), CACHE_BUCKET_ADDRESSES)
  const bytes = <u64>load<u32>(block - CACHE_RECORD_BLOCK + CACHE_RECORD_BYTES)
  store<u32>(bucket + (<usize>slot << 2), 0)
  store<u64>(cache, load<u64>(cache, CACHE_EVICTIONS) + 1, CACHE_EVICTIONS)
  store<u64>(cache, load<u64>(cache, CACHE_USED_BYTES) - bytes, CACHE_USED_BYTES)
}

/**
 * Copies the block of `blockBytes` at `source` into the cache, by its CACHE_RANK_*: metadata starts in the main queue with
 * full uses, rows start there without. Returns the cached copy's address, or 0 where the block is larger than a segment or the cache is off.
 */
export function cache_insert(
  cache: usize,
  owner: u32,
  offset: f64,
  source: usize,
  blockBytes: i32,
  rank: i32,
): i32 {
  const bytes = (<u32>blockBytes + CACHE_RECORD_BLOCK + 7) & ~7
  if (load<u32>(cache, CACHE_BUCKET_COUNT) == 0) return 0
  if (blockBytes < 0 || bytes > load<u32>(cache, CACHE_SEGMENT_BYTES)) return 0
  const hash = mix(owner, <u64>offset)
  const bucket = bucket_of(cache, hash)
  const held = slot_of(bucket, tag_of(hash), owner, <u64>offset)
  if (held >= 0) return load<i32>(bucket + (<usize>held << 2), CACHE_BUCKET_ADDRESSES)
  const openField = rank != CACHE_RANK_DATA ? CACHE_MAIN_OPEN : CACHE_SMALL_OPEN
  let record = append(cache, openField, bytes)
  while (record == 0) {
    const fresh = take_free(cache)
    if (fresh < 0) {
      evict_segment(cache)
      record = append(cache, openField, bytes)
      continue
    }
    const open = load<i32>(cache + openField)
    if (open >= 0) push(cache, rank != CACHE_RANK_DATA ? CACHE_MAIN_FIRST : CACHE_SMALL_FIRST, open)
    store<i32>(cache + openField, fresh)
    record = append(cache, openField, bytes)
  }
  store<u32>(record, bytes, CACHE_RECORD_BYTES)
  store<u32>(record, owner, CACHE_RECORD_OWNER)
  store<u64>(record, <u64>offset, CACHE_RECORD_OFFSET)
  memory.copy(record + CACHE_RECORD_BLOCK, source, blockBytes)
  const slot = free_slot(cache, bucket)
  const block = <u32>(record + CACHE_RECORD_BLOCK)
  store<u64>(bucket + (<usize>slot << 3), <u64>offset, CACHE_BUCKET_OFFSETS)
  store<u32>(bucket + (<usize>slot << 2), owner, CACHE_BUCKET_OWNERS)
  store<u32>(bucket + (<usize>slot << 2), block, CACHE_BUCKET_ADDRESSES)
  store<u8>(bucket + <usize>slot, rank == CACHE_RANK_METADATA ? USES_MAX : 0, CACHE_BUCKET_USES)
  atomic.store<u32>(bucket + (<usize>slot << 2), tag_of(hash))
  store<u64>(cache, load<u64>(cache, CACHE_INSERTIONS) + 1, CACHE_INSERTIONS)
  store<u64>(cache, load<u64>(cache, CACHE_USED_BYTES) + <u64>bytes, CACHE_USED_BYTES)
  return <i32>block
}

/** Empties the cache structure at `cache` and builds it for the pieces whose addresses and counts it holds. */
export function cache_init(cache: usize): void {
  const segments = load<i32>(cache, CACHE_SEGMENT_COUNT)
  const next = <usize>load<u32>(cache, CACHE_NEXT)
  memory.fill(
    <usize>load<u32>(cache, CACHE_BUCKETS),
    0,
    <usize>load<u32>(cache, CACHE_BUCKET_COUNT) * CACHE_BUCKET_BYTES,
  )
  memory.fill(<usize>load<u32>(cache, CACHE_PINS), 0, <usize>segments << 2)
  store<u32>(cache, 0, CACHE_PINNED_COUNT)
  const half = segments >> 1
  store<i32>(cache, half < segments - 3 ? half : segments - 3, CACHE_PINNED_MAX)
  for (let i = 0; i < segments; i++) store<i32>(next + (<usize>i << 2), i + 1 < segments ? i + 1 : -1)
  store<i32>(cache, segments > 0 ? 0 : -1, CACHE_FREE_FIRST)
  store<i32>(cache, -1, CACHE_SMALL_OPEN)
  store<i32>(cache, -1, CACHE_MAIN_OPEN)
  store<i32>(cache, -1, CACHE_SMALL_FIRST)
  store<i32>(cache, -1, CACHE_SMALL_LAST)
  store<u32>(cache, 0, CACHE_SMALL_COUNT)
  store<i32>(cache, -1, CACHE_MAIN_FIRST)
  store<i32>(cache, -1, CACHE_MAIN_LAST)
  store<u32>(cache, 0, CACHE_MAIN_COUNT)
  memory.fill(cache + CACHE_HITS, 0, 40)
}
