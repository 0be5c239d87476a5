/** The typed contract of the block, cache, merge, scan and point-read kernels. Addresses and lengths are in bytes. */
export interface BlockKernel {
  // assembly/block-writer.ts
  block_writer_reset(writer: number): void
  block_writer_finish(writer: number): number
  index_writer_add(
    writer: number,
    key: number,
    keyLength: number,
    seqno: number,
    blockOffset: number,
    blockSize: number,
  ): number
  index_writer_add_all(writer: number, first: number, end: number): number

  // assembly/block-frame.ts
  block_verify(
    frame: number,
    frameBytes: number,
    type: number,
    info: number,
    scratch: number,
  ): number
  block_decode(info: number, codec: number, plain: number, plainCapacity: number): number
  block_frame(
    frame: number,
    type: number,
    flags: number,
    payloadLength: number,
    plainLength: number,
    scratch: number,
  ): number
  block_seal(
    writer: number,
    type: number,
    codec: number,
    target: number,
    capacity: number,
    table: number,
    scratch: number,
  ): number
  data_block_load(
    frame: number,
    frameBytes: number,
    codec: number,
    hasFooter: number,
    plain: number,
    plainCapacity: number,
    target: number,
    capacity: number,
    scratch: number,
  ): number
  data_block_open(
    frame: number,
    frameBytes: number,
    codec: number,
    hasFooter: number,
    plain: number,
    plainCapacity: number,
    scratch: number,
  ): number
  data_body_convert(
    plain: number,
    plainLength: number,
    hasFooter: number,
    target: number,
    capacity: number,
  ): number

  // assembly/restart-block.ts
  block_rows_convert_at(
    body: number,
    length: number,
    target: number,
    capacity: number,
    globalSeqno: number,
  ): number
  resident_block_convert(body: number, length: number, target: number, capacity: number): number
  resident_index_convert(
    body: number,
    length: number,
    target: number,
    capacity: number,
    scratch: number,
    handleMin: number,
    handleMax: number,
  ): number

  // assembly/raw-block.ts
  raw_block_find_at(
    raw: number,
    key: number,
    keyLength: number,
    seqno: number,
    found: number,
  ): number

  // assembly/resident-block.ts
  resident_search_at(block: number, key: number, keyLength: number, seqno: number): number
  index_search_at(index: number, key: number, keyLength: number, seqno: number): number

  // assembly/block-cache.ts, assembly/cache-lookup.ts
  cache_clear(cache: number): void
  cache_find_at(view: number, owner: number, offset: number): number
  cache_forget(view: number, owner: number, offset: number): void
  cache_has_at(view: number, owner: number, offset: number): number
  cache_init(cache: number): void
  cache_insert(
    view: number,
    owner: number,
    offset: number,
    source: number,
    blockBytes: number,
    rank: number,
  ): number
  cache_pin(view: number, block: number): number
  cache_unpin(view: number, block: number): void

  // assembly/table-entries.ts
  table_sums_reset(sums: number): void
  table_sums_next_block(sums: number): void
  table_add_at(
    writer: number,
    sums: number,
    blockSize: number,
    key: number,
    keyLength: number,
    seqno: number,
    kind: number,
    value: number,
    valueLength: number,
  ): number

  // assembly/merge.ts
  merge_build(merge: number): void
  source_set_entry(source: number, entry: number): void

  // assembly/run-cursor.ts
  run_cursor_seek(
    cursor: number,
    source: number,
    key: number,
    keyLength: number,
    behind: number,
  ): void
  run_cursor_advance(cursor: number, source: number): void
  run_cursor_give(cursor: number, source: number, block: number): void
  run_cursor_release(cursor: number): void

  // assembly/compaction-stream.ts, scan.ts, point-read.ts
  compaction_run(compaction: number): number
  scan_run(scan: number): number
  scan_release(scan: number): void
  point_read(read: number): number
  point_read_begin(read: number, state: number, keyLength: number, seqno: number): number
  point_read_batch(
    reads: number,
    count: number,
    state: number,
    cache: number,
    counters: number,
    seqno: number,
    out: number,
    capacity: number,
  ): number
}
