/** What the meta block of a table says about its entries, computed from them. */

import { type Comparator, equalBytes } from './bytes.js'
import { type Entry, KIND_TOMBSTONE, KIND_VALUE, KIND_WEAK_TOMBSTONE } from './restart-block.js'
import type { RangeTombstone } from './side-sections.js'

/**
 * The recomputable meta fields. The key range is the one of a flush, widened by every range tombstone; a sentinel
 * counts as an entry but not for the seqnos.
 */
export function summarize(
  entries: readonly Entry[],
  tombstones: readonly RangeTombstone[],
  sentinel: boolean,
  compare: Comparator,
) {
  const counted = {
    itemCount: entries.length,
    keyCount: 0,
    keyBytes: 0,
    valueBytes: 0,
    tombstoneCount: 0,
    weakTombstoneCount: 0,
    weakTombstoneReclaimable: 0,
    rangeTombstoneCount: tombstones.length,
  }
  let newer: Entry | undefined
  for (const entry of entries) {
    const { key, kind, value } = entry
    const sameKey = newer !== undefined && equalBytes(newer.key, key)
    if (!sameKey) counted.keyCount++
    counted.keyBytes += key.length
    counted.valueBytes += value.length
    if (kind === KIND_TOMBSTONE || kind === KIND_WEAK_TOMBSTONE) counted.tombstoneCount++
    if (kind === KIND_WEAK_TOMBSTONE) counted.weakTombstoneCount++
    if (sameKey && kind === KIND_VALUE && newer!.kind === KIND_WEAK_TOMBSTONE) {
      counted.weakTombstoneReclaimable++
    }
    newer = entry
  }
  const ofEntries = sentinel ? [] : entries.map(({ seqno }) => seqno)
  const all = boundsOf([...ofEntries, ...tombstones.map(({ seqno }) => seqno)])
  const outermost = (keys: readonly Uint8Array[], sign: number): Uint8Array =>
    keys.reduce((a, b) => (compare(b, a) * sign > 0 ? b : a))
  return {
    ...counted,
    minSeqno: all.min,
    maxSeqno: all.max,
    maxKvSeqno: sentinel ? 0n : boundsOf(ofEntries).max,
    minKey: outermost([entries[0]!.key, ...tombstones.map(({ start }) => start)], -1),
    maxKey: outermost([entries.at(-1)!.key, ...tombstones.map(({ end }) => end)], 1),
  }
}

export function boundsOf(seqnos: readonly bigint[]): { min: bigint; max: bigint } {
  let [min, max] = [seqnos[0]!, seqnos[0]!]
  for (const seqno of seqnos) {
    if (seqno < min) min = seqno
    if (seqno > max) max = seqno
  }
  return { min, max }
}
