/** Snapshots and bare seqnos: isolation, what collection may take, and that no read answers from newer data. */

import t from 'tap'
import { leveled, MAX_SEQNO, open, type Snapshot } from '../../../src/main/index.js'
import { codeOf, textOf } from '../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

t.test(
  '`snapshot_len`, `snapshot_compact`: one moment, through everything that follows',
  async (t) => {
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
  },
)

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

t.test('`tree_mvcc_simple`: an overwrite is for the later snapshot only', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', 'old')
  using earlier = tree.snapshot()
  tree.insert('a', 'new')
  using later = tree.snapshot()
  for (const when of ['in memory', 'in a table']) {
    t.equal(earlier.getString('a'), 'old', when)
    t.equal(later.getString('a'), 'new', when)
    t.equal(textOf(earlier.prefix('a')), 'a=old', when)
    t.equal(textOf(later.prefix('a')), 'a=new', when)
    await tree.flush()
  }
  await tree.close()
})

t.test('`snapshot_point_read`: at fixed snapshots, whatever the versions lie in', async (t) => {
  const tree = await open('db', { ...memory, blockSize: 100 })
  using empty = tree.snapshot()
  const snapshots: Snapshot[] = []
  const check = (when: string): void => {
    t.equal(empty.get('a'), undefined, when)
    for (const [i, snapshot] of snapshots.entries()) {
      const isRight =
        snapshot.getString('a') === `a${i}` &&
        snapshot.getString('fixed') === 'value' &&
        snapshot.get('absent') === undefined &&
        snapshot.containsKey(`b${i}`) &&
        !snapshot.containsKey(`b${i + 1}`)
      t.ok(isRight, `${when}, snapshot ${i}`)
    }
  }
  tree.insert('fixed', 'value')
  for (let i = 0; i < 12; i++) {
    tree.insert('a', `a${i}`)
    tree.insert(`b${i}`, 'value')
    snapshots.push(tree.snapshot())
    if (i === 4) {
      check('in memory')
      await tree.flush()
      check('on disk')
    }
    if (i === 8) await tree.majorCompact()
  }
  check('on disk and in memory')
  await tree.flush()
  await tree.majorCompact()
  check('merged')
  for (const snapshot of snapshots) snapshot[Symbol.dispose]()
  await tree.close()
})

t.test(
  '`snapshot_zombie`: what was deleted before a snapshot does not come back in it',
  async (t) => {
    const tree = await open('db', memory)
    for (let i = 0; i < 50; i++) tree.insert(`key ${i}`, 'value')
    await tree.flush({ gcWatermark: 0 })
    for (let i = 0; i < 50; i++) tree.remove(`key ${i}`)
    using deleted = tree.snapshot()
    const check = (when: string): void => {
      t.equal(deleted.len(), 0, when)
      t.equal(deleted.range({ reverse: true }).next().done, true, when)
      t.equal(deleted.get('key 7'), undefined, when)
      t.notOk(deleted.containsPrefix('key'), when)
    }
    check('tombstones in memory')
    await tree.flush()
    check('tombstones in a table')
    for (let i = 0; i < 50; i++) tree.insert(`key ${i}`, 'again')
    await tree.flush()
    await tree.majorCompact()
    check('merged away')
    t.equal(tree.len(), 50)
    await tree.close()
  },
)
