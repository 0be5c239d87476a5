// The kernel module: every export of every kernel file. Stateless: no globals, no data segment, no allocation.
export { burr_contains_at, burr_validate } from './burr'
export { burr_build, burr_scratch_bytes, burr_size_max } from './burr-build'
export { lz4_compress, lz4_compress_bound, lz4_decompress } from './lz4'
export {
  constants_init,
  xxh3_128_digest,
  xxh3_128_into,
  xxh3_128_reset,
  xxh3_128_update,
  xxh3_64_into,
} from './xxh3'

export {
  memtable_commit,
  memtable_get,
  memtable_init,
  memtable_older,
  memtable_reserve,
} from './memtable'
export { memtable_commit_range, memtable_settle_ranges } from './memtable-ranges'
export { range_set_build, range_set_bytes_max, range_set_scratch_bytes } from './range-set'
export { state_cover_at, state_gap_at, state_has_ranges, table_is_covered_at } from './range-cover'
export {
  memtable_cursor_first,
  memtable_cursor_init,
  memtable_cursor_last,
  memtable_cursor_next,
  memtable_cursor_prev,
  memtable_cursor_seek,
  memtable_cursor_seek_before,
  memtable_cursor_seek_behind,
  memtable_cursor_seek_upto,
} from './memtable-cursor'
export { memtable_count_upto } from './memtable-count'
export { block_writer_finish, block_writer_reset, index_writer_add, index_writer_add_all } from './block-writer'
export {
  block_decode,
  block_frame,
  block_seal,
  block_verify,
  data_block_load,
  data_block_open,
  data_body_convert,
} from './block-frame'
export { block_rows_convert_at, resident_block_convert } from './restart-block'
export { resident_index_convert } from './restart-index'
export { raw_block_find_at } from './raw-block'
export { index_search_at, resident_search_at } from './resident-block'
export { cache_clear, cache_forget, cache_init, cache_insert, cache_pin, cache_unpin } from './block-cache'
export { cache_find_at, cache_has_at } from './cache-lookup'
export { epochs_advance, epochs_have_passed } from './epochs'
export { table_add_at, table_sums_next_block, table_sums_reset } from './table-entries'
export { ingest_add_packed, ingest_commit, ingest_init, ingest_reserve } from './ingest-buffer'
export { ingest_sort } from './ingest-sort'
export { merge_build, source_set_entry } from './merge'
export { run_cursor_advance, run_cursor_give, run_cursor_release, run_cursor_seek } from './run-cursor'
export { compaction_run } from './compaction-stream'
export { scan_release, scan_run } from './scan'
export { point_read, point_read_begin } from './point-read'
export { point_read_batch } from './point-read-batch'
export { compare_reverse } from './key-order'
export { ribbon_contains_at, ribbon_validate } from './ribbon'
export { ribbon_build, ribbon_scratch_bytes, ribbon_size_max } from './ribbon-build'
