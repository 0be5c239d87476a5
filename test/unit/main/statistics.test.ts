/** Counts and sizes, and the parts that trees share: caches and tables of descriptors. */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  Cache,
  DescriptorTable,
  leveled,
  open,
  SequenceNumberCounter,
} from '../../../src/main/index.js'
import { tableFiles } from '../../support/trees.js'

const manual = { maintenance: 'manual' } as const

t.test('an empty tree counts nothing', async (t) => {
  const tree = await open('db', { fs: 'memory', ...manual })
  t.equal(tree.tableCount(), 0)
  t.equal(tree.l0RunCount(), 0)
  t.equal(tree.approximateLen(), 0)
  t.equal(tree.tombstoneCount(), 0)
  t.equal(tree.diskSpace(), 0)
  t.equal(tree.filterSize(), 0)
  t.equal(tree.highestSeqno(), undefined)
  t.equal(tree.highestPersistedSeqno(), undefined)
  t.equal(tree.highestMemtableSeqno(), undefined)
  t.equal(tree.sealedMemtableCount(), 0)
  t.equal(tree.rotateMemtable(), false, 'nothing to seal')
  t.equal(await tree.flush(), undefined, 'nothing to flush')
  t.equal((await tree.compact()).action, 'nothing')
  t.equal((await tree.majorCompact()).action, 'nothing')
  await tree.close()
})

t.test('counts follow what is written, flushed and merged', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, manual)
  tree.insert('a', '1')
  tree.insert('b', '1')
  tree.remove('a')
  t.equal(tree.approximateLen(), 3)
  t.equal(tree.tombstoneCount(), 0, 'tombstones in tables count')
  t.equal(tree.weakTombstoneCount(), 0)
  t.equal(tree.highestMemtableSeqno(), 2)
  t.equal(tree.rotateMemtable(), true)
  t.equal(tree.sealedMemtableCount(), 1)
  t.equal(tree.approximateLen(), 3)
  t.match(await tree.flush({ gcWatermark: 0 }), { memtableCount: 1, tableCount: 1 })
  t.equal(tree.sealedMemtableCount(), 0)
  t.equal(tree.tombstoneCount(), 1)
  t.equal(tree.tableCount(), 1)
  t.equal(tree.levelTableCount(0), 1)
  t.equal(tree.l0RunCount(), 1)
  t.equal(tree.approximateLen(), 3)
  t.equal(tree.highestPersistedSeqno(), 2)
  t.equal(tree.highestMemtableSeqno(), undefined)
  tree.insert('a', '2')
  t.equal(tree.highestSeqno(), 3)
  await tree.flush()
  t.equal(tree.l0RunCount(), 2, 'overlapping tables are runs of their own')
  const sizes = tableFiles(folder).map((id) => statSync(join(folder, `tables/${id}`)).size)
  t.equal(
    tree.diskSpace(),
    sizes.reduce((sum, size) => sum + size, 0),
  )
  t.ok(tree.filterSize() > 0)
  const result = await tree.majorCompact()
  t.match(result, { action: 'merged', destination: 6, tablesIn: 2, tablesOut: 1 })
  t.equal(tree.levelTableCount(6), 1)
  t.equal(tree.levelTableCount(0), 0)
  t.equal(tree.tombstoneCount(), 0)
  t.equal(tree.approximateLen(), 2)
  t.equal(tableFiles(folder).length, 1, 'the inputs are gone from the disk')
  t.equal(tree.levelTableCount(7), undefined)
  for (const wrong of [-1, 1.5]) t.throws(() => tree.levelTableCount(wrong), RangeError)
  await tree.close()
})

t.test('tables without overlap share a run', async (t) => {
  const tree = await open('db', { fs: 'memory', ...manual })
  for (const key of ['a', 'b', 'c']) {
    tree.insert(key, '1')
    await tree.flush()
  }
  t.equal(tree.tableCount(), 3)
  t.equal(tree.l0RunCount(), 1)
  const moved = await tree.compact(leveled({ l0Threshold: 1 }))
  t.ok(['moved', 'merged'].includes(moved.action))
  t.equal(tree.levelTableCount(0), 0)
  t.equal(tree.len(), 3)
  await tree.close()
})

