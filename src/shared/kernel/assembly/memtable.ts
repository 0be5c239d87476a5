/**
 * The memtable kernel: one contiguous region that holds a B+tree of keys, a hash side index and the
 * entries.
 *
 *   base                                                                     base + bytes
 *   +--------+---------+------------+----------------+-------------+------------------+
 *   | header | scratch | hash table | entries ->     |    free     |         <- nodes |
 *   +--------+---------+------------+----------------+-------------+------------------+
 *                                                ARENA_TOP    NODE_BOTTOM
 *
 * One writer thread inserts: `memtable_reserve`, key and value copied to the address it gave,
 * `memtable_commit`. Any number of threads read at the same time, without locks. Order: user key
 * ascending, then seqno descending, then the entry inserted last. A read at seqno S sees the
 * entries with a seqno below S.
 *
 * I1: an entry is whole before the first pointer to it is stored.
 * I2: a commit cannot fail: what it may need was found free by the reserve before it.
 * I3: an entry stays where it is until the whole region is given up.
 */

import {
  ENTRY_KEY,
  MEMTABLE_ARENA_TOP,
  MEMTABLE_BYTES,
  MEMTABLE_BYTES_PER_HASH_SLOT,
  MEMTABLE_ENTRY_COUNT,
  MEMTABLE_GRANULE_SHIFT,
  MEMTABLE_GRANULE_SHIFT_MIN,
  MEMTABLE_HASH,
  MEMTABLE_HASH_SLOTS,
  MEMTABLE_HEADER_BYTES,
  MEMTABLE_KEY_BYTES,
  MEMTABLE_KEY_COUNT,
  MEMTABLE_KIND_COUNTS,
  MEMTABLE_NODE_BOTTOM,
  MEMTABLE_SEQNO_MAX,
  MEMTABLE_SEQNO_MIN,
  MEMTABLE_USED_BYTES,
  MEMTABLE_VALUE_BYTES,
} from '../layout'
import {
  anchor_add_version,
  anchor_visible,
  entry_key,
  entry_make_anchor,
  entry_older,
  entry_write,
  RECORD_BYTES,
} from './memtable-entry'
import {
  hash_add,
  hash_find,
  hash_needs_overflow,
  hash_open_overflow,
  hash_overflow_bytes,
  memtable_hash,
} from './memtable-hash'
import { tree_add, tree_init, tree_worst_bytes } from './memtable-tree'

const NODE_ALIGNMENT: u32 = 64

/** An address rounded up to the region's granule. */
@inline function granule_up(base: usize, address: usize): usize {
  const granule = <usize>1 << load<u32>(base, MEMTABLE_GRANULE_SHIFT)
  return (address + granule - 1) & ~(granule - 1)
}

@inline function add_u32(base: usize, field: i32, amount: u32): void {
  store<u32>(base + field, load<u32>(base + field) + amount)
}

@inline function add_u64(base: usize, field: i32, amount: u64): void {
  store<u64>(base + field, load<u64>(base + field) + amount)
}

/** Makes an empty memtable of a region, whatever was there before. */
export function memtable_init(base: usize, bytes: i32): void {
  memory.fill(base, 0, MEMTABLE_HEADER_BYTES)
  let shift: u32 = MEMTABLE_GRANULE_SHIFT_MIN
  while (<u64>bytes > <u64>0x100_0000 << shift) shift++
  store<u32>(base, shift, MEMTABLE_GRANULE_SHIFT)
  const slots = bytes / MEMTABLE_BYTES_PER_HASH_SLOT
  store<u32>(base, slots, MEMTABLE_HASH_SLOTS)
  memory.fill(base + MEMTABLE_HASH, 0, <usize>slots << 2)
  store<u32>(base, granule_up(base, base + MEMTABLE_HASH + (<usize>slots << 2)), MEMTABLE_ARENA_TOP)
  store<u32>(base, (base + bytes) & ~(NODE_ALIGNMENT - 1), MEMTABLE_NODE_BOTTOM)
  store<u64>(base, u64.MAX_VALUE, MEMTABLE_SEQNO_MIN)
  store<u32>(base, bytes, MEMTABLE_BYTES)
  tree_init(base)
  count_used(base)
}

/**
 * The address for the next entry's key and value, or 0 if the memtable is too full for it. Changes
 * nothing.
 */
export function memtable_reserve(base: usize, keyLength: i32, valueLength: i32): usize {
  const entry = <usize>load<u32>(base, MEMTABLE_ARENA_TOP)
  const free = <u64>(load<u32>(base, MEMTABLE_NODE_BOTTOM) - entry)
  // In 64 bits, for a value length may be anything below 2^32.
  let needed = <u64>ENTRY_KEY + <u64>(<u32>keyLength) + <u64>(<u32>valueLength)
  // Behind the entry: a version record, and twice the largest granule, for alignment.
  needed += <u64>(RECORD_BYTES + 128 + tree_worst_bytes(base))
  if (hash_needs_overflow(base)) needed += <u64>hash_overflow_bytes(<i32>free)
  return needed <= free ? entry + ENTRY_KEY : 0
}

