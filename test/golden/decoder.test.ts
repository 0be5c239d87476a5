/**
 * The independent decoder against every golden fixture: each tree, table, manifest and blob file is decoded with all
 * of the decoder's checks, compared with what the fixture says it holds, and encoded again to the same bytes.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import {
  type Compression,
  concatBytes,
  cutBlocks,
  type DecodedTable,
  type DecodedTree,
  decodeBlock,
  decodeTree,
  encodeBlobFile,
  encodeEditLog,
  encodeSnapshot,
  type MergeOperator,
  reencodeTable,
  type TreeTable,
  toHex,
} from '../support/decoder/index.js'
import { fixtureFolders, goldenFolder, linesOf, subfolders } from './fixtures.js'

const LATEST = 1n << 63n

const concatenate: MergeOperator = (_key, base, operands) =>
  concatBytes(base ?? new Uint8Array(0), ...operands)

/** The prefixes in the filter of the fixture written under an extractor: up to and including each colon. */
function prefixesAtColons(key: Uint8Array): Uint8Array[] {
  const ends = [...key.keys()].filter((i) => key[i] === 0x3a)
  return ends.map((end) => key.subarray(0, end + 1))
}

/** Fixtures whose blocks were not cut at the default size. */
const OTHER_BLOCK_SIZE = ['bigblock', 'ri1hash']

const isThere = (path: string): boolean => existsSync(path) || existsSync(`${path}.gz`)

function sameBytes(test: Tap, actual: Uint8Array, path: string, what: string): void {
  test.ok(Buffer.from(actual).equals(readFileSync(path)), `${what} is encoded to the same bytes`)
}

type Tap = Pick<typeof t, 'ok' | 'equal' | 'same'>

function checkManifest(test: Tap, folder: string, tree: DecodedTree): void {
  const { snapshot, edits, blobFiles } = tree
  const encoded = encodeSnapshot(snapshot)
  sameBytes(test, encoded.current, join(folder, 'current'), 'current')
  sameBytes(test, encoded.snapshot, join(folder, `v${snapshot.id}`), 'the snapshot')
  sameBytes(test, encodeEditLog(edits), join(folder, `edits-${snapshot.id}`), 'the edit log')
  for (const [id, { meta, frames }] of blobFiles) {
    const path = join(folder, 'blobs', String(id))
    sameBytes(test, encodeBlobFile(meta, frames), path, `blob file ${id}`)
  }
}

/** Stands in for a compressor: yields the payload that the table itself holds for a plaintext. */
function recordedPayloads(bytes: Uint8Array, { blocks, index, meta, sections }: DecodedTable) {
  const payloads = new Map<string, Uint8Array>()
  const record = (offset: number, size: number, compression: Compression): void => {
    const { plaintext, payload } = decodeBlock(
      bytes,
      { offset, size },
      undefined,
      { compression, ecc: meta.ecc },
      'block',
    )
    payloads.set(toHex(plaintext), payload)
  }
  for (const { offset, size } of blocks) record(offset, size, meta.dataCompression)
  if (index.partitions)
    for (const { offset, size } of index.top) record(offset, size, meta.indexCompression)
  for (const { name, offset, length } of sections) {
    if (name === 'tli' || name === 'filter_tli') record(offset, length, meta.indexCompression)
  }
  return (plaintext: Uint8Array): Uint8Array => payloads.get(toHex(plaintext))!
}

function checkTables(test: Tap, folder: string, tables: readonly TreeTable[]): void {
  const name = basename(folder)
  for (const { record, table } of tables) {
    if (table.columnar) continue
    if (!OTHER_BLOCK_SIZE.includes(name)) {
      const cuts = cutBlocks(table.entries, 4096).map(({ length }) => length)
      const blocks = table.blocks.map(({ entries }) => entries.length)
      test.same(cuts, blocks, `blocks of table ${record.id} end where the default size has it`)
    }
    const path = join(folder, 'tables', String(record.id))
    const given = {
      prefixes: name === 'prefix' ? prefixesAtColons : undefined,
      compress: recordedPayloads(readFileSync(path), table),
    }
    sameBytes(test, reencodeTable(table, given), path, `table ${record.id}`)
  }
}

