/** Counts of entries and highest seqnos, through writes, flushes, merges and reopening. */

import t from 'tap'
import { open } from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const
const KEEP = { gcWatermark: 0 }

t.test('`tree_count`: len counts keys, in memory and in tables', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 1_000; i++) tree.insert(`key ${i}`, 'value')
  t.equal(tree.len(), 1_000)
  for (let i = 0; i < 1_000; i += 2) tree.insert(`key ${i}`, 'again')
  t.equal(tree.len(), 1_000, 'a key counts once')
  await tree.flush()
  t.equal(tree.len(), 1_000)
  for (let i = 0; i < 300; i++) tree.remove(`key ${i}`)
  t.equal(tree.len(), 700)
  await tree.flush()
  t.equal(tree.len(), 700)
  await tree.majorCompact()
  t.equal(tree.len(), 700)
  t.notOk(tree.isEmpty())
  for (let i = 300; i < 1_000; i++) tree.remove(`key ${i}`)
  t.equal(tree.len(), 0)
  t.ok(tree.isEmpty())
  await tree.close()
})

t.test('`tree_count`: what is written between two steps of a count is not counted', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 500; i++) tree.insert(`key ${i}`, 'value')
  await tree.flush()
  const iterator = tree.iter()
  let count = 0
  for (const _ of iterator) {
    tree.insert(`late ${count}`, 'value')
    tree.insert(`key ${count}x`, 'value')
    if (++count % 100 === 0) await tree.flush()
  }
  t.equal(count, 500)
  t.equal(tree.len(), 1_500)
  await tree.close()
})

t.test('`tree_approx_len`: every stored version counts, sealed buffers included', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, 'value')
  t.equal(tree.approximateLen(), 100)
  tree.rotateMemtable()
  t.equal(tree.approximateLen(), 100)
  for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, 'again')
  t.equal(tree.approximateLen(), 200)
  await tree.flush(KEEP)
  t.equal(tree.approximateLen(), 200)
  tree.remove('key 0')
  t.equal(tree.approximateLen(), 201)
  await tree.flush(KEEP)
  await tree.majorCompact(KEEP)
  t.equal(tree.approximateLen(), 201, 'a merge that collects nothing')
  await tree.majorCompact({ gcWatermark: Number.POSITIVE_INFINITY })
  t.equal(tree.approximateLen(), 99)
  t.equal(tree.len(), 99)
  await tree.close()
})

t.test('`tree_seqno`: the highest seqno of memory, of tables, and of both', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('db', { ...memory, fs })
  const highest = (): (number | undefined)[] => [
    tree.highestMemtableSeqno(),
    tree.highestPersistedSeqno(),
    tree.highestSeqno(),
  ]
  t.same(highest(), [undefined, undefined, undefined])
  tree.insert('a', '1')
  t.same(highest(), [0, undefined, 0])
  tree.insert('b', '1')
  tree.remove('c')
  t.same(highest(), [2, undefined, 2])
  tree.rotateMemtable()
  t.same(highest(), [2, undefined, 2], 'of a sealed buffer too')
  await tree.flush()
  t.same(highest(), [undefined, 2, 2])
  tree.insert('a', '2')
  t.same(highest(), [3, 2, 3])
  tree.removeRange('x', 'z')
  t.same(highest(), [4, 2, 4], 'a range delete counts')
  await tree.close()
  const again = await open('db', { ...memory, fs })
  t.equal(again.highestMemtableSeqno(), undefined)
  t.equal(again.highestPersistedSeqno(), 4)
  t.equal(again.highestSeqno(), 4)
  t.equal(again.seqno.get(), 5, 'and writing goes on behind it')
  again.insert('a', '3', 90)
  t.equal(again.highestSeqno(), 90)
  await again.close()
})
