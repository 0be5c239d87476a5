// Sorts the entries of an ingest buffer, in memory of its own, by merging: 8 key bytes decide mostly, the whole keys where
// those are equal. The thread of the actor.
//
// I1: entries with the same key stay together, the one that was added last in front: it is the one that counts.
// I2: an order that contradicts itself ends the sort like any other, with the entries in some order.
import { RESIDENT_BYTES, RESIDENT_COUNT, RESIDENT_PREFIX_LENGTH, RESIDENT_SLOTS, RESIDENT_SLOT_BYTES } from '../layout'
import { read_varint, skip_varint } from './bytes'
import { compare_keys, order_head64 } from './key-order'
import { resident_entry, resident_lengths } from './resident-block'

/** A record: the head of a key u64, and where its entry lies u32. */
const RECORD_BYTES: usize = 16
const RECORD_ENTRY: usize = 8

/** Records that are sorted by insertion before merging begins. */
const RUN_RECORDS: i32 = 8

// @ts-ignore: decorator
@inline
function record_at(records: usize, index: i32): usize {
  return records + <usize>index * RECORD_BYTES
}

// @ts-ignore: decorator
@inline
function copy_record(target: usize, source: usize): void {
  store<u64>(target, load<u64>(source))
  store<u32>(target, load<u32>(source, RECORD_ENTRY), RECORD_ENTRY)
}

/** Orders the keys of two entries. */
function compare_entries(a: usize, b: usize): i32 {
  const aLengths = resident_lengths(a)
  const bLengths = resident_lengths(b)
  const aKey = skip_varint(skip_varint(aLengths))
  const bKey = skip_varint(skip_varint(bLengths))
  return compare_keys(aKey, <i32>read_varint(aLengths), bKey, <i32>read_varint(bLengths))
}

// @ts-ignore: decorator
/** True where record `a` does not come behind record `b`. */
@inline
function is_in_order(a: usize, b: usize): bool {
  const aHead = load<u64>(a)
  const bHead = load<u64>(b)
  if (aHead != bHead) return aHead < bHead
  return compare_entries(<usize>load<u32>(a, RECORD_ENTRY), <usize>load<u32>(b, RECORD_ENTRY)) <= 0
}

/** Fills the records, the entry that was added last in front. */
function list_entries(firstBlock: usize, blockCount: i32, records: usize, count: i32): void {
  let block = firstBlock
  let at = count
  for (let n = 0; n < blockCount; n++) {
    const entries = load<i32>(block, RESIDENT_COUNT)
    for (let i = 0; i < entries; i++) {
      const entry = resident_entry(block, i)
      const lengths = resident_lengths(entry)
      const record = record_at(records, --at)
      store<u64>(record, order_head64(skip_varint(skip_varint(lengths)), <i32>read_varint(lengths)))
      store<u32>(record, <u32>entry, RECORD_ENTRY)
    }
    block += (<usize>load<u32>(block, RESIDENT_BYTES) + 7) & ~7
  }
}

/** Sorts the records [from, to) by insertion; the one behind `to` is overwritten. */
function sort_run(records: usize, from: i32, to: i32, spare: usize): void {
  for (let i = from + 1; i < to; i++) {
    copy_record(spare, record_at(records, i))
    let at = i
    while (at > from && !is_in_order(record_at(records, at - 1), spare)) {
      copy_record(record_at(records, at), record_at(records, at - 1))
      at--
    }
    copy_record(record_at(records, at), spare)
  }
}

/** Merges the sorted records [from, middle) and [middle, to) of `source` into `target`. */
function merge_runs(source: usize, target: usize, from: i32, middle: i32, to: i32): void {
  let left = from
  let right = middle
  for (let at = from; at < to; at++) {
    const takesLeft =
      left < middle && (right == to || is_in_order(record_at(source, left), record_at(source, right)))
    copy_record(record_at(target, at), record_at(source, takesLeft ? left++ : right++))
  }
}

/**
 * Sorts the `count` entries of `blockCount` blocks, the first of them at `firstBlock`, into a block at `target` that
 * names them where they lie: 16 bytes and 8 for each. `records` has the rest of SORT_BYTES_AN_ENTRY for each.
 */
export function ingest_sort(firstBlock: usize, blockCount: i32, count: i32, target: usize, records: usize): void {
  let source = records
  let other = record_at(records, count)
  list_entries(firstBlock, blockCount, source, count)
  for (let from = 0; from < count; from += RUN_RECORDS) sort_run(source, from, min(from + RUN_RECORDS, count), other)
  for (let width = RUN_RECORDS; width < count; width <<= 1) {
    for (let from = 0; from < count; from += width << 1) {
      merge_runs(source, other, from, min(from + width, count), min(from + (width << 1), count))
    }
    const swapped = source
    source = other
    other = swapped
  }
  store<u32>(target, count, RESIDENT_COUNT)
  store<u32>(target, 0, RESIDENT_PREFIX_LENGTH)
  store<u32>(target, RESIDENT_SLOTS + <u32>count * RESIDENT_SLOT_BYTES, RESIDENT_BYTES)
  for (let i = 0; i < count; i++) {
    const slot = target + RESIDENT_SLOTS + <usize>i * RESIDENT_SLOT_BYTES
    store<u32>(slot, 0)
    store<u32>(slot, load<u32>(record_at(source, i), RECORD_ENTRY) - <u32>target, 4)
  }
}
