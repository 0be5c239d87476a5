// Writes the body of one restart block (format-table.md 7): entries, terminator, binary index, hash index, trailer.
// The thread that owns the BLOCK_WRITER structure runs it; nobody else reads the buffer before the block is sealed.
//
// I1: an entry that does not fit leaves the writer as it was.
// I2: shared lengths are the longest possible against the interval's head, so equal input gives the crate's own bytes.
import {
  BLOCK_WRITER_CAPACITY,
  BLOCK_WRITER_COUNT,
  BLOCK_WRITER_HASHES,
  BLOCK_WRITER_HASHES_CAPACITY,
  BLOCK_WRITER_HASH_RATIO,
  BLOCK_WRITER_HEADS,
  BLOCK_WRITER_HEADS_CAPACITY,
  BLOCK_WRITER_HEADS_COUNT,
  BLOCK_WRITER_HEAD_KEY,
  BLOCK_WRITER_HEAD_KEY_LENGTH,
  BLOCK_WRITER_OUT,
  BLOCK_WRITER_PAYLOAD,
  BLOCK_WRITER_RESTART_INTERVAL,
  BLOCK_WRITER_TOP,
  BLOCK_WRITER_UNTIL_HEAD,
  INDEX_ENTRY_KEY,
  INDEX_ENTRY_KEY_LENGTH,
  INDEX_ENTRY_OFFSET,
  INDEX_ENTRY_SEQNO,
  INDEX_ENTRY_SIZE,
  RESTART_TRAILER_BYTES,
} from '../layout'
import { common_prefix, copy_bytes, write_varint } from './bytes'

/** Most bytes that an entry's fixed fields and varints take beside key and value. */
const ENTRY_OVERHEAD_MAX = 48

/** Hash index bytes with a meaning of their own (format-table.md 9). */
const BUCKET_FREE: u8 = 254
const BUCKET_CONFLICT: u8 = 255

/** Restart heads beyond which a block carries no hash index. */
const HASHED_HEADS_MAX: u32 = 254

/** Empties the writer for its next block. */
export function block_writer_reset(writer: usize): void {
  store<u32>(writer, 0, BLOCK_WRITER_TOP)
  store<u32>(writer, 0, BLOCK_WRITER_COUNT)
  store<u32>(writer, 0, BLOCK_WRITER_HEADS_COUNT)
  store<u32>(writer, 0, BLOCK_WRITER_PAYLOAD)
  store<u32>(writer, 0, BLOCK_WRITER_UNTIL_HEAD)
}

// @ts-ignore: decorator
/** Hash index buckets for `count` entries: the product is taken in f32, as the crate does. */
@inline
function bucket_count(ratio: f32, count: i32): u32 {
  return max<u32>(1, <u32>(<f32>count * ratio))
}

// @ts-ignore: decorator
/** True when the block, finished after one more entry of `payload` bytes, still fits its buffer. */
@inline
function fits(writer: usize, payload: i32): bool {
  const count = <i32>load<u32>(writer, BLOCK_WRITER_COUNT) + 1
  const heads = load<u32>(writer, BLOCK_WRITER_HEADS_COUNT) + 1
  const ratio = load<f32>(writer, BLOCK_WRITER_HASH_RATIO)
  if (heads > load<u32>(writer, BLOCK_WRITER_HEADS_CAPACITY)) return false
  let bytes =
    <u64>load<u32>(writer, BLOCK_WRITER_TOP) + <u64>payload + ENTRY_OVERHEAD_MAX +
    1 + <u64>heads * 4 + RESTART_TRAILER_BYTES
  if (ratio > 0) {
    if (<u32>count > load<u32>(writer, BLOCK_WRITER_HASHES_CAPACITY)) return false
    bytes += <u64>bucket_count(ratio, count)
  }
  return bytes <= <u64>load<u32>(writer, BLOCK_WRITER_CAPACITY)
}

