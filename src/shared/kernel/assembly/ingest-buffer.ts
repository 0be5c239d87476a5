// Fills an ingest buffer: entries, in ascending key order or in any, laid out as resident blocks that a merge reads as
// they are. The thread that ingests.
//
// I1: every seqno is 0; the entries of a sorted buffer ascend by key, block by block.
// I2: an entry that is refused leaves no trace.
import { KIND_VALUE, RESIDENT_BYTES, RESIDENT_COUNT, RESIDENT_PREFIX_LENGTH, RESIDENT_SLOTS, RESIDENT_SLOT_BYTES } from '../layout'
import {
  INGEST_ADDED,
  INGEST_BLOCK,
  INGEST_BLOCK_BYTES,
  INGEST_BLOCK_COUNT,
  INGEST_BLOCK_ENTRIES,
  INGEST_END,
  INGEST_ENTRY_COUNT,
  INGEST_EXTRA_BYTES,
  INGEST_HEADER_BYTES,
  INGEST_LAST_KEY,
  INGEST_LAST_KEY_LENGTH,
  INGEST_NOT_ASCENDING,
  INGEST_OUTCOME,
  INGEST_TOP,
  PACKED_CUT,
  PACKED_DONE,
  PACKED_FULL,
  PACKED_KEY,
  PACKED_MALFORMED,
  PACKED_NOT_ASCENDING,
  PACKED_VALUE_LENGTH,
} from '../layout-ingest'
import { varint_length, write_varint } from './bytes'
import { compare_keys } from './key-order'

/** Bytes of a block before its first entry. */
const BLOCK_HEAD_BYTES: u32 = RESIDENT_SLOTS + INGEST_BLOCK_ENTRIES * RESIDENT_SLOT_BYTES

/**
 * Makes an empty buffer of `bytes` bytes, which keeps `extraBytes` free for each entry. The last key, a copy that the caller
 * keeps elsewhere, goes on from the one before.
 */
export function ingest_init(buffer: usize, bytes: u32, lastKey: usize, lastKeyLength: i32, extraBytes: u32): void {
  store<u32>(buffer, <u32>buffer + INGEST_HEADER_BYTES, INGEST_TOP)
  store<u32>(buffer, <u32>buffer + bytes, INGEST_END)
  store<u32>(buffer, 0, INGEST_BLOCK)
  store<u32>(buffer, 0, INGEST_BLOCK_COUNT)
  store<u32>(buffer, <u32>lastKey, INGEST_LAST_KEY)
  store<i32>(buffer, lastKeyLength, INGEST_LAST_KEY_LENGTH)
  store<u32>(buffer, 0, INGEST_ENTRY_COUNT)
  store<u32>(buffer, extraBytes, INGEST_EXTRA_BYTES)
}

// @ts-ignore: decorator
/** True where the next entry begins a block. */
@inline
function begins_block(buffer: usize): bool {
  const block = <usize>load<u32>(buffer, INGEST_BLOCK)
  if (block == 0 || load<i32>(block, RESIDENT_COUNT) == INGEST_BLOCK_ENTRIES) return true
  return load<u32>(buffer, INGEST_TOP) - <u32>block >= <u32>INGEST_BLOCK_BYTES
}

// @ts-ignore: decorator
/** Where the next entry goes. */
@inline
function next_entry(buffer: usize): usize {
  const top = <usize>load<u32>(buffer, INGEST_TOP)
  return begins_block(buffer) ? ((top + 7) & ~7) + BLOCK_HEAD_BYTES : top
}

// @ts-ignore: decorator
/** Bytes before an entry's key: kind, seqno 0, and both lengths. */
@inline
function head_bytes(keyLength: i32, valueLength: u32): i32 {
  return 2 + varint_length(keyLength) + varint_length(valueLength)
}

/** The address for the next entry's key, its value right behind; 0 where the buffer is too full. Changes nothing. */
export function ingest_reserve(buffer: usize, keyLength: i32, valueLength: u32): usize {
  const key = next_entry(buffer) + <usize>head_bytes(keyLength, valueLength)
  const extra = <u64>(load<u32>(buffer, INGEST_ENTRY_COUNT) + 1) * <u64>load<u32>(buffer, INGEST_EXTRA_BYTES)
  const end = <u64>key + <u64>(<u32>keyLength) + <u64>valueLength + extra
  return end <= <u64>load<u32>(buffer, INGEST_END) ? key : 0
}

