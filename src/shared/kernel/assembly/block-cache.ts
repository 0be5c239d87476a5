// The block cache: decoded blocks in shared memory, found by (owner, offset), where an owner is one open table. All threads
// fill it, read it and evict from it, each through a view of its own.
//
// Blocks lie in segments that are filled front to back and emptied whole, so memory never fragments. Two queues of
// segments make it scan-resistant (S3-FIFO, Yang et al., SOSP 2023, kept as two logs): a new block enters the small
// queue; when its segment is emptied it moves to the main queue if it was used meanwhile, and goes otherwise. The main
// queue re-enters blocks that were used, each re-entry costing one use. Metadata enters the main queue at once, and so do
// rows, but without uses: they are small, and beside blocks they would be gone before they are read again.
//
//              ┌──────────→ small queue ──┐ emptied            epochs passed, no pins
//     free ────┤ open                     ├──────────→ limbo ────────────────────────→ free
//              └──────────→ main queue ───┘
//
// An entry of the index is one word in one of the eight slots of its bucket, replaced whole; a full bucket gives up its
// least used slot. Whoever finds a block must be inside an epoch, unless no other thread has a view: then what it finds
// stays until it inserts. A lookup is not checked again: what it leads to is whole and stays until the thread has left.
//
// One thread at a time inserts, by a lock that nobody waits for: whoever does not get it goes without the cache. What is
// kept of a segment is copied on, never moved in place; its slots are given up; and the segment is filled anew once all
// threads have left the epochs in which they may have found something in it, and none pins it. A pin is written inside the
// epoch of its lookup, so whoever sees that epoch passed sees the pin.
//
// I1: a slot leads to a whole record, in a segment that is open or in a queue.
// I2: a record does not change from when a slot leads to it until nobody can read it any more.
// I3: each segment is in one place: free, open, in a queue, in limbo.
// I4: a thread may end anywhere, also while it holds the lock: then `cache_clear` makes all of this true again.
import {
  CACHE_BUCKETS,
  CACHE_BUCKET_BYTES,
  CACHE_BUCKET_COUNT,
  CACHE_BUCKET_SLOTS,
  CACHE_EPOCHS,
  CACHE_EVICTIONS,
  CACHE_EXTRA,
  CACHE_FILLS,
  CACHE_FREE_COUNT,
  CACHE_FREE_FIRST,
  CACHE_INSERTIONS,
  CACHE_LIMBO_FIRST,
  CACHE_LOCK,
  CACHE_MAIN_COUNT,
  CACHE_MAIN_FIRST,
  CACHE_MAIN_LAST,
  CACHE_MAIN_OPEN,
  CACHE_NEXT,
  CACHE_RECORD_BLOCK,
  CACHE_RECORD_BYTES,
  CACHE_RECORD_OFFSET,
  CACHE_RECORD_OWNER,
  CACHE_RESERVE,
  CACHE_SEGMENTS,
  CACHE_SEGMENT_BYTES,
  CACHE_SEGMENT_COUNT,
  CACHE_SLOT_BYTES,
  CACHE_SMALL_COUNT,
  CACHE_SMALL_FIRST,
  CACHE_SMALL_LAST,
  CACHE_SMALL_OPEN,
  CACHE_SMALL_TARGET,
  CACHE_STAMPS,
  CACHE_USED_BYTES,
  CACHE_VIEWS,
  CACHE_VIEWS_TOP,
  VIEW_BUCKET_COUNT,
  VIEW_CACHE,
  VIEW_PINNED_COUNT,
  VIEW_PINNED_MAX,
  VIEW_PINS,
  VIEW_SEGMENTS,
  VIEW_SEGMENT_BYTES,
  VIEW_SLOT,
} from '../layout-cache'
import { CACHE_RANK_DATA, CACHE_RANK_METADATA, CACHE_RANK_USED } from '../layout-metrics'
import { USES_MASK, USES_MAX, block_in, bucket_of, look_up, mix, tag_bits, tag_of, word_of } from './cache-lookup'
import { epochs_advance, epochs_have_passed } from './epochs'

/** At most the eighth part of the segments is kept free where threads are slow to leave their epochs. */
const EXTRA_SHIFT = 3

/** Segments that are emptied ahead of need at a time. */
const AHEAD_MAX = 2

