/**
 * The pieces every XXH3 path is made of: primes, the default secret, avalanches, the folded 128-bit
 * product. Runs on any thread; reads the secret from shared memory, which `constants_init` writes
 * once.
 *
 * I1: loads are little-endian and unaligned, as WebAssembly's are; nothing here writes outside the
 *     secret.
 */
import { XXH3_SECRET_ADDRESS } from '../layout'

export const PRIME32_1: u64 = 0x9e3779b1
export const PRIME32_2: u64 = 0x85ebca77
export const PRIME32_3: u64 = 0xc2b2ae3d
export const PRIME64_1: u64 = 0x9e3779b185ebca87
export const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f
export const PRIME64_3: u64 = 0x165667b19e3779f9
export const PRIME64_4: u64 = 0x85ebca77c2b2ae63
export const PRIME64_5: u64 = 0x27d4eb2f165667c5
const PRIME_MX1: u64 = 0x165667919e3779f9
export const PRIME_MX2: u64 = 0x9fb21c651e98df25

/**
 * The default secret as an address, so that `SECRET + n` reads like the definition's `secret + n`.
 */
export const SECRET: usize = XXH3_SECRET_ADDRESS

/**
 * Writes the default secret. A data segment would be the natural home, but every further instance
 * on the same memory would write it again; called once by whoever creates the memory, before any
 * hash.
 */
export function constants_init(): void {
  store<u64>(SECRET, 0xbe4ba423396cfeb8, 0)
  store<u64>(SECRET, 0x1cad21f72c81017c, 8)
  store<u64>(SECRET, 0xdb979083e96dd4de, 16)
  store<u64>(SECRET, 0x1f67b3b7a4a44072, 24)
  store<u64>(SECRET, 0x78e5c0cc4ee679cb, 32)
  store<u64>(SECRET, 0x2172ffcc7dd05a82, 40)
  store<u64>(SECRET, 0x8e2443f7744608b8, 48)
  store<u64>(SECRET, 0x4c263a81e69035e0, 56)
  store<u64>(SECRET, 0xcb00c391bb52283c, 64)
  store<u64>(SECRET, 0xa32e531b8b65d088, 72)
  store<u64>(SECRET, 0x4ef90da297486471, 80)
  store<u64>(SECRET, 0xd8acdea946ef1938, 88)
  store<u64>(SECRET, 0x3f349ce33f76faa8, 96)
  store<u64>(SECRET, 0x1d4f0bc7c7bbdcf9, 104)
  store<u64>(SECRET, 0x3159b4cd4be0518a, 112)
  store<u64>(SECRET, 0x647378d9c97e9fc8, 120)
  store<u64>(SECRET, 0xc3ebd33483acc5ea, 128)
  store<u64>(SECRET, 0xeb6313faffa081c5, 136)
  store<u64>(SECRET, 0x49daf0b751dd0d17, 144)
  store<u64>(SECRET, 0x9e68d429265516d3, 152)
  store<u64>(SECRET, 0xfca1477d58be162b, 160)
  store<u64>(SECRET, 0xce31d07ad1b8f88f, 168)
  store<u64>(SECRET, 0x280416958f3acb45, 176)
  store<u64>(SECRET, 0x7e404bbbcafbd7af, 184)
}

/** The high half of the 128-bit product; WebAssembly multiplies 64 by 64 into 64 only. */
// @ts-ignore: decorator
@inline
export function multiplyHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff
  const aHigh = a >> 32
  const bLow = b & 0xffffffff
  const bHigh = b >> 32
  const highLow = aHigh * bLow
  const cross = ((aLow * bLow) >> 32) + (highLow & 0xffffffff) + aLow * bHigh
  return aHigh * bHigh + (highLow >> 32) + (cross >> 32)
}

/** Both halves of the 128-bit product, folded by XOR. */
// @ts-ignore: decorator
@inline
export function multiplyFold(a: u64, b: u64): u64 {
  return (a * b) ^ multiplyHigh(a, b)
}

/** XXH3's own avalanche. */
// @ts-ignore: decorator
@inline
export function avalanche(hash: u64): u64 {
  const mixed = (hash ^ (hash >> 37)) * PRIME_MX1
  return mixed ^ (mixed >> 32)
}

/** XXH64's avalanche, which XXH3 keeps for inputs of at most three bytes. */
// @ts-ignore: decorator
@inline
export function avalanche64(hash: u64): u64 {
  const first = (hash ^ (hash >> 33)) * PRIME64_2
  const second = (first ^ (first >> 29)) * PRIME64_3
  return second ^ (second >> 32)
}

/** Sixteen input bytes against sixteen bytes of secret. */
// @ts-ignore: decorator
@inline
export function mix16(input: usize, secret: usize): u64 {
  return multiplyFold(
    load<u64>(input) ^ load<u64>(secret),
    load<u64>(input, 8) ^ load<u64>(secret, 8),
  )
}
