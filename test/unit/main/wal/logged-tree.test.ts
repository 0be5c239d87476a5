/** Writes through the log: durabilities, order, group commit, refusal, back-pressure, closing. */
import t from 'tap'
import { WriteBatch } from '../../../../src/main/index.js'
import { type LogOptions, openLogged } from '../../../../src/main/wal/index.js'
import { FaultFileSystem, failOn } from '../../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { codeOf, concatenation } from '../../../support/trees.js'

const manual = (fs: NonNullable<LogOptions['tree']>['fs'] = 'memory'): LogOptions => ({
  tree: { fs, maintenance: 'manual', mergeOperator: concatenation },
  bufferMs: 0,
})

t.test('every kind of write comes back after a crash, once', async (t) => {
  const fs = new MemoryFileSystem()
  const db = await openLogged('/db', manual(fs))
  t.same(db.recovery, { replayed: 0, persistedBelow: 0, cut: undefined })
  await db.insert('a', '1')
  await db.insert('b', new Uint8Array([50]))
  await db.insert('p:1', 'x')
  await db.insert('r1', 'x')
  await db.insert('w', 'x')
  await db.removeWeak('w')
  await db.remove('b')
  await db.merge('m', 'a')
  await db.merge('m', 'b')
  await db.removePrefix('p:')
  await db.removeRange('r', 's')
  await db.apply(
    new WriteBatch().insert('c', '3').merge('m', 'c').remove('a').removeRange('x', 'y'),
  )
  const seen = [...db.tree.range()].map(String)
  t.same(seen, ['c,3', 'm,abc'])
  const again = await openLogged('/db', manual(fs.crashClone({ keepUnsynced: 1, random: () => 0 })))
  t.equal(again.recovery.replayed, 12)
  t.same([...again.tree.range()].map(String), seen)
  t.equal(again.tree.visibleSeqno.get(), db.tree.visibleSeqno.get())
  await again.close()
  await db.close()
})

t.test('what was flushed is not replayed, and its segments go', async (t) => {
  const fs = new MemoryFileSystem()
  const db = await openLogged('/db', { ...manual(fs), segmentBytes: 1024 })
  for (let i = 0; i < 100; i++) await db.merge('m', String(i % 10))
  t.ok(db.stats().segments > 2)
  await db.flush()
  t.equal(db.stats().persistedBelow, 100)
  await db.merge('m', 'x')
  const value = db.tree.getString('m')
  t.equal(value?.length, 101)
  t.ok(db.stats().segments <= 2)
  await new Promise((done) => setImmediate(done))
  t.ok(fs.list('/db/wal').length <= 2)
  const clone = fs.crashClone({ keepUnsynced: 1, random: () => 0 })
  const again = await openLogged('/db', manual(clone))
  t.equal(again.recovery.replayed, 1)
  t.equal(again.tree.getString('m'), value)
  await again.close()
  await db.close()
})

t.test('waiting writers share one write and one sync', async (t) => {
  const db = await openLogged('/db', manual())
  const before = db.stats()
  await Promise.all(
    Array.from({ length: 64 }, (_, i) => db.insert(`k${i}`, 'v', { durability: 'disk' })),
  )
  const after = db.stats()
  t.equal(after.acknowledged.disk, 64)
  t.equal(after.syncs - before.syncs, 1)
  t.equal(after.writes - before.writes, 1)
  await db.insert('one', 'more', { durability: 'process' })
  t.equal(db.stats().syncs, after.syncs, `'process' asks for no sync`)
  await db.close()
})

t.test(`'memory' is applied at once, and written later`, async (t) => {
  const db = await openLogged('/db', { ...manual(), bufferBytes: 1 << 20, bufferMs: 1 << 20 })
  const { writes } = db.stats()
  void db.insert('a', '1', { durability: 'memory' })
  t.equal(db.tree.getString('a'), '1')
  t.equal(db.stats().writes, writes)
  await db.sync()
  t.equal(db.stats().writes, writes + 1)
  await db.close()
})

t.test('writes apply in the order of their calls, whatever their durability', async (t) => {
  const db = await openLogged('/db', manual())
  const seqnos: number[] = []
  await Promise.all(
    (['disk', 'memory', 'process', 'memory', 'disk', 'process'] as const).map(
      async (durability, i) => {
        seqnos.push(await db.merge('m', String(i), { durability }))
      },
    ),
  )
  t.equal(db.tree.getString('m'), '012345')
  t.same(
    seqnos,
    [...seqnos].sort((left, right) => left - right),
  )
  await db.close()
})

t.test('keys and values are copied before the call returns', async (t) => {
  const db = await openLogged('/db', manual())
  const value = Buffer.from('before')
  const written = db.insert('k', value, { durability: 'disk' })
  value.fill(0)
  const batch = new WriteBatch().insert('b', 'kept')
  const applied = db.apply(batch)
  batch.clear()
  await Promise.all([written, applied])
  t.equal(db.tree.getString('k'), 'before')
  t.equal(db.tree.getString('b'), 'kept')
  await db.close()
})

