/** What reads count: blocks by kind, filters, files; and what caches may be told. */
import { join } from 'node:path'
import t from 'tap'
import { Cache, open, type Tree } from '../../../src/main/index.js'
import { Random, runSeed } from '../../support/random.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

t.test('blocks are counted by kind: loads, bytes, hits', async (t) => {
  using cache = new Cache({ capacityBytes: 8 << 20 })
  const tree = await open('db', {
    ...memory,
    cache,
    blockSize: 512,
    filterPartitioning: true,
    runtime: { indexPartitionSpillThreshold: 0 },
  })
  const nothing = { loads: 0, loadBytes: 0, cachedLoads: 0, hitRate: 1 }
  t.match(tree.metrics(), { dataBlocks: nothing, blocks: nothing, filterEfficiency: 1, rowHits: 0 })
  for (let i = 0; i < 2000; i++) tree.insert(`key${i}`, 'value')
  tree.removeRange('x', 'y')
  await tree.flush()
  t.match(tree.metrics().rangeTombstoneBlocks, { loads: 1, cachedLoads: 0, hitRate: 0 })
  tree.get('key5')
  const first = tree.metrics()
  t.match(first.dataBlocks, { loads: 1, cachedLoads: 0, hitRate: 0 })
  t.match(first.indexBlocks, { loads: 1, cachedLoads: 0 })
  t.match(first.filterBlocks, { loads: 1, cachedLoads: 0 })
  t.ok(first.dataBlocks.loadBytes > 100)
  t.equal(first.blocks.loads, 4)
  tree.get('key5')
  const second = tree.metrics()
  t.match(second.dataBlocks, { loads: 1, cachedLoads: 1, hitRate: 0.5 })
  t.match(second.indexBlocks, { loads: 1, cachedLoads: 1 })
  t.match(second.filterBlocks, { loads: 1, cachedLoads: 1 })
  t.equal(tree.len(), 2000)
  t.equal(tree.len(), 2000)
  const scanned = tree.metrics()
  t.ok(scanned.dataBlocks.cachedLoads >= scanned.dataBlocks.loads - 2, 'a second scan finds all')
  t.equal(tree.multiGet(['key5', 'key6', 'key7', 'absent']).length, 4)
  t.equal(tree.metrics().dataBlocks.loads, scanned.dataBlocks.loads)
  const { hits, misses } = tree.cacheStats()
  t.equal(hits, tree.metrics().blocks.cachedLoads)
  t.equal(misses, tree.metrics().blocks.loads - 1, 'range tombstones are not cached')
  t.equal(tree.cacheStats().hitRate, hits / (hits + misses))
  await tree.close()
})

t.test('`tree_filter_hit_rate`: queries for absent and present keys', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 10_000; i++) tree.insert(`key${i}`, 'value')
  await tree.flush()
  for (let i = 0; i < 1000; i++) tree.get(`key${i}`)
  t.match(tree.metrics(), { filterQueries: 1000, filterSkips: 0, filterEfficiency: 0 })
  // Behind the last key no filter is asked.
  t.equal(tree.get('key9999x'), undefined)
  for (let i = 0; i < 1000; i++) tree.get(`key${1000 + i}x`)
  const { filterQueries, filterSkips, filterEfficiency, dataBlocks } = tree.metrics()
  t.equal(filterQueries, 2000)
  t.ok(filterSkips > 960 && filterSkips <= 1000)
  t.equal(filterEfficiency, filterSkips / 2000)
  t.ok(dataBlocks.loads + dataBlocks.cachedLoads < 1030)
  await tree.close()
})

t.test('files that were open, and versions that snapshots keep', async (t) => {
  using cache = new Cache({ capacityBytes: 0 })
  const tree = await open(join(t.testdir(), 'db'), { maintenance: 'manual', cache })
  tree.insert('a', '1')
  await tree.flush()
  tree.get('a')
  tree.get('a')
  const metrics = tree.metrics()
  t.equal(metrics.openFiles, 1)
  t.ok(metrics.openFileHitRate > 0.5)
  t.equal(metrics.keptVersions, 0)
  t.equal(metrics.maintenance.localJobs, 0, 'a worker flushed')
  const snapshot = tree.snapshot()
  tree.insert('a', '2')
  await tree.flush()
  await tree.majorCompact({ gcWatermark: Number.POSITIVE_INFINITY })
  t.ok(tree.metrics().keptVersions > 0)
  snapshot[Symbol.dispose]()
  await tree.close()
})

