// Reads bodies of restart blocks as they come from disk (format-table.md 7, 8, 11) and converts them into the resident
// forms of layout.ts. Everything is checked before it is used, so what the other kernels meet in memory is sound.
//
// I1: no byte outside [source, source + length) is read and none outside the target written, whatever the body says.
// I2: after success the keys ascend, versions of one key descend by seqno, and every offset lies inside the target. A
//     custom order is not asked for every entry of every block: only versions of one key are checked there.
import {
  BLOCK_ERROR_COUNT,
  BLOCK_ERROR_ENTRY,
  BLOCK_ERROR_ORDER,
  BLOCK_ERROR_SEQNO,
  BLOCK_ERROR_TRAILER,
  BLOCK_NO_SPACE,
  KIND_MAX,
  RESIDENT_BYTES,
  RESIDENT_COUNT,
  RESIDENT_PREFIX_LENGTH,
  RESIDENT_SLOTS,
  RESIDENT_SLOT_BYTES,
  RESTART_TRAILER_BYTES,
  SEQNO_MAX_KERNEL,
  SOURCE_HEAD,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_ROW_BYTES,
  SOURCE_SEQNO,
  SOURCE_TYPE,
  SOURCE_TYPE_ROWS,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
} from '../layout'
import {
  COPY_STEP,
  checked_varint_length,
  copy_bytes,
  copy_over,
  equal_bytes,
  read_varint,
  varint_length,
  write_varint,
} from './bytes'
import { compare_keys, order_head32, order_head64, order_prefix } from './key-order'

/** Longest user key. */
export const KEY_MAX: u64 = 65535

/** Fewest bytes an entry takes: kind, seqno, two lengths. */
const ENTRY_BYTES_MIN = 4

/**
 * Checks the trailer of a body and where its parts lie. Returns where the entries end (the terminator's offset), or a
 * negative error.
 */
export function restart_block_check(body: usize, length: i32): i32 {
  if (length < RESTART_TRAILER_BYTES + 2) return BLOCK_ERROR_TRAILER
  const trailerOffset = <u32>(length - RESTART_TRAILER_BYTES)
  const trailer = body + trailerOffset
  const step = <u32>load<u8>(trailer, 1)
  const heads = load<u32>(trailer, 2)
  const binaryOffset = load<u32>(trailer, 6)
  const hashLength = load<u32>(trailer, 10)
  const hashOffset = load<u32>(trailer, 14)
  const interval = <u64>load<u8>(trailer)
  const count = <u64>load<u32>(trailer, 27)
  if (interval == 0 || (step != 2 && step != 4) || heads == 0) return BLOCK_ERROR_TRAILER
  if ((hashLength == 0) != (hashOffset == 0)) return BLOCK_ERROR_TRAILER
  if (hashLength != 0 && <u64>hashOffset + hashLength != <u64>trailerOffset) return BLOCK_ERROR_TRAILER
  const binaryEnd = <u64>binaryOffset + <u64>heads * step
  if (binaryEnd != <u64>(hashLength != 0 ? hashOffset : trailerOffset)) return BLOCK_ERROR_TRAILER
  if (binaryOffset == 0 || load<u8>(body + binaryOffset - 1) != 0xff) return BLOCK_ERROR_TRAILER
  const entriesEnd = binaryOffset - 1
  if (count * ENTRY_BYTES_MIN > <u64>entriesEnd) return BLOCK_ERROR_COUNT
  if ((count + interval - 1) / interval != <u64>heads) return BLOCK_ERROR_COUNT
  return <i32>entriesEnd
}

// @ts-ignore: decorator
/** The offset of restart head number `index`, from the binary index of a checked body. */
@inline
export function head_offset(trailer: usize, body: usize, index: u32): u32 {
  const binary = body + load<u32>(trailer, 6)
  return load<u8>(trailer, 1) == 2
    ? <u32>load<u16>(binary + (<usize>index << 1))
    : load<u32>(binary + (<usize>index << 2))
}

// @ts-ignore: decorator
/** Adds an error to a running address: addresses are below 2 GiB, so a negative one marks the error. */
@inline
export function failed(at: i32): bool {
  return at < 0
}

