/** Bulk ingestion: what becomes visible when, in which order it stands to everything else, and what a failure leaves. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import { open, type Snapshot, type Tree } from '../../../src/main/index.js'
import { FaultFileSystem, failNth, failOn } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { decodeTree } from '../../support/decoder/index.js'
import { codeOf, textOf, visibleLines } from '../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual' } as const
const small = { runtime: { memtableBytes: 128 * 1024 } }
const { heap } = processEnvironment()

const keyOf = (i: number): string => `key${String(i).padStart(6, '0')}`

async function ingest(
  tree: Tree,
  entries: Iterable<readonly [string, string | undefined]>,
): Promise<number | undefined> {
  const ingestion = tree.ingestion()
  for (const [key, value] of entries) {
    const isWelcome =
      value === undefined ? ingestion.writeTombstone(key) : ingestion.write(key, value)
    if (!isWelcome) await ingestion.drained()
  }
  return (await ingestion.finish()).seqno
}

/**
 * A file system that calls `meanwhile` once a flush writes its table: after an ingestion has drawn its seqno and before it
 * is installed, where the tables of the ingestion itself were written before.
 */
function interrupted(tablesBefore: number, meanwhile: () => void): FaultFileSystem {
  let tables = 0
  return new FaultFileSystem(new MemoryFileSystem(), ({ operation, path }) => {
    if (operation === 'create' && path.includes('/tables/') && tables++ === tablesBefore)
      meanwhile()
    return undefined
  })
}

t.test(
  '`ingestion_api`: nothing is visible before finish, and then all of it, under one seqno',
  async (t) => {
    const tree = await open('db', manual)
    const ingestion = tree.ingestion()
    ingestion.write('a', '1')
    ingestion.write('b', '')
    t.equal(tree.len(), 0)
    const result = await ingestion.finish()
    t.match(result, { entryCount: 2, tableCount: 1, seqno: 0 })
    t.equal(textOf(tree), 'a=1 b=')
    t.equal(tree.getString('a'), '1')
    t.equal(tree.get('a', { seqno: 0 }), undefined)
    t.equal(tree.getString('a', { seqno: 1 }), '1')
    t.equal(tree.highestPersistedSeqno(), 0)
    await tree.close()
  },
)

t.test('`ingestion_seqno`: the persisted seqno is the one drawn', async (t) => {
  const tree = await open('db', manual)
  t.equal(await ingest(tree, [['a', '1']]), 0)
  t.equal(tree.highestPersistedSeqno(), 0)
  t.equal(await ingest(tree, [['a', '2']]), 1)
  t.equal(tree.highestPersistedSeqno(), 1)
  for (let i = 0; i < 10; i++) tree.insert(`${i}`, '')
  t.equal(await ingest(tree, [['a', '3']]), 12)
  t.equal(tree.highestPersistedSeqno(), 12)
  t.equal(tree.getString('a'), '3')
  t.equal(tree.getString('a', { seqno: 12 }), '2')
  t.equal(tree.getString('a', { seqno: 1 }), '1')
  await tree.close()
})

t.test('`ingestion_api`: keys must ascend, and a refused one changes nothing', async (t) => {
  const tree = await open('db', manual)
  const ingestion = tree.ingestion()
  ingestion.write('b', '1')
  for (const key of ['b', 'a', '\0']) {
    t.equal(
      await codeOf(() => ingestion.write(key, 'x')),
      'VARVE_INGEST_ORDER',
      JSON.stringify(key),
    )
    t.equal(await codeOf(() => ingestion.writeTombstone(key)), 'VARVE_INGEST_ORDER')
    t.equal(await codeOf(() => ingestion.writeWeakTombstone(key)), 'VARVE_INGEST_ORDER')
  }
  t.equal(await codeOf(() => ingestion.write('', 'x')), 'VARVE_INVALID_ARGUMENT')
  t.equal(
    await codeOf(() => ingestion.write('c', 1 as unknown as string)),
    'VARVE_INVALID_ARGUMENT',
  )
  ingestion.write('bb', '2')
  await ingestion.finish()
  t.equal(textOf(tree), 'b=1 bb=2')
  await tree.close()
})