function checkEntries(test: Tap, folder: string, tables: readonly TreeTable[]): void {
  for (const { record, table } of tables) {
    const own = join(folder, `expect-${record.id}.txt`)
    const expected = linesOf(isThere(own) ? own : join(folder, '../plain/expect-0.txt'))
    const stored = table.entries.map(({ key, seqno, kind, value }) => {
      return `${toHex(key)} ${seqno + record.globalSeqno} ${kind} ${toHex(value)}`
    })
    if (table.columnar) test.equal(table.meta.itemCount, expected.length, 'rows are all counted')
    else test.ok(stored.join('\n') === expected.join('\n'), `${stored.length} entries as expected`)
    const checksum = record.checksum.toString(16).padStart(32, '0')
    const info = [`global_seqno ${record.globalSeqno}`, `checksum ${checksum}`]
    test.same(linesOf(join(folder, `info-${record.id}.txt`)), info, 'checksum and global seqno')
  }
}

/** The counters that a larger fixture states in its `info.txt`. */
function checkInfo(test: Tap, path: string, tree: DecodedTree): void {
  const info = new Map(linesOf(path).map((line) => line.split(/ (.*)/) as [string, string]))
  const levels = tree.version.levels.map((runs) => runs.flat().length)
  const tombstones = tree.tables.reduce((sum, { table }) => sum + table.meta.tombstoneCount, 0)
  test.equal(levels.join(' '), info.get('levels')?.trim(), 'tables by level')
  test.equal(String(tree.blobFiles.size), info.get('blob_files'), 'blob files')
  test.equal(String(tombstones), info.get('tombstones'), 'tombstones')
  test.equal(`Some(${tree.highestSeqno})`, info.get('highest_persisted'), 'highest seqno')
}

function checkVisible(test: Tap, folder: string, tree: DecodedTree): void {
  const names = readdirSync(folder).filter((name) => /^expect(-\d+)?\.txt$/.test(name))
  test.ok(names.length > 0, 'the fixture states what is visible')
  for (const name of names) {
    const seqno = /\d+/.exec(name)
    const pairs = tree.visible(seqno === null ? LATEST : BigInt(seqno[0]))
    const shown = pairs.map(([key, value]) => `${toHex(key)} ${toHex(value)}`)
    test.ok(shown.join('\n') === linesOf(join(folder, name)).join('\n'), `${name}: visible pairs`)
  }
}

for (const fixtures of fixtureFolders()) {
  t.test(fixtures === goldenFolder ? 'repository fixtures' : 'complete fixtures', async (t) => {
    for (const folder of subfolders(join(fixtures, 'v5/tables'))) {
      t.test(`table ${basename(folder)}`, async (t) => {
        const tree = decodeTree(folder, { merge: concatenate })
        t.same(tree.orphans, [])
        checkManifest(t, folder, tree)
        checkEntries(t, folder, tree.tables)
        checkTables(t, folder, tree.tables)
      })
    }
    for (const folder of subfolders(join(fixtures, 'v5/trees'))) {
      t.test(`tree ${basename(folder)}`, async (t) => {
        const inner = join(folder, 'db')
        const place = existsSync(inner) ? inner : folder
        const tree = decodeTree(place, { merge: concatenate })
        t.same(tree.orphans, [])
        checkManifest(t, place, tree)
        checkTables(t, place, tree.tables)
        checkVisible(t, folder, tree)
        const info = join(folder, 'info.txt')
        if (existsSync(info)) checkInfo(t, info, tree)
      })
    }
    t.test('the golden tree of release 5.6.0', async (t) => {
      const folder = join(fixtures, 'compat_v5_6_0')
      const tree = decodeTree(folder)
      checkManifest(t, folder, tree)
      checkTables(t, folder, tree.tables)
      const number = (i: number): string => String(i).padStart(4, '0')
      const expected = Array.from({ length: 20 }, (_, i) => [
        `k${number(i)}`,
        `v${number(i)}-golden`,
      ])
      const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
      const shown = tree.visible(LATEST).map(([key, value]) => [text(key), text(value)])
      t.same(shown, expected)
      t.same(tree.visible(5n).length, 5, 'a read at a seqno sees the versions below it')
    })
    t.test('a V1 database is refused', async (t) => {
      t.throws(() => decodeTree(join(fixtures, 'v1_tree')), { name: 'FormatError' })
    })
  })
}
