/** The life of a tree and of what is made from it: close, `using`, and what every method says afterwards. */

import t from 'tap'
import { Cache, open, type Snapshot, type Tree, WriteBatch } from '../../../src/main/index.js'
import { codeOf, textOf } from '../../support/trees.js'

let checkpoints = 0

const memory = { fs: 'memory', maintenance: 'manual' } as const

/** Every method of a tree, with arguments that an open tree takes. */
const METHODS: Readonly<Record<string, (tree: Tree) => unknown>> = {
  insert: (tree) => tree.insert('a', '1'),
  remove: (tree) => tree.remove('a'),
  removeWeak: (tree) => tree.removeWeak('w'),
  merge: (tree) => tree.merge('m', '1'),
  removeRange: (tree) => tree.removeRange('x', 'y'),
  removePrefix: (tree) => tree.removePrefix('x'),
  deleteRange: (tree) => tree.deleteRange('x', 'y'),
  deletePrefix: (tree) => tree.deletePrefix('x'),
  tryInsert: (tree) => tree.tryInsert('a', '1'),
  tryRemove: (tree) => tree.tryRemove('a'),
  tryRemoveWeak: (tree) => tree.tryRemoveWeak('w'),
  tryMerge: (tree) => tree.tryMerge('m', '1'),
  tryRemoveRange: (tree) => tree.tryRemoveRange('x', 'y'),
  writeBackpressure: (tree) => tree.writeBackpressure(),
  writeAdmission: (tree) => tree.writeAdmission(),
  isReadOnly: (tree) => tree.isReadOnly(),
  apply: (tree) => tree.apply(new WriteBatch().insert('a', '1')),
  drained: (tree) => tree.drained(),
  get: (tree) => tree.get('a'),
  getString: (tree) => tree.getString('a'),
  getInto: (tree) => tree.getInto('a', new Uint8Array(1)),
  getPinned: (tree) => tree.getPinned('a')?.[Symbol.dispose](),
  getAsync: (tree) => tree.getAsync('a'),
  multiGet: (tree) => tree.multiGet(['a']),
  multiGetAsync: (tree) => tree.multiGetAsync(['a']),
  containsKey: (tree) => tree.containsKey('a'),
  containsPrefix: (tree) => tree.containsPrefix('a'),
  sizeOf: (tree) => tree.sizeOf('a'),
  range: (tree) => tree.range(),
  prefix: (tree) => tree.prefix('a'),
  iter: (tree) => tree.iter(),
  'Symbol.iterator': (tree) => tree[Symbol.iterator](),
  guards: (tree) => tree.guards().return(),
  seekable: (tree) => tree.seekable().return(),
  batchRangeScan: (tree) => tree.batchRangeScan([{ gte: 'a' }]).return(),
  rangeAsync: (tree) => tree.rangeAsync().return(),
  trace: (tree) => tree.trace('a'),
  firstKeyValue: (tree) => tree.firstKeyValue(),
  lastKeyValue: (tree) => tree.lastKeyValue(),
  isEmpty: (tree) => tree.isEmpty(),
  len: (tree) => tree.len(),
  scanSinceSeqno: (tree) => tree.scanSinceSeqno(0)[Symbol.dispose](),
  snapshot: (tree) => tree.snapshot(),
  bulkIngest: (tree) => tree.bulkIngest([['a', '1']]),
  ingestion: (tree) => tree.ingestion().abort(),
  rotateMemtable: (tree) => tree.rotateMemtable(),
  flush: (tree) => tree.flush(),
  compact: (tree) => tree.compact(),
  majorCompact: (tree) => tree.majorCompact(),
  pauseMaintenance: (tree) => tree.pauseMaintenance(),
  resumeMaintenance: (tree) => tree.resumeMaintenance(),
  clear: (tree) => tree.clear(),
  dropRange: (tree) => tree.dropRange({ lt: 'a' }),
  createCheckpoint: (tree) => tree.createCheckpoint(`checkpoint-${++checkpoints}`),
  updateRuntimeConfig: (tree) => tree.updateRuntimeConfig({}),
  tableCount: (tree) => tree.tableCount(),
  levelTableCount: (tree) => tree.levelTableCount(0),
  levelSegmentStats: (tree) => tree.levelSegmentStats(),
  metrics: (tree) => tree.metrics(),
  storageStats: (tree) => tree.storageStats(),
  approximateRangeStats: (tree) => tree.approximateRangeStats(),
  approximateRangeCardinality: (tree) => tree.approximateRangeCardinality(),
  blobFileCount: (tree) => tree.blobFileCount(),
  staleBlobBytes: (tree) => tree.staleBlobBytes(),
  weakTombstoneReclaimableCount: (tree) => tree.weakTombstoneReclaimableCount(),
  pinnedFilterSize: (tree) => tree.pinnedFilterSize(),
  pinnedBlockIndexSize: (tree) => tree.pinnedBlockIndexSize(),
  isCompacting: (tree) => tree.isCompacting(),
  l0RunCount: (tree) => tree.l0RunCount(),
  sealedMemtableCount: (tree) => tree.sealedMemtableCount(),
  approximateLen: (tree) => tree.approximateLen(),
  tombstoneCount: (tree) => tree.tombstoneCount(),
  weakTombstoneCount: (tree) => tree.weakTombstoneCount(),
  compactionDebt: (tree) => tree.compactionDebt(),
  printLevels: (tree) => tree.printLevels(),
  diskSpace: (tree) => tree.diskSpace(),
  filterSize: (tree) => tree.filterSize(),
  cacheStats: (tree) => tree.cacheStats(),
  highestPersistedSeqno: (tree) => tree.highestPersistedSeqno(),
  highestMemtableSeqno: (tree) => tree.highestMemtableSeqno(),
  highestSeqno: (tree) => tree.highestSeqno(),
}

