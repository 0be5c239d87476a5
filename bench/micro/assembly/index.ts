/**
 * The bench's own module: the loops around the memtable kernel and the skiplist, so that what is
 * timed is the structure alone. Keys lie one behind the other; every loop returns a checksum of
 * what it read.
 */

import {
  memtable_commit_at,
  memtable_get_hashed,
  memtable_init,
  memtable_reserve,
} from '../../../src/shared/kernel/assembly/memtable'
import {
  memtable_cursor_first,
  memtable_cursor_init,
  memtable_cursor_next,
  memtable_cursor_seek,
} from '../../../src/shared/kernel/assembly/memtable-cursor'
import { entry_key, entry_value } from '../../../src/shared/kernel/assembly/memtable-entry'
import { memtable_hash } from '../../../src/shared/kernel/assembly/memtable-hash'
import {
  skiplist_first,
  skiplist_get,
  skiplist_init,
  skiplist_insert,
  skiplist_key,
  skiplist_next,
  skiplist_seek,
  skiplist_used,
  skiplist_value,
} from './skiplist'

export { memtable_init, skiplist_init, skiplist_used }

/** What a reader of an entry loads: bytes of the key and from within the value. */
@inline function read(key: usize, value: usize): u32 {
  return load<u32>(key, 8) ^ load<u32>(value, 48)
}

/** RETURNS: how many went in. */
export function memtable_insert_all(
  base: usize, keys: usize, count: i32, keyLength: i32, value: usize, valueLength: i32,
): i32 {
  for (let i = 0; i < count; i++) {
    const at = memtable_reserve(base, keyLength, valueLength)
    if (at == 0) return i
    memory.copy(at, keys, keyLength)
    memory.copy(at + keyLength, value, valueLength)
    memtable_commit_at(base, keyLength, valueLength, 0, i)
    keys += keyLength
  }
  return count
}

export function memtable_get_all(base: usize, keys: usize, count: i32, keyLength: i32): u32 {
  let sum: u32 = 0
  for (let i = 0; i < count; i++) {
    const hash = memtable_hash(keys, keyLength)
    const entry = memtable_get_hashed(base, hash, keys, keyLength, u64.MAX_VALUE)
    if (entry != 0) sum += read(entry_key(entry), entry_value(entry))
    keys += keyLength
  }
  return sum
}

export function memtable_scan(base: usize, cursor: usize): u32 {
  let sum: u32 = 0
  memtable_cursor_init(cursor, base)
  let entry = memtable_cursor_first(cursor)
  while (entry != 0) {
    sum += read(entry_key(entry), entry_value(entry))
    entry = memtable_cursor_next(cursor)
  }
  return sum
}

/** Seeks each key and reads `take` entries. */
export function memtable_seek_all(
  base: usize, cursor: usize, keys: usize, count: i32, keyLength: i32, take: i32,
): u32 {
  let sum: u32 = 0
  memtable_cursor_init(cursor, base)
  for (let i = 0; i < count; i++) {
    let entry = memtable_cursor_seek(cursor, keys, keyLength)
    for (let j = 0; j < take && entry != 0; j++) {
      sum += read(entry_key(entry), entry_value(entry))
      if (j + 1 < take) entry = memtable_cursor_next(cursor)
    }
    keys += keyLength
  }
  return sum
}

export function skiplist_insert_all(
  list: usize, keys: usize, count: i32, keyLength: i32, value: usize, valueLength: i32,
): i32 {
  for (let i = 0; i < count; i++) {
    skiplist_insert(list, keys, keyLength, value, valueLength, i)
    keys += keyLength
  }
  return count
}

export function skiplist_get_all(list: usize, keys: usize, count: i32, keyLength: i32): u32 {
  let sum: u32 = 0
  for (let i = 0; i < count; i++) {
    const node = skiplist_get(list, keys, keyLength, u64.MAX_VALUE)
    if (node != 0) sum += read(skiplist_key(node), skiplist_value(node))
    keys += keyLength
  }
  return sum
}

export function skiplist_scan(list: usize): u32 {
  let sum: u32 = 0
  for (let node = skiplist_first(list); node != 0; node = skiplist_next(node)) {
    sum += read(skiplist_key(node), skiplist_value(node))
  }
  return sum
}

export function skiplist_seek_all(
  list: usize, keys: usize, count: i32, keyLength: i32, take: i32,
): u32 {
  let sum: u32 = 0
  for (let i = 0; i < count; i++) {
    let node = skiplist_seek(list, keys, keyLength, u64.MAX_VALUE)
    for (let j = 0; j < take && node != 0; j++) {
      sum += read(skiplist_key(node), skiplist_value(node))
      if (j + 1 < take) node = skiplist_next(node)
    }
    keys += keyLength
  }
  return sum
}