// @ts-ignore: decorator
/** Writes `key` at `at` as head or truncated key; returns the address behind it. */
@inline
function write_key(writer: usize, at: usize, isHead: bool, key: usize, keyLength: i32): usize {
  if (isHead) {
    at = write_varint(at, <u64>keyLength)
    copy_bytes(at, key, keyLength)
    store<u32>(writer, <u32>at, BLOCK_WRITER_HEAD_KEY)
    store<u32>(writer, <u32>keyLength, BLOCK_WRITER_HEAD_KEY_LENGTH)
    return at + keyLength
  }
  const shared = common_prefix(
    <usize>load<u32>(writer, BLOCK_WRITER_HEAD_KEY),
    <i32>load<u32>(writer, BLOCK_WRITER_HEAD_KEY_LENGTH),
    key,
    keyLength,
  )
  const rest = keyLength - shared
  at = write_varint(at, <u64>shared)
  at = write_varint(at, <u64>rest)
  copy_bytes(at, key + shared, rest)
  return at + rest
}

// @ts-ignore: decorator
/** Notes a restart head where the next entry is one, and tells so. */
@inline
function begin_entry(writer: usize, top: u32): bool {
  const untilHead = load<u32>(writer, BLOCK_WRITER_UNTIL_HEAD)
  if (untilHead > 0) {
    store<u32>(writer, untilHead - 1, BLOCK_WRITER_UNTIL_HEAD)
    return false
  }
  store<u32>(writer, load<u32>(writer, BLOCK_WRITER_RESTART_INTERVAL) - 1, BLOCK_WRITER_UNTIL_HEAD)
  const heads = load<u32>(writer, BLOCK_WRITER_HEADS_COUNT)
  store<u32>(<usize>load<u32>(writer, BLOCK_WRITER_HEADS) + (<usize>heads << 2), top)
  store<u32>(writer, heads + 1, BLOCK_WRITER_HEADS_COUNT)
  return true
}

// @ts-ignore: decorator
/** Books the entry that ends at `at`. */
@inline
function end_entry(writer: usize, count: i32, at: usize, payload: i32): void {
  store<u32>(writer, <u32>(at - <usize>load<u32>(writer, BLOCK_WRITER_OUT)), BLOCK_WRITER_TOP)
  store<u32>(writer, <u32>(count + 1), BLOCK_WRITER_COUNT)
  store<u32>(writer, load<u32>(writer, BLOCK_WRITER_PAYLOAD) + <u32>payload, BLOCK_WRITER_PAYLOAD)
}

// @ts-ignore: decorator
/** Appends a data entry (format-table.md 8); false where it does not fit. `hash` is used only with a hash index. */
@inline
export function block_writer_add(
  writer: usize,
  key: usize,
  keyLength: i32,
  seqno: u64,
  kind: i32,
  value: usize,
  valueLength: i32,
  hash: u64,
): bool {
  if (!fits(writer, keyLength + valueLength)) return false
  const count = <i32>load<u32>(writer, BLOCK_WRITER_COUNT)
  const top = load<u32>(writer, BLOCK_WRITER_TOP)
  let at = <usize>load<u32>(writer, BLOCK_WRITER_OUT) + top
  const isHead = begin_entry(writer, top)
  store<u8>(at, <u8>kind)
  at = write_varint(at + 1, seqno)
  at = write_key(writer, at, isHead, key, keyLength)
  if (kind != 1 && kind != 2) {
    at = write_varint(at, <u64>(<u32>valueLength))
    copy_bytes(at, value, valueLength)
    at += valueLength
  }
  if (load<f32>(writer, BLOCK_WRITER_HASH_RATIO) > 0) {
    store<u64>(<usize>load<u32>(writer, BLOCK_WRITER_HASHES) + (<usize>count << 3), hash)
  }
  end_entry(writer, count, at, keyLength + valueLength)
  return true
}

// @ts-ignore: decorator
@inline
function add_index(writer: usize, key: usize, keyLength: i32, seqno: u64, blockOffset: u64, blockSize: u32): bool {
  if (!fits(writer, keyLength)) return false
  const count = <i32>load<u32>(writer, BLOCK_WRITER_COUNT)
  const top = load<u32>(writer, BLOCK_WRITER_TOP)
  let at = <usize>load<u32>(writer, BLOCK_WRITER_OUT) + top
  const isHead = begin_entry(writer, top)
  store<u8>(at, isHead ? 0 : 1)
  at = write_varint(at + 1, blockOffset)
  at = write_varint(at, <u64>blockSize)
  at = write_varint(at, seqno)
  at = write_key(writer, at, isHead, key, keyLength)
  end_entry(writer, count, at, keyLength)
  return true
}