/** What works on a closed tree as well, what is not for users to call, and what no tree in memory can (sharing/shares). */
const ALWAYS = [
  'constructor',
  'close',
  'on',
  'off',
  'idle',
  'snapshotCount',
  'asyncDispose',
  'beginRead',
  'share',
]

/** Names of the methods of an object, those of the classes that its class extends included. */
function methodsOf(object: object): (string | symbol)[] {
  const names: (string | symbol)[] = []
  for (
    let prototype = Object.getPrototypeOf(object);
    prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const name of Reflect.ownKeys(prototype)) {
      const property = Object.getOwnPropertyDescriptor(prototype, name)
      if (typeof property?.value === 'function') names.push(name)
    }
  }
  return names
}

t.test('after close every method says VARVE_CLOSED', async (t) => {
  const tree = await open('db', memory)
  const described = methodsOf(tree)
  const names = described.map((name) =>
    typeof name === 'symbol' ? (name.description ?? '').replace('nodejs.', '') : name,
  )
  const untested = names.filter((name) => !(name in METHODS) && !ALWAYS.includes(name))
  t.same(untested, [], 'the table names every method')
  for (const [name, call] of Object.entries(METHODS)) {
    t.equal(await codeOf(() => call(tree)), undefined, `${name} works while it is open`)
  }
  await tree.close()
  for (const [name, call] of Object.entries(METHODS)) {
    t.equal(await codeOf(() => call(tree)), 'VARVE_CLOSED', name)
  }
  await tree.idle()
  t.equal(tree.path.endsWith('/db'), true, 'properties stay readable')
  t.ok(Object.isFrozen(tree.runtimeConfig))
})

t.test('a snapshot outlives its tree only to say VARVE_CLOSED', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  const snapshot = tree.snapshot()
  const calls: Readonly<Record<string, (snapshot: Snapshot) => unknown>> = {
    get: (snapshot) => snapshot.get('a'),
    getString: (snapshot) => snapshot.getString('a'),
    getInto: (snapshot) => snapshot.getInto('a', new Uint8Array(1)),
    getPinned: (snapshot) => snapshot.getPinned('a')?.[Symbol.dispose](),
    getAsync: (snapshot) => snapshot.getAsync('a'),
    multiGet: (snapshot) => snapshot.multiGet(['a']),
    multiGetAsync: (snapshot) => snapshot.multiGetAsync(['a']),
    guards: (snapshot) => snapshot.guards().return(),
    seekable: (snapshot) => snapshot.seekable().return(),
    batchRangeScan: (snapshot) => snapshot.batchRangeScan([{ gte: 'a' }]).return(),
    rangeAsync: (snapshot) => snapshot.rangeAsync().return(),
    trace: (snapshot) => snapshot.trace('a'),
    containsKey: (snapshot) => snapshot.containsKey('a'),
    containsPrefix: (snapshot) => snapshot.containsPrefix('a'),
    sizeOf: (snapshot) => snapshot.sizeOf('a'),
    range: (snapshot) => snapshot.range(),
    prefix: (snapshot) => snapshot.prefix('a'),
    iter: (snapshot) => snapshot.iter(),
    firstKeyValue: (snapshot) => snapshot.firstKeyValue(),
    lastKeyValue: (snapshot) => snapshot.lastKeyValue(),
    isEmpty: (snapshot) => snapshot.isEmpty(),
    len: (snapshot) => snapshot.len(),
  }
  for (const [name, call] of Object.entries(calls)) {
    t.equal(await codeOf(() => call(snapshot)), undefined, `${name} works while it is open`)
  }
  await tree.close()
  for (const [name, call] of Object.entries(calls)) {
    t.equal(await codeOf(() => call(snapshot)), 'VARVE_CLOSED', name)
  }
  snapshot[Symbol.dispose]()
})

