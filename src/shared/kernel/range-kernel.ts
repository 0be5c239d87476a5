/**
 * The typed contract of the kernels for range tombstones (`assembly/memtable-ranges.ts`, `range-set.ts`,
 * `range-cover.ts`; the structures are in `layout-ranges.ts`): records beside a memtable's tree, sets that are searched,
 * and what covers a key in a published read state.
 */
export interface RangeKernel {
  /**
   * Publishes the range tombstone whose start, and end right behind it, were copied to the address that
   * `memtable_reserve` gave for these lengths; it cannot fail.
   * REQUIRES: the start lies before the end.
   */
  memtable_commit_range(base: number, startLength: number, endLength: number, seqno: number): void

  /**
   * Makes the range tombstones that came last quick to search, if there are many, as far as the memtable has room. The
   * writer calls it after it has written one, or several of them.
   */
  memtable_settle_ranges(base: number): void

  /** RETURNS: more bytes than a set of `count` range tombstones can take. */
  range_set_bytes_max(count: number): number

  range_set_scratch_bytes(count: number): number

  /**
   * Builds a set of `count` records, 1 at least, whose addresses are the u32 at `records`.
   * REQUIRES: `range_set_bytes_max` bytes at `set`, `range_set_scratch_bytes` at `scratch`; the starts lie before the
   * ends. The records stay as long as the set.
   * RETURNS: the bytes of the set, which may be moved as they are.
   */
  range_set_build(set: number, records: number, count: number, scratch: number): number

  /** RETURNS: 1 where a read of the published state may meet a range tombstone, else 0. */
  state_has_ranges(state: number): number

  /** RETURNS: the highest seqno below `seqno` of a range tombstone that covers the key, -1 where none does. */
  state_cover_at(state: number, key: number, keyLength: number, seqno: number): number

  /** Fills in RANGE_GAP_BYTES at `gap`: what covers the key, and the keys around it that the same covers. */
  state_gap_at(state: number, gap: number, key: number, keyLength: number, seqno: number): void

  /**
   * RETURNS: 1 where range tombstones visible below `seqno` hide every entry of the table, 0 where they do not or where
   * that would be long to find out. `gap` is scratch of RANGE_GAP_BYTES.
   */
  table_is_covered_at(state: number, table: number, gap: number, seqno: number): number
}