t.test('order is kept across buffers', async (t) => {
  const tree = await open('db', { ...manual, ...small })
  const ingestion = tree.ingestion()
  let i = 0
  while (ingestion.write(keyOf(i), 'x'.repeat(1000))) i++
  t.equal(await codeOf(() => ingestion.write(keyOf(i), '')), 'VARVE_INGEST_ORDER')
  await ingestion.drained()
  t.equal(await codeOf(() => ingestion.write(keyOf(0), '')), 'VARVE_INGEST_ORDER')
  ingestion.write(keyOf(i + 1), 'last')
  await ingestion.finish()
  t.equal(tree.len(), i + 2)
  await tree.close()
})

t.test('`ingestion_api`: a finish without entries is no change', async (t) => {
  const tree = await open('db', manual)
  tree.insert('a', '1')
  t.match(await tree.ingestion().finish(), { entryCount: 0, tableCount: 0, seqno: undefined })
  t.equal(tree.seqno.get(), 1)
  t.equal(tree.tableCount(), 0, 'nothing was flushed either')
  await tree.close()
})

t.test(
  '`ingestion_api`: it shadows what was there, and is shadowed by what comes later',
  async (t) => {
    const tree = await open('db', manual)
    for (const key of 'abc') tree.insert(key, 'old')
    await tree.flush()
    tree.rotateMemtable()
    tree.insert('c', 'in memory')
    await ingest(tree, [
      ['a', undefined],
      ['b', 'new'],
      ['c', 'new'],
      ['d', 'new'],
    ])
    t.equal(textOf(tree), 'b=new c=new d=new')
    t.equal(tree.get('a'), undefined)
    tree.insert('d', 'newest')
    tree.insert('a', 'again')
    t.equal(textOf(tree), 'a=again b=new c=new d=newest')
    await tree.flush()
    await tree.majorCompact()
    t.equal(textOf(tree), 'a=again b=new c=new d=newest', 'after a merge')
    await tree.close()
  },
)

t.test('`ingestion_invariants`: finish flushes every memtable, and inserts go on', async (t) => {
  const fs = interrupted(1, () => {
    tree.insert('b', 'meanwhile')
    tree.insert('c', 'meanwhile')
  })
  const tree: Tree = await open('db', { ...manual, fs })
  tree.insert('a', '1')
  tree.rotateMemtable()
  tree.insert('b', '1')
  const ingestion = tree.ingestion()
  ingestion.write('b', 'ingested')
  t.equal((await ingestion.finish()).seqno, 2, 'drawn before what came meanwhile')
  t.equal(tree.sealedMemtableCount(), 0)
  t.equal(textOf(tree), 'a=1 b=meanwhile c=meanwhile')
  t.equal(tree.getString('b', { seqno: tree.visibleSeqno.get() }), 'meanwhile')
  await tree.flush()
  t.equal(textOf(tree), 'a=1 b=meanwhile c=meanwhile')
  await tree.close()
})

t.test('`ingest_dirty_snapshot`: no snapshot changes, of before or of meanwhile', async (t) => {
  const snapshots: Snapshot[] = []
  const fs = interrupted(1, () => {
    tree.insert('m', 'meanwhile')
    snapshots.push(tree.snapshot())
    t.equal(textOf(tree), 'a=old m=meanwhile')
  })
  const tree: Tree = await open('db', { ...manual, fs, runtime: { retainFrom: 0 } })
  tree.insert('a', 'old')
  const before = tree.snapshot()
  const ingestion = tree.ingestion()
  ingestion.write('a', 'new')
  ingestion.write('z', 'new')
  await ingestion.finish()
  const after = tree.snapshot()
  const [meanwhile] = snapshots as [Snapshot]
  await tree.flush()
  await tree.majorCompact()
  t.equal(textOf(before.iter()), 'a=old')
  t.equal(textOf(meanwhile.iter()), 'a=old m=meanwhile')
  t.equal(meanwhile.getString('a'), 'old')
  t.equal(textOf(after.iter()), 'a=new m=meanwhile z=new')
  const events = Array.from(tree.scanSinceSeqno(0), ({ key, seqno }) => `${seqno} ${key}`)
  t.same(events, ['0 a', '1 a', '1 z', '2 m'], 'an ingestion collects nothing')
  for (const snapshot of [before, meanwhile, after]) snapshot[Symbol.dispose]()
  await tree.close()
})

