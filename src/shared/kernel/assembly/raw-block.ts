// Raw blocks (layout.ts): bodies of data blocks as they come from disk, searched where they lie. A block that is read once
// is not worth its conversion (restart-block.ts), which takes ten times as long as such a search.
//
// I1: a body was checked as a whole by its trailer only. So every entry that a search walks over is checked as a conversion
//     checks it, but for the order of keys; no byte outside the body is read, whatever it says.
// I2: of a body that a conversion takes, a search finds what a search of the resident block finds.
// I3: orders of bytes only.
import {
  BLOCK_ERROR_ENTRY,
  BLOCK_ERROR_SEQNO,
  BLOCK_ERROR_TRAILER,
  KIND_MAX,
  RESTART_TRAILER_BYTES,
  SEQNO_MAX_KERNEL,
} from '../layout'
import {
  RAW_BODY,
  RAW_ENTRIES_END,
  RAW_FOUND_KIND,
  RAW_FOUND_SEQNO,
  RAW_FOUND_VALUE,
  RAW_FOUND_VALUE_LENGTH,
  RAW_LENGTH,
} from '../layout-raw'
import { common_prefix, compare_bytes } from './bytes'
import {
  body_varint,
  body_varint_length,
  head_offset,
  join_bits,
  KEY_MAX,
  restart_block_check,
  up_to,
  varint_ends,
} from './restart-block'

/**
 * Makes a raw block of the body of `length` bytes at `body`, by writing into the RAW_BODY bytes before it. Returns the size
 * of the block, or a negative error.
 */
export function raw_block_make(body: usize, length: i32): i32 {
  const entriesEnd = restart_block_check(body, length)
  if (entriesEnd < 0) return entriesEnd
  const raw = body - RAW_BODY
  store<u32>(raw, <u32>length, RAW_LENGTH)
  store<u32>(raw, <u32>entriesEnd, RAW_ENTRIES_END)
  return RAW_BODY + length
}

/**
 * Whether head number `index` lies before (key, seqno): 1 or 0, or a negative error. A version of the key does if its seqno
 * is not below.
 */
function head_is_before(
  body: usize,
  trailer: usize,
  end: usize,
  index: u32,
  key: usize,
  keyLength: i32,
  seqno: u64,
): i32 {
  let at = body + head_offset(trailer, body, index)
  if (at >= end) return BLOCK_ERROR_TRAILER
  at++
  const seqnoLength = body_varint_length(at, end)
  if (seqnoLength == 0) return BLOCK_ERROR_ENTRY
  const headSeqno = body_varint(at, seqnoLength)
  at += seqnoLength
  const lengthLength = body_varint_length(at, end)
  if (lengthLength == 0) return BLOCK_ERROR_ENTRY
  const headLength = body_varint(at, lengthLength)
  at += lengthLength
  if (headLength > KEY_MAX || headLength > <u64>(end - at)) return BLOCK_ERROR_ENTRY
  const order = compare_bytes(at, <i32>headLength, key, keyLength)
  return order < 0 || (order == 0 && headSeqno >= seqno) ? 1 : 0
}

/** The number of heads that lie before (key, seqno), or a negative error. */
function heads_before(body: usize, trailer: usize, end: usize, key: usize, keyLength: i32, seqno: u64): i32 {
  let low: u32 = 0
  let high = load<u32>(trailer, 2)
  while (low < high) {
    const middle = (low + high) >> 1
    const isBefore = head_is_before(body, trailer, end, middle, key, keyLength, seqno)
    if (isBefore < 0) return isBefore
    if (isBefore != 0) low = middle + 1
    else high = middle
  }
  return <i32>low
}

/**
 * Looks for the newest version of the key below `seqno` in a raw block: 1 with RAW_FOUND at `found`, 0 where there is none,
 * or a negative error where an entry on the way is malformed.
 */
