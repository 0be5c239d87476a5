/** What a compaction does to the shape of a tree: where tables go, which are moved, which are merged with which. */

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { leveled, open, type Tree } from '../../../src/main/index.js'
import { moveDown } from '../../../src/main/strategies/move-down.js'
import { pullDown } from '../../../src/main/strategies/pull-down.js'
import { decodeTree } from '../../support/decoder/index.js'
import { concatenation, tableFiles, textOf, visibleLines } from '../../support/trees.js'

const manual = { maintenance: 'manual' } as const
const KEEP = { gcWatermark: 0 }
const LEVELS = [0, 1, 2, 3, 4, 5, 6]

const shapeOf = (tree: Tree): number[] => LEVELS.map((level) => tree.levelTableCount(level) ?? 0)

async function flushed(tree: Tree, entries: Readonly<Record<string, string>>): Promise<void> {
  for (const [key, value] of Object.entries(entries)) tree.insert(key, value)
  await tree.flush(KEEP)
}

t.test('`tree_major_compaction`: one run in the last level, without tombstones', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { ...manual, blockSize: 256 })
  t.equal((await tree.majorCompact()).action, 'nothing')
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 200; i++) tree.insert(`key ${String(i).padStart(3, '0')}`, `${round}`)
    for (let i = round; i < 200; i += 10) tree.remove(`key ${String(i).padStart(3, '0')}`)
    await tree.flush(KEEP)
    if (round === 2) await tree.compact(moveDown(0, 3), KEEP)
  }
  const shown = visibleLines(tree)
  const kept = await tree.majorCompact({ ...KEEP, targetSize: 1000 })
  t.match(kept, { action: 'merged', destination: 6, tablesIn: 3 })
  t.same(shapeOf(tree), [0, 0, 0, 0, 0, 0, kept.tablesOut])
  t.ok(kept.tablesOut > 3)
  t.same(visibleLines(tree), shown)
  t.ok(tree.approximateLen() > 800, 'below a watermark of 0 nothing goes but the newest tombstones')
  const result = await tree.majorCompact({ gcWatermark: tree.visibleSeqno.get() })
  t.match(result, { action: 'merged', destination: 6, tablesOut: 1 })
  t.same(shapeOf(tree), [0, 0, 0, 0, 0, 0, 1])
  t.equal(tree.tombstoneCount(), 0)
  t.equal(tree.approximateLen(), shown.length)
  t.same(visibleLines(tree), shown)
  await tree.close()
  const { version } = decodeTree(folder)
  t.same(
    version.levels.map((runs) => runs.length),
    [0, 0, 0, 0, 0, 0, 1],
  )
})

t.test('`leveled_trivial_move`: a table that overlaps nothing goes down as it is', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, manual)
  await flushed(tree, { a: '1', c: '1' })
  await flushed(tree, { d: '1', f: '1' })
  t.same(shapeOf(tree), [2, 0, 0, 0, 0, 0, 0])
  const files = (): string[] =>
    tableFiles(folder).map((id) => {
      const { ino, size } = statSync(join(folder, `tables/${id}`))
      return `${id} ${ino} ${size} ${readFileSync(join(folder, `tables/${id}`)).length}`
    })
  const before = files()
  const moved = await tree.compact(leveled())
  t.match(moved, { action: 'moved', destination: 6, tablesIn: 2, bytesWritten: 0 })
  t.same(shapeOf(tree), [0, 0, 0, 0, 0, 0, 2])
  t.same(files(), before, 'no file was written, none was touched')
  await flushed(tree, { b: '2', e: '2' })
  t.equal((await tree.compact(leveled())).action, 'nothing', 'one that overlaps stays')
  t.same(shapeOf(tree), [1, 0, 0, 0, 0, 0, 2])
  t.equal(textOf(tree.range()), 'a=1 b=2 c=1 d=1 e=2 f=1')
  await tree.close()
  const again = await open(folder, manual)
  t.same(shapeOf(again), [1, 0, 0, 0, 0, 0, 2])
  t.equal(textOf(again.range()), 'a=1 b=2 c=1 d=1 e=2 f=1')
  await again.close()
})

