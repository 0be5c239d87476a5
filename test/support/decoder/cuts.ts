/** Where the format's first writer ends data blocks and filter partitions (table spec 8.3, filter spec 1.14). */

import { estimatePartition } from './burr.js'
import type { Entry } from './restart-block.js'

/** Cuts after the entry that brings the keys and values of a block to `blockSize`. */
export function cutBlocks(entries: readonly Entry[], blockSize: number): Entry[][] {
  const blocks: Entry[][] = []
  let open: Entry[] = []
  let size = 0
  for (const entry of entries) {
    open.push(entry)
    size += entry.key.length + entry.value.length
    if (size < blockSize) continue
    blocks.push(open)
    open = []
    size = 0
  }
  return open.length > 0 ? [...blocks, open] : blocks
}

/** The keys of each filter partition. */
export function cutPartitions(keys: readonly Uint8Array[], bits: number, partitionSize: number) {
  const partitions: Uint8Array[][] = []
  let open: Uint8Array[] = []
  for (const key of keys) {
    open.push(key)
    if (estimatePartition(open.length, bits) < partitionSize) continue
    partitions.push(open)
    open = []
  }
  return open.length > 0 ? [...partitions, open] : partitions
}