/** How often the lock is looked at before the block goes without the cache. */
const LOCK_LOOKS = 200

// The fields of a queue, by the offset of its first one, in the order first, last, count.
const QUEUE_LAST = 4
const QUEUE_COUNT = 8

// @ts-ignore: decorator
/** How often the view pins the segment that holds `block`: the address of that count. */
@inline
function pins_of(view: usize, block: usize): usize {
  const segment = (<u32>block - load<u32>(view, VIEW_SEGMENTS)) / load<u32>(view, VIEW_SEGMENT_BYTES)
  return view + VIEW_PINS + (<usize>segment << 2)
}

/**
 * Keeps a cached block where it is until {@link cache_unpin}; false where the thread pins as much as it may. REQUIRES: the
 * thread has not left the epoch in which it found the block.
 */
export function cache_pin(view: usize, block: usize): bool {
  const pins = pins_of(view, block)
  const count = load<u32>(pins)
  if (count == 0) {
    const pinned = load<u32>(view, VIEW_PINNED_COUNT)
    if (pinned >= load<u32>(view, VIEW_PINNED_MAX)) return false
    store<u32>(view, pinned + 1, VIEW_PINNED_COUNT)
  }
  // The store that leaves the epoch makes it known: pairs with `epochs_have_passed` in `reclaim`.
  store<u32>(pins, count + 1)
  return true
}

/** Takes one pin back. */
export function cache_unpin(view: usize, block: usize): void {
  const pins = pins_of(view, block)
  const count = load<u32>(pins) - 1
  if (count == 0) store<u32>(view, load<u32>(view, VIEW_PINNED_COUNT) - 1, VIEW_PINNED_COUNT)
  // Pairs with the load in `is_pinned`: the block was read before.
  atomic.store<u32>(pins, count)
}

/**
 * Whether a view pins the segment. The loads pair with the owner's stores in `BlockCache.openView` and `closeView`, and with
 * the stores of pins in `cache_pin` (by way of the epoch) and `cache_unpin`.
 */
