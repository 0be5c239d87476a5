// Adds one entry to the data block being written and to what the table's meta block sums up. Runs on the thread that
// writes the table.
//
// I1: a result other than ADD_OK means that nothing was added.
import {
  ADD_BLOCK_FULL,
  ADD_NO_SPACE,
  ADD_OK,
  BLOCK_WRITER_HASH_RATIO,
  BLOCK_WRITER_PAYLOAD,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../layout'
import {
  PREFIX_NONE,
  TABLE_SUMS_HASHES,
  TABLE_SUMS_HASHES_CAPACITY,
  TABLE_SUMS_HASHES_COUNT,
  TABLE_SUMS_ITEM_COUNT,
  TABLE_SUMS_KEY_BYTES,
  TABLE_SUMS_KEY_COUNT,
  TABLE_SUMS_LAST_KEY,
  TABLE_SUMS_LAST_KEY_LENGTH,
  TABLE_SUMS_LAST_KIND,
  TABLE_SUMS_LAST_SEQNO,
  TABLE_SUMS_PREFIX_HASHES_COUNT,
  TABLE_SUMS_PREFIX_KEYS_TOP,
  TABLE_SUMS_PREFIX_RULE,
  TABLE_SUMS_SEQNO_MAX,
  TABLE_SUMS_SEQNO_MIN,
  TABLE_SUMS_TOMBSTONE_COUNT,
  TABLE_SUMS_VALUE_BYTES,
  TABLE_SUMS_WEAK_COUNT,
  TABLE_SUMS_WEAK_RECLAIMABLE,
} from '../layout-sums'
import { block_writer_add } from './block-writer'
import { copy_bytes, equal_bytes } from './bytes'
import { add_prefixes, prefixes_fit } from './prefix-hashes'
import { xxh3_64 } from './xxh3'

/** The hash array is full, or what is kept of prefixes; beside the ADD codes. */
export const ADD_HASHES_FULL = 3

// @ts-ignore: decorator
@inline
function add_to(address: usize, amount: u64): void {
  store<u64>(address, load<u64>(address) + amount)
}

/** Empties the sums for the next table; the buffers that they name stay. */
export function table_sums_reset(sums: usize): void {
  memory.fill(sums, 0, TABLE_SUMS_SEQNO_MIN)
  store<u64>(sums, u64.MAX_VALUE, TABLE_SUMS_SEQNO_MIN)
  store<u64>(sums, 0, TABLE_SUMS_SEQNO_MAX)
  store<u64>(sums, 0, TABLE_SUMS_LAST_SEQNO)
  store<u32>(sums, 0, TABLE_SUMS_LAST_KIND)
  store<u32>(sums, 0, TABLE_SUMS_LAST_KEY_LENGTH)
  store<u32>(sums, 0, TABLE_SUMS_HASHES_COUNT)
  store<u32>(sums, 0, TABLE_SUMS_PREFIX_HASHES_COUNT)
  store<u32>(sums, 0, TABLE_SUMS_PREFIX_KEYS_TOP)
}

/** Starts to sum up the seqnos of the next block; the caller has taken those of the last one. */
export function table_sums_next_block(sums: usize): void {
  store<u64>(sums, u64.MAX_VALUE, TABLE_SUMS_SEQNO_MIN)
  store<u64>(sums, 0, TABLE_SUMS_SEQNO_MAX)
}

/** True where `key` is the last one added. */
export function is_last_key(sums: usize, key: usize, keyLength: i32): bool {
  const lastLength = load<i32>(sums, TABLE_SUMS_LAST_KEY_LENGTH)
  if (lastLength != keyLength) return false
  return equal_bytes(<usize>load<u32>(sums, TABLE_SUMS_LAST_KEY), key, keyLength)
}

/**
 * Adds an entry, which must follow the last one in internal order. A block that has reached `blockSize` takes no
 * further entry: ADD_BLOCK_FULL, until it is sealed.
 */
export function table_add(
  writer: usize,
  sums: usize,
  blockSize: u32,
  key: usize,
  keyLength: i32,
  seqno: u64,
  kind: i32,
  value: usize,
  valueLength: i32,
): i32 {
  if (load<u32>(writer, BLOCK_WRITER_PAYLOAD) >= blockSize) return ADD_BLOCK_FULL
  const isNewKey = !is_last_key(sums, key, keyLength)
  const hashes = <usize>load<u32>(sums, TABLE_SUMS_HASHES)
  const hashCount = load<u32>(sums, TABLE_SUMS_HASHES_COUNT)
  const keepsHash = isNewKey && hashes != 0
  if (keepsHash && hashCount >= load<u32>(sums, TABLE_SUMS_HASHES_CAPACITY)) return ADD_HASHES_FULL
  const prefixRule = isNewKey ? load<u32>(sums, TABLE_SUMS_PREFIX_RULE) : PREFIX_NONE
  if (prefixRule != PREFIX_NONE && !prefixes_fit(sums, prefixRule, keyLength)) return ADD_HASHES_FULL
  const needsHash = keepsHash || load<f32>(writer, BLOCK_WRITER_HASH_RATIO) > 0
  const hash = needsHash ? xxh3_64(key, keyLength) : 0
  if (!block_writer_add(writer, key, keyLength, seqno, kind, value, valueLength, hash)) return ADD_NO_SPACE
  if (keepsHash) {
    store<u64>(hashes + (<usize>hashCount << 3), hash)
    store<u32>(sums, hashCount + 1, TABLE_SUMS_HASHES_COUNT)
  }
  add_to(sums + TABLE_SUMS_ITEM_COUNT, 1)
  add_to(sums + TABLE_SUMS_KEY_BYTES, <u64>keyLength)
  if (kind == KIND_TOMBSTONE || kind == KIND_WEAK_TOMBSTONE) {
    add_to(sums + TABLE_SUMS_TOMBSTONE_COUNT, 1)
    if (kind == KIND_WEAK_TOMBSTONE) add_to(sums + TABLE_SUMS_WEAK_COUNT, 1)
  } else {
    add_to(sums + TABLE_SUMS_VALUE_BYTES, <u64>(<u32>valueLength))
  }
  if (isNewKey) {
    if (prefixRule != PREFIX_NONE) add_prefixes(sums, prefixRule, key, keyLength)
    add_to(sums + TABLE_SUMS_KEY_COUNT, 1)
    copy_bytes(<usize>load<u32>(sums, TABLE_SUMS_LAST_KEY), key, keyLength)
    store<i32>(sums, keyLength, TABLE_SUMS_LAST_KEY_LENGTH)
  } else if (kind == KIND_VALUE && load<u32>(sums, TABLE_SUMS_LAST_KIND) == KIND_WEAK_TOMBSTONE) {
    add_to(sums + TABLE_SUMS_WEAK_RECLAIMABLE, 1)
  }
  store<u64>(sums, seqno, TABLE_SUMS_LAST_SEQNO)
  store<u32>(sums, <u32>kind, TABLE_SUMS_LAST_KIND)
  if (seqno < load<u64>(sums, TABLE_SUMS_SEQNO_MIN)) store<u64>(sums, seqno, TABLE_SUMS_SEQNO_MIN)
  if (seqno > load<u64>(sums, TABLE_SUMS_SEQNO_MAX)) store<u64>(sums, seqno, TABLE_SUMS_SEQNO_MAX)
  return ADD_OK
}

/** As {@link table_add}, for callers outside. */
export function table_add_at(
  writer: usize,
  sums: usize,
  blockSize: u32,
  key: usize,
  keyLength: i32,
  seqno: f64,
  kind: i32,
  value: usize,
  valueLength: i32,
): i32 {
  return table_add(writer, sums, blockSize, key, keyLength, <u64>seqno, kind, value, valueLength)
}
