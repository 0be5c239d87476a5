/** Snapshots and bare seqnos: isolation, what collection may take, and that no read answers from newer data. */

import t from 'tap'
import { leveled, MAX_SEQNO, open } from '../../../src/main/index.js'
import { codeOf, textOf } from '../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

t.test('a snapshot sees one moment through everything that follows', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  tree.insert('b', '1')
  using snapshot = tree.snapshot()
  const check = (when: string): void => {
    t.equal(textOf(snapshot.range()), 'a=1 b=1', when)
    t.equal(textOf(snapshot.range({ reverse: true })), 'b=1 a=1', when)
    t.equal(snapshot.getString('a'), '1', when)
    t.equal(snapshot.containsKey('c'), false, when)
    t.equal(snapshot.len(), 2, when)
    t.same(snapshot.multiGet(['a', 'c']), [Buffer.from('1'), undefined], when)
  }
  tree.insert('a', '2')
  tree.remove('b')
  tree.insert('c', '2')
  check('after writes')
  await tree.flush()
  check('after a flush')
  await tree.majorCompact()
  check('after a major compaction')
  await tree.compact(leveled())
  tree.insert('a', '3')
  await tree.flush()
  await tree.majorCompact({ gcWatermark: MAX_SEQNO })
  check('even after one whose caller promised that nobody reads')
  await tree.clear()
  check('after clear')
  t.ok(tree.isEmpty())
  await tree.close()
})

t.test('a snapshot keeps its versions from collection, and lets them go', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  const snapshot = tree.snapshot()
  tree.insert('a', '2')
  tree.insert('a', '3')
  await tree.flush()
  await tree.majorCompact()
  t.equal(tree.approximateLen(), 3, 'only what lies below the oldest snapshot goes')
  t.equal(snapshot.getString('a'), '1')
  snapshot[Symbol.dispose]()
  tree.insert('b', '1')
  await tree.flush()
  await tree.majorCompact()
  t.equal(tree.approximateLen(), 2, 'one version each')
  await tree.close()
})

t.test(
  'a read at a collected seqno fails with a code, and never answers from newer data',
  async (t) => {
    const tree = await open('db', memory)
    tree.insert('a', '1')
    const seqno = tree.visibleSeqno.get()
    tree.insert('a', '2')
    t.equal(tree.getString('a', { seqno }), '1')
    await tree.flush()
    await tree.majorCompact()
    for (const read of [
      () => tree.get('a', { seqno }),
      () => tree.range({ seqno }),
      () => tree.multiGet(['a'], { seqno }),
      () => tree.len({ seqno }),
      () => tree.firstKeyValue({ seqno }),
      () => tree.snapshot(seqno),
    ]) {
      t.equal(await codeOf(read), 'VARVE_SEQNO_COLLECTED')
    }
    t.equal(tree.get('a', { seqno: 0 }), undefined, 'at 0 nothing was ever visible')
    t.equal(tree.getString('a'), '2')
    t.equal(tree.snapshotCount(), 0, 'a refused snapshot pins nothing')
    await tree.close()
  },
)

t.test('retainFrom keeps what is read by bare seqnos', async (t) => {
  const tree = await open('db', { ...memory, runtime: { retainFrom: 0 } })
  for (let i = 0; i < 5; i++) tree.insert('a', String(i))
  await tree.flush()
  await tree.majorCompact()
  t.equal(tree.approximateLen(), 5)
  for (let i = 0; i < 5; i++) t.equal(tree.getString('a', { seqno: i + 1 }), String(i))
  tree.updateRuntimeConfig({ retainFrom: 3 })
  tree.insert('b', '1')
  await tree.flush()
  await tree.majorCompact()
  t.equal(tree.getString('a', { seqno: 3 }), '2')
  t.equal(await codeOf(() => tree.get('a', { seqno: 2 })), 'VARVE_SEQNO_COLLECTED')
  await tree.close()
})

t.test('gcWatermark is the caller’s promise, and 0 collects nothing', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 5; i++) tree.insert('a', String(i))
  await tree.flush({ gcWatermark: 0 })
  await tree.majorCompact({ gcWatermark: 0 })
  t.equal(tree.approximateLen(), 5)
  for (let i = 0; i < 5; i++) t.equal(tree.getString('a', { seqno: i + 1 }), String(i))
  await tree.majorCompact({ gcWatermark: 3 })
  t.ok(tree.approximateLen() < 5)
  for (const wrong of [-1, 1.5, Number.NaN, '1']) {
    t.equal(
      await codeOf(() => tree.majorCompact({ gcWatermark: wrong as number })),
      'VARVE_INVALID_ARGUMENT',
    )
    t.equal(
      await codeOf(() => tree.flush({ gcWatermark: wrong as number })),
      'VARVE_INVALID_ARGUMENT',
    )
  }
  await tree.majorCompact({ gcWatermark: Number.POSITIVE_INFINITY })
  t.equal(tree.approximateLen(), 1)
  t.equal(tree.getString('a'), '4')
  await tree.close()
})

t.test('a snapshot may name a seqno, of the future too', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  tree.insert('a', '2')
  using early = tree.snapshot(1)
  t.equal(early.getString('a'), '1')
  using later = tree.snapshot(10)
  tree.insert('a', '3')
  t.equal(later.getString('a'), '3')
  for (const wrong of [-1, 1.5, Number.NaN, '1']) {
    t.equal(await codeOf(() => tree.snapshot(wrong as number)), 'VARVE_INVALID_ARGUMENT')
  }
  await tree.close()
})

t.test('many snapshots, disposed in any order', async (t) => {
  const tree = await open('db', memory)
  const snapshots = []
  for (let i = 0; i < 20; i++) {
    tree.insert('a', String(i))
    snapshots.push(tree.snapshot())
    if (i % 5 === 4) await tree.flush()
    if (i % 10 === 9) await tree.majorCompact()
  }
  t.equal(tree.snapshotCount(), 20)
  for (const i of [3, 19, 0, 7, 12]) {
    t.equal(snapshots[i]?.getString('a'), String(i))
    snapshots[i]?.[Symbol.dispose]()
  }
  await tree.majorCompact()
  for (const i of [1, 2, 4, 18]) t.equal(snapshots[i]?.getString('a'), String(i))
  for (const snapshot of snapshots) snapshot[Symbol.dispose]()
  t.equal(tree.snapshotCount(), 0)
  await tree.close()
})