/** Appends an index entry (format-table.md 11.1): 1, or 0 where it does not fit. */
export function index_writer_add(
  writer: usize,
  key: usize,
  keyLength: i32,
  seqno: f64,
  blockOffset: f64,
  blockSize: u32,
): i32 {
  return add_index(writer, key, keyLength, <u64>seqno, <u64>blockOffset, blockSize) ? 1 : 0
}

/** Appends the INDEX_ENTRY records in [first, end). Returns the address of the first one that does not fit, or `end`. */
export function index_writer_add_all(writer: usize, first: usize, end: usize): usize {
  let entry = first
  while (entry < end) {
    const keyLength = load<i32>(entry, INDEX_ENTRY_KEY_LENGTH)
    const isAdded = add_index(
      writer,
      entry + INDEX_ENTRY_KEY,
      keyLength,
      load<u64>(entry, INDEX_ENTRY_SEQNO),
      load<u64>(entry, INDEX_ENTRY_OFFSET),
      load<u32>(entry, INDEX_ENTRY_SIZE),
    )
    if (!isAdded) break
    entry += <usize>((INDEX_ENTRY_KEY + keyLength + 7) & ~7)
  }
  return entry
}

/** Writes the hash index behind the binary index at `at`; returns its length in bytes. */
function write_hash_index(writer: usize, at: usize, count: i32, ratio: f32): u32 {
  const buckets = bucket_count(ratio, count)
  const interval = <i32>load<u32>(writer, BLOCK_WRITER_RESTART_INTERVAL)
  const hashes = <usize>load<u32>(writer, BLOCK_WRITER_HASHES)
  memory.fill(at, BUCKET_FREE, buckets)
  for (let i = 0; i < count; i++) {
    const head = i / interval
    if (head >= <i32>BUCKET_FREE) break
    const bucket = at + <usize>(load<u64>(hashes + (<usize>i << 3)) % <u64>buckets)
    const held = load<u8>(bucket)
    if (held == BUCKET_FREE) store<u8>(bucket, <u8>head)
    else if (held != <u8>head) store<u8>(bucket, BUCKET_CONFLICT)
  }
  return buckets
}

/** Ends the block: terminator, binary index, hash index, trailer. Returns the body's length. */
export function block_writer_finish(writer: usize): i32 {
  const out = <usize>load<u32>(writer, BLOCK_WRITER_OUT)
  const count = <i32>load<u32>(writer, BLOCK_WRITER_COUNT)
  const heads = load<u32>(writer, BLOCK_WRITER_HEADS_COUNT)
  const headOffsets = <usize>load<u32>(writer, BLOCK_WRITER_HEADS)
  const ratio = load<f32>(writer, BLOCK_WRITER_HASH_RATIO)
  let at = out + load<u32>(writer, BLOCK_WRITER_TOP)
  store<u8>(at++, 0xff)
  const binaryOffset = <u32>(at - out)
  const wide = load<u32>(headOffsets + (<usize>(heads - 1) << 2)) > 65535
  for (let i: u32 = 0; i < heads; i++) {
    const offset = load<u32>(headOffsets + (<usize>i << 2))
    if (wide) {
      store<u32>(at, offset)
      at += 4
    } else {
      store<u16>(at, <u16>offset)
      at += 2
    }
  }
  let hashOffset: u32 = 0
  let hashLength: u32 = 0
  if (ratio > 0 && heads <= HASHED_HEADS_MAX) {
    hashOffset = <u32>(at - out)
    hashLength = write_hash_index(writer, at, count, ratio)
    at += hashLength
  }
  store<u8>(at, <u8>load<u32>(writer, BLOCK_WRITER_RESTART_INTERVAL))
  store<u8>(at, wide ? 4 : 2, 1)
  store<u32>(at, heads, 2)
  store<u32>(at, binaryOffset, 6)
  store<u32>(at, hashLength, 10)
  store<u32>(at, hashOffset, 14)
  store<u8>(at, 1, 18)
  store<u64>(at, 0, 19)
  store<u32>(at, <u32>count, 27)
  return <i32>(at - out) + RESTART_TRAILER_BYTES
}
