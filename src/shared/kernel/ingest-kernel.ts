/**
 * The typed contract of the kernels that fill ingest buffers (`assembly/ingest-buffer.ts`).
 */
export interface IngestKernel {
  /**
   * Makes an empty buffer; `lastKey` (length 0: none) is the key that the first entry must come behind, and `extraBytes`
   * are kept free for each entry.
   */
  ingest_init(
    buffer: number,
    bytes: number,
    lastKey: number,
    lastKeyLength: number,
    extraBytes: number,
  ): void
  /** The address for the next entry's key, its value right behind; 0 where the buffer is too full for it. */
  ingest_reserve(buffer: number, keyLength: number, valueLength: number): number
  /** Adds the entry at the reserved address: INGEST_ADDED or, only where `isSorted` is 1, INGEST_NOT_ASCENDING. */
  ingest_commit(
    buffer: number,
    keyLength: number,
    valueLength: number,
    kind: number,
    isSorted: number,
  ): number
  /** Adds the entries of the packed chunk [from, end); returns where it stopped, with INGEST_OUTCOME telling why. */
  ingest_add_packed(buffer: number, from: number, end: number, isSorted: number): number
  /**
   * Sorts `count` entries into one block at `target`, 16 bytes and 8 for each; `records` has what is left of
   * SORT_BYTES_AN_ENTRY.
   */
  ingest_sort(
    firstBlock: number,
    blockCount: number,
    count: number,
    target: number,
    records: number,
  ): void
}
