/**
 * The typed contract of the kernels for range tombstones (`assembly/memtable-ranges.ts`): records beside a memtable's
 * tree.
 */
export interface RangeKernel {
  /**
   * Publishes the range tombstone whose start, and end right behind it, were copied to the address that
   * `memtable_reserve` gave for these lengths; it cannot fail.
   * REQUIRES: the start lies before the end.
   */
  memtable_commit_range(base: number, startLength: number, endLength: number, seqno: number): void
}