export function raw_block_find(raw: usize, key: usize, keyLength: i32, seqno: u64, found: usize): i32 {
  const body = raw + RAW_BODY
  const length = load<u32>(raw, RAW_LENGTH)
  const trailer = body + <usize>(length - RESTART_TRAILER_BYTES)
  const end = body + load<u32>(raw, RAW_ENTRIES_END)
  const before = heads_before(body, trailer, end, key, keyLength, seqno)
  if (before < 0) return before
  const interval = <u32>load<u8>(trailer)
  const count = load<u32>(trailer, 27)
  // From the last head before the place on; it can lie no further than the next head.
  let head = <u32>max(before - 1, 0)
  let at = body + head_offset(trailer, body, head)
  let untilHead: u32 = 0
  let headLength = 0
  let headOrder = 0
  let common = 0
  for (let i = head * interval; i < count; i++) {
    const isHead = untilHead == 0
    if (isHead) {
      if (head_offset(trailer, body, head++) != <u32>(at - body)) return BLOCK_ERROR_TRAILER
      untilHead = interval
    }
    untilHead--
    if (at >= end) return BLOCK_ERROR_ENTRY
    const kind = <i32>load<u8>(at)
    if (kind > KIND_MAX) return BLOCK_ERROR_ENTRY
    let entrySeqno: u64
    let sharedBytes: u64 = 0
    let restBytes: u64
    // Mostly one word has all of it: kind, seqno, and lengths of a byte each. It may reach into the trailer, not beyond.
    const word = load<u64>(at)
    const seqnoEnds = varint_ends(word) & ~<u64>0xff
    const firstEnds = seqnoEnds & (seqnoEnds - 1)
    const secondEnds = firstEnds & (firstEnds - 1)
    const seqnoEnd = ctz(seqnoEnds) + 1
    const lengthsEnd = isHead ? ctz(firstEnds) + 1 : ctz(secondEnds) + 1
    if ((isHead ? firstEnds : secondEnds) != 0 && lengthsEnd - seqnoEnd == <u64>(isHead ? 8 : 16)) {
      entrySeqno = join_bits((word & up_to(seqnoEnds)) >> 8)
      const lengths = word >> seqnoEnd
      if (!isHead) sharedBytes = lengths & 0xff
      restBytes = (isHead ? lengths : lengths >> 8) & 0xff
      at += <usize>(lengthsEnd >> 3)
      if (at > end) return BLOCK_ERROR_ENTRY
    } else {
      at++
      const seqnoLength = body_varint_length(at, end)
      if (seqnoLength == 0) return BLOCK_ERROR_ENTRY
      entrySeqno = body_varint(at, seqnoLength)
      if (entrySeqno > <u64>SEQNO_MAX_KERNEL) return BLOCK_ERROR_SEQNO
      at += seqnoLength
      if (!isHead) {
        const sharedLength = body_varint_length(at, end)
        if (sharedLength == 0) return BLOCK_ERROR_ENTRY
        sharedBytes = body_varint(at, sharedLength)
        at += sharedLength
      }
      const restLength = body_varint_length(at, end)
      if (restLength == 0) return BLOCK_ERROR_ENTRY
      restBytes = body_varint(at, restLength)
      at += restLength
    }
    if (sharedBytes > <u64>headLength && !isHead) return BLOCK_ERROR_ENTRY
    const shared = <i32>sharedBytes
    if (restBytes + sharedBytes > KEY_MAX || restBytes + sharedBytes == 0) return BLOCK_ERROR_ENTRY
    if (restBytes > <u64>(end - at)) return BLOCK_ERROR_ENTRY
    const rest = <i32>restBytes
    let order: i32
    if (isHead) {
      headLength = rest
      common = common_prefix(at, rest, key, keyLength)
      headOrder = compare_bytes(at, rest, key, keyLength)
      order = headOrder
    } else if (shared > common) {
      // It differs from the key where the head does.
      order = headOrder
    } else {
      order = compare_bytes(at, rest, key + <usize>shared, keyLength - shared)
    }
    at += <usize>rest
    if (order > 0) return 0
    let valueLength: u64 = 0
    if (kind != 1 && kind != 2) {
      const valueLengthLength = body_varint_length(at, end)
      if (valueLengthLength == 0) return BLOCK_ERROR_ENTRY
      valueLength = body_varint(at, valueLengthLength)
      at += valueLengthLength
      if (valueLength > <u64>(end - at)) return BLOCK_ERROR_ENTRY
    }
    if (order == 0 && entrySeqno < seqno) {
      store<u64>(found, entrySeqno, RAW_FOUND_SEQNO)
      store<i32>(found, kind, RAW_FOUND_KIND)
      store<u32>(found, <u32>at, RAW_FOUND_VALUE)
      store<u32>(found, <u32>valueLength, RAW_FOUND_VALUE_LENGTH)
      return 1
    }
    at += <usize>valueLength
  }
  return at == end ? 0 : BLOCK_ERROR_ENTRY
}

/** As {@link raw_block_find}, for callers outside: a seqno is a safe integer. */
export function raw_block_find_at(raw: usize, key: usize, keyLength: i32, seqno: f64, found: usize): i32 {
  return raw_block_find(raw, key, keyLength, <u64>seqno, found)
}
