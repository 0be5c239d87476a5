/** Clearing: everything goes at once, its space too, and the tree goes on. */

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import { leveled, open, type Tree } from '../../../src/main/index.js'
import { tableFiles, textOf } from '../../support/trees.js'

const manual = { maintenance: 'manual' } as const

/** Fills several tables of several levels, and both kinds of write buffers. */
async function fill(tree: Tree): Promise<void> {
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 500; i++) tree.insert(`key ${i}`, `value ${round}`.repeat(20))
    await tree.flush()
    if (round === 1) await tree.compact(leveled({ l0Threshold: 1 }))
  }
  tree.removeRange('key 1', 'key 2')
  tree.rotateMemtable()
  tree.insert('key 1', 'last')
}

t.test('`tree_clear`: nothing is left, and the tree goes on', async (t) => {
  const tree = await open(t.testdir(), manual)
  await fill(tree)
  await tree.clear()
  t.ok(tree.isEmpty())
  t.equal(tree.len(), 0)
  t.equal(tree.get('key 1'), undefined)
  t.equal(tree.tableCount(), 0)
  t.equal(tree.sealedMemtableCount(), 0)
  t.equal(tree.approximateLen(), 0)
  t.equal(await tree.flush(), undefined, 'nothing is left to flush')
  await tree.clear()
  tree.insert('a', '1')
  t.equal(textOf(tree.range()), 'a=1')
  await tree.flush()
  await tree.majorCompact()
  t.equal(textOf(tree.range()), 'a=1')
  const { path } = tree
  await tree.close()
  const again = await open(path, manual)
  t.equal(textOf(again.range()), 'a=1', 'and stays cleared')
  await again.close()
})

t.test('`clear_reclaim`: the space of tables is free when clear resolves', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, manual)
  await fill(tree)
  t.ok(tableFiles(folder).length >= 3)
  await tree.clear()
  t.same(tableFiles(folder), [])
  t.equal(tree.diskSpace(), 0)
  await tree.close()
})

t.test('`clear_reclaim`: what a reader holds goes with the reader', async (t) => {
  const folder = t.testdir()
  const { heap } = processEnvironment()
  const tree = await open(folder, manual)
  await fill(tree)
  const expected = textOf(tree.range())
  const snapshot = tree.snapshot()
  const iterator = tree.iter()
  await tree.clear()
  const held = tableFiles(folder)
  t.ok(held.length >= 3)
  t.ok(
    held.every((id) => statSync(join(folder, `tables/${id}`)).size > 0),
    'no file is cut short under a reader',
  )
  t.equal(textOf(snapshot.range()), expected)
  snapshot[Symbol.dispose]()
  t.equal(textOf(iterator), expected)
  tree.insert('a', '1')
  await tree.flush()
  await tree.idle()
  t.equal(tableFiles(folder).length, 1, 'only what came after the clear')
  await tree.close()
  const bytes = heap.usedBytes
  const again = await open(folder, manual)
  await again.clear()
  t.equal(readdirSync(join(folder, 'tables')).length, 0)
  t.ok(existsSync(join(folder, 'current')))
  await again.close()
  t.equal(heap.usedBytes, bytes)
})
