/**
 * LZ4 raw blocks: a greedy encoder with one hash table, and a decoder that trusts nothing. Any
 * thread, no state.
 *
 *     sequence  token | literal length more | literals | offset u16 LE | match length more
 *     token     high nibble: literal count, low nibble: match length - 4; 15 = more bytes follow,
 *               each added, until one is not 255
 *     end       the last sequence stops after its literals
 *
 * I1: the encoder keeps the format's end rules: the last 5 bytes are literals, no match begins in
 *     the last 12.
 * I2: the decoder reads nothing outside [source, source + sourceLength) and writes nothing outside
 *     [target, target + targetLength), whatever the input. Inside the target it may write ahead of
 *     what is decoded.
 * I3: the encoder writes nothing outside [target, target + capacity); inside it may write ahead.
 */
import { LZ4_DOES_NOT_FIT, LZ4_MALFORMED } from '../layout'
import { copyExactly, copyMatch } from './lz4-copy'

const MATCH_MIN: usize = 4
const OFFSET_MAX: usize = 65535
/** Bytes at the end that are literals, and bytes at the end in which no match begins. */
const LAST_LITERALS: usize = 5
const MATCH_FREE_TAIL: usize = 12
/** The largest value of a token's nibble, which announces further length bytes. */
const NIBBLE_MAX: usize = 15
/**
 * Failed searches before the stride grows by one: data that will not compress is passed over ever
 * faster.
 */
const SEARCHES_PER_STRIDE: u32 = 64
/**
 * Five bytes are hashed, not four: fewer false candidates, and a match of four is barely a gain.
 */
const HASH_PRIME: u64 = 889523592379
const HASHED_SHIFT: u64 = 24
const TABLE_BITS_MAX: u32 = 12
const TABLE_BITS_MIN: u32 = 8

/** The most bytes that `length` can become: every byte a literal, plus its length bytes. */
export function lz4_compress_bound(length: u32): u32 {
  return length + length / 255 + 16
}

// @ts-ignore: decorator
@inline
function hashAt(address: usize, shift: u64): usize {
  return <usize>(((load<u64>(address) << HASHED_SHIFT) * HASH_PRIME) >> shift) << 2
}

/** Bytes that a length takes beyond its token. */
// @ts-ignore: decorator
@inline
function lengthBytes(length: usize): usize {
  return length < NIBBLE_MAX ? 0 : (length - NIBBLE_MAX) / 255 + 1
}

/** Writes a length's bytes beyond its token, if any. RETURNS the address after them. */
// @ts-ignore: decorator
@inline
function putLength(target: usize, length: usize): usize {
  if (length < NIBBLE_MAX) return target
  let rest = length - NIBBLE_MAX
  while (rest >= 255) {
    store<u8>(target++, 255)
    rest -= 255
  }
  store<u8>(target++, <u8>rest)
  return target
}

/**
 * How far two places agree, not beyond `limit`; `behind` lies before `ahead`. RETURNS the end at
 * `ahead`.
 */
function matchEnd(ahead: usize, behind: usize, limit: usize): usize {
  while (ahead + 8 <= limit) {
    const difference = load<u64>(ahead) ^ load<u64>(behind)
    if (difference != 0) return ahead + <usize>(ctz<u64>(difference) >> 3)
    ahead += 8
    behind += 8
  }
  while (ahead < limit && load<u8>(ahead) == load<u8>(behind)) {
    ahead++
    behind++
  }
  return ahead
}

/**
 * log2 of the table's entries: a small input must not pay for clearing a table larger than itself.
 */
// @ts-ignore: decorator
@inline
function tableBits(length: u32): u32 {
  const fitting = 31 - clz<u32>(length | 1)
  return min(max(fitting, TABLE_BITS_MIN), TABLE_BITS_MAX)
}

/**
 * Encodes `sourceLength` bytes (at most 256 MiB) as one raw block. `table` is LZ4_TABLE_BYTES of
 * scratch, cleared here.
 * RETURNS the block's length, or LZ4_DOES_NOT_FIT where `capacity` is too small.
 */