/** The bytes of a word that go on. */
export const MORE: u64 = 0x8080_8080_8080_8080

// @ts-ignore: decorator
/** The ends of varints in a word: the highest bit of each byte that does not go on. */
@inline
export function varint_ends(word: u64): u64 {
  return ~word & MORE
}

// @ts-ignore: decorator
/** All bits up to the lowest one that is set. */
@inline
export function up_to(bit: u64): u64 {
  return bit ^ (bit - 1)
}

// @ts-ignore: decorator
/**
 * As checked_varint_length, for what lies before the entries' end of a checked body: the trailer behind it is longer than
 * the word that is loaded. Usual lengths are branches, which the processor foretells: what comes behind the varint need
 * not wait until it is there.
 */
@inline
export function body_varint_length(at: usize, end: usize): i32 {
  if (at >= end) return 0
  if (load<u8>(at) < 128) return 1
  if (load<u8>(at, 1) < 128) return at + 2 <= end ? 2 : 0
  if (load<u8>(at, 2) < 128) return at + 3 <= end ? 3 : 0
  const last = ~load<u64>(at) & MORE
  if (last == 0) return checked_varint_length(at, end)
  const length = (<i32>ctz(last) >> 3) + 1
  return at + <usize>length <= end ? length : 0
}

// @ts-ignore: decorator
/** The varint of that length at `at`. */
@inline
export function body_varint(at: usize, length: i32): u64 {
  if (length == 1) return <u64>load<u8>(at)
  if (length > 8) return read_varint(at)
  return join_bits(load<u64>(at) & (u64.MAX_VALUE >> <u64>(64 - (length << 3))))
}

// @ts-ignore: decorator
/** The value of a varint of 8 bytes at most. Seven bits of each byte move together: pairs, then fours, then all. */
@inline
export function join_bits(varint: u64): u64 {
  let word = (varint & 0x007f_007f_007f_007f) | ((varint & 0x7f00_7f00_7f00_7f00) >> 1)
  word = (word & 0x0000_3fff_0000_3fff) | ((word & 0x3fff_0000_3fff_0000) >> 2)
  return (word & 0x0fff_ffff) | ((word & 0x0fff_ffff_0000_0000) >> 4)
}

// @ts-ignore: decorator
/**
 * Reads key lengths at `at`. For a head: key length; else shared and rest lengths. Stores shared at `out`, rest at
 * `out + 4`; returns the address of the key bytes, or a negative error.
 */
@inline
export function read_key_lengths(at: usize, end: usize, isHead: bool, headLength: i32, out: usize): i32 {
  let shared: u64 = 0
  if (!isHead) {
    const sharedLength = body_varint_length(at, end)
    if (sharedLength == 0) return BLOCK_ERROR_ENTRY
    shared = body_varint(at, sharedLength)
    at += sharedLength
    if (shared > <u64>headLength) return BLOCK_ERROR_ENTRY
  }
  const restLength = body_varint_length(at, end)
  if (restLength == 0) return BLOCK_ERROR_ENTRY
  const rest = body_varint(at, restLength)
  at += restLength
  if (shared + rest > KEY_MAX || shared + rest == 0 || rest > <u64>(end - at)) return BLOCK_ERROR_ENTRY
  store<u32>(out, <u32>shared)
  store<u32>(out, <u32>rest, 4)
  return <i32>at
}

// @ts-ignore: decorator
/** Whether the entry (key, seqno) may come right behind the previous one, whose head is not below the key's. */
@inline
export function follows(
  key: usize,
  keyLength: i32,
  seqno: u64,
  previousKey: usize,
  previousLength: i32,
  previousSeqno: u64,
): bool {
  if (CUSTOM_ORDER) {
    if (previousLength != keyLength || !equal_bytes(previousKey, key, keyLength)) return true
    return previousSeqno >= seqno
  }
  const order = compare_keys(previousKey, previousLength, key, keyLength)
  return order < 0 || (order == 0 && previousSeqno >= seqno)
}

