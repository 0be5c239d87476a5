/** The index of a table, one level or two, and the partition index of its filter (table spec 11, 13). */

import { type Block, decodeBlock } from './block.js'
import { check, checkEqual, equalBytes, fail } from './bytes.js'
import { decodeIndexBody, type IndexEntry } from './restart-block.js'
import type { TableReader } from './table-reader.js'

export interface TableIndex {
  /** The entries of the `tli` block: data blocks, or index partitions where there are any. */
  readonly top: readonly IndexEntry[]
  /** Of a two-level index: the entries of each block in `index`. */
  readonly partitions: readonly (readonly IndexEntry[])[] | undefined
  /** One entry per data block, in file order. */
  readonly entries: readonly IndexEntry[]
}

export function decodeIndex(table: TableReader): TableIndex {
  const { meta, where } = table
  const restart = meta.indexRestartInterval
  const topBlock = table.block('tli', 'index', meta.indexCompression)!
  const tail = table.block('tli_tail', 'index', meta.indexCompression)!
  check(equalBytes(topBlock.plaintext, tail.plaintext), where, 'tli_tail differs from tli')
  if (table.options.decrypt === undefined) {
    const [head, copy] = [table.section('tli')!, table.section('tli_tail')!]
    check(equalBytes(table.raw(head), table.raw(copy)), where, 'tli_tail differs from tli')
  }
  const top = decodeIndexBody(topBlock.plaintext, `${where} tli`, restart).entries
  const section = table.section('index')
  if (section === undefined) {
    checkEqual(meta.indexBlockCount, 1, where, 'block_count#index')
    return { top, partitions: undefined, entries: top }
  }
  const end = section.offset + section.length
  const blocks = followHandles(table, top, section.offset, end, 'index')
  checkEqual(meta.indexBlockCount, blocks.length, where, 'block_count#index')
  const partitions = blocks.map((block, i) => {
    const name = `${where} index block ${i}`
    const { entries } = decodeIndexBody(block.plaintext, name, restart)
    const last = entries.at(-1)!
    check(equalBytes(last.endKey, top[i]!.endKey), name, 'end key differs from its entry in tli')
    checkEqual(top[i]!.seqno, last.seqno, name, 'seqno in tli')
    return entries
  })
  return { top, partitions, entries: partitions.flat() }
}

/** Reads the blocks that handles name; they have to fill the stretch from `start` to `end` in order. */
function followHandles(
  table: TableReader,
  handles: readonly IndexEntry[],
  start: number,
  end: number,
  type: 'index' | 'filter',
): Block[] {
  const { meta, where } = table
  let position = start
  const blocks = handles.map(({ offset, size }, i) => {
    checkEqual(offset, position, where, `offset of ${type} block ${i}`)
    position += size
    const options = table.blockOptions(type === 'index' ? meta.indexCompression : undefined)
    return decodeBlock(table.bytes, { offset, size, end }, type, options, `${where} ${type}`)
  })
  checkEqual(position, end, where, `end of the ${type} blocks`)
  return blocks
}

export interface FilterPartition {
  /** The last key of the partition; undefined for a full filter, which has no partitions. */
  readonly endKey: Uint8Array | undefined
  readonly payload: Uint8Array
}

export type TableFilter = {
  readonly kind: 'full' | 'partitioned'
  readonly partitions: readonly FilterPartition[]
}

export function decodeFilterSections(table: TableReader): TableFilter | undefined {
  const { meta, where } = table
  const section = table.section('filter')
  const top = table.block('filter_tli', 'index', meta.indexCompression)
  if (section === undefined) {
    check(top === undefined, where, 'filter_tli without a filter')
    checkEqual(meta.filterBlockCount, 0, where, 'block_count#filter')
    return undefined
  }
  if (top === undefined) {
    checkEqual(meta.filterBlockCount, 1, where, 'block_count#filter')
    const payload = table.block('filter', 'filter')!.plaintext
    return { kind: 'full', partitions: [{ endKey: undefined, payload }] }
  }
  const { entries } = decodeIndexBody(top.plaintext, `${where} filter_tli`, 1)
  const end = section.offset + section.length
  const blocks = followHandles(table, entries, section.offset, end, 'filter')
  checkEqual(meta.filterBlockCount, blocks.length, where, 'block_count#filter')
  const partitions = entries.map(({ endKey, seqno }, i): FilterPartition => {
    checkEqual(seqno, 0n, `${where} filter_tli`, `seqno of partition ${i}`)
    const previous = entries[i - 1]
    if (previous !== undefined && table.compare(previous.endKey, endKey) >= 0) {
      fail(`${where} filter_tli`, `partition ${i} is out of order`)
    }
    return { endKey, payload: blocks[i]!.plaintext }
  })
  return { kind: 'partitioned', partitions }
}
