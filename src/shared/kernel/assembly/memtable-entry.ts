/**
 * A memtable's entries: the header, keys and their order, and the chain of a key's versions.
 * Entries are written by the one writer thread before anything points at them; afterwards only
 * ENTRY_LINK ever changes.
 *
 *   OFFSET  SIZE  FIELD
 *        0     8  seqno
 *        8     4  link           atomic, see below
 *       12     4  value length
 *       16     2  key length
 *       18     1  kind
 *       19     1  anchor         1 in the entry that was its key's first
 *       20        key, value
 *
 * Versions. Hash and tree point at a key's *anchor*, its first entry, and never change again, so
 * overwriting a key touches neither. The chain runs newest -> oldest; seqnos mostly ascend, so the
 * anchor is mostly its end, and its own link is free to hold the way in:
 *
 *   alone:            anchor.link = 0
 *   ascending:        anchor.link = newest --link--> ... --link--> anchor
 *   out of order:     anchor.link = record | 1, record {u32 newest, u32 older}
 *                     newest --link--> ... --link--> anchor --record.older--> ... --link--> 0
 *
 * I1: each change of a chain is one atomic store; every chain that a reader can meet is complete
 * for the entries published before it came.
 * I2: along a chain seqnos do not ascend; among equal ones the entry inserted last comes first.
 */

import {
  ENTRY_ANCHOR,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_KIND,
  ENTRY_LINK,
  ENTRY_SEQNO,
  ENTRY_VALUE_LENGTH,
} from '../layout'
import { equal_bytes } from './bytes'
import { compare_keys, order_head64, order_prefix } from './key-order'

/** In an anchor's link: this bit says that the rest is a version record's address. */
const LINK_RECORD: usize = 1
const RECORD_NEWEST: usize = 0
const RECORD_OLDER: usize = 4
/** Bytes of a version record. */
export const RECORD_BYTES: i32 = 8

@inline export function entry_seqno(entry: usize): u64 {
  return load<u64>(entry, ENTRY_SEQNO)
}

@inline export function entry_kind(entry: usize): i32 {
  return load<u8>(entry, ENTRY_KIND)
}

@inline export function entry_key(entry: usize): usize {
  return entry + ENTRY_KEY
}

@inline export function entry_key_length(entry: usize): i32 {
  return load<u16>(entry, ENTRY_KEY_LENGTH)
}

@inline export function entry_value(entry: usize): usize {
  return entry + ENTRY_KEY + entry_key_length(entry)
}

@inline export function entry_value_length(entry: usize): i32 {
  return load<i32>(entry, ENTRY_VALUE_LENGTH)
}

/** Writes a header, linked to nothing; key and value are in place already. */
@inline export function entry_write(
  entry: usize, keyLength: i32, valueLength: i32, kind: i32, seqno: u64,
): void {
  store<u64>(entry, seqno, ENTRY_SEQNO)
  store<u32>(entry, 0, ENTRY_LINK)
  store<u32>(entry, valueLength, ENTRY_VALUE_LENGTH)
  store<u16>(entry, <u16>keyLength, ENTRY_KEY_LENGTH)
  store<u8>(entry, <u8>kind, ENTRY_KIND)
  store<u8>(entry, 0, ENTRY_ANCHOR)
}

// -------------------------------------------------------------------------------------------- keys

/**
 * Negative, zero or positive as key `a` sorts before, with or behind key `b`.
 */
export function key_compare(a: usize, aLength: i32, b: usize, bLength: i32): i32 {
  return compare_keys(a, aLength, b, bLength)
}

/**
 * The first eight bytes behind `skip` as a big-endian integer, zeros behind the key's end. Orders
 * as the key does.
 */
@inline export function key_head(key: usize, length: i32, skip: i32): u64 {
  return order_head64(key + skip, length - skip)
}

/** `key_compare` of an entry's key with a key. */
@inline export function entry_compare_key(entry: usize, key: usize, length: i32): i32 {
  return key_compare(entry_key(entry), entry_key_length(entry), key, length)
}

