/** What a tree tells of its storage: whole, by levels and tables, in averages; and that telling it reads nothing. */
import t from 'tap'
import {
  estimatedRemainingEntries,
  leveled,
  open,
  sizeTiered,
  type Tree,
} from '../../../src/main/index.js'
import { FaultFileSystem } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'

const manual = { maintenance: 'manual' } as const
const KEEP = { gcWatermark: 0 }

t.test('`storage_stats`: of an empty tree', async (t) => {
  const tree = await open('db', { fs: 'memory', ...manual })
  t.same(tree.storageStats(), {
    usedBytes: 0,
    capacityBytes: undefined,
    availableBytes: undefined,
    isCompactionPossible: true,
    fullCompactionBytes: 0,
    tightCompactionBytes: 1024 * 1024,
    itemCount: 0,
    tableCount: 0,
    averageEntryBytes: 0,
    averageKeyBytes: undefined,
    averageValueBytes: undefined,
    reclaimableBytesEstimate: 0,
    status: 'healthy',
  })
  t.equal(estimatedRemainingEntries(tree.storageStats(), 1e9), 0)
  await tree.close()
})

t.test('`storage_stats`: figures after a flush, and the same after reopening', async (t) => {
  const fs = new MemoryFileSystem({ capacityBytes: 64 << 20 })
  const tree = await open('/db', { fs, ...manual })
  for (let i = 0; i < 1000; i++) tree.insert(`key${String(i).padStart(5, '0')}`, 'v'.repeat(100))
  t.equal(tree.storageStats().usedBytes, 0, 'memory is no storage')
  await tree.flush()
  const stats = tree.storageStats()
  t.match(stats, { itemCount: 1000, tableCount: 1, averageKeyBytes: 8, averageValueBytes: 100 })
  t.equal(stats.usedBytes, tree.diskSpace())
  t.equal(stats.fullCompactionBytes, stats.usedBytes)
  t.equal(stats.averageEntryBytes, stats.usedBytes / 1000)
  t.equal(stats.availableBytes, fs.availableSpace('/'))
  t.equal(stats.capacityBytes, stats.usedBytes + fs.availableSpace('/'))
  t.equal(estimatedRemainingEntries(stats, stats.usedBytes), 1000)
  await tree.close()
  const again = await open('/db', { fs, ...manual })
  t.same({ ...again.storageStats(), availableBytes: 0 }, { ...stats, availableBytes: 0 })
  fs.setCapacity(0)
  t.match(again.storageStats(), { isCompactionPossible: false, availableBytes: 0 })
  await again.close()
})

t.test('`storage_stats`: the status while a compaction runs', async (t) => {
  const tree = await open('db', { fs: 'memory', ...manual })
  for (const value of ['1', '2']) {
    tree.insert('a', value)
    await tree.flush()
  }
  const merge = tree.majorCompact()
  while (!tree.isCompacting()) await new Promise((resolve) => setImmediate(resolve))
  t.equal(tree.storageStats().status, 'compactionInProgress')
  await merge
  t.equal(tree.storageStats().status, 'healthy')
  await tree.close()
})

async function threeLevels(fs: 'memory' | FaultFileSystem): Promise<Tree> {
  const tree = await open('/db', {
    fs,
    ...manual,
    blockSize: 512,
    runtime: { indexPartitionSpillThreshold: 0, zoneMap: true },
  })
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 400; i++) tree.insert(`key${i}`, `value ${round}`)
    tree.remove(`key${round}`)
    await tree.flush(KEEP)
    if (round === 0) await tree.majorCompact(KEEP)
  }
  return tree
}

t.test('`per_level_stats`: levels add up, and tell how they are read', async (t) => {
  const tree = await threeLevels('memory')
  const before = tree.levelSegmentStats()
  t.equal(before.length, 7)
  t.same(
    before.map(({ level, segmentCount }) => [level, segmentCount]),
    [0, 1, 2, 3, 4, 5, 6].map((level) => [level, tree.levelTableCount(level)]),
  )
  t.ok(before[0]?.segmentCount === 2 && before[6]?.segmentCount === 1)
  const stats = tree.storageStats()
  const sum = (of: (level: (typeof before)[number]) => number): number =>
    before.reduce((total, level) => total + of(level), 0)
  t.equal(
    sum((level) => level.usedBytes),
    stats.usedBytes,
  )
  t.equal(
    sum((level) => level.itemCount),
    stats.itemCount,
  )
  t.equal(
    sum((level) => level.segmentCount),
    stats.tableCount,
  )
  t.equal(
    sum((level) => level.reads),
    0,
  )
  t.equal(
    sum((level) => level.lastAccessSeconds),
    0,
  )
  const now = Math.floor(Date.now() / 1000)
  for (let i = 0; i < 10; i++) t.equal(tree.getString('key7'), 'value 2')
  t.equal(
    tree.get('key7', { seqno: 9 })?.toString(),
    'value 0',
    'a read that only the last level answers',
  )
  const after = tree.levelSegmentStats()
  t.equal(after[0]?.reads, 10)
  t.equal(after[6]?.reads, 1)
  t.ok((after[0]?.lastAccessSeconds ?? 0) >= now - 1)
  t.equal(tree.metrics().tableReads, 11)
  for (let i = 0; i < 1000; i++) tree.get(`absent${i}`)
  t.ok(tree.metrics().tableReads < 200, 'what a filter rejects is no read')
  await tree.close()
})

