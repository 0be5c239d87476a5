/**
 * The typed contract of the compression kernels (`assembly/lz4.ts`): raw LZ4 blocks, without frame
 * or length prefix.
 *
 * REQUIRES: all ranges lie in memory; source, target and table do not overlap.
 */
export interface CodecKernel {
  /** The largest block that `length` bytes can become. */
  lz4_compress_bound(length: number): number
  /**
   * Encodes at most 256 MiB into one block, with `LZ4_TABLE_BYTES` of scratch at `table`, whatever
   * they hold.
   * RETURNS the block's length, or `LZ4_DOES_NOT_FIT`.
   */
  lz4_compress(
    source: number,
    sourceLength: number,
    target: number,
    capacity: number,
    table: number,
  ): number
  /**
   * Decodes a block, hostile or not, into exactly `targetLength` bytes; touches nothing outside
   * source and target.
   * RETURNS `targetLength`, or `LZ4_MALFORMED` (the target's bytes are then undefined).
   */
  lz4_decompress(source: number, sourceLength: number, target: number, targetLength: number): number
}