t.test(
  '`tree_bulk_ingest`: many buffers, two jobs at once, and copying a tree into another',
  async (t) => {
    const used = heap.usedBytes
    const folder = t.testdir()
    const tree = await open(join(folder, 'one'), { ...small, maintenance: 'manual' })
    const entries = Array.from(
      { length: 8000 },
      (_, i) => [keyOf(i), `value ${i} ${'x'.repeat(i % 200)}`] as const,
    )
    await ingest(tree, entries)
    t.ok(tree.tableCount() > 4)
    t.equal(tree.l0RunCount(), 1, 'one run: the tables do not overlap')
    t.same(
      visibleLines(tree),
      entries.map(
        ([key, value]) =>
          `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`,
      ),
    )
    const copy = await open(join(folder, 'two'), { ...small, maintenance: 'manual' })
    await ingest(
      copy,
      (function* () {
        for (const [key, value] of tree) yield [String(key), String(value)] as const
      })(),
    )
    t.same(visibleLines(copy), visibleLines(tree))
    const decoded = decodeTree(join(folder, 'two'))
    t.ok(decoded.tables.every(({ record }) => Number(record.globalSeqno) === 0))
    t.ok(
      decoded.tables.every(({ table }) => table.entries.every(({ seqno }) => Number(seqno) === 0)),
    )
    await copy.close()
    await tree.close()
    const again = await open(join(folder, 'two'), { maintenance: 'manual' })
    t.equal(again.len(), entries.length)
    t.equal(again.visibleSeqno.get(), 1)
    await again.close()
    t.equal(heap.usedBytes, used, 'the shared memory is given back')
  },
)

t.test('a weak tombstone, and changes under the one seqno', async (t) => {
  const tree = await open('db', { ...manual, runtime: { retainFrom: 0 } })
  for (const key of 'abc') tree.insert(key, 'old')
  const ingestion = tree.ingestion()
  ingestion.writeTombstone('a')
  ingestion.writeWeakTombstone('b')
  ingestion.write('c', 'new')
  const { seqno } = await ingestion.finish()
  t.equal(seqno, 3)
  t.equal(textOf(tree), 'c=new')
  const events = Array.from(
    tree.scanSinceSeqno(3),
    ({ type, key, seqno: at }) => `${at} ${type} ${key}`,
  )
  t.same(events, ['3 pointTombstone a', '3 pointTombstone b', '3 insert c'])
  await tree.close()
})

t.test('`expect_point_read_hits`: ingested tables then have no filter', async (t) => {
  for (const expectPointReadHits of [false, true]) {
    const tree = await open('db', { ...manual, expectPointReadHits })
    await ingest(tree, [['a', '1']])
    t.equal(tree.filterSize() > 0, !expectPointReadHits)
    await tree.close()
  }
})

t.test(
  'an ingestion that fills all buffers stalls, and goes on when they are drained',
  async (t) => {
    const tree = await open('db', { ...manual, ...small })
    const ingestion = tree.ingestion()
    let count = 0
    const code = await codeOf(() => {
      for (; count < 10_000; count++) ingestion.write(keyOf(count), 'x'.repeat(500))
    })
    t.equal(code, 'VARVE_STALLED')
    await ingestion.drained()
    ingestion.write(keyOf(count), 'goes on')
    t.equal(
      await codeOf(() => ingestion.write('z', Buffer.alloc(200_000))),
      'VARVE_INVALID_ARGUMENT',
    )
    t.equal((await ingestion.finish()).entryCount, count + 1)
    t.equal(tree.len(), count + 1)
    await tree.close()
  },
)

t.test('abort leaves nothing: no file, no memory, no version', async (t) => {
  const used = heap.usedBytes
  const folder = t.testdir()
  const path = join(folder, 'db')
  const tree = await open(path, { ...small, maintenance: 'manual' })
  const [before] = [tree.seqno.get()]
  const ingestion = tree.ingestion()
  for (let i = 0; ingestion.write(keyOf(i), 'x'.repeat(1000)); i++);
  await ingestion.abort()
  await ingestion.abort()
  t.same(readdirSync(join(path, 'tables')), [])
  t.equal(tree.seqno.get(), before)
  t.equal(await codeOf(() => ingestion.write('z', '')), 'VARVE_CLOSED')
  t.equal(await codeOf(() => ingestion.finish()), 'VARVE_CLOSED')
  {
    await using forgotten = tree.ingestion()
    forgotten.write('a', '1')
  }
  t.equal(tree.len(), 0)
  await tree.close()
  t.equal(heap.usedBytes, used)
})