t.test('`per_level_stats`: reads start over when a tree is opened again', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { fs, ...manual })
  tree.insert('a', '1')
  await tree.flush()
  tree.get('a')
  t.equal(tree.levelSegmentStats()[0]?.reads, 1)
  await tree.close()
  const again = await open('/db', { fs, ...manual })
  t.match(again.levelSegmentStats()[0], { reads: 0, lastAccessSeconds: 0, itemCount: 1 })
  await again.close()
})

t.test(
  '`per_level_stats`: no statistic reads a data block; all but two read nothing',
  async (t) => {
    let reads = 0
    const fs = new FaultFileSystem(new MemoryFileSystem(), ({ operation }) => {
      if (operation === 'read') reads++
      return undefined
    })
    const tree = await threeLevels(fs)
    reads = 0
    tree.storageStats()
    tree.levelSegmentStats()
    tree.compactionDebt()
    tree.compactionDebt(sizeTiered())
    tree.cacheStats()
    tree.metrics()
    for (const figure of [
      tree.diskSpace(),
      tree.tableCount(),
      tree.levelTableCount(0),
      tree.l0RunCount(),
      tree.blobFileCount(),
      tree.sealedMemtableCount(),
      tree.approximateLen(),
      tree.tombstoneCount(),
      tree.weakTombstoneCount(),
      tree.weakTombstoneReclaimableCount(),
      tree.staleBlobBytes(),
      tree.filterSize(),
      tree.pinnedFilterSize(),
      tree.pinnedBlockIndexSize(),
      tree.highestSeqno(),
      tree.highestPersistedSeqno(),
    ]) {
      t.ok(Number.isSafeInteger(figure))
    }
    t.equal(tree.highestMemtableSeqno(), undefined)
    t.equal(reads, 0)
    const before = tree.metrics()
    t.ok(tree.approximateRangeStats({ gte: 'key2', lt: 'key3' }).keyCount > 0)
    t.ok(tree.approximateRangeCardinality({ gte: 'key2', lt: 'key3' }).rows > 0)
    t.ok(reads > 0, 'index partitions and zone maps')
    const after = tree.metrics()
    t.equal(after.dataBlocks.loads, before.dataBlocks.loads)
    t.equal(after.indexBlocks.loads + 3, reads, 'and a zone map for each table')
    reads = 0
    tree.approximateRangeStats({ gte: 'key2', lt: 'key3' })
    tree.approximateRangeCardinality({ gte: 'key2', lt: 'key3' })
    t.equal(reads, 0, 'which stay')
    await tree.close()
  },
)

t.test('the debt is that of the strategy', async (t) => {
  const tree = await threeLevels('memory')
  t.equal(tree.compactionDebt(), 0)
  const eager = leveled({ l0Threshold: 1, targetBytes: 100 })
  t.ok(tree.compactionDebt(eager) > 0)
  t.throws(() => tree.compactionDebt({} as never), { code: 'VARVE_INVALID_ARGUMENT' })
  await tree.close()
})

t.test(
  '`table_weak_tombstones`: weak tombstones, and the pairs that a compaction cancels',
  async (t) => {
    const tree = await open('db', { fs: 'memory', ...manual })
    tree.insert('a', '1')
    tree.removeWeak('a')
    tree.insert('b', '1')
    tree.removeWeak('b')
    tree.removeWeak('alone')
    tree.insert('stacked', '1')
    tree.removeWeak('stacked')
    tree.removeWeak('stacked')
    tree.insert('versions', '1')
    tree.insert('versions', '2')
    tree.removeWeak('versions')
    await tree.flush(KEEP)
    t.equal(tree.weakTombstoneCount(), 6)
    t.equal(tree.tombstoneCount(), 6)
    t.equal(tree.weakTombstoneReclaimableCount(), 4, 'only a value right behind one counts')
    const { reclaimableBytesEstimate, averageEntryBytes } = tree.storageStats()
    t.equal(reclaimableBytesEstimate, Math.round(4 * averageEntryBytes))
    await tree.majorCompact({ gcWatermark: Number.POSITIVE_INFINITY })
    t.equal(tree.weakTombstoneReclaimableCount(), 0)
    await tree.close()
  },
)

t.test('filters and indexes: in files, and in memory', async (t) => {
  const tree = await open('db', {
    fs: 'memory',
    ...manual,
    blockSize: 256,
    filterPartitioning: [false, true],
  })
  for (let i = 0; i < 50_000; i++) tree.insert(`key${i}`, 'value')
  await tree.flush()
  t.equal(tree.pinnedFilterSize() > 50_000, true)
  t.ok(tree.filterSize() >= tree.pinnedFilterSize(), 'a block has a header')
  const whole = tree.pinnedFilterSize()
  await tree.majorCompact()
  t.ok(tree.pinnedFilterSize() < whole / 10, 'of partitions the index alone')
  t.ok(tree.filterSize() > whole / 2)
  t.ok(tree.pinnedBlockIndexSize() > 1000)
  await tree.close()
})