function is_pinned(cache: usize, segment: i32): bool {
  const top = atomic.load<u32>(cache, CACHE_VIEWS_TOP)
  for (let i: u32 = 0; i < top; i++) {
    const view = <usize>atomic.load<u32>(cache + CACHE_VIEWS + (<usize>i << 2))
    if (view != 0 && atomic.load<u32>(view + VIEW_PINS + (<usize>segment << 2)) != 0) return true
  }
  return false
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

function give_free(cache: usize, segment: i32): void {
  const next = <usize>load<u32>(cache, CACHE_NEXT) + (<usize>segment << 2)
  store<i32>(next, load<i32>(cache, CACHE_FREE_FIRST))
  store<i32>(cache, segment, CACHE_FREE_FIRST)
  store<u32>(cache, load<u32>(cache, CACHE_FREE_COUNT) + 1, CACHE_FREE_COUNT)
}

/** Has a queue go on in a free segment: what it filled so far moves to its end. REQUIRES: there is a free one. */
function open_free(cache: usize, openField: usize, queue: usize): void {
  const segment = load<i32>(cache, CACHE_FREE_FIRST)
  store<i32>(cache, load<i32>(<usize>load<u32>(cache, CACHE_NEXT) + (<usize>segment << 2)), CACHE_FREE_FIRST)
  store<u32>(cache, load<u32>(cache, CACHE_FREE_COUNT) - 1, CACHE_FREE_COUNT)
  store<u32>(<usize>load<u32>(cache, CACHE_FILLS) + (<usize>segment << 2), 0)
  const open = load<i32>(cache + openField)
  if (open >= 0) push(cache, queue, open)
  store<i32>(cache + openField, segment)
}

/** The segment was emptied, and no slot leads into it: it waits for those who found something in it before. */
function give_limbo(cache: usize, segment: i32): void {
  const stamp = epochs_advance(<usize>load<u32>(cache, CACHE_EPOCHS))
  store<u32>(<usize>load<u32>(cache, CACHE_STAMPS) + (<usize>segment << 2), stamp)
  store<i32>(<usize>load<u32>(cache, CACHE_NEXT) + (<usize>segment << 2), load<i32>(cache, CACHE_LIMBO_FIRST))
  store<i32>(cache, segment, CACHE_LIMBO_FIRST)
}

/** Frees what nobody reads any more of the segments in limbo. Returns how many wait for epochs, and not for pins. */
function reclaim(cache: usize): u32 {
  const next = <usize>load<u32>(cache, CACHE_NEXT)
  const stamps = <usize>load<u32>(cache, CACHE_STAMPS)
  const epochs = <usize>load<u32>(cache, CACHE_EPOCHS)
  let waiting: u32 = 0
  let link = cache + CACHE_LIMBO_FIRST
  for (let segment = load<i32>(link); segment >= 0; segment = load<i32>(link)) {
    const after = next + (<usize>segment << 2)
    const hasPassed = epochs_have_passed(epochs, load<u32>(stamps + (<usize>segment << 2)))
    // In this order: a pin was written before its thread left.
    if (hasPassed && !is_pinned(cache, segment)) {
      store<i32>(link, load<i32>(after))
      give_free(cache, segment)
      continue
    }
    if (!hasPassed) waiting++
    link = after
  }
  return waiting
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

/** Room in the main queue for a block that is kept; 0 where there is none. `left`: so many segments stay free. */
function append_kept(cache: usize, bytes: u32, left: u32): usize {
  const record = append(cache, CACHE_MAIN_OPEN, bytes)
  if (record != 0 || load<u32>(cache, CACHE_FREE_COUNT) <= left) return record
  open_free(cache, CACHE_MAIN_OPEN, CACHE_MAIN_FIRST)
  return append(cache, CACHE_MAIN_OPEN, bytes)
}

/** Takes the oldest segment that nobody pins off a queue: its number, or -1. Pinned ones go to the end. */
function shift_unpinned(cache: usize, queue: usize): i32 {
  for (let left = load<u32>(cache + queue, QUEUE_COUNT); left > 0; left--) {
    const segment = shift(cache, queue)
    if (!is_pinned(cache, segment)) return segment
    push(cache, queue, segment)
  }
  return -1
}

/** Takes a segment that is being filled, where nobody pins it: its number, or -1. */
function close_unpinned(cache: usize, openField: usize): i32 {
  const segment = load<i32>(cache + openField)
  if (segment < 0 || is_pinned(cache, segment)) return -1
  store<i32>(cache + openField, -1)
  return segment
}

/** The slot in `bucket` that leads to `block`, or 0. Pairs with the stores of earlier holders of the lock. */
function slot_of(bucket: usize, tag: u32, block: usize): usize {
  for (let bits = tag_bits(bucket, tag); bits != 0; bits &= bits - 1) {
    const slot = bucket + (<usize>(ctz(bits) >> 1) << 3)
    if (block_in(atomic.load<u64>(slot)) == block) return slot
  }
  return 0
}

/** A block goes: takes it out of the counts. */
function count_evicted(cache: usize, blocks: u64, bytes: u64): void {
  store<u64>(cache, load<u64>(cache, CACHE_EVICTIONS) + blocks, CACHE_EVICTIONS)
  store<u64>(cache, load<u64>(cache, CACHE_USED_BYTES) - bytes, CACHE_USED_BYTES)
}

/**
 * Empties a segment: blocks that were used are copied into the main queue as far as `left` segments stay free, the other
 * ones go. False where all segments are pinned. `isShort`: one of new blocks, where there is any.
 */
function evict_segment(view: usize, cache: usize, isShort: bool, left: u32): bool {
  const smallCount = load<u32>(cache, CACHE_SMALL_COUNT)
  const isLarge = isShort || load<u32>(cache, CACHE_MAIN_COUNT) == 0 || smallCount >= load<u32>(cache, CACHE_SMALL_TARGET)
  let fromSmall = smallCount > 0 && isLarge
  let segment = shift_unpinned(cache, fromSmall ? CACHE_SMALL_FIRST : CACHE_MAIN_FIRST)
  if (segment < 0) {
    fromSmall = !fromSmall
    segment = shift_unpinned(cache, fromSmall ? CACHE_SMALL_FIRST : CACHE_MAIN_FIRST)
  }
  // A cache of few segments may be filling all of them.
  if (segment < 0) {
    fromSmall = true
    segment = close_unpinned(cache, CACHE_SMALL_OPEN)
  }
  if (segment < 0) {
    fromSmall = false
    segment = close_unpinned(cache, CACHE_MAIN_OPEN)
  }
  if (segment < 0) return false
  empty_segment(view, cache, segment, fromSmall, left)
  return true
}

function empty_segment(view: usize, cache: usize, segment: i32, fromSmall: bool, left: u32): void {
  let record = <usize>load<u32>(cache, CACHE_SEGMENTS) + <usize>segment * load<u32>(cache, CACHE_SEGMENT_BYTES)
  const end = record + load<u32>(<usize>load<u32>(cache, CACHE_FILLS) + (<usize>segment << 2))
  let evictions: u64 = 0
  let evictedBytes: u64 = 0
  while (record < end) {
    const bytes = load<u32>(record, CACHE_RECORD_BYTES)
    const hash = mix(load<u32>(record, CACHE_RECORD_OWNER), load<u64>(record, CACHE_RECORD_OFFSET))
    const slot = slot_of(bucket_of(view, hash), tag_of(hash), record + CACHE_RECORD_BLOCK)
    if (slot != 0) {
      // Pairs with the exchange in `look_up`, the stores below with its load.
      const uses = atomic.load<u64>(slot) & USES_MASK
      const target = uses > 0 ? append_kept(cache, bytes, left) : 0
      if (target != 0) {
        memory.copy(target, record, bytes)
        // One use stays with a block that enters the main queue, or a full bucket would give it up
        // as readily as one that was read once.
        atomic.store<u64>(slot, word_of(tag_of(hash), target + CACHE_RECORD_BLOCK, fromSmall ? 1 : uses - 1))
      } else {
        atomic.store<u64>(slot, 0)
        evictions++
        evictedBytes += <u64>bytes
      }
    }
    record += <usize>bytes
  }
  count_evicted(cache, evictions, evictedBytes)
  give_limbo(cache, segment)
}

/**
 * Has a queue go on in a free segment. False where none can be had: what was emptied may still be read, or all of the rest
 * is pinned. So many free ones stay that what is kept of the next one finds room.
 *
 * What an owner that is alone empties is free at once, so it can go round the main queue until some block has lost its
 * uses. Where others read, each segment that is emptied waits, and there is a free one for the first of them only: the
 * next ones are of new blocks, and the last free one is left for what comes in.
 */
function open_segment(view: usize, cache: usize, openField: usize, queue: usize): bool {
  // Pairs with the owner's store in `BlockCache.#share`.
  const reserve = atomic.load<u32>(cache, CACHE_RESERVE)
  const isAlone = reserve == 1
  // A block that is kept again and again loses a use each time: so many rounds empty any cache.
  const most = (load<u32>(cache, CACHE_SEGMENT_COUNT) << 2) + 8
  for (let round: u32 = 0; round < most; round++) {
    const waiting = reclaim(cache)
    const free = load<u32>(cache, CACHE_FREE_COUNT)
    if (free == 0) {
      note_wait(cache, isAlone)
      return false
    }
    if (free + waiting > reserve) {
      open_free(cache, openField, queue)
      return true
    }
    if (!evict_segment(view, cache, !isAlone && round > 0, isAlone ? 0 : 1)) return false
  }
  return false
}

/** An insertion went without the cache since others have not left their epochs: more is kept free from now on. */
function note_wait(cache: usize, isAlone: bool): void {
  const extra = load<u32>(cache, CACHE_EXTRA)
  const most = load<u32>(cache, CACHE_SEGMENT_COUNT) >> EXTRA_SHIFT
  if (!isAlone && extra < most) store<u32>(cache, extra + 1, CACHE_EXTRA)
}

/** A segment was taken and the block lies in it: empties others ahead of need, fewer each time that nobody had to wait. */
function keep_extra(view: usize, cache: usize): void {
  const extra = load<u32>(cache, CACHE_EXTRA)
  if (extra == 0) return
  // Pairs with the owner's store in `BlockCache.#share`.
  const reserve = atomic.load<u32>(cache, CACHE_RESERVE)
  const waiting = reclaim(cache)
  if (waiting == 0) store<u32>(cache, extra - 1, CACHE_EXTRA)
  let ahead = load<u32>(cache, CACHE_FREE_COUNT) + waiting
  for (let i = 0; i < AHEAD_MAX && ahead < reserve + extra; i++, ahead++) {
    if (!evict_segment(view, cache, true, 1)) return
  }
}

/**
 * A free slot of the bucket; a full one gives up its least used slot, whose block becomes dead space in its segment. The
 * loads pair with the exchange in `look_up`: other threads count uses meanwhile.
 */
function free_slot(cache: usize, bucket: usize): usize {
  let victim: usize = 0
  let fewest = USES_MASK + 1
  for (let i = 0; i < CACHE_BUCKET_SLOTS; i++) {
    const slot = bucket + <usize>i * CACHE_SLOT_BYTES
    const word = atomic.load<u64>(slot)
    if (word == 0) return slot
    if ((word & USES_MASK) < fewest) {
      fewest = word & USES_MASK
      victim = slot
    }
  }
  const record = block_in(atomic.load<u64>(victim)) - CACHE_RECORD_BLOCK
  count_evicted(cache, 1, <u64>load<u32>(record, CACHE_RECORD_BYTES))
  return victim
}

// @ts-ignore: decorator
/** What a block of this rank begins with. One use is what a block has that enters the main queue by having been used. */
@inline
function first_uses(rank: i32): u64 {
  if (rank == CACHE_RANK_METADATA) return USES_MAX
  return rank == CACHE_RANK_USED ? 1 : 0
}

/** {@link cache_insert} by the thread that holds the lock. */
function insert(view: usize, owner: u32, offset: u64, source: usize, blockBytes: i32, rank: i32): usize {
  const cache = <usize>load<u32>(view, VIEW_CACHE)
  const hash = mix(owner, offset)
  const held = look_up(view, hash, owner, offset, false)
  if (held != 0) return held
  const bytes = (<u32>blockBytes + CACHE_RECORD_BLOCK + 7) & ~7
  const openField = rank != CACHE_RANK_DATA ? CACHE_MAIN_OPEN : CACHE_SMALL_OPEN
  let record = append(cache, openField, bytes)
  const isFull = record == 0
  if (isFull) {
    const queue = rank != CACHE_RANK_DATA ? CACHE_MAIN_FIRST : CACHE_SMALL_FIRST
    if (!open_segment(view, cache, openField, queue)) return 0
    record = append(cache, openField, bytes)
  }
  store<u32>(record, bytes, CACHE_RECORD_BYTES)
  store<u32>(record, owner, CACHE_RECORD_OWNER)
  store<u64>(record, offset, CACHE_RECORD_OFFSET)
  memory.copy(record + CACHE_RECORD_BLOCK, source, blockBytes)
  const block = record + CACHE_RECORD_BLOCK
  const slot = free_slot(cache, bucket_of(view, hash))
  // Publishes the record: pairs with the load in `look_up`.
  atomic.store<u64>(slot, word_of(tag_of(hash), block, first_uses(rank)))
  store<u64>(cache, load<u64>(cache, CACHE_INSERTIONS) + 1, CACHE_INSERTIONS)
  store<u64>(cache, load<u64>(cache, CACHE_USED_BYTES) + <u64>bytes, CACHE_USED_BYTES)
  if (isFull) keep_extra(view, cache)
  return block
}

/** Takes the lock for the thread of an epoch slot; false where another one keeps it. */
function lock(cache: usize, slot: u32): bool {
  for (let looks = 0; looks < LOCK_LOOKS; looks++) {
    // Both pair with the store at the end of `cache_insert`, and with the owner's in `BlockCache.#recover`.
    if (atomic.load<u32>(cache, CACHE_LOCK) != 0) continue
    if (atomic.cmpxchg<u32>(cache + CACHE_LOCK, 0, slot + 1) == 0) return true
  }
  return false
}

/**
 * Copies the block of `blockBytes` at `source` into the cache, by its CACHE_RANK_*: metadata starts in the main queue with
 * full uses, rows start there without, blocks that were used already with one. Returns the cached copy's address, or 0 where the cache does not take it: the block
 * is larger than a segment, the cache is off, another thread is filling it at this moment, or no segment is to be had.
 */
export function cache_insert(
  view: usize,
  owner: u32,
  offset: f64,
  source: usize,
  blockBytes: i32,
  rank: i32,
): i32 {
  if (load<u32>(view, VIEW_BUCKET_COUNT) == 0) return 0
  const bytes = (<u32>blockBytes + CACHE_RECORD_BLOCK + 7) & ~7
  if (blockBytes < 0 || bytes > load<u32>(view, VIEW_SEGMENT_BYTES)) return 0
  const cache = <usize>load<u32>(view, VIEW_CACHE)
  if (!lock(cache, load<u32>(view, VIEW_SLOT))) return 0
  const block = insert(view, owner, <u64>offset, source, blockBytes, rank)
  // All that was changed under the lock comes before: pairs with the exchange in `lock`.
  atomic.store<u32>(cache, 0, CACHE_LOCK)
  return <i32>block
}

/**
 * Takes a block out of the cache, which holds it in another form now. What was found of it stays as it is; where another
 * thread has the lock, the block stays too, until it is evicted.
 */
export function cache_forget(view: usize, owner: u32, offset: f64): void {
  if (load<u32>(view, VIEW_BUCKET_COUNT) == 0) return
  const cache = <usize>load<u32>(view, VIEW_CACHE)
  if (!lock(cache, load<u32>(view, VIEW_SLOT))) return
  const hash = mix(owner, <u64>offset)
  const block = look_up(view, hash, owner, <u64>offset, false)
  if (block != 0) {
    // As in `empty_segment`: pairs with the load in `look_up`. The record stays until its segment is emptied.
    atomic.store<u64>(slot_of(bucket_of(view, hash), tag_of(hash), block), 0)
    count_evicted(cache, 1, <u64>load<u32>(block - CACHE_RECORD_BLOCK, CACHE_RECORD_BYTES))
  }
  // All that was changed under the lock comes before: pairs with the exchange in `lock`.
  atomic.store<u32>(cache, 0, CACHE_LOCK)
}

/**
 * Forgets every block and puts the segments in order, whatever a thread that ended in the midst left behind. What is found
 * or pinned already stays. REQUIRES: the lock.
 */
export function cache_clear(cache: usize): void {
  const buckets = <usize>load<u32>(cache, CACHE_BUCKETS)
  const end = buckets + <usize>load<u32>(cache, CACHE_BUCKET_COUNT) * CACHE_BUCKET_BYTES
  // Pairs with the load in `look_up`: what is found before stays, since its segment goes to limbo.
  for (let slot = buckets; slot < end; slot += CACHE_SLOT_BYTES) atomic.store<u64>(slot, 0)
  put_in_order(cache)
}

/** Makes an empty cache of any memory, at a tenth of what {@link cache_clear} costs. REQUIRES: there are no views. */
export function cache_init(cache: usize): void {
  const bytes = <usize>load<u32>(cache, CACHE_BUCKET_COUNT) * CACHE_BUCKET_BYTES
  memory.fill(<usize>load<u32>(cache, CACHE_BUCKETS), 0, bytes)
  put_in_order(cache)
}

/** Has every segment wait to be filled. REQUIRES: no slot leads anywhere. */
function put_in_order(cache: usize): void {
  store<i32>(cache, -1, CACHE_SMALL_OPEN)
  store<i32>(cache, -1, CACHE_MAIN_OPEN)
  store<i32>(cache, -1, CACHE_SMALL_FIRST)
  store<i32>(cache, -1, CACHE_SMALL_LAST)
  store<u32>(cache, 0, CACHE_SMALL_COUNT)
  store<i32>(cache, -1, CACHE_MAIN_FIRST)
  store<i32>(cache, -1, CACHE_MAIN_LAST)
  store<u32>(cache, 0, CACHE_MAIN_COUNT)
  store<i32>(cache, -1, CACHE_FREE_FIRST)
  store<u32>(cache, 0, CACHE_FREE_COUNT)
  store<i32>(cache, -1, CACHE_LIMBO_FIRST)
  store<u32>(cache, 0, CACHE_EXTRA)
  store<u64>(cache, 0, CACHE_USED_BYTES)
  store<u64>(cache, load<u64>(cache, CACHE_INSERTIONS), CACHE_EVICTIONS)
  for (let i = load<i32>(cache, CACHE_SEGMENT_COUNT) - 1; i >= 0; i--) give_limbo(cache, i)
}
