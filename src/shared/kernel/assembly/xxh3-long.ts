/**
 * XXH3 of inputs above 240 bytes: eight 64-bit accumulators over 64-byte stripes, sixteen stripes
 * to a block of 1 KiB, a scramble after every block, and a last stripe that covers the input's
 * final 64 bytes.
 *
 * One function serves the one-shot hashes and the streaming state, so that the accumulators stay in
 * SIMD registers from the first stripe to the merge: memory is touched only when a stream is
 * suspended or resumed. Any thread; reads the input and the secret, writes the 64 bytes of a given
 * state and the 16 bytes of a given `out`.
 */
import {
  avalanche,
  multiplyFold,
  PRIME32_1,
  PRIME32_2,
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME64_5,
  SECRET,
} from './xxh3-primitives'

/**
 * Bytes between two scrambles: (secret 192 - stripe 64) / 8 bytes of secret a stripe = 16 stripes
 * of 64 bytes.
 */
export const BLOCK_BYTES: u32 = 1024

/**
 * Where in the secret the scramble, the last stripe and the two merges read (secret 192 bytes;
 * stripe 64).
 */
const SECRET_SCRAMBLE: usize = 128
const SECRET_LAST_STRIPE: usize = 121
const SECRET_MERGE_LOW: usize = 11
const SECRET_MERGE_HIGH: usize = 117

/** The even 32-bit lanes of two vectors: the low halves of four words. */
// @ts-ignore: decorator
@inline
function lowHalves(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6)
}

/** The odd 32-bit lanes of two vectors: the high halves of four words. */
// @ts-ignore: decorator
@inline
function highHalves(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 1, 3, 5, 7)
}

/**
 * `sum` plus the neighbour's input word, lane by lane: data crosses lanes so that no lane can be
 * zeroed out.
 */
// @ts-ignore: decorator
@inline
function addSwapped(sum: v128, data: v128): v128 {
  return i64x2.add(sum, v128.shuffle<i64>(data, data, 1, 0))
}

/**
 * Sixteen bytes of the last stripe, which is off the hot path and so keeps to one vector at a time.
 */
// @ts-ignore: decorator
@inline
function lastStripe(sum: v128, input: usize, secret: usize): v128 {
  const data = v128.load(input)
  const key = v128.xor(data, v128.load(secret))
  const product = i64x2.extmul_low_i32x4_u(lowHalves(key, key), highHalves(key, key))
  return i64x2.add(addSwapped(sum, data), product)
}

// @ts-ignore: decorator
@inline
function scramble(sum: v128, offset: usize): v128 {
  const keyed = v128.xor(
    v128.xor(sum, i64x2.shr_u(sum, 47)),
    v128.load(SECRET + SECRET_SCRAMBLE + offset),
  )
  return i64x2.mul(keyed, i64x2.splat(<i64>PRIME32_1))
}

/** Two accumulators against sixteen bytes of secret: one term of a merge. */
// @ts-ignore: decorator
@inline
function mergePair(sum: v128, secret: usize): u64 {
  return multiplyFold(
    <u64>i64x2.extract_lane(sum, 0) ^ load<u64>(secret),
    <u64>i64x2.extract_lane(sum, 1) ^ load<u64>(secret, 8),
  )
}

// @ts-ignore: decorator
@inline
function merge(a: v128, b: v128, c: v128, d: v128, secret: usize, start: u64): u64 {
  const first = mergePair(a, secret) + mergePair(b, secret + 16)
  const second = mergePair(c, secret + 32) + mergePair(d, secret + 48)
  return avalanche(start + first + second)
}

/** The starting accumulators of a stream. */
export function longStart(state: usize): void {
  v128.store(state, i64x2(PRIME32_3, PRIME64_1))
  v128.store(state, i64x2(PRIME64_2, PRIME64_3), 16)
  v128.store(state, i64x2(PRIME64_4, PRIME32_2), 32)
  v128.store(state, i64x2(PRIME64_5, PRIME32_1), 48)
}