t.test(
  '`compaction_readers_grouping`: inputs of several levels and runs are all read',
  async (t) => {
    const tree = await open('db', { ...manual, fs: 'memory' })
    await flushed(tree, { a: 'L6', z: 'L6' })
    await tree.compact(moveDown(0, 6), KEEP)
    await flushed(tree, { b: 'L4', y: 'L4' })
    await tree.compact(moveDown(0, 4), KEEP)
    await flushed(tree, { c: 'L2', m: 'L2' })
    await flushed(tree, { n: 'L2', x: 'L2' })
    await tree.compact(moveDown(0, 2), KEEP)
    await flushed(tree, { d: 'L0', w: 'L0' })
    await flushed(tree, { e: 'L0', v: 'L0' })
    t.same(shapeOf(tree), [2, 0, 2, 0, 1, 0, 1])
    const expected = 'a=L6 b=L4 c=L2 d=L0 e=L0 m=L2 n=L2 v=L0 w=L0 x=L2 y=L4 z=L6'
    t.equal(textOf(tree.range()), expected)
    const pulled = await tree.compact(pullDown(2, 4), KEEP)
    t.match(pulled, { action: 'merged', destination: 4, tablesIn: 3, tablesOut: 1 })
    t.equal(textOf(tree.range()), expected)
    const merged = await tree.majorCompact(KEEP)
    t.match(merged, { action: 'merged', tablesIn: 4, tablesOut: 1 })
    t.equal(textOf(tree.range()), expected)
    t.equal(tree.approximateLen(), 12)
    await tree.close()
  },
)

t.test('`compaction_readers_grouping`: one level may lack what another has', async (t) => {
  const tree = await open('db', { ...manual, fs: 'memory' })
  await flushed(tree, { k: 'oldest' })
  await tree.compact(moveDown(0, 5), KEEP)
  await flushed(tree, { k: 'newer' })
  await tree.compact(moveDown(0, 3), KEEP)
  await flushed(tree, { k: 'newest' })
  await tree.majorCompact(KEEP)
  t.equal(tree.approximateLen(), 3, 'no version is lost')
  t.equal(textOf(tree.range()), 'k=newest')
  for (const [i, value] of ['oldest', 'newer', 'newest'].entries()) {
    t.equal(tree.getString('k', { seqno: i + 1 }), value)
  }
  await tree.close()
})

t.test('`seqno_zeroing`: merges into the last level change no value, nor any seqno', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { ...manual, mergeOperator: concatenation })
  for (let round = 0; round < 3; round++) {
    for (const key of ['a', 'b', 'c', 'd']) tree.insert(key, `${key}${round}`)
    tree.merge('c', '+')
    await tree.flush(KEEP)
    await tree.compact(moveDown(0, 5 - round), KEEP)
  }
  tree.removeRange('d', 'e')
  const seqnosOf = (): number[] =>
    [...decodeTree(folder).tables].flatMap(({ table }) =>
      table.entries.map(({ seqno }) => Number(seqno)),
    )
  for (let round = 0; round < 3; round++) {
    await tree.flush()
    const shown = textOf(tree.range())
    t.equal(shown, 'a=a2 b=b2 c=c2+')
    const watermark = { gcWatermark: tree.visibleSeqno.get() }
    t.equal((await tree.majorCompact(watermark)).action, 'merged')
    t.equal(textOf(tree.range()), shown)
    t.same(seqnosOf(), [10, 11, 14], 'as they were written')
    tree.removeRange('x', 'y')
  }
  t.equal(textOf(tree.range()), 'a=a2 b=b2 c=c2+')
  await tree.close()
})
