/**
 * A memtable's hash side index: user key -> anchor entry. It answers point reads, hits and misses
 * alike, without the tree. Open addressed, linear probing; a slot is written once and never
 * changes:
 *
 *    31      24 23                      0
 *   +----------+------------------------+
 *   | tag: hash| entry's offset from the|    0: empty
 *   |  63..56  | base, in granules      |
 *   +----------+------------------------+
 *
 * The first table is sized for entries of ordinary length. When small entries fill it to its limit,
 * an overflow table is cut from the free space, large enough for every key that can still come;
 * there is never a third.
 *
 * I1: a table always keeps an empty slot, so a probe ends.
 * I2: a key is in one of the tables, at most once.
 */

import {
  MEMTABLE_BYTES_PER_OVERFLOW_SLOT,
  MEMTABLE_GRANULE_SHIFT,
  MEMTABLE_HASH,
  MEMTABLE_HASH_SLOTS,
  MEMTABLE_KEY_COUNT,
  MEMTABLE_OVERFLOW,
  MEMTABLE_OVERFLOW_SLOTS,
} from '../layout'
import { entry_has_key } from './memtable-entry'

const OFFSET_MASK: u32 = 0x00ff_ffff
// Odd constants with evenly mixed bits (the 64-bit golden ratio, and the mixers of splitmix64).
const HASH_SEED: u64 = 0x9e3779b97f4a7c15
const HASH_WORD: u64 = 0xbf58476d1ce4e5b9
const HASH_LAST: u64 = 0x94d049bb133111eb

@inline function hash_word(hash: u64, word: u64): u64 {
  const product = (hash ^ word) * HASH_WORD
  return product ^ (product >> 32)
}

/**
 * The 64-bit hash of a user key, the same in every memtable. Eight bytes a step, the last step
 * overlapping the one before; never reads outside the key. Not the filters' hash, and on no disk:
 * it may change freely.
 */
export function memtable_hash(key: usize, length: i32): u64 {
  let hash = HASH_SEED * <u64>(length + 1)
  if (length >= 8) {
    const last = key + length - 8
    for (let at = key; at < last; at += 8) hash = hash_word(hash, load<u64>(at))
    hash = hash_word(hash, load<u64>(last))
  } else if (length >= 4) {
    hash = hash_word(hash, <u64>load<u32>(key) | (<u64>load<u32>(key + length - 4) << 32))
  } else if (length > 0) {
    const middle = load<u8>(key + (length >> 1))
    const word = (<u32>load<u8>(key) << 16) | (<u32>middle << 8) | <u32>load<u8>(key + length - 1)
    hash = hash_word(hash, word)
  }
  hash ^= hash >> 29
  hash *= HASH_LAST
  return hash ^ (hash >> 32)
}

/** A hash's first slot in a table of `slots`: the low 32 bits scaled, so that any size will do. */
@inline function first_slot(hash: u64, slots: u32): u32 {
  return <u32>((<u64>(<u32>hash) * <u64>slots) >> 32)
}

@inline function tag_of(hash: u64): u32 {
  return <u32>(hash >> 32) & ~OFFSET_MASK
}

/** The anchor of a key in one table, or 0. The load pairs with the store in `table_add`. */
@inline function table_find(
  base: usize, table: usize, slots: u32, hash: u64, key: usize, length: i32,
): usize {
  const tag = tag_of(hash)
  const shift = load<u32>(base, MEMTABLE_GRANULE_SHIFT)
  let index = first_slot(hash, slots)
  while (true) {
    const slot = atomic.load<u32>(table + (<usize>index << 2))
    if (slot == 0) return 0
    if ((slot ^ tag) <= OFFSET_MASK) {
      const entry = base + (<usize>(slot & OFFSET_MASK) << shift)
      if (entry_has_key(entry, key, length)) return entry
    }
    if (++index == slots) index = 0
  }
}

function table_add(base: usize, table: usize, slots: u32, hash: u64, entry: usize): void {
  const offset = <u32>(entry - base) >> load<u32>(base, MEMTABLE_GRANULE_SHIFT)
  let index = first_slot(hash, slots)
  while (load<u32>(table + (<usize>index << 2)) != 0) {
    if (++index == slots) index = 0
  }
  // Publishes the entry: pairs with the load in `table_find`.
  atomic.store<u32>(table + (<usize>index << 2), tag_of(hash) | offset)
}

/**
 * The anchor of a key, or 0. The load of the overflow table pairs with the store in
 * `hash_open_overflow`.
 */
@inline export function hash_find(base: usize, hash: u64, key: usize, length: i32): usize {
  const slots = load<u32>(base, MEMTABLE_HASH_SLOTS)
  const anchor = table_find(base, base + MEMTABLE_HASH, slots, hash, key, length)
  if (anchor != 0) return anchor
  const overflow = <usize>atomic.load<u32>(base, MEMTABLE_OVERFLOW)
  if (overflow == 0) return 0
  return overflow_find(base, overflow, hash, key, length)
}

/** Apart from `hash_find`, to keep that one small enough to inline. */
function overflow_find(base: usize, overflow: usize, hash: u64, key: usize, length: i32): usize {
  const slots = load<u32>(base, MEMTABLE_OVERFLOW_SLOTS)
  return table_find(base, overflow, slots, hash, key, length)
}

/** Adds a new key's anchor. REQUIRES: the writer; the key is absent. */
export function hash_add(base: usize, hash: u64, entry: usize): void {
  const overflow = <usize>load<u32>(base, MEMTABLE_OVERFLOW)
  if (overflow != 0) {
    table_add(base, overflow, load<u32>(base, MEMTABLE_OVERFLOW_SLOTS), hash, entry)
  } else {
    table_add(base, base + MEMTABLE_HASH, load<u32>(base, MEMTABLE_HASH_SLOTS), hash, entry)
  }
}

/**
 * Whether the next new key needs the overflow table and it is not there: the first one is three
 * quarters full.
 */
@inline export function hash_needs_overflow(base: usize): bool {
  const slots = load<u32>(base, MEMTABLE_HASH_SLOTS)
  return load<u32>(base, MEMTABLE_KEY_COUNT) >= slots - (slots >> 2) &&
    load<u32>(base, MEMTABLE_OVERFLOW) == 0
}

/** Bytes of the overflow table that `free` bytes of space ask for; a multiple of 64. */
@inline export function hash_overflow_bytes(free: i32): i32 {
  return ((free / MEMTABLE_BYTES_PER_OVERFLOW_SLOT) * 4 + 127) & ~63
}

/** Puts the overflow table at `table`. REQUIRES: the writer; `bytes` from `hash_overflow_bytes`. */
export function hash_open_overflow(base: usize, table: usize, bytes: i32): void {
  memory.fill(table, 0, bytes)
  store<u32>(base, <u32>bytes >> 2, MEMTABLE_OVERFLOW_SLOTS)
  // Publishes the table: pairs with the load in `hash_find`.
  atomic.store<u32>(base, <u32>table, MEMTABLE_OVERFLOW)
}