t.test('a refused call leaves nothing in the log', async (t) => {
  const fs = new MemoryFileSystem()
  const db = await openLogged('/db', manual(fs))
  t.equal(await codeOf(() => db.insert('', 'v')), 'VARVE_INVALID_ARGUMENT')
  t.equal(await codeOf(() => db.insert('k', 1 as unknown as string)), 'VARVE_INVALID_ARGUMENT')
  t.equal(await codeOf(() => db.remove('x'.repeat(70_000))), 'VARVE_INVALID_ARGUMENT')
  t.equal(await codeOf(() => db.insert('k', Buffer.alloc(64 * 2 ** 20))), 'VARVE_INVALID_ARGUMENT')
  t.equal(
    await codeOf(() => db.apply(new WriteBatch().insert('k', 'v').remove('k'))),
    'VARVE_MIXED_BATCH',
  )
  t.equal(
    await codeOf(() => db.insert('k', 'v', { durability: 'twice' as 'disk' })),
    'VARVE_INVALID_ARGUMENT',
  )
  t.equal(db.stats().records, 0)
  await db.close()
  t.equal(await codeOf(() => db.insert('k', 'v')), 'VARVE_CLOSED')
  t.equal(
    await codeOf(() => openLogged('/db', { tree: { readOnly: true } })),
    'VARVE_INVALID_ARGUMENT',
  )
})

t.test('what a full tree refuses is not replayed', async (t) => {
  const fs = new MemoryFileSystem()
  const options = {
    ...manual(fs),
    tree: { ...manual(fs).tree, runtime: { memtableBytes: 128 * 1024, maxSealedMemtables: 1 } },
  }
  const db = await openLogged('/db', options)
  const outcomes = await Promise.all(
    Array.from({ length: 60 }, (_, i) => codeOf(() => db.insert(`k${i}`, Buffer.alloc(10_000, 1)))),
  )
  t.ok(outcomes.includes('VARVE_STALLED'))
  t.equal(await codeOf(() => db.insert('z', Buffer.alloc(40_000))), 'VARVE_STALLED')
  const expected = [...db.tree.range({ values: false })].map(String)
  t.equal(expected.length, outcomes.filter((code) => code === undefined).length)
  const clone = fs.crashClone({ keepUnsynced: 1, random: () => 0 })
  const again = await openLogged('/db', { ...options, tree: { ...options.tree, fs: clone } })
  t.same([...again.tree.range({ values: false })].map(String), expected)
  await again.close()
  await db.flush()
  await db.insert('z', 'now')
  await db.close()
})

t.test('a tree that is behind is waited for', async (t) => {
  const db = await openLogged('/db', {
    tree: { fs: 'memory', runtime: { memtableBytes: 128 * 1024, maxSealedMemtables: 1 } },
  })
  await Promise.all(Array.from({ length: 200 }, (_, i) => db.insert(`k${i}`, Buffer.alloc(9000))))
  for (let i = 0; i < 50; i++) {
    await db.insert(`m${i}`, Buffer.alloc(9000), { durability: 'memory' })
  }
  t.equal(db.tree.len(), 250)
  await db.close()
})

t.test('too much in line is refused', async (t) => {
  const db = await openLogged('/db', { ...manual(), pendingBytesMax: 1000 })
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, i) => codeOf(() => db.insert(`k${i}`, Buffer.alloc(100)))),
  )
  const refused = outcomes.filter((code) => code === 'VARVE_STALLED').length
  t.ok(refused > 5 && refused < 20)
  t.equal(db.tree.len(), 20 - refused)
  await db.close()
})

t.test('clear drops what the log still holds', async (t) => {
  const fs = new MemoryFileSystem()
  const db = await openLogged('/db', manual(fs))
  await db.insert('a', '1')
  await db.flush()
  await Promise.all([db.insert('b', '1'), db.clear(), db.merge('c', '1'), db.merge('c', '2')])
  const clone = fs.crashClone({ keepUnsynced: 1, random: () => 0 })
  t.same([...db.tree.range()].map(String), ['c,12'])
  const again = await openLogged('/db', manual(clone))
  t.same([...again.tree.range()].map(String), ['c,12'])
  await again.close()
  await db.close()
})