t.test('events tell of flushes and compactions', async (t) => {
  const tree = await open('db', { fs: 'memory', ...manual })
  const events: string[] = []
  const onFlush = (): number => events.push('flush')
  tree.on('flush', onFlush).on('compaction', ({ action }) => events.push(action))
  tree.insert('a', '1')
  await tree.flush()
  await tree.majorCompact()
  tree.off('flush', onFlush)
  tree.insert('b', '1')
  await tree.flush()
  t.same(events, ['flush', 'merged'])
  await tree.close()
})

t.test('a shared cache serves two trees, and outlives them', async (t) => {
  using cache = new Cache({ capacityBytes: 4 << 20 })
  const options = { fs: 'memory', ...manual, cache } as const
  const trees = [await open('one', options), await open('other', options)] as const
  for (const [i, tree] of trees.entries()) {
    for (let n = 0; n < 1_000; n++) tree.insert(`key ${n}`, `value ${i}`)
    await tree.flush()
    const shown = Array.from({ length: 1_000 }, (_, n) => tree.getString(`key ${n}`))
    t.ok(shown.every((value) => value === `value ${i}`))
    for (let n = 0; n < 3; n++) t.equal(tree.len(), 1_000)
  }
  t.same(trees[0].cacheStats(), trees[1].cacheStats())
  t.ok(cache.stats().insertions > 0)
  t.ok(cache.stats().hits > 0)
  await trees[0].close()
  t.equal(trees[1].getString('key 1'), 'value 1')
  await trees[1].close()
  t.equal(cache.stats().capacityBytes, 4 << 20)
  for (const wrong of [-1, 1.5, 2 ** 40, '1']) {
    t.throws(() => new Cache({ capacityBytes: wrong as number }), RangeError)
  }
})

t.test('a cache without capacity keeps nothing and answers all the same', async (t) => {
  using cache = new Cache({ capacityBytes: 0 })
  const tree = await open('db', { fs: 'memory', ...manual, cache, blockSize: 200 })
  for (let n = 0; n < 300; n++) tree.insert(`key ${n}`, `value ${n}`)
  await tree.flush()
  for (let n = 0; n < 300; n++) if (tree.getString(`key ${n}`) !== `value ${n}`) t.fail(`key ${n}`)
  t.equal(Array.from(tree.range()).length, 300)
  t.equal(cache.stats().sizeBytes, 0)
  await tree.close()
})

t.test('a shared descriptor table stays within its capacity', async (t) => {
  const descriptorTable = new DescriptorTable(2)
  const folder = t.testdir()
  using cache = new Cache({ capacityBytes: 0 })
  const options = { ...manual, descriptorTable, cache }
  const trees = [
    await open(join(folder, 'one'), options),
    await open(join(folder, 'other'), options),
  ]
  for (let round = 0; round < 4; round++) {
    for (const tree of trees) {
      for (let n = 0; n < 20; n++) tree.insert(`key ${n} of ${round}`, 'value')
      await tree.flush()
      t.ok(descriptorTable.size <= 2)
    }
  }
  for (const tree of trees) {
    t.equal(tree.len(), 80)
    t.ok(descriptorTable.size <= 2)
    await tree.majorCompact()
    t.equal(tree.len(), 80)
    await tree.close()
  }
  t.equal(descriptorTable.size, 0, 'closed trees leave nothing open in it')
  for (const wrong of [0, -1, 1.5, '4']) {
    t.throws(() => new DescriptorTable(wrong as number), RangeError)
  }
})

t.test('a counter checks what it is given', async (t) => {
  for (const wrong of [-1, 1.5, Number.NaN, 2 ** 53, '1']) {
    t.throws(() => new SequenceNumberCounter(wrong as number), RangeError)
    t.throws(() => new SequenceNumberCounter().set(wrong as number), RangeError)
  }
  const counter = new SequenceNumberCounter(5)
  t.equal(counter.next(), 5)
  t.equal(counter.get(), 6)
  counter.fetchMax(3)
  t.equal(counter.get(), 6)
  counter.fetchMax(Number.POSITIVE_INFINITY)
  t.equal(counter.get(), Number.MAX_SAFE_INTEGER)
  counter.set(0)
  t.equal(counter.next(), 0)
})
