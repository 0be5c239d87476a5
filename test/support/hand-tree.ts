/** Trees of tables by hand, through the suite's own encoder: shapes that the engine alone would rarely come to. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  decodeTree,
  type Entry,
  encodeEditLog,
  encodeSnapshot,
  encodeTable,
  type RangeTombstone,
  utf8,
  xxh3_128,
} from './decoder/index.js'

/** Kinds of entries, as files number them. */
export const KIND = { PUT: 0, DELETE: 1, WEAK: 2, MERGE: 3 } as const

export const entry = (key: string, seqno: number, kind: number, value = ''): Entry => {
  return { key: utf8(key), seqno: BigInt(seqno), kind, value: utf8(value) }
}

export const tombstone = (start: string, end: string, seqno: number): RangeTombstone => {
  return { start: utf8(start), end: utf8(end), seqno: BigInt(seqno) }
}

/** A table by hand: its level, its entries in file order, its range tombstones. */
export interface HandTable {
  readonly level: number
  readonly entries: readonly Entry[]
  readonly tombstones?: readonly RangeTombstone[]
}

/** Writes a tree with one run for each table, in the order given: newest first. */
export function writeTree(folder: string, tables: readonly HandTable[]): string {
  mkdirSync(join(folder, 'tables'), { recursive: true })
  const levels: { id: number; checksum: bigint; globalSeqno: bigint }[][][] = [
    [],
    [],
    [],
    [],
    [],
    [],
    [],
  ]
  for (const [id, { level, entries, tombstones }] of tables.entries()) {
    const bytes = encodeTable(entries, {
      tableId: id,
      filter: { bits: 10 },
      rangeTombstones: tombstones,
    })
    writeFileSync(join(folder, 'tables', String(id)), bytes)
    levels[level]?.push([{ id, checksum: xxh3_128(bytes), globalSeqno: 0n }])
  }
  const encoded = encodeSnapshot({
    id: 0,
    crateVersion: '5.7.0',
    treeType: 'standard',
    comparatorName: 'default',
    levels,
    blobFiles: new Map(),
    gc: new Map(),
    restrictions: new Map(),
  } as never)
  writeFileSync(join(folder, 'v0'), encoded.snapshot)
  writeFileSync(join(folder, 'edits-0'), encodeEditLog([]))
  writeFileSync(join(folder, 'current'), encoded.current)
  decodeTree(folder)
  return folder
}
