/** Closing and opening again: what must be there, what may have changed meanwhile, and what in the folder is looked at. */

import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { open } from '../../../src/main/index.js'
import { goldenPath } from '../../support/golden.js'
import { codeOf, copyTree, listing, tableFiles, textOf, visibleLines } from '../../support/trees.js'

const manual = { maintenance: 'manual' } as const

t.test('`tree_reload`: empty and filled, over and over', async (t) => {
  const folder = t.testdir()
  for (let round = 0; round < 5; round++) {
    const tree = await open(folder, manual)
    t.ok(tree.isEmpty())
    t.equal(tree.tableCount(), 0)
    await tree.close()
  }
  const expected: string[] = []
  for (let round = 0; round < 6; round++) {
    const tree = await open(folder, manual)
    t.equal(textOf(tree.range()), expected.join(' '), `round ${round}`)
    t.equal(textOf(tree.range({ reverse: true })), [...expected].reverse().join(' '))
    t.equal(tree.len(), expected.length)
    tree.insert(`key ${round}`, 'value')
    tree.insert('zapped', String(round))
    if (round % 2 === 0) await tree.flush()
    if (round === 3) await tree.majorCompact()
    tree.remove('zapped')
    expected.push(`key ${round}=value`)
    await tree.close()
  }
})

t.test('`tree_reload`: a tree of the other type is refused', async (t) => {
  const folder = copyTree(goldenPath('v5/trees/blobgc'), join(t.testdir(), 'db'))
  const before = listing(folder)
  t.equal(
    await codeOf(() => open(folder, { ...manual, directoryLock: false })),
    'VARVE_UNSUPPORTED',
  )
  t.same(listing(folder), before, 'and left alone')
})

t.test('`tree_reload_pwd`: a relative path is one of the working directory', async (t) => {
  const home = process.cwd()
  const folder = mkdtempSync(join(tmpdir(), 'varve-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  process.chdir(folder)
  try {
    const tree = await open('db', manual)
    tree.insert('a', '1')
    // What was opened stays where it was, wherever the process goes.
    process.chdir(home)
    await tree.close()
    process.chdir(folder)
    const again = await open('./db', manual)
    t.equal(textOf(again.range()), 'a=1')
    await again.close()
    t.same(readdirSync(folder), ['db'])
  } finally {
    process.chdir(home)
  }
})

t.test('`recover_from_different_folder`: a folder that was moved opens', async (t) => {
  const folder = t.testdir()
  const tree = await open(join(folder, 'one'), manual)
  for (let i = 0; i < 300; i++) tree.insert(`key ${i}`, 'value')
  await tree.flush()
  const shown = visibleLines(tree)
  await tree.close()
  mkdirSync(join(folder, 'deep/er'), { recursive: true })
  renameSync(join(folder, 'one'), join(folder, 'deep/er/other'))
  const moved = await open(join(folder, 'deep/er/other'), manual)
  t.same(visibleLines(moved), shown)
  moved.insert('key', 'new')
  await moved.flush()
  await moved.majorCompact()
  t.equal(moved.len(), 301)
  await moved.close()
})

t.test('`tree_recover_counter`: ids of tables go on behind the highest one', async (t) => {
  const folder = t.testdir()
  const ids: number[] = []
  for (let round = 0; round < 4; round++) {
    const tree = await open(folder, manual)
    tree.insert('a', String(round))
    await tree.flush({ gcWatermark: 0 })
    const fresh = tableFiles(folder).filter((id) => !ids.includes(id))
    t.equal(fresh.length, 1)
    t.ok(ids.every((id) => id < (fresh[0] as number)))
    ids.push(...fresh)
    await tree.close()
  }
  t.equal(ids[0], 0)
})

t.test('`tree_recover_large_value`: a value of 16 MiB', async (t) => {
  const folder = t.testdir()
  const options = { ...manual, runtime: { memtableBytes: 64 * 1024 * 1024 } } as const
  const value = Buffer.alloc(16 * 1024 * 1024)
  for (let at = 0; at < value.length; at += 4096) value.writeUInt32LE(at, at)
  const tree = await open(folder, options)
  tree.insert('a', value)
  tree.insert('b', 'small')
  await tree.close()
  const again = await open(folder, options)
  t.ok(again.get('a')?.equals(value))
  t.equal(again.sizeOf('a'), value.length)
  const [first] = again.range()
  t.ok(first?.[1].equals(value))
  await again.majorCompact()
  t.ok(again.get('a')?.equals(value))
  t.equal(again.getString('b'), 'small')
  await again.close()
})

t.test('`tree_different_block_size`: tables of several block sizes, side by side', async (t) => {
  const folder = t.testdir()
  for (const [round, blockSize] of [4096, 64, 65_536, 1].entries()) {
    const tree = await open(folder, { ...manual, blockSize })
    for (let i = 0; i < 400; i++) tree.insert(`key ${i}`, `value ${round}`)
    tree.insert(`round ${round}`, 'value')
    await tree.flush()
    t.equal(tree.len(), 401 + round)
    t.equal(tree.getString('key 399'), `value ${round}`)
    await tree.close()
  }
  const tree = await open(folder, { ...manual, blockSize: 512 })
  t.equal(tree.tableCount(), 4)
  const shown = visibleLines(tree)
  await tree.majorCompact()
  t.same(visibleLines(tree), shown)
  await tree.close()
})

/** A tree of one table on disk. */
async function prepare(folder: string): Promise<void> {
  const tree = await open(folder, manual)
  tree.insert('a', '1')
  await tree.close()
}

t.test('`recover_cleanup_orphans`: files that no version names go when it is opened', async (t) => {
  const folder = t.testdir()
  await prepare(folder)
  mkdirSync(join(folder, 'blobs'))
  for (const name of ['tables/7', 'tables/1000', 'blobs/3']) {
    writeFileSync(join(folder, name), 'left behind')
  }
  const tree = await open(folder, manual)
  t.same(tableFiles(folder), [0])
  t.same(readdirSync(join(folder, 'blobs')), [])
  t.equal(textOf(tree.range()), 'a=1')
  tree.insert('b', '2')
  await tree.flush()
  t.ok(tableFiles(folder).every((id) => id === 0 || id > 1000))
  await tree.close()
})

/** A file that the desktop put among the tables is passed over, and left alone. */
async function passesOver(t: Test, name: string): Promise<void> {
  const folder = t.testdir()
  await prepare(folder)
  writeFileSync(join(folder, 'tables', name), 'of the desktop')
  for (const options of [manual, { ...manual, readOnly: true }]) {
    const tree = await open(folder, options)
    t.equal(textOf(tree.range()), 'a=1')
    await tree.close()
  }
  t.ok(readdirSync(join(folder, 'tables')).includes(name))
}

t.test('`recovery_mac_ds_store`: it is no table', (t) => passesOver(t, '.DS_Store'))

t.test('`recovery_mac_underscore`: nor is this', (t) => passesOver(t, '._0'))

const noBytes = process.platform === 'linux' ? false : 'file names are text here'

t.test('`tree_non_utf8`: what is no text refuses the open', { skip: noBytes }, async (t) => {
  const folder = t.testdir()
  await prepare(folder)
  const odd = Buffer.concat([Buffer.from(`${folder}/tables/`), Buffer.from([0x31, 0xff])])
  writeFileSync(odd, 'odd')
  t.teardown(() => rmSync(odd, { force: true }))
  t.equal(await codeOf(() => open(folder, manual)), 'VARVE_IO')
  rmSync(odd)
  await (await open(folder, manual)).close()
})
