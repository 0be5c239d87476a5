/** What of a table file is there twice, what its recorded checksum covers, and how files are synced. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { leveled, open, type Tree } from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { CountingFileSystem } from '../../support/counting-file-system.js'
import { decodeTable, decodeTree, xxh3_128 } from '../../support/decoder/index.js'
import { codeOf, tableFiles, textOf, visibleLines } from '../../support/trees.js'

const manual = { maintenance: 'manual' } as const

const numbered = (i: number): string => `key ${String(i).padStart(4, '0')}`

/** A table of which parts are overwritten with zeros: whether it opens, and shows everything. */
async function survives(t: Test, copies: readonly [string, string], spill: number): Promise<void> {
  const folder = t.testdir()
  const runtime = { indexPartitionSpillThreshold: spill }
  const options = { ...manual, blockSize: 128, runtime }
  const tree = await open(folder, options)
  for (let i = 0; i < 400; i++) tree.insert(numbered(i), `value ${i}`)
  await tree.flush()
  const shown = visibleLines(tree)
  await tree.close()
  const path = join(folder, 'tables/0')
  const bytes = readFileSync(path)
  const { sections } = decodeTable(bytes)
  const without = (...names: string[]): void => {
    const damaged = Buffer.from(bytes)
    for (const { name, offset, length } of sections) {
      if (names.includes(name)) damaged.fill(0, offset, offset + length)
    }
    if (damaged.equals(bytes)) throw new Error(`no section of ${names}`)
    writeFileSync(path, damaged)
  }
  for (const name of copies) {
    without(name)
    const again = await open(folder, options)
    t.same(visibleLines(again), shown, `without ${name}`)
    await again.close()
  }
  without(...copies)
  t.match(await codeOf(() => open(folder, options)), /^VARVE_/, 'without either')
  writeFileSync(path, bytes)
  const whole = await open(folder, options)
  t.equal(whole.len(), 400)
  await whole.close()
}

t.test('`meta_mirror`: either copy of the metadata will do', (t) =>
  survives(t, ['meta', 'meta_mid'], 4 << 20),
)

t.test('`tli_mirror`: either copy of the index will do', (t) =>
  survives(t, ['tli', 'tli_tail'], 4 << 20),
)

t.test('`tli_mirror`: either copy of the upper of two levels will do', (t) =>
  survives(t, ['tli', 'tli_tail'], 0),
)

t.test('`table_full_file_checksum`: the recorded one is that of the whole file', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { ...manual, blockSize: 256 })
  const check = (when: string): void => {
    const { tables } = decodeTree(folder)
    t.ok(tables.length > 0, when)
    for (const { record } of tables) {
      const bytes = readFileSync(join(folder, `tables/${record.id}`))
      t.equal(record.checksum, xxh3_128(bytes), when)
    }
  }
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, `value ${round}`)
    await tree.flush()
    check('flushed')
  }
  await tree.compact(leveled({ l0Threshold: 1 }))
  check('merged')
  await tree.majorCompact({ targetSize: 2000 })
  check('cut into several')
  const ingestion = tree.ingestion()
  for (let i = 0; i < 50; i++) ingestion.write(numbered(i), 'value')
  await ingestion.finish()
  check('ingested')
  await tree.close()
  for (const id of tableFiles(folder)) {
    const path = join(folder, `tables/${id}`)
    const bytes = readFileSync(path)
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 7)) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 0x10
      writeFileSync(path, damaged)
      t.throws(() => decodeTree(folder), { name: 'FormatError' }, `byte ${at} of ${bytes.length}`)
    }
    writeFileSync(path, bytes)
  }
})

t.test('`sync_mode`: normal by default, full where asked for, everywhere', async (t) => {
  for (const mode of [undefined, 'normal', 'full'] as const) {
    const fs = new CountingFileSystem(new MemoryFileSystem())
    const options = { ...manual, fs, ...(mode === undefined ? {} : { syncMode: mode }) }
    const write = async (tree: Tree): Promise<void> => {
      tree.insert('a', '1')
      await tree.flush()
      tree.insert('b', '1')
      await tree.flush()
      await tree.majorCompact()
    }
    const tree = await open('/db', options)
    await write(tree)
    await tree.createCheckpoint('/copy')
    await tree.close()
    const again = await open('/db', { ...options, manifestLogRotateBytes: 0 })
    t.equal(textOf(again.range()), 'a=1 b=1')
    await write(again)
    await again.close()
    t.ok(fs.syncModes.length > 8)
    t.same([...new Set(fs.syncModes)], [mode ?? 'normal'], String(mode))
  }
})