t.test('closing the tree aborts what is open, and waits for what is being finished', async (t) => {
  const used = heap.usedBytes
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...manual, fs })
  const left = tree.ingestion()
  left.write('a', '1')
  const finishing = tree.ingestion()
  finishing.write('b', '1')
  const code = codeOf(() => finishing.finish())
  await tree.close()
  t.match(await code, /^VARVE_CLOSED$|^undefined$/)
  t.equal(await codeOf(() => left.write('b', '1')), 'VARVE_CLOSED')
  t.equal(heap.usedBytes, used)
  const again = await open('/db', { ...manual, fs })
  t.equal(fs.list('/db/tables').length, again.tableCount())
  await again.close()
})

t.test('clear overtakes an ingestion that is being finished', async (t) => {
  const fs = interrupted(1, () => void tree.clear())
  const tree: Tree = await open('/db', { ...manual, fs })
  tree.insert('a', '1')
  const ingestion = tree.ingestion()
  ingestion.write('b', '1')
  t.match(await ingestion.finish(), { tableCount: 0, seqno: undefined })
  t.equal(tree.len(), 0)
  t.same(fs.list('/db/tables'), [])
  await tree.close()
})

t.test(
  'every file call fails once: the error is coded, and what is left is as before or complete',
  async (t) => {
    const used = heap.usedBytes
    for (let n = 1; ; n++) {
      const memory = new MemoryFileSystem()
      const fs = new FaultFileSystem(memory)
      const tree = await open('/db', { ...manual, fs })
      tree.insert('a', 'old')
      tree.insert('m', 'old')
      const base = fs.callCount
      fs.setRule(failNth(base + n))
      const ingestion = tree.ingestion()
      ingestion.write('a', 'new')
      ingestion.write('z', 'new')
      const code = await codeOf(() => ingestion.finish())
      const isOver = fs.callCount < base + n
      fs.setRule()
      if (code !== undefined) {
        t.match(code, /^VARVE_/, `call ${n}`)
        t.equal(textOf(tree), 'a=old m=old')
        await ingestion.abort()
      }
      await tree.close().catch(() => undefined)
      const again = await open('/db', { ...manual, fs: memory })
      t.match(textOf(again), /^(a=old m=old|a=new m=old z=new|)$/, `call ${n}: after reopening`)
      t.equal(memory.list('/db/tables').length, again.tableCount(), 'no orphan')
      await again.close()
      if (isOver) break
    }
    t.equal(heap.usedBytes, used)
  },
)

t.test('finish again after a failure that passed', async (t) => {
  const fs = new FaultFileSystem(new MemoryFileSystem())
  const tree = await open('/db', { ...manual, fs })
  tree.insert('a', 'old')
  const ingestion = tree.ingestion()
  ingestion.write('b', 'new')
  // The flush of the memtable fails once; the ingested table is written already.
  fs.setRule(failOn('sync', { path: '/tables/', times: 1 }))
  const first = await codeOf(() => ingestion.finish())
  fs.setRule()
  if (first === undefined) t.fail('nothing failed')
  const second = await codeOf(() => ingestion.finish())
  if (second !== undefined) {
    // It was the table of the ingestion itself that could not be written: that is final.
    await ingestion.abort()
    t.equal(textOf(tree), 'a=old')
  } else {
    t.equal(textOf(tree), 'a=old b=new')
  }
  await tree.close()
})

t.test('cut off before any call, the tree is as before or has all of it', async (t) => {
  const memory = new MemoryFileSystem()
  const disks: MemoryFileSystem[] = []
  const fs = new FaultFileSystem(memory, () => {
    for (const keepUnsynced of [0, 1])
      disks.push(memory.crashClone({ keepUnsynced, random: () => 0.5 }))
    return undefined
  })
  const tree = await open('/db', { ...manual, fs })
  tree.insert('a', 'old')
  await tree.flush()
  disks.length = 0
  await ingest(tree, [
    ['a', 'new'],
    ['b', 'new'],
  ])
  await tree.close()
  const seen = new Set<string>()
  for (const disk of disks) {
    const again = await open('/db', { ...manual, fs: disk })
    seen.add(textOf(again))
    t.equal(disk.list('/db/tables').length, again.tableCount())
    await again.close()
  }
  t.same([...seen].sort(), ['a=new b=new', 'a=old'])
})
