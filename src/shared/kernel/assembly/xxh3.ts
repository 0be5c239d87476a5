/**
 * XXH3, seed 0, default secret: 64 bits for keys, 128 bits for blocks (and, in `xxh3-stream.ts`,
 * for files). Any thread, no state. `constants_init` must have run once on the memory.
 *
 * A 64-bit result crosses to JavaScript through memory: a BigInt for every hash would cost more
 * than the hash.
 */
import { longHash } from './xxh3-long'
import { SHORT_BYTES_MAX, short128, short64 } from './xxh3-short'

export { constants_init } from './xxh3-primitives'
export { xxh3_128_digest, xxh3_128_reset, xxh3_128_update } from './xxh3-stream'

/** XXH3-64, for other kernels. */
export function xxh3_64(address: usize, length: u32): u64 {
  if (length <= SHORT_BYTES_MAX) return short64(address, length)
  return longHash(0, address, length, length, 0)
}

/** Stores XXH3-64 as 8 bytes at `out`. */
export function xxh3_64_into(address: usize, length: u32, out: usize): void {
  store<u64>(out, xxh3_64(address, length))
}

/** Stores XXH3-128 as 16 bytes at `out`, low half first. */
export function xxh3_128_into(address: usize, length: u32, out: usize): void {
  if (length <= SHORT_BYTES_MAX) short128(address, length, out)
  else longHash(0, address, length, length, out)
}