// @ts-ignore: decorator
/** True where the key at `key` does not come behind the last one. */
@inline
function is_out_of_order(buffer: usize, key: usize, keyLength: i32): bool {
  const lastLength = load<i32>(buffer, INGEST_LAST_KEY_LENGTH)
  if (lastLength == 0) return false
  return compare_keys(<usize>load<u32>(buffer, INGEST_LAST_KEY), lastLength, key, keyLength) >= 0
}

/**
 * Adds the entry whose key and value were copied to the reserved address: INGEST_ADDED, or, where `isSorted` is 1,
 * INGEST_NOT_ASCENDING where its key does not come behind the last one.
 */
export function ingest_commit(
  buffer: usize,
  keyLength: i32,
  valueLength: u32,
  kind: i32,
  isSorted: i32,
): i32 {
  const entry = next_entry(buffer)
  const key = entry + <usize>head_bytes(keyLength, valueLength)
  if (isSorted != 0 && is_out_of_order(buffer, key, keyLength)) return INGEST_NOT_ASCENDING
  append(buffer, entry, key, keyLength, valueLength, kind)
  return INGEST_ADDED
}

/** Makes the entry that lies at the buffer's end a part of it. */
function append(buffer: usize, entry: usize, key: usize, keyLength: i32, valueLength: u32, kind: i32): void {
  if (begins_block(buffer)) begin_block(buffer, entry - BLOCK_HEAD_BYTES)
  const block = <usize>load<u32>(buffer, INGEST_BLOCK)
  store<u8>(entry, <u8>kind)
  store<u8>(entry, 0, 1)
  write_varint(write_varint(entry + 2, keyLength), valueLength)
  const count = load<u32>(block, RESIDENT_COUNT)
  const slot = block + RESIDENT_SLOTS + <usize>count * RESIDENT_SLOT_BYTES
  store<u32>(slot, 0)
  store<u32>(slot, <u32>(entry - block), 4)
  const top = key + <usize>keyLength + <usize>valueLength
  store<u32>(block, count + 1, RESIDENT_COUNT)
  store<u32>(block, <u32>(top - block), RESIDENT_BYTES)
  store<u32>(buffer, <u32>top, INGEST_TOP)
  store<u32>(buffer, <u32>key, INGEST_LAST_KEY)
  store<i32>(buffer, keyLength, INGEST_LAST_KEY_LENGTH)
  store<u32>(buffer, load<u32>(buffer, INGEST_ENTRY_COUNT) + 1, INGEST_ENTRY_COUNT)
}

/**
 * Adds the entries of the packed chunk [from, end) as values; returns the address of the first one that was not taken, and
 * stores why in INGEST_OUTCOME.
 */
export function ingest_add_packed(buffer: usize, from: usize, end: usize, isSorted: i32): usize {
  let at = from
  let outcome = PACKED_DONE
  while (at < end) {
    outcome = PACKED_CUT
    if (end - at < <usize>PACKED_KEY) break
    const keyLength = <i32>load<u16>(at)
    const valueLength = load<u32>(at, PACKED_VALUE_LENGTH)
    const bytes = <u64>keyLength + <u64>valueLength
    if (keyLength != 0 && bytes > <u64>(end - at - <usize>PACKED_KEY)) break
    outcome = PACKED_MALFORMED
    if (keyLength == 0) break
    outcome = PACKED_FULL
    const key = ingest_reserve(buffer, keyLength, valueLength)
    if (key == 0) break
    outcome = PACKED_NOT_ASCENDING
    memory.copy(key, at + <usize>PACKED_KEY, <usize>bytes)
    if (isSorted != 0 && is_out_of_order(buffer, key, keyLength)) break
    append(buffer, next_entry(buffer), key, keyLength, valueLength, KIND_VALUE)
    at += <usize>PACKED_KEY + <usize>bytes
    outcome = PACKED_DONE
  }
  store<u32>(buffer, outcome, INGEST_OUTCOME)
  return at
}

function begin_block(buffer: usize, block: usize): void {
  store<u32>(block, 0, RESIDENT_COUNT)
  store<u32>(block, 0, RESIDENT_PREFIX_LENGTH)
  store<u32>(block, 0, 12)
  store<u32>(buffer, <u32>block, INGEST_BLOCK)
  store<u32>(buffer, load<u32>(buffer, INGEST_BLOCK_COUNT) + 1, INGEST_BLOCK_COUNT)
}
