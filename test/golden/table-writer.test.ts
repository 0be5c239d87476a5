/**
 * The engine's table writer against golden tables: the same entries under the same options give the
 * same bytes, section by section. The crate's locator is never written.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  type DecodedTable,
  decodeFilter,
  decodeTree,
  type TreeTable,
} from '../support/decoder/index.js'
import { writeTable } from '../support/tables.js'
import { testWorkspace } from '../support/workspace.js'
import { goldenFolder } from './fixtures.js'

const NOT_WRITTEN = ['locator']

const workspace = testWorkspace(64)

/** Fixtures without parity, KV footers, compression, blob files and prefixes. */
const FIXTURES = [
  'plain',
  'nofilter',
  'hash',
  'locentry',
  'rt',
  'rtonly',
  'seqzone',
  'bigblock',
  'ri1hash',
]

/** A block size that cuts where the fixture is cut: the smallest sum that closed a block. */
function blockSizeOf({ blocks }: DecodedTable): number {
  const closed = blocks.slice(0, -1).map(({ entries }) => {
    return entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
  })
  return closed.reduce((least, bytes) => Math.min(least, bytes), 4 << 20)
}

function rewrite({ record, table }: TreeTable) {
  const { meta, filter } = table
  const bits = filter === undefined ? 0 : decodeFilter(filter.partitions[0]!.payload, 'filter')!.r
  return writeTable(
    workspace,
    Number(record.id),
    table.entries.map((entry) => ({ ...entry, seqno: Number(entry.seqno) })),
    {
      blockSize: blockSizeOf(table),
      restartInterval: meta.dataRestartInterval,
      indexRestartInterval: meta.indexRestartInterval,
      hashRatio: meta.hashRatio,
      filter: { bits, format: 'v5', isPartitioned: filter?.kind === 'partitioned' },
      indexSpillBytes: table.index.partitions === undefined ? 4 << 20 : 0,
      hasSeqnoBounds: table.seqnoBounds !== undefined,
      hasZoneMap: table.zoneMap !== undefined,
      initialLevel: meta.initialLevel,
      writerVersion: meta.crateVersion,
    },
    {
      createdAtNs: meta.createdAt,
      isSentinelOnly: table.sentinel,
      keyRange: { min: meta.minKey, max: meta.maxKey },
      rangeTombstones: table.rangeTombstones.map((one) => ({ ...one, seqno: Number(one.seqno) })),
    },
  )
}

for (const name of FIXTURES) {
  t.test(name, async (t) => {
    const folder = join(goldenFolder, 'v5/tables', name)
    for (const one of decodeTree(folder, {}).tables) {
      const golden = readFileSync(join(folder, 'tables', String(one.record.id)))
      const { bytes } = rewrite(one)
      const written = new Map(one.table.sections.map((section) => [section.name, section]))
      const skipped = NOT_WRITTEN.filter((section) => written.has(section))
      if (skipped.length === 0) {
        t.ok(golden.equals(bytes), `table ${one.record.id}: ${bytes.length} bytes`)
        continue
      }
      // Sections behind one that is left out lie lower: compared one by one, by their order.
      let at = 0
      for (const { name, offset, length } of one.table.sections) {
        if (skipped.includes(name)) continue
        const expected = golden.subarray(offset, offset + length)
        t.ok(expected.equals(bytes.subarray(at, at + length)), `section ${name}: ${length} bytes`)
        at += length
      }
    }
  })
}