export function lz4_compress(
  source: usize,
  sourceLength: u32,
  target: usize,
  capacity: u32,
  table: usize,
): i32 {
  const sourceEnd = source + sourceLength
  const targetEnd = target + capacity
  let literals = source
  let output = target
  if (<usize>sourceLength > MATCH_FREE_TAIL) {
    const bits = tableBits(sourceLength)
    const shift = <u64>(64 - bits)
    memory.fill(table, 0, <usize>4 << bits)
    // The table holds positions from `source`; an empty entry is position 0, a candidate like any
    // other.
    const searchEnd = sourceEnd - MATCH_FREE_TAIL
    const matchLimit = sourceEnd - LAST_LITERALS
    let input = source + 1
    let searches = SEARCHES_PER_STRIDE
    while (input <= searchEnd) {
      const slot = table + hashAt(input, shift)
      let match = source + <usize>load<u32>(slot)
      store<u32>(slot, <u32>(input - source))
      if (load<u32>(match) != load<u32>(input) || input - match > OFFSET_MAX) {
        input += <usize>(searches++ / SEARCHES_PER_STRIDE)
        continue
      }
      searches = SEARCHES_PER_STRIDE
      const offset = input - match
      let end = matchEnd(input + MATCH_MIN, match + MATCH_MIN, matchLimit)
      while (input > literals && match > source && load<u8>(input - 1) == load<u8>(match - 1)) {
        input--
        match--
      }
      const literalCount = input - literals
      const extra = end - input - MATCH_MIN
      const needed: usize = 3 + lengthBytes(literalCount) + literalCount + lengthBytes(extra)
      if (needed > targetEnd - output) return LZ4_DOES_NOT_FIT
      store<u8>(output, <u8>((min(literalCount, NIBBLE_MAX) << 4) | min(extra, NIBBLE_MAX)))
      output = putLength(output + 1, literalCount)
      copyExactly(output, literals, literalCount, targetEnd, sourceEnd)
      output += literalCount
      store<u16>(output, <u16>offset)
      output = putLength(output + 2, extra)
      // The position before the end makes the next match findable without hashing all that was
      // skipped.
      if (end <= searchEnd) store<u32>(table + hashAt(end - 2, shift), <u32>(end - 2 - source))
      literals = end
      input = end
    }
  }
  const rest = sourceEnd - literals
  if (1 + lengthBytes(rest) + rest > targetEnd - output) return LZ4_DOES_NOT_FIT
  store<u8>(output, <u8>(min(rest, NIBBLE_MAX) << 4))
  output = putLength(output + 1, rest)
  copyExactly(output, literals, rest, targetEnd, sourceEnd)
  return <i32>(output + rest - target)
}

/**
 * Decodes one raw block into exactly `targetLength` bytes.
 * RETURNS `targetLength`, or LZ4_MALFORMED where the input is damaged or has another length
 * decoded.
 */
export function lz4_decompress(
  source: usize,
  sourceLength: u32,
  target: usize,
  targetLength: u32,
): i32 {
  const sourceEnd = source + sourceLength
  const targetEnd = target + targetLength
  let input = source
  let output = target
  while (true) {
    if (input >= sourceEnd) return LZ4_MALFORMED
    const token = <usize>load<u8>(input++)
    let length = token >> 4
    if (length == NIBBLE_MAX) {
      let more: usize
      do {
        if (input >= sourceEnd) return LZ4_MALFORMED
        more = <usize>load<u8>(input++)
        length += more
      } while (more == 255)
    }
    // Differences, not sums: a hostile length must not wrap around the address space.
    if (length > sourceEnd - input || length > targetEnd - output) return LZ4_MALFORMED
    copyExactly(output, input, length, targetEnd, sourceEnd)
    input += length
    output += length
    if (input == sourceEnd) return output == targetEnd ? <i32>targetLength : LZ4_MALFORMED
    if (sourceEnd - input < 2) return LZ4_MALFORMED
    const offset = <usize>load<u16>(input)
    input += 2
    if (offset == 0 || offset > output - target) return LZ4_MALFORMED
    length = token & NIBBLE_MAX
    if (length == NIBBLE_MAX) {
      let more: usize
      do {
        if (input >= sourceEnd) return LZ4_MALFORMED
        more = <usize>load<u8>(input++)
        length += more
      } while (more == 255)
    }
    length += MATCH_MIN
    if (length > targetEnd - output) return LZ4_MALFORMED
    copyMatch(output, offset, length, targetEnd)
    output += length
  }
}
