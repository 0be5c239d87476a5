/**
 * The typed contract of the filter kernels: the file format's own filter (`assembly/burr.ts`) and
 * our compact one (`assembly/ribbon.ts`), an eighth of its size at 10 bits. Hashes are u64,
 * little-endian, in shared memory.
 *
 * REQUIRES: all ranges lie in memory; hashes, target and scratch do not overlap.
 */
export interface FilterKernel {
  /**
   * The largest filter that `count` hashes can become; repeats make it large, a set stays below
   * half of it.
   */
  burr_size_max(count: number): number
  burr_scratch_bytes(count: number): number
  /**
   * Builds the filter of the `count` hashes at `hashes`, repeats allowed, with `width` (1..64) bits
   * a fingerprint.
   * RETURNS its length, 0 for no hashes, `BURR_NO_SPACE` or `BURR_FAILED` (then there can be no
   * filter).
   */
  burr_build(
    hashes: number,
    count: number,
    width: number,
    target: number,
    capacity: number,
    scratch: number,
    scratchBytes: number,
  ): number
  /**
   * RETURNS 0 where all of a filter is well formed, else `BURR_INVALID_HEADER` or
   * `BURR_INVALID_KIND`.
   */
  burr_validate(address: number, length: number): number
  /**
   * Whether the hash at `hashAddress` may be in the set: 1 or 0.
   * REQUIRES: `burr_validate` has accepted the filter. An empty block is no filter: do not ask it.
   */
  burr_contains_at(address: number, hashAddress: number): number

  /**
   * The capacity that a build of `count` hashes needs; the filter takes about 1.03 `width` bits a
   * key.
   */
  ribbon_size_max(count: number, width: number): number
  ribbon_scratch_bytes(count: number): number
  /**
   * Builds the compact filter of the `count` hashes at `hashes`, repeats allowed, with `width`
   * (1..32) bits a fingerprint. No hashes give a filter too, which holds nothing.
   * RETURNS its length, `RIBBON_NO_SPACE` or `RIBBON_FAILED` (which no set of hashes is known to
   * cause).
   */
  ribbon_build(
    hashes: number,
    count: number,
    width: number,
    target: number,
    capacity: number,
    scratch: number,
    scratchBytes: number,
  ): number
  /**
   * RETURNS 0 where a filter is well formed and takes exactly `length` bytes, else
   * `RIBBON_INVALID`.
   */
  ribbon_validate(address: number, length: number): number
  /**
   * Whether the hash at `hashAddress` may be in the set: 1 or 0.
   * REQUIRES: `ribbon_validate` has accepted the filter.
   */
  ribbon_contains_at(address: number, hashAddress: number): number
}