// @ts-ignore: decorator
/**
 * Decodes a data block body into `target`: a resident block, or rows with the keys that are not whole in the body behind
 * them. Returns the resident block's size, or the count of rows; or BLOCK_NO_SPACE, or an error.
 */
@inline
function convert_data(
  body: usize,
  length: i32,
  target: usize,
  capacity: i32,
  asRows: bool,
  globalSeqno: u64,
): i32 {
  const entriesEnd = restart_block_check(body, length)
  if (entriesEnd < 0) return entriesEnd
  const trailer = body + <usize>(length - RESTART_TRAILER_BYTES)
  const interval = <u32>load<u8>(trailer)
  const count = load<u32>(trailer, 27)
  const end = body + <usize>entriesEnd
  const limit = target + <usize>capacity
  const fixed = asRows ? <u64>count * SOURCE_ROW_BYTES : RESIDENT_SLOTS + <u64>count * RESIDENT_SLOT_BYTES
  if (fixed > <u64>capacity) return BLOCK_NO_SPACE
  let out = target + <usize>fixed
  let at = body
  let headKey: usize = 0
  let headLength = 0
  let previousKey: usize = 0
  let previousLength = 0
  let previousSeqno: u64 = 0
  let previousOrder: u64 = 0
  let head: u32 = 0
  let untilHead: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const isHead = untilHead == 0
    if (isHead) {
      if (head_offset(trailer, body, head++) != <u32>(at - body)) return BLOCK_ERROR_TRAILER
      untilHead = interval
    }
    untilHead--
    if (at >= end) return BLOCK_ERROR_ENTRY
    const kind = <i32>load<u8>(at++)
    if (kind > KIND_MAX) return BLOCK_ERROR_ENTRY
    const seqnoLength = body_varint_length(at, end)
    if (seqnoLength == 0) return BLOCK_ERROR_ENTRY
    const seqno = body_varint(at, seqnoLength)
    if (seqno > <u64>SEQNO_MAX_KERNEL) return BLOCK_ERROR_SEQNO
    at += seqnoLength
    let shared = 0
    if (!isHead) {
      const sharedLength = body_varint_length(at, end)
      if (sharedLength == 0) return BLOCK_ERROR_ENTRY
      const longShared = body_varint(at, sharedLength)
      if (longShared > <u64>headLength) return BLOCK_ERROR_ENTRY
      shared = <i32>longShared
      at += sharedLength
    }
    const restLength = body_varint_length(at, end)
    if (restLength == 0) return BLOCK_ERROR_ENTRY
    const longRest = body_varint(at, restLength)
    at += restLength
    const longKey = <u64>shared + longRest
    if (longKey > KEY_MAX || longKey == 0 || longRest > <u64>(end - at)) return BLOCK_ERROR_ENTRY
    const rest = <i32>longRest
    const restKey = at
    at += <usize>rest
    let valueLength: u64 = 0
    if (kind != 1 && kind != 2) {
      const valueLengthLength = body_varint_length(at, end)
      if (valueLengthLength == 0) return BLOCK_ERROR_ENTRY
      valueLength = body_varint(at, valueLengthLength)
      at += valueLengthLength
      if (valueLength > <u64>(end - at)) return BLOCK_ERROR_ENTRY
    }
    const keyLength = shared + rest
    const value = at
    let key: usize
    if (!asRows) {
      const bytes =
        <u64>(1 + seqnoLength + varint_length(<u64>keyLength) + varint_length(valueLength) + keyLength) + valueLength
      if (bytes > <u64>(limit - out)) return BLOCK_NO_SPACE
      store<u32>(target + RESIDENT_SLOTS + <usize>i * RESIDENT_SLOT_BYTES, <u32>(out - target), 4)
      store<u8>(out, <u8>kind)
      out = write_varint(out + 1, seqno)
      out = write_varint(out, <u64>keyLength)
      out = write_varint(out, valueLength)
      key = out
      copy_bytes(out, headKey, shared)
      copy_bytes(out + <usize>shared, restKey, rest)
      out += <usize>keyLength
      copy_bytes(out, value, <i32>valueLength)
      out += <usize>valueLength
    } else if (shared == 0) {
      key = restKey
    } else {
      if (<u64>keyLength + COPY_STEP > <u64>(limit - out)) return BLOCK_NO_SPACE
      key = out
      copy_over(out, headKey, shared)
      copy_over(out + <usize>shared, restKey, rest)
      out += <usize>keyLength
    }
    at += <usize>valueLength
    const order = order_head64(key, keyLength)
    if (i > 0 && order <= previousOrder) {
      const isBehind = follows(key, keyLength, seqno, previousKey, previousLength, previousSeqno)
      if (!isBehind) return BLOCK_ERROR_ORDER
    }
    if (asRows) {
      const row = target + <usize>i * SOURCE_ROW_BYTES
      store<u64>(row, order, SOURCE_HEAD)
      store<u64>(row, seqno + globalSeqno, SOURCE_SEQNO)
      store<u32>(row, <u32>key, SOURCE_KEY)
      store<u32>(row, <u32>keyLength, SOURCE_KEY_LENGTH)
      store<u32>(row, <u32>value, SOURCE_VALUE)
      store<u32>(row, <u32>valueLength, SOURCE_VALUE_LENGTH)
      store<u32>(row, <u32>kind, SOURCE_KIND)
      store<u32>(row, SOURCE_TYPE_ROWS, SOURCE_TYPE)
    }
    previousOrder = order
    if (isHead) {
      headKey = key
      headLength = keyLength
    }
    previousKey = key
    previousLength = keyLength
    previousSeqno = seqno
  }
  if (at != end) return BLOCK_ERROR_ENTRY
  if (asRows) return <i32>count
  write_heads(target, count, previousKey, previousLength)
  store<u32>(target, count, RESIDENT_COUNT)
  store<u32>(target, <u32>(out - target), RESIDENT_BYTES)
  store<u32>(target, 0, 12)
  return <i32>(out - target)
}