t.test('a failed sync ends the log for good, and never counts', async (t) => {
  const memory = new MemoryFileSystem()
  const fs = new FaultFileSystem(memory)
  const db = await openLogged('/db', manual(fs))
  await db.insert('a', '1', { durability: 'disk' })
  fs.setRule(failOn('sync', { times: 1 }))
  const { syncs } = db.stats()
  t.equal(await codeOf(() => db.insert('b', '1', { durability: 'disk' })), 'VARVE_IO')
  t.equal(db.stats().syncs, syncs + 1)
  t.equal(db.tree.getString('b'), undefined, 'not applied')
  const failure = await db.insert('c', '1').catch((error: Error) => error)
  t.match(failure, { code: 'VARVE_IO', cause: { code: 'VARVE_IO', details: { errno: 'EIO' } } })
  t.equal(failure, db.failure)
  t.equal(db.tree.getString('a'), '1', 'reads go on')
  t.equal(await codeOf(() => db.tree.flush()), 'VARVE_IO', 'no flush past a failed log')
  t.equal(db.stats().syncs, syncs + 1, 'never synced again')
  await db.close()
  const again = await openLogged(
    '/db',
    manual(memory.crashClone({ keepUnsynced: 0, random: () => 0 })),
  )
  t.equal(again.tree.getString('a'), '1')
  await again.close()
})

t.test('a full disk refuses, and the log stays whole', async (t) => {
  const memory = new MemoryFileSystem()
  const fs = new FaultFileSystem(memory)
  const db = await openLogged('/db', { ...manual(fs), bufferMs: 1 << 20 })
  await db.merge('m', 'a', { durability: 'disk' })
  await db.merge('m', 'b', { durability: 'memory' })
  let isFull = true
  fs.setRule(({ operation }) =>
    isFull && operation === 'write' ? { errno: 'ENOSPC', writtenBytes: 20 } : undefined,
  )
  const codes = await Promise.all(
    (['disk', 'memory', 'process'] as const).map((durability) =>
      codeOf(() => db.merge('m', '!', { durability })),
    ),
  )
  t.same(codes, ['VARVE_STORAGE_FULL', 'VARVE_STORAGE_FULL', 'VARVE_STORAGE_FULL'])
  t.equal(db.tree.getString('m'), 'ab')
  t.equal(db.failure, undefined)
  isFull = false
  await db.merge('m', 'c')
  t.equal(db.tree.getString('m'), 'abc')
  const again = await openLogged(
    '/db',
    manual(memory.crashClone({ keepUnsynced: 1, random: () => 0 })),
  )
  t.equal(again.tree.getString('m'), 'abc')
  t.equal(again.recovery.cut, undefined)
  await again.close()
  await db.close()
})

t.test('close without a flush leaves memtables to the log', async (t) => {
  const fs = new MemoryFileSystem()
  const db = await openLogged('/db', manual(fs))
  await db.merge('m', 'a', { durability: 'memory' })
  await db.close({ flush: 'discard' })
  const again = await openLogged('/db', manual(fs))
  t.equal(again.recovery.replayed, 1)
  t.equal(again.tree.getString('m'), 'a')
  await again.close()
  const last = await openLogged('/db', manual(fs))
  t.equal(last.recovery.replayed, 0)
  t.equal(last.tree.getString('m'), 'a')
  t.ok(fs.list('/db/wal').length <= 2)
  await last.close()
})

t.test('an ingestion beside the log: neither is lost, nor hides the other', async (t) => {
  const fs = new MemoryFileSystem()
  const db = await openLogged('/db', manual(fs))
  await db.merge('m', 'a')
  const late = db.insert('k', 'before', { durability: 'disk' })
  const ingestion = db.ingestion()
  ingestion.write('k', 'ingested')
  ingestion.write('n', 'ingested')
  const value = Buffer.from('c')
  const finished = ingestion.finish()
  const held = [db.merge('m', 'b'), db.merge('m', value)]
  value.fill(0)
  const { seqno } = await finished
  await Promise.all([late, ...held])
  t.ok((await late) < Number(seqno) && Number(seqno) < (await (held[0] as Promise<number>)))
  const expected = ['k,ingested', 'm,abc', 'n,ingested']
  t.same([...db.tree.range()].map(String), expected)
  const again = await openLogged('/db', manual(fs.crashClone({ keepUnsynced: 1, random: () => 0 })))
  t.same([...again.tree.range()].map(String), expected)
  t.equal(again.recovery.replayed, 2)
  await again.close()
  await db.close()
})

t.test('a bulk ingestion beside the log: writes wait, and none is lost', async (t) => {
  const fs = new MemoryFileSystem()
  const db = await openLogged('/db', manual(fs))
  await db.merge('m', 'a')
  const ingested = db.bulkIngest([
    ['n', 'old'],
    ['k', 'ingested'],
    ['n', 'ingested'],
  ])
  const held = db.merge('m', 'b')
  const { seqno } = await ingested
  t.ok(Number(seqno) < (await held))
  const expected = ['k,ingested', 'm,ab', 'n,ingested']
  t.same([...db.tree.range()].map(String), expected)
  const again = await openLogged('/db', manual(fs.crashClone({ keepUnsynced: 1, random: () => 0 })))
  t.same([...again.tree.range()].map(String), expected)
  await again.close()
  await db.close()
})
