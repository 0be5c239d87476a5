/**
 * The typed contract of the kernels that fill ingest buffers (`assembly/ingest-buffer.ts`).
 */
export interface IngestKernel {
  /** Makes an empty buffer; `lastKey` (length 0: none) is the key that the first entry must come behind. */
  ingest_init(buffer: number, bytes: number, lastKey: number, lastKeyLength: number): void
  /** The address for the next entry's key, its value right behind; 0 where the buffer is too full for it. */
  ingest_reserve(buffer: number, keyLength: number, valueLength: number): number
  /** Adds the entry at the reserved address: INGEST_ADDED or INGEST_NOT_ASCENDING. */
  ingest_commit(buffer: number, keyLength: number, valueLength: number, kind: number): number
}