async function churned(metadataPriority: boolean): Promise<number> {
  using cache = new Cache({ capacityBytes: 1 << 20, metadataPriority })
  const tree = await open('db', {
    ...memory,
    cache,
    filterPartitioning: true,
    blockSize: 4096,
    compression: 'none',
  })
  for (let i = 0; i < 60_000; i++) tree.insert(`key${i}`, 'v'.repeat(100))
  await tree.flush()
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 60_000; i += 3000) tree.get(`key${i}`)
    for (const _ of tree.range({ values: false }));
  }
  const { loads } = tree.metrics().filterBlocks
  await tree.close()
  return loads
}

t.test('`cache_metadata_priority`: filters outlast data that comes and goes', async (t) => {
  const [first, equal] = [await churned(true), await churned(false)]
  t.ok(first * 3 < equal, `${first} filter blocks loaded with priority, ${equal} without`)
  t.throws(() => new Cache({ metadataPriority: 1 as never }), TypeError)
  t.throws(() => new Cache({ rowCache: 'yes' as never }), TypeError)
})

t.test('`row_cache`: off unless it is asked for', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  await tree.flush()
  for (let i = 0; i < 5; i++) tree.get('a')
  t.equal(tree.metrics().rowHits, 0)
  t.equal(tree.metrics().maintenance.localJobs, 1, 'no worker reaches memory')
  await tree.close()
})

async function withRows(capacityBytes = 4 << 20): Promise<{ tree: Tree; cache: Cache }> {
  const cache = new Cache({ capacityBytes, rowCache: true })
  return { cache, tree: await open('db', { ...memory, cache }) }
}

t.test('`row_cache`: a repeated read is answered by a row, without a block', async (t) => {
  const { tree, cache } = await withRows()
  for (let i = 0; i < 5000; i++) tree.insert(`key${i}`, `value${i}`)
  await tree.flush()
  t.equal(tree.getString('key77'), 'value77')
  const before = tree.metrics()
  for (let i = 0; i < 10; i++) t.equal(tree.getString('key77'), 'value77')
  using pinned = tree.getPinned('key77')
  t.equal(String(pinned?.value), 'value77')
  t.same(tree.multiGet(['key77', 'key77', 'absent']).map(String), [
    'value77',
    'value77',
    'undefined',
  ])
  const after = tree.metrics()
  t.equal(after.rowHits - before.rowHits, 13)
  t.equal(after.dataBlocks.cachedLoads, before.dataBlocks.cachedLoads)
  await tree.close()
  cache[Symbol.dispose]()
})

t.test(
  '`row_cache`: older snapshots see older versions, and newer ones what was written since',
  async (t) => {
    const { tree, cache } = await withRows()
    tree.insert('a', 'old')
    const old = tree.snapshot()
    tree.insert('a', 'new')
    await tree.flush({ gcWatermark: 0 })
    t.equal(tree.getString('a'), 'new')
    t.equal(tree.getString('a'), 'new')
    t.equal(old.getString('a'), 'old', 'the row is too new for it')
    t.equal(old.getString('a'), 'old')
    tree.insert('a', 'newest')
    t.equal(tree.getString('a'), 'newest', 'memory comes first')
    await tree.flush()
    t.equal(tree.getString('a'), 'newest', 'and so does the newer table')
    t.equal(tree.getString('a'), 'newest')
    tree.removeRange('a', 'b')
    t.equal(tree.get('a'), undefined)
    await tree.flush()
    t.equal(tree.get('a'), undefined, 'a range delete hides a row')
    old[Symbol.dispose]()
    await tree.majorCompact()
    t.equal(tree.get('a'), undefined)
    await tree.close()
    cache[Symbol.dispose]()
  },
)

t.test('`row_cache`: random reads are those of a tree without it', async (t) => {
  const seed = runSeed()
  t.comment(`SEED=${seed}`)
  const random = new Random(seed)
  const { tree, cache } = await withRows(random.pick([100 << 10, 2 << 20]))
  const plain = await open('plain', memory)
  const key = (): string => `key${random.below(300)}`
  for (let step = 0; step < 6000; step++) {
    const dice = random.below(100)
    if (dice < 20) {
      const [name, value] = [key(), `value${step}${'.'.repeat(random.below(300))}`]
      for (const one of [tree, plain]) one.insert(name, value)
    } else if (dice < 24) {
      const name = key()
      for (const one of [tree, plain]) one.remove(name)
    } else if (dice === 24) await Promise.all([tree.flush(), plain.flush()])
    else if (dice === 25 && random.chance(0.2)) {
      await Promise.all([tree.majorCompact(), plain.majorCompact()])
    } else {
      const name = key()
      if (tree.getString(name) !== plain.getString(name)) t.fail(`step ${step}: ${name}`)
    }
  }
  t.ok(tree.metrics().rowHits > 100)
  await tree.close()
  await plain.close()
  cache[Symbol.dispose]()
})
