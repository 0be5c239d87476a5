// Byte primitives of every kernel: comparing and copying keys, varints, heads. Stateless, any thread.

// @ts-ignore: decorator
/** Orders two pieces as unsigned bytes, the shorter prefix first: negative, zero or positive. */
@inline
export function compare_bytes(a: usize, aLength: i32, b: usize, bLength: i32): i32 {
  const length = min(aLength, bLength)
  let i = 0
  while (i + 8 <= length) {
    const x = load<u64>(a + i)
    const y = load<u64>(b + i)
    if (x != y) return bswap<u64>(x) < bswap<u64>(y) ? -1 : 1
    i += 8
  }
  while (i < length) {
    const x = <i32>load<u8>(a + i)
    const y = <i32>load<u8>(b + i)
    if (x != y) return x - y
    i++
  }
  return aLength - bLength
}

// @ts-ignore: decorator
/** Whether two pieces of one length are equal. */
@inline
export function equal_bytes(a: usize, b: usize, length: i32): bool {
  let i = 0
  for (; i + 8 <= length; i += 8) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false
  }
  for (; i < length; i++) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false
  }
  return true
}

// @ts-ignore: decorator
/**
 * Reads a byte for nothing but its cache line: what comes later finds it there, or on its way, and the line comes together
 * with others that are wanted now.
 */
@inline
export function touch(at: usize): void {
  load<u8>(at)
}

/** How many leading bytes two keys share. */
export function common_prefix(a: usize, aLength: i32, b: usize, bLength: i32): i32 {
  const length = min(aLength, bLength)
  let i = 0
  while (i + 8 <= length) {
    const difference = load<u64>(a + i) ^ load<u64>(b + i)
    if (difference != 0) return i + <i32>(ctz<u64>(difference) >> 3)
    i += 8
  }
  while (i < length && load<u8>(a + i) == load<u8>(b + i)) i++
  return i
}

// @ts-ignore: decorator
/** The first 4 bytes of a key as a big-endian integer, zero-padded, so that integers order as keys do. */
@inline
export function head32(key: usize, length: i32): u32 {
  if (length >= 4) return bswap<u32>(load<u32>(key))
  let head: u32 = 0
  for (let i = 0; i < length; i++) head |= <u32>load<u8>(key + i) << (24 - (i << 3))
  return head
}

// @ts-ignore: decorator
/** The first 8 bytes of a key as a big-endian integer, zero-padded. */
@inline
export function head64(key: usize, length: i32): u64 {
  return length >= 8 ? bswap<u64>(load<u64>(key)) : head64_short(key, length)
}

/** As {@link head64}, for fewer than 8 bytes; reads none behind them: a key may end where memory does. */
function head64_short(key: usize, length: i32): u64 {
  let head: u64 = 0
  for (let i = 0; i < length; i++) head |= <u64>load<u8>(key + i) << (56 - (i << 3))
  return head
}

// @ts-ignore: decorator
/** Bytes of `value` as a varint. */
@inline
export function varint_length(value: u64): i32 {
  return value < 128 ? 1 : (70 - <i32>clz<u64>(value)) / 7
}

// @ts-ignore: decorator
/** Writes a varint at `at` and returns the address behind it. */
@inline
export function write_varint(at: usize, value: u64): usize {
  while (value >= 128) {
    store<u8>(at++, <u8>(value | 128))
    value >>= 7
  }
  store<u8>(at, <u8>value)
  return at + 1
}

// @ts-ignore: decorator
/** Reads a varint that was checked before (bytes of our own making). The address behind it: `skip_varint`. */
@inline
export function read_varint(at: usize): u64 {
  let byte = <u64>load<u8>(at)
  if (byte < 128) return byte
  let value = byte & 127
  let shift: u64 = 7
  do {
    byte = <u64>load<u8>(++at)
    value |= (byte & 127) << shift
    shift += 7
  } while (byte >= 128)
  return value
}

// @ts-ignore: decorator
/** The address behind the varint at `at`. */
@inline
export function skip_varint(at: usize): usize {
  while (load<u8>(at) >= 128) at++
  return at + 1
}

/**
 * The length of the varint at `at`, reading nothing at or behind `end`: 0 where it is cut, too long, or over 64 bits.
 */
export function checked_varint_length(at: usize, end: usize): i32 {
  let length = 0
  while (at + length < end) {
    const byte = load<u8>(at + length)
    length++
    if (byte < 128) return length == 10 && byte > 1 ? 0 : length
    if (length == 10) return 0
  }
  return 0
}

/** Longer pieces are worth the call that the processor's own copy is. */
const COPIED_HERE_MAX = 512

// @ts-ignore: decorator
/**
 * Copies `length` bytes, short ones without a call: in steps of 16, the last of which may cover bytes that are copied
 * already. The pieces must not overlap.
 */
@inline
export function copy_bytes(target: usize, source: usize, length: i32): void {
  if (length >= 16) {
    if (length > COPIED_HERE_MAX) {
      memory.copy(target, source, length)
    } else {
      const last = length - 16
      for (let i = 0; i < last; i += 16) v128.store(target + i, v128.load(source + i))
      v128.store(target + last, v128.load(source + last))
    }
  } else if (length >= 8) {
    const first = load<u64>(source)
    const rest = load<u64>(source + length - 8)
    store<u64>(target, first)
    store<u64>(target + length - 8, rest)
  } else {
    for (let i = 0; i < length; i++) store<u8>(target + i, load<u8>(source + i))
  }
}

/** Bytes by which {@link copy_over} reads and writes at a time. */
export const COPY_STEP = 16

// @ts-ignore: decorator
/**
 * Copies `length` bytes and what lies behind them, up to COPY_STEP - 1 bytes: for short pieces with room behind both, which
 * is written later or never looked at.
 */
@inline
export function copy_over(target: usize, source: usize, length: i32): void {
  for (let i = 0; i < length; i += COPY_STEP) v128.store(target + i, v128.load(source + i))
}