/**
 * Converts a data block body into a resident block at `target`. Returns the resident block's size, BLOCK_NO_SPACE,
 * or an error.
 */
export function resident_block_convert(body: usize, length: i32, target: usize, capacity: i32): i32 {
  return convert_data(body, length, target, capacity, false, 0)
}

/**
 * Decodes a data block body into rows of a source at `target`, which refer to the body: it stays where it is as long as
 * they are used. Returns the count of rows, BLOCK_NO_SPACE, or the error that {@link resident_block_convert} finds.
 */
export function block_rows_convert(
  body: usize,
  length: i32,
  target: usize,
  capacity: i32,
  globalSeqno: u64,
): i32 {
  return convert_data(body, length, target, capacity, true, globalSeqno)
}

/** As {@link block_rows_convert}, for callers outside: a seqno is a safe integer. */
export function block_rows_convert_at(
  body: usize,
  length: i32,
  target: usize,
  capacity: i32,
  globalSeqno: f64,
): i32 {
  return block_rows_convert(body, length, target, capacity, <u64>globalSeqno)
}

/** Fills the heads of a resident block's slots, now that its first and last keys give the common prefix. */
function write_heads(target: usize, count: u32, lastKey: usize, lastLength: i32): void {
  let entry = target + load<u32>(target + RESIDENT_SLOTS, 4)
  let prefix = 0
  for (let i: u32 = 0; i < count; i++) {
    const slot = target + RESIDENT_SLOTS + <usize>i * RESIDENT_SLOT_BYTES
    entry = target + load<u32>(slot, 4)
    const keyLengthAt = skip(entry + 1)
    const keyLength = <i32>read_varint(keyLengthAt)
    const key = skip(skip(keyLengthAt))
    if (i == 0) prefix = order_prefix(key, keyLength, lastKey, lastLength)
    store<u32>(slot, order_head32(key + <usize>prefix, keyLength - prefix))
  }
  store<u32>(target, <u32>prefix, RESIDENT_PREFIX_LENGTH)
}

// @ts-ignore: decorator
@inline
function skip(at: usize): usize {
  while (load<u8>(at) >= 128) at++
  return at + 1
}
