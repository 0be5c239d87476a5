/**
 * XXH3 of inputs of at most 240 bytes, 64 and 128 bits wide: the paths of keys. Seed 0, default
 * secret. Any thread; reads exactly the input's bytes and the secret, writes only the 16 bytes at
 * `out`.
 *
 * The word pairs of the secret that the definition names "bitflip" stay loads: they hit the
 * first-level cache, and the code reads as the definition does.
 */
import {
  avalanche,
  avalanche64,
  mix16,
  multiplyFold,
  multiplyHigh,
  PRIME32_2,
  PRIME64_1,
  PRIME64_2,
  PRIME64_4,
  PRIME_MX2,
  SECRET,
} from './xxh3-primitives'

/** The largest input of these paths; above it the striped loop of `xxh3-long.ts` takes over. */
export const SHORT_BYTES_MAX: u32 = 240
/**
 * Inputs above this length take the second mixing scheme, which skips three bytes of the secret.
 */
const MIDDLE_BYTES_MAX: u32 = 128
const SKEW: usize = 3

/** The XOR of two adjacent words of the secret. */
// @ts-ignore: decorator
@inline
function bitflip(offset: usize): u64 {
  return load<u64>(SECRET + offset) ^ load<u64>(SECRET + offset + 8)
}

/** One to three bytes and the length, packed into a word; every byte is used at least once. */
// @ts-ignore: decorator
@inline
function packTiny(address: usize, length: u32): u32 {
  const first = <u32>load<u8>(address)
  const middle = <u32>load<u8>(address + (length >> 1))
  const last = <u32>load<u8>(address + length - 1)
  return (first << 16) | (middle << 24) | last | (length << 8)
}

export function short64(address: usize, length: u32): u64 {
  if (length > MIDDLE_BYTES_MAX) return upper64(address, length)
  if (length > 16) return middle64(address, length)
  const end = address + length
  if (length > 8) {
    const low = load<u64>(address) ^ bitflip(24)
    const high = load<u64>(end - 8) ^ bitflip(40)
    return avalanche(<u64>length + bswap<u64>(low) + high + multiplyFold(low, high))
  }
  if (length >= 4) {
    const word = <u64>load<u32>(end - 4) + (<u64>load<u32>(address) << 32)
    const keyed = word ^ bitflip(8)
    const rotated = (keyed ^ rotl<u64>(keyed, 49) ^ rotl<u64>(keyed, 24)) * PRIME_MX2
    const mixed = (rotated ^ ((rotated >> 35) + <u64>length)) * PRIME_MX2
    return mixed ^ (mixed >> 28)
  }
  if (length > 0) {
    const flip = <u64>(load<u32>(SECRET) ^ load<u32>(SECRET + 4))
    return avalanche64(<u64>packTiny(address, length) ^ flip)
  }
  return avalanche64(bitflip(56))
}

/** 17 to 128 bytes: pairs of sixteen bytes from both ends towards the middle. */
function middle64(address: usize, length: u32): u64 {
  const end = address + length
  let sum = <u64>length * PRIME64_1
  if (length > 32) {
    if (length > 64) {
      if (length > 96) sum += mix16(address + 48, SECRET + 96) + mix16(end - 64, SECRET + 112)
      sum += mix16(address + 32, SECRET + 64) + mix16(end - 48, SECRET + 80)
    }
    sum += mix16(address + 16, SECRET + 32) + mix16(end - 32, SECRET + 48)
  }
  return avalanche(sum + mix16(address, SECRET) + mix16(end - 16, SECRET + 16))
}

/** 129 to 240 bytes: straight through, the secret restarted with a skew after 128 bytes. */
function upper64(address: usize, length: u32): u64 {
  let sum = <u64>length * PRIME64_1
  for (let at: usize = 0; at < 128; at += 16) sum += mix16(address + at, SECRET + at)
  sum = avalanche(sum)
  const stop = <usize>(length & ~15)
  for (let at: usize = 128; at < stop; at += 16) {
    sum += mix16(address + at, SECRET + SKEW + (at - 128))
  }
  return avalanche(sum + mix16(address + length - 16, SECRET + 119))
}

