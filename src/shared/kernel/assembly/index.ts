// The kernel module: every export of every kernel file. Stateless: no globals, no data segment, no allocation.

export {
  memtable_commit,
  memtable_get,
  memtable_init,
  memtable_older,
  memtable_reserve,
} from './memtable'
export {
  memtable_cursor_first,
  memtable_cursor_init,
  memtable_cursor_last,
  memtable_cursor_next,
  memtable_cursor_prev,
  memtable_cursor_seek,
  memtable_cursor_seek_before,
} from './memtable-cursor'