/**
 * Folds input into the accumulators, from `state` or, where that is 0, from their start.
 *
 * `total` = 0: a stream goes on. `length` is a multiple of BLOCK_BYTES, every block is consumed
 * whole and the accumulators go back to `state`. RETURNS 0.
 *
 * `total` > 0: the hash ends. `length` >= 1 bytes remain, the 64 bytes that end the input lie
 * before `address + length` (a stream keeps them there), `total` is the input's whole length.
 * `state` is left alone.
 * RETURNS the low 64 bits, which are also XXH3-64; stores all 128 at `out` unless that is 0.
 */
export function longHash(state: usize, address: usize, length: u32, total: u64, out: usize): u64 {
  let a = i64x2(PRIME32_3, PRIME64_1)
  let b = i64x2(PRIME64_2, PRIME64_3)
  let c = i64x2(PRIME64_4, PRIME32_2)
  let d = i64x2(PRIME64_5, PRIME32_1)
  if (state != 0) {
    a = v128.load(state)
    b = v128.load(state, 16)
    c = v128.load(state, 32)
    d = v128.load(state, 48)
  }
  const end = address + length
  // The end always keeps at least one byte out of the blocks: the last stripe is not a block's.
  const blocksEnd = total == 0 ? end : end - 1 - ((length - 1) & (BLOCK_BYTES - 1))
  const stripesEnd = total == 0 ? end : blocksEnd + (<usize>(end - 1 - blocksEnd) & ~63)
  let input = address
  for (;;) {
    const wholeBlock = input < blocksEnd
    const stop = wholeBlock ? input + BLOCK_BYTES : stripesEnd
    let secret = SECRET
    while (input < stop) {
      const data0 = v128.load(input)
      const data1 = v128.load(input, 16)
      const data2 = v128.load(input, 32)
      const data3 = v128.load(input, 48)
      const key0 = v128.xor(data0, v128.load(secret))
      const key1 = v128.xor(data1, v128.load(secret, 16))
      const key2 = v128.xor(data2, v128.load(secret, 32))
      const key3 = v128.xor(data3, v128.load(secret, 48))
      // Two shuffles feed two products: fewer instructions than splitting each vector by itself.
      const low01 = lowHalves(key0, key1)
      const high01 = highHalves(key0, key1)
      const low23 = lowHalves(key2, key3)
      const high23 = highHalves(key2, key3)
      a = i64x2.add(addSwapped(a, data0), i64x2.extmul_low_i32x4_u(low01, high01))
      b = i64x2.add(addSwapped(b, data1), i64x2.extmul_high_i32x4_u(low01, high01))
      c = i64x2.add(addSwapped(c, data2), i64x2.extmul_low_i32x4_u(low23, high23))
      d = i64x2.add(addSwapped(d, data3), i64x2.extmul_high_i32x4_u(low23, high23))
      input += 64
      secret += 8
    }
    if (!wholeBlock) break
    a = scramble(a, 0)
    b = scramble(b, 16)
    c = scramble(c, 32)
    d = scramble(d, 48)
  }
  if (total == 0) {
    v128.store(state, a)
    v128.store(state, b, 16)
    v128.store(state, c, 32)
    v128.store(state, d, 48)
    return 0
  }
  a = lastStripe(a, end - 64, SECRET + SECRET_LAST_STRIPE)
  b = lastStripe(b, end - 48, SECRET + SECRET_LAST_STRIPE + 16)
  c = lastStripe(c, end - 32, SECRET + SECRET_LAST_STRIPE + 32)
  d = lastStripe(d, end - 16, SECRET + SECRET_LAST_STRIPE + 48)
  if (out != 0) {
    const high = merge(a, b, c, d, SECRET + SECRET_MERGE_HIGH, ~(total * PRIME64_2))
    store<u64>(out, high, 8)
  }
  const low = merge(a, b, c, d, SECRET + SECRET_MERGE_LOW, total * PRIME64_1)
  if (out != 0) store<u64>(out, low)
  return low
}