/** Whether the key is an entry's. */
@inline export function entry_has_key(entry: usize, key: usize, length: i32): bool {
  return entry_key_length(entry) == length && equal_bytes(entry_key(entry), key, length)
}

/** `key_compare` of two entries' keys. */
@inline export function entry_compare(a: usize, b: usize): i32 {
  return key_compare(entry_key(a), entry_key_length(a), entry_key(b), entry_key_length(b))
}

/** How many leading bytes two entries' keys share, as far as that says anything about the keys between them. */
export function entry_shared_bytes(a: usize, b: usize): i32 {
  return order_prefix(entry_key(a), entry_key_length(a), entry_key(b), entry_key_length(b))
}

// ---------------------------------------------------------------------------------------- versions

/** Makes an unpublished entry the anchor of its key. */
@inline export function entry_make_anchor(entry: usize): void {
  store<u8>(entry, 1, ENTRY_ANCHOR)
}

/**
 * The newest version of an anchor's key. The load pairs with the stores in `anchor_add_version`.
 */
@inline export function anchor_newest(anchor: usize): usize {
  const link = <usize>atomic.load<u32>(anchor, ENTRY_LINK)
  if (link == 0) return anchor
  return link & LINK_RECORD ? <usize>atomic.load<u32>(link ^ LINK_RECORD, RECORD_NEWEST) : link
}

/**
 * The next older version of an entry's key, or 0. The load pairs with the stores in
 * `anchor_add_version`.
 */
@inline export function entry_older(entry: usize): usize {
  const link = <usize>atomic.load<u32>(entry, ENTRY_LINK)
  if (load<u8>(entry, ENTRY_ANCHOR) == 0) return link
  return link & LINK_RECORD ? <usize>atomic.load<u32>(link ^ LINK_RECORD, RECORD_OLDER) : 0
}

/** The oldest version of an anchor's key: the anchor, unless seqnos came out of order. */
@inline export function anchor_oldest(anchor: usize): usize {
  let oldest = anchor
  for (let older = entry_older(anchor); older != 0; older = entry_older(older)) oldest = older
  return oldest
}

/** The newest version with a seqno below `seqno`, or 0. */
@inline export function anchor_visible(anchor: usize, seqno: u64): usize {
  let version = anchor_newest(anchor)
  while (version != 0 && entry_seqno(version) >= seqno) version = entry_older(version)
  return version
}

/**
 * Links `entry` into its key's chain, before the first version whose seqno is not higher.
 * REQUIRES: the writer; `record` is RECORD_BYTES of free memory behind the entry.
 * RETURNS: whether the record was taken.
 */
export function anchor_add_version(anchor: usize, entry: usize, record: usize): bool {
  const seqno = entry_seqno(entry)
  let newer: usize = 0
  let older = anchor_newest(anchor)
  while (older != 0 && entry_seqno(older) > seqno) {
    newer = older
    older = entry_older(older)
  }
  store<u32>(entry, <u32>older, ENTRY_LINK)
  // The stores below publish the entry: they pair with the loads in `anchor_newest` and
  // `entry_older`.
  const link = <usize>load<u32>(anchor, ENTRY_LINK)
  const recorded = (link & LINK_RECORD) != 0
  if (newer == 0) {
    if (recorded) atomic.store<u32>(link ^ LINK_RECORD, <u32>entry, RECORD_NEWEST)
    else atomic.store<u32>(anchor, <u32>entry, ENTRY_LINK)
    return false
  }
  if (newer != anchor) {
    atomic.store<u32>(newer, <u32>entry, ENTRY_LINK)
    return false
  }
  if (recorded) {
    atomic.store<u32>(link ^ LINK_RECORD, <u32>entry, RECORD_OLDER)
    return false
  }
  store<u32>(record, <u32>(link == 0 ? anchor : link), RECORD_NEWEST)
  store<u32>(record, <u32>entry, RECORD_OLDER)
  atomic.store<u32>(anchor, <u32>(record | LINK_RECORD), ENTRY_LINK)
  return true
}