t.test('a disposed snapshot does not read', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  const snapshot = tree.snapshot()
  snapshot[Symbol.dispose]()
  snapshot[Symbol.dispose]()
  t.equal(tree.snapshotCount(), 0, 'disposing twice counts once')
  t.equal(await codeOf(() => snapshot.get('a')), 'VARVE_CLOSED')
  t.equal(await codeOf(() => snapshot.range()), 'VARVE_CLOSED')
  await tree.close()
})

t.test('close twice, one after the other and at once', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  await Promise.all([tree.close(), tree.close()])
  await tree.close()
  t.notOk(tree.isOpen)
})

t.test('from the call of close on nothing is taken any more', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder)
  tree.insert('a', '1')
  const closing = tree.close()
  t.equal(await codeOf(() => tree.insert('b', '2')), 'VARVE_CLOSED')
  t.equal(await codeOf(() => tree.get('a')), 'VARVE_CLOSED')
  t.equal(await codeOf(() => tree.flush()), 'VARVE_CLOSED')
  await closing
  const again = await open(folder)
  t.equal(textOf(again.range()), 'a=1')
  await again.close()
})

t.test('close takes flush: auto or discard, nothing else', async (t) => {
  const folder = t.testdir()
  const first = await open(folder)
  first.insert('a', '1')
  t.equal(await codeOf(() => first.close({ flush: 'maybe' as never })), 'VARVE_INVALID_ARGUMENT')
  t.ok(first.isOpen, 'a wrong argument closes nothing')
  await first.close({ flush: 'auto' })
  const second = await open(folder)
  second.insert('b', '2')
  await second.close({ flush: 'discard' })
  const third = await open(folder)
  t.equal(textOf(third.range()), 'a=1')
  await third.close()
})

t.test('close waits for flushes and ends merges', async (t) => {
  const tree = await open(t.testdir())
  for (let i = 0; i < 2_000; i++) tree.insert(`k${i}`, 'v')
  const flush = tree.flush()
  const compaction = tree.majorCompact()
  await tree.close()
  t.match(await flush, { tableCount: 1 })
  t.ok([undefined, 'VARVE_ABORTED', 'VARVE_CLOSED'].includes(await codeOf(() => compaction)))
})

t.test('a tree may be closed while it waits for nothing', async (t) => {
  const tree = await open('db', { fs: 'memory', runtime: { memtableBytes: 128 * 1024 } })
  const drained = tree.drained()
  await tree.close()
  t.ok([undefined, 'VARVE_CLOSED'].includes(await codeOf(() => drained)))
})

t.test('await using closes', async (t) => {
  let kept: Tree
  {
    await using tree = await open('db', memory)
    tree.insert('a', '1')
    kept = tree
  }
  t.notOk(kept.isOpen)
})

t.test('using lets go of snapshots, iterators and caches', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  {
    using snapshot = tree.snapshot()
    t.equal(snapshot.getString('a'), '1')
    t.equal(tree.snapshotCount(), 1)
    using entries = tree.range()
    t.equal(String(entries.next().value?.[0]), 'a')
  }
  t.equal(tree.snapshotCount(), 0)
  let kept: Cache
  {
    using cache = new Cache({ capacityBytes: 1 << 20 })
    kept = cache
  }
  await t.rejects(open('db2', { ...memory, cache: kept }), RangeError, 'a disposed cache')
  await tree.close()
})

t.test('runtimeConfig is frozen, validated, and swapped whole', async (t) => {
  const tree = await open('db', { ...memory, runtime: { maxSealedMemtables: 5 } })
  const before = tree.runtimeConfig
  t.equal(before.maxSealedMemtables, 5)
  t.ok(Object.isFrozen(before))
  t.throws(() => Object.assign(before, { maxSealedMemtables: 6 }), TypeError)
  tree.updateRuntimeConfig({ maxSealedMemtables: 7 })
  t.equal(tree.runtimeConfig.maxSealedMemtables, 7)
  t.equal(before.maxSealedMemtables, 5, 'what was handed out stays as it was')
  const wrong = { maxSealedMemtables: 8, memtableBytes: 1 }
  t.equal(await codeOf(() => tree.updateRuntimeConfig(wrong)), 'VARVE_INVALID_ARGUMENT')
  t.throws(() => tree.updateRuntimeConfig(wrong), RangeError)
  t.throws(() => tree.updateRuntimeConfig({ speed: 1 } as never), TypeError)
  t.equal(tree.runtimeConfig.maxSealedMemtables, 7, 'all of it or nothing')
  await tree.close()
})
