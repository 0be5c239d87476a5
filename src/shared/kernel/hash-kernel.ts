/**
 * The typed contract of the hash kernels (`assembly/xxh3.ts`). XXH3 with seed 0 and the default
 * secret; results are little-endian in shared memory, a 128-bit one with its low half first.
 *
 * REQUIRES: `constants_init` has run once on the memory; inputs, states and outputs lie in memory
 * and do not overlap.
 */
export interface HashKernel {
  /**
   * Writes the constants that kernels read into the memory's first page. Call once, before any
   * other kernel.
   */
  constants_init(): void
  /** Stores the 64-bit hash of `length` bytes as 8 bytes at `out`. */
  xxh3_64_into(address: number, length: number, out: number): void
  /** Stores the 128-bit hash of `length` bytes as 16 bytes at `out`. */
  xxh3_128_into(address: number, length: number, out: number): void
  /** Starts a 128-bit stream in the `XXH3_STATE_BYTES` at `state`. */
  xxh3_128_reset(state: number): void
  /** Appends `length` bytes to a stream. */
  xxh3_128_update(state: number, address: number, length: number): void
  /** Stores the hash of a stream so far as 16 bytes at `out`; the stream may go on. */
  xxh3_128_digest(state: number, out: number): void
}
