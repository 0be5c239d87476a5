/**
 * The typed contract of the memtable kernel (`assembly/memtable*.ts`): a B+tree of user keys with a
 * hash side index, in one region of the shared memory. `layout.ts` holds the fields that may be
 * read from outside (MEMTABLE_*, ENTRY_*, MEMTABLE_CURSOR_*).
 *
 * Order of entries: user key ascending (unsigned bytes, shorter first), then seqno descending, then
 * the entry inserted last. A read at seqno S sees the entries with a seqno below S.
 *
 * Threads: one writer per memtable (`init`, `reserve`, `commit`); everything else from any thread
 * at any time, with a cursor of the thread's own. A read sees every entry whose commit returned
 * before it began.
 *
 * Throughout: `base` is a memtable's region, on a 64-byte boundary; keys are 1 to 65,535 bytes
 * anywhere in memory and are read before the call returns; seqnos are safe integers, and any number
 * from 2^53 on, Infinity included, reads the latest. A result of 0 means that there is no such
 * entry.
 */
export interface MemtableKernel {
  /**
   * Makes an empty memtable of a region, whatever it held. No reader may be inside.
   * REQUIRES: MEMTABLE_BYTES_MIN <= bytes <= MEMTABLE_BYTES_MAX.
   */
  memtable_init(base: number, bytes: number): void

  /**
   * Finds room for an entry, and for whatever linking it may take. Changes nothing, so it need not
   * be followed up.
   * RETURNS: the address for the key's bytes, the value's right behind them; 0 if the memtable is
   * too full.
   */
  memtable_reserve(base: number, keyLength: number, valueLength: number): number

  /**
   * Links and publishes the entry at the address that the last reserve gave; it cannot fail.
   * REQUIRES: the lengths of that reserve; key and value in place; `kind` one of KIND_*. Seqnos may
   * come in any order; ascending ones are the fast case.
   */
  memtable_commit(
    base: number,
    keyLength: number,
    valueLength: number,
    kind: number,
    seqno: number,
  ): void

  /**
   * RETURNS: the newest version of the key with a seqno below `seqno`. Hits and misses alike leave
   * the tree alone.
   */
  memtable_get(base: number, keyAddress: number, keyLength: number, seqno: number): number

  /** RETURNS: the next older version of an entry's key. */
  memtable_older(entry: number): number

  /**
   * Readies MEMTABLE_CURSOR_BYTES of memory, on an 8-byte boundary, as a cursor; it stands nowhere
   * until a seek.
   */
  memtable_cursor_init(cursor: number, base: number): void

  /** To the first entry whose key is not below the key: that key's newest version. */
  memtable_cursor_seek(cursor: number, keyAddress: number, keyLength: number): number

  /** To the last entry whose key is below the key: that key's oldest version. */
  memtable_cursor_seek_before(cursor: number, keyAddress: number, keyLength: number): number

  /** To the first entry whose key is above the key: that key's newest version. */
  memtable_cursor_seek_behind(cursor: number, keyAddress: number, keyLength: number): number

  /** To the last entry whose key is not above the key: that key's oldest version. */
  memtable_cursor_seek_upto(cursor: number, keyAddress: number, keyLength: number): number

  /** To the first entry of all. */
  memtable_cursor_first(cursor: number): number

  /** To the last entry of all. */
  memtable_cursor_last(cursor: number): number

  /**
   * To the next entry, every version of a key counted. Behind the last entry the cursor stays;
   * before the first one (`prev` led there, or `seek_before`) it steps onto it. Entries inserted
   * since the cursor was placed may come or not; those there before all come, once and in order.
   */
  memtable_cursor_next(cursor: number): number

  /** To the entry before: the exact reverse of `next`. */
  memtable_cursor_prev(cursor: number): number

  /**
   * Counts the entries with a seqno below `seqno` from where the cursor stands up to a key, itself counted where
   * `isInclusive` is 1, and moves the cursor there. With key 0: to the end.
   */
  memtable_count_upto(
    cursor: number,
    keyAddress: number,
    keyLength: number,
    isInclusive: number,
    seqno: number,
  ): number
}
