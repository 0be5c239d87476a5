// Converts index blocks into resident indexes: the checks of data blocks (restart-block.ts), and those of handles. Runs on
// the thread that owns the buffers.
//
// I1: no byte outside [source, source + length) is read and none outside the target written, whatever the body says.
// I2: after success the keys ascend, handles too, and every offset lies inside the target.
import {
  BLOCK_ERROR_ENTRY,
  BLOCK_ERROR_HANDLE,
  BLOCK_ERROR_ORDER,
  BLOCK_ERROR_SEQNO,
  BLOCK_ERROR_TRAILER,
  BLOCK_NO_SPACE,
  INDEX_BYTES,
  INDEX_COUNT,
  INDEX_HEADS,
  INDEX_PREFIX_LENGTH,
  INDEX_RECORD_BYTES,
  INDEX_RECORD_KEY,
  INDEX_RECORD_KEY_LENGTH,
  INDEX_RECORD_OFFSET,
  INDEX_RECORD_SEQNO,
  INDEX_RECORD_SIZE,
  RESTART_TRAILER_BYTES,
  SEQNO_MAX_KERNEL,
} from '../layout'
import { common_prefix, copy_bytes } from './bytes'
import { order_head64, order_prefix } from './key-order'
import {
  MORE,
  body_varint,
  body_varint_length,
  failed,
  follows,
  head_offset,
  join_bits,
  read_key_lengths,
  restart_block_check,
  up_to,
  varint_ends,
} from './restart-block'

// @ts-ignore: decorator
/** The first 8 bytes of a key of as many, as head64: one instruction turns them round. */
@inline
function long_head(key: usize): u64 {
  const bytes = v128.load_zero<u64>(key)
  return v128.extract_lane<u64>(v128.shuffle<u8>(bytes, bytes, 7, 6, 5, 4, 3, 2, 1, 0, 8, 9, 10, 11, 12, 13, 14, 15), 0)
}

/**
 * {@link resident_index_convert} for what an index is nearly always: every entry a head, handles of 7 bytes at most, such
 * seqnos, keys of 8 to 127 bytes. It checks the same. 0 where it does not get through, whatever the reason: then the other
 * way does it, or says what is wrong. It reads up to 15 bytes behind an entry, which the trailer has.
 *
 * A large index is most of what opening a table takes, so that this is a loop of few instructions, and each entry is
 * looked for where the list of heads has it, not where the one before ended: a processor can have several at once.
 */