/** Links and publishes the entry whose key and value were copied to the reserved address. */
export function memtable_commit(
  base: usize, keyLength: i32, valueLength: i32, kind: i32, seqno: f64,
): void {
  memtable_commit_at(base, keyLength, valueLength, kind, <u64>seqno)
}

/** `memtable_commit`, for kernels. */
export function memtable_commit_at(
  base: usize, keyLength: i32, valueLength: i32, kind: i32, seqno: u64,
): void {
  const entry = <usize>load<u32>(base, MEMTABLE_ARENA_TOP)
  const key = entry_key(entry)
  const hash = memtable_hash(key, keyLength)
  const anchor = hash_find(base, hash, key, keyLength)
  entry_write(entry, keyLength, valueLength, kind, seqno)
  let top = granule_up(base, entry + ENTRY_KEY + keyLength + valueLength)
  if (anchor != 0) {
    const recordTaken = anchor_add_version(anchor, entry, top)
    if (recordTaken) top = granule_up(base, top + RECORD_BYTES)
  } else {
    add_key(base, hash, entry)
  }
  store<u32>(base, <u32>top, MEMTABLE_ARENA_TOP)
  count_entry(base, keyLength, valueLength, kind, seqno)
}

/** Indexes the first entry of a key. */
@inline function add_key(base: usize, hash: u64, entry: usize): void {
  if (hash_needs_overflow(base)) {
    const bottom = <usize>load<u32>(base, MEMTABLE_NODE_BOTTOM)
    const bytes = hash_overflow_bytes(<i32>(bottom - entry))
    store<u32>(base, <u32>(bottom - bytes), MEMTABLE_NODE_BOTTOM)
    hash_open_overflow(base, bottom - bytes, bytes)
  }
  entry_make_anchor(entry)
  tree_add(base, entry)
  hash_add(base, hash, entry)
  add_u32(base, MEMTABLE_KEY_COUNT, 1)
}

/**
 * Takes the entry at the reserved address out of the free part without linking it: for a range tombstone, which lies
 * beside the tree. RETURNS: the entry.
 */
export function memtable_take_entry(
  base: usize, keyLength: i32, valueLength: i32, kind: i32, seqno: u64,
): usize {
  const entry = <usize>load<u32>(base, MEMTABLE_ARENA_TOP)
  entry_write(entry, keyLength, valueLength, kind, seqno)
  const top = granule_up(base, entry + ENTRY_KEY + keyLength + valueLength)
  store<u32>(base, <u32>top, MEMTABLE_ARENA_TOP)
  count_used(base)
  count_seqno(base, seqno)
  return entry
}

/** Gives everything below `top` to what was written there: range sets, which grow behind the entries. */
export function memtable_raise_top(base: usize, top: usize): void {
  store<u32>(base, <u32>granule_up(base, top), MEMTABLE_ARENA_TOP)
  count_used(base)
}

@inline function count_used(base: usize): void {
  const free = load<u32>(base, MEMTABLE_NODE_BOTTOM) - load<u32>(base, MEMTABLE_ARENA_TOP)
  store<u32>(base, load<u32>(base, MEMTABLE_BYTES) - free, MEMTABLE_USED_BYTES)
}

/** The header's figures. */
@inline function count_entry(
  base: usize, keyLength: i32, valueLength: i32, kind: i32, seqno: u64,
): void {
  count_used(base)
  add_u32(base, MEMTABLE_ENTRY_COUNT, 1)
  add_u32(base, MEMTABLE_KIND_COUNTS + (kind << 2), 1)
  add_u64(base, MEMTABLE_KEY_BYTES, keyLength)
  add_u64(base, MEMTABLE_VALUE_BYTES, <u32>valueLength)
  count_seqno(base, seqno)
}

@inline function count_seqno(base: usize, seqno: u64): void {
  if (seqno < load<u64>(base, MEMTABLE_SEQNO_MIN)) store<u64>(base, seqno, MEMTABLE_SEQNO_MIN)
  if (seqno > load<u64>(base, MEMTABLE_SEQNO_MAX)) store<u64>(base, seqno, MEMTABLE_SEQNO_MAX)
}

/** The newest version of the key with a seqno below `seqno`, or 0. */
export function memtable_get(base: usize, key: usize, keyLength: i32, seqno: f64): usize {
  return memtable_get_hashed(base, memtable_hash(key, keyLength), key, keyLength, <u64>seqno)
}

/** `memtable_get` with the key's hash at hand: for kernels that ask several memtables. */
export function memtable_get_hashed(
  base: usize, hash: u64, key: usize, keyLength: i32, seqno: u64,
): usize {
  const anchor = hash_find(base, hash, key, keyLength)
  return anchor == 0 ? 0 : anchor_visible(anchor, seqno)
}

/** The next older version of an entry's key, or 0. */
export function memtable_older(entry: usize): usize {
  return entry_older(entry)
}