export function short128(address: usize, length: u32, out: usize): void {
  if (length > 16) wide128(address, length, out)
  else if (length > 8) ninth128(address, length, out)
  else if (length >= 4) fourth128(address, length, out)
  else if (length > 0) {
    const low = packTiny(address, length)
    const high = rotl<u32>(bswap<u32>(low), 13)
    const lowFlip = load<u32>(SECRET) ^ load<u32>(SECRET + 4)
    const highFlip = load<u32>(SECRET + 8) ^ load<u32>(SECRET + 12)
    store<u64>(out, avalanche64(<u64>(low ^ lowFlip)))
    store<u64>(out, avalanche64(<u64>(high ^ highFlip)), 8)
  } else {
    store<u64>(out, avalanche64(bitflip(64)))
    store<u64>(out, avalanche64(bitflip(80)), 8)
  }
}

/** 4 to 8 bytes. */
function fourth128(address: usize, length: u32, out: usize): void {
  const word = <u64>load<u32>(address) + (<u64>load<u32>(address + length - 4) << 32)
  const keyed = word ^ bitflip(16)
  const factor = PRIME64_1 + (<u64>length << 2)
  const product = keyed * factor
  const high = multiplyHigh(keyed, factor) + (product << 1)
  const low = product ^ (high >> 3)
  const mixed = (low ^ (low >> 35)) * PRIME_MX2
  store<u64>(out, mixed ^ (mixed >> 28))
  store<u64>(out, avalanche(high), 8)
}

/** 9 to 16 bytes. */
function ninth128(address: usize, length: u32, out: usize): void {
  const first = load<u64>(address)
  const last = load<u64>(address + length - 8)
  const keyed = first ^ last ^ bitflip(32)
  const flipped = last ^ bitflip(48)
  const low = keyed * PRIME64_1 + (<u64>(length - 1) << 54)
  const high =
    multiplyHigh(keyed, PRIME64_1) + flipped + (flipped & 0xffffffff) * (PRIME32_2 - 1)
  const swapped = low ^ bswap<u64>(high)
  store<u64>(out, avalanche(swapped * PRIME64_2))
  store<u64>(out, avalanche(multiplyHigh(swapped, PRIME64_2) + high * PRIME64_2), 8)
}

/** One lane of a 32-byte step: mixes one half of the step and adds in the words of the other. */
// @ts-ignore: decorator
@inline
function mixLane(sum: u64, mixed: usize, added: usize, secret: usize): u64 {
  return (sum + mix16(mixed, secret)) ^ (load<u64>(added) + load<u64>(added, 8))
}

/**
 * 17 to 240 bytes: as `middle64` and `upper64`, in two lanes that swap the roles of a step's
 * halves.
 */
function wide128(address: usize, length: u32, out: usize): void {
  const end = address + length
  let low = <u64>length * PRIME64_1
  let high: u64 = 0
  if (length <= MIDDLE_BYTES_MAX) {
    for (let step = <usize>((length - 1) >> 5); step > 0; step--) {
      const head = address + 16 * step
      const tail = end - 16 * step - 16
      low = mixLane(low, head, tail, SECRET + 32 * step)
      high = mixLane(high, tail, head, SECRET + 32 * step + 16)
    }
    low = mixLane(low, address, end - 16, SECRET)
    high = mixLane(high, end - 16, address, SECRET + 16)
  } else {
    for (let at: usize = 0; at < 128; at += 32) {
      low = mixLane(low, address + at, address + at + 16, SECRET + at)
      high = mixLane(high, address + at + 16, address + at, SECRET + at + 16)
    }
    low = avalanche(low)
    high = avalanche(high)
    const stop = <usize>(length & ~31)
    for (let at: usize = 128; at < stop; at += 32) {
      const secret = SECRET + SKEW + (at - 128)
      low = mixLane(low, address + at, address + at + 16, secret)
      high = mixLane(high, address + at + 16, address + at, secret + 16)
    }
    low = mixLane(low, end - 16, end - 32, SECRET + 103)
    high = mixLane(high, end - 32, end - 16, SECRET + 119)
  }
  store<u64>(out, avalanche(low + high))
  const folded = low * PRIME64_1 + high * PRIME64_4 + <u64>length * PRIME64_2
  store<u64>(out, 0 - avalanche(folded), 8)
}