function convert_usual_index(
  body: usize,
  entriesEnd: i32,
  trailer: usize,
  target: usize,
  capacity: i32,
  handleMin: u64,
  handleMax: u64,
): i32 {
  const count = load<u32>(trailer, 27)
  const end = body + <usize>entriesEnd
  const limit = target + <usize>capacity
  const step = <usize>load<u8>(trailer, 1)
  let place = body + load<u32>(trailer, 6)
  const prefix = usual_prefix(body, trailer, end)
  if (prefix < 0) return 0
  const prefixBits: u64 = prefix == 0 ? 0 : u64.MAX_VALUE >> <u64>(64 - (min(prefix, 8) << 3))
  let heads = target + INDEX_HEADS
  let record = heads + (<usize>count << 3)
  let out = record + <usize>count * INDEX_RECORD_BYTES
  let at = body
  const firstBits = load<u64>(key_place(body, end))
  let previousKey: usize = 0
  let previousLength = 0
  let previousSeqno: u64 = 0
  let previousEnd = handleMin
  let previousHead: u64 = 0
  for (let i: u32 = 0; i < count; i++) {
    const entry = body + (step == 2 ? <usize>load<u16>(place) : <usize>load<u32>(place))
    place += step
    if (entry != at || entry >= end) return 0
    // Marker, offset, size.
    const handle = load<u64>(entry)
    const offsetEnds = varint_ends(handle) & ~<u64>0xff
    const sizeEnds = offsetEnds & (offsetEnds - 1)
    if ((handle & 0xff) != 0 || sizeEnds == 0) return 0
    const offsetBits = up_to(offsetEnds)
    const blockOffset = join_bits((handle & offsetBits) >> 8)
    const blockSize = join_bits((handle & (up_to(sizeEnds) ^ offsetBits)) >> (ctz(offsetEnds) + 1))
    // Seqno, key length.
    const seqnoAt = entry + <usize>((ctz(sizeEnds) + 1) >> 3)
    const word = load<u64>(seqnoAt)
    const seqnoEnds = varint_ends(word)
    if ((seqnoEnds & (MORE >> 8)) == 0) return 0
    const seqnoEnd = ctz(seqnoEnds) + 1
    const seqno = join_bits(word & up_to(seqnoEnds))
    const keyLength = <i32>((word >> seqnoEnd) & 0xff)
    const key = seqnoAt + <usize>(seqnoEnd >> 3) + 1
    at = key + <usize>keyLength
    if (keyLength < prefix + 8 || keyLength > 127 || at > end) return 0
    if (blockOffset < previousEnd || blockSize == 0 || blockSize > 0x7fffffff) return 0
    previousEnd = blockOffset + blockSize
    if (previousEnd > handleMax || out + <usize>keyLength + 16 > limit) return 0
    // Between two keys that share a prefix each does. Then a head that is above the last one tells the order.
    if (((load<u64>(key) ^ firstBits) & prefixBits) != 0) return 0
    const head = long_head(key + <usize>prefix)
    if (prefix > 8 || head <= previousHead) {
      if (i > 0 && !follows(key, keyLength, seqno, previousKey, previousLength, previousSeqno)) return 0
    }
    for (let copied = 0; copied < keyLength; copied += 16) v128.store(out + copied, v128.load(key + copied))
    store<u64>(heads, head)
    store<u64>(record, blockOffset, INDEX_RECORD_OFFSET)
    store<u64>(record, seqno, INDEX_RECORD_SEQNO)
    store<u32>(record, <u32>(out - target), INDEX_RECORD_KEY)
    store<u32>(record, <u32>keyLength, INDEX_RECORD_KEY_LENGTH)
    store<u64>(record, blockSize, INDEX_RECORD_SIZE)
    previousKey = key
    previousLength = keyLength
    previousSeqno = seqno
    previousHead = head
    heads += 8
    record += INDEX_RECORD_BYTES
    out += <usize>keyLength
  }
  if (at != end) return 0
  store<u32>(target, count, INDEX_COUNT)
  store<u32>(target, <u32>prefix, INDEX_PREFIX_LENGTH)
  store<u32>(target, <u32>(out - target), INDEX_BYTES)
  store<u32>(target, 0, 12)
  return <i32>(out - target)
}

/** The common prefix of the first and the last key of an index as {@link convert_usual_index} takes it, or -1. */
function usual_prefix(body: usize, trailer: usize, end: usize): i32 {
  const last = body + head_offset(trailer, body, load<u32>(trailer, 27) - 1)
  if (last >= end) return -1
  const first = key_place(body, end)
  const other = key_place(last, end)
  if (first == 0 || other == 0) return -1
  const firstLength = <i32>load<u8>(first - 1)
  return common_prefix(first, firstLength, other, <i32>load<u8>(other - 1))
}

/** Where the key of the head at `at` lies, behind its length of one byte, or 0. */
function key_place(at: usize, end: usize): usize {
  // Marker, offset, size, seqno, key length.
  for (let i = 0; i < 5; i++) {
    const length = body_varint_length(at, end)
    if (length == 0) return 0
    at += <usize>length
  }
  if (at >= end || <usize>load<u8>(at - 1) > end - at) return 0
  return at
}

/**
 * Converts an index block body into a resident index at `target`. Every handle must lie in [handleMin, handleMax).
 * `scratch` takes 16 bytes. Returns its size, BLOCK_NO_SPACE, or an error.
 */
export function resident_index_convert(
  body: usize,
  length: i32,
  target: usize,
  capacity: i32,
  scratch: usize,
  handleMin: f64,
  handleMax: f64,
): i32 {
  const entriesEnd = restart_block_check(body, length)
  if (entriesEnd < 0) return entriesEnd
  const trailer = body + <usize>(length - RESTART_TRAILER_BYTES)
  const interval = <u32>load<u8>(trailer)
  const count = load<u32>(trailer, 27)
  const end = body + <usize>entriesEnd
  const limit = target + <usize>capacity
  if (INDEX_HEADS + <u64>count * (8 + INDEX_RECORD_BYTES) > <u64>capacity) return BLOCK_NO_SPACE
  if (!CUSTOM_ORDER && interval == 1 && count > 1) {
    const bytes = convert_usual_index(body, entriesEnd, trailer, target, capacity, <u64>handleMin, <u64>handleMax)
    if (bytes > 0) return bytes
  }
  const records = target + INDEX_HEADS + (<usize>count << 3)
  let out = records + <usize>count * INDEX_RECORD_BYTES
  let at = body
  let headKey: usize = 0
  let headLength = 0
  let previousKey: usize = 0
  let previousLength = 0
  let previousSeqno: u64 = 0
  let previousEnd = <u64>handleMin
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
    if (at >= end || load<u8>(at) != (isHead ? 0 : 1)) return BLOCK_ERROR_ENTRY
    at++
    const offsetLength = body_varint_length(at, end)
    if (offsetLength == 0) return BLOCK_ERROR_ENTRY
    const blockOffset = body_varint(at, offsetLength)
    at += offsetLength
    const sizeLength = body_varint_length(at, end)
    if (sizeLength == 0) return BLOCK_ERROR_ENTRY
    const blockSize = body_varint(at, sizeLength)
    at += sizeLength
    const seqnoLength = body_varint_length(at, end)
    if (seqnoLength == 0) return BLOCK_ERROR_ENTRY
    const seqno = body_varint(at, seqnoLength)
    if (seqno > <u64>SEQNO_MAX_KERNEL) return BLOCK_ERROR_SEQNO
    const lengthsAt = read_key_lengths(at + seqnoLength, end, isHead, headLength, scratch)
    if (failed(lengthsAt)) return lengthsAt
    if (blockOffset < previousEnd || blockOffset > <u64>handleMax) return BLOCK_ERROR_HANDLE
    if (blockSize == 0 || blockSize > <u64>handleMax - blockOffset || blockSize > 0x7fffffff) {
      return BLOCK_ERROR_HANDLE
    }
    const shared = load<i32>(scratch)
    const rest = load<i32>(scratch, 4)
    const keyLength = shared + rest
    at = <usize>lengthsAt + <usize>rest
    if (<usize>keyLength > limit - out) return BLOCK_NO_SPACE
    copy_bytes(out, headKey, shared)
    copy_bytes(out + <usize>shared, <usize>lengthsAt, rest)
    const order = order_head64(out, keyLength)
    if (i > 0 && order <= previousOrder) {
      const isBehind = follows(out, keyLength, seqno, previousKey, previousLength, previousSeqno)
      if (!isBehind) return BLOCK_ERROR_ORDER
    }
    previousOrder = order
    store<u64>(target + INDEX_HEADS + (<usize>i << 3), order)
    const record = records + <usize>i * INDEX_RECORD_BYTES
    store<u64>(record, blockOffset, INDEX_RECORD_OFFSET)
    store<u64>(record, seqno, INDEX_RECORD_SEQNO)
    store<u32>(record, <u32>(out - target), INDEX_RECORD_KEY)
    store<u32>(record, <u32>keyLength, INDEX_RECORD_KEY_LENGTH)
    store<u32>(record, <u32>blockSize, INDEX_RECORD_SIZE)
    store<u32>(record, 0, 28)
    if (isHead) {
      headKey = out
      headLength = keyLength
    }
    previousKey = out
    previousLength = keyLength
    previousSeqno = seqno
    previousEnd = blockOffset + blockSize
    out += <usize>keyLength
  }
  if (at != end) return BLOCK_ERROR_ENTRY
  const firstKey = target + load<u32>(records, INDEX_RECORD_KEY)
  const firstLength = <i32>load<u32>(records, INDEX_RECORD_KEY_LENGTH)
  const prefix = order_prefix(firstKey, firstLength, previousKey, previousLength)
  // Without a prefix the heads are those of whole keys, which are there.
  for (let i: u32 = prefix == 0 ? count : 0; i < count; i++) {
    const record = records + <usize>i * INDEX_RECORD_BYTES
    const key = target + load<u32>(record, INDEX_RECORD_KEY) + <usize>prefix
    const keyLength = <i32>load<u32>(record, INDEX_RECORD_KEY_LENGTH) - prefix
    store<u64>(target + INDEX_HEADS + (<usize>i << 3), order_head64(key, keyLength))
  }
  store<u32>(target, count, INDEX_COUNT)
  store<u32>(target, <u32>prefix, INDEX_PREFIX_LENGTH)
  store<u32>(target, <u32>(out - target), INDEX_BYTES)
  store<u32>(target, 0, 12)
  return <i32>(out - target)
}
