/** Estimates of ranges: exact for everything, close for parts, and never larger for less. */
import t from 'tap'
import { comparators, type OpenOptions, open, type Tree } from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { Random, runSeed } from '../../support/random.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

const keyOf = (i: number): string => `key${String(i).padStart(7, '0')}`

/** Uniform keys in a table, so that any share of them is that share of everything. */
async function uniform(count: number, options: OpenOptions = {}): Promise<Tree> {
  const tree = await open('db', { ...memory, compression: 'none', ...options })
  for (let i = 0; i < count; i++) tree.insert(keyOf(i), 'v'.repeat(50))
  await tree.flush()
  return tree
}

const within = (value: number, expected: number, share: number): boolean =>
  Math.abs(value - expected) <= share * expected

for (const [name, options] of [
  ['one level of index', {}],
  ['two levels of index', { runtime: { indexPartitionSpillThreshold: 0 } }],
  ['zone maps', { runtime: { zoneMap: true } }],
] as const) {
  t.test(
    `\`approximate_range_stats\`: exact for all, within 15 % for parts: ${name}`,
    async (t) => {
      const count = 60_000
      const tree = await uniform(count, options)
      const all = tree.approximateRangeStats()
      t.equal(all.keyCount, count)
      t.ok(within(all.bytes, tree.diskSpace(), 0.1))
      t.same(tree.approximateRangeStats({ gte: keyOf(0), lte: keyOf(count) }), all)
      for (const share of [0.5, 0.2, 0.05, 0.02]) {
        for (const start of [0, 0.1, 0.33, 0.7]) {
          const range = {
            gte: keyOf(Math.floor(start * count)),
            lt: keyOf(Math.floor(Math.min(1, start + share) * count)),
          }
          const expected = Math.min(1, start + share) - start
          const { bytes, keyCount } = tree.approximateRangeStats(range)
          t.ok(within(keyCount, expected * count, 0.15), `${keyCount} of ${expected * count} keys`)
          t.ok(within(bytes, expected * all.bytes, 0.15), `${bytes} bytes`)
        }
      }
      const single = tree.approximateRangeStats({ gte: keyOf(5), lte: keyOf(5) })
      t.ok(single.keyCount >= 1 && single.bytes > 0 && single.bytes < 10_000, 'a single block')
      for (const empty of [
        { gte: 'z', lt: 'a' },
        { gt: 'k', lt: 'k' },
        { gte: 'z' },
        { lt: 'a' },
        { gte: keyOf(5), lt: keyOf(5) },
      ]) {
        t.same(tree.approximateRangeStats(empty), { bytes: 0, keyCount: 0 })
        t.same(tree.approximateRangeCardinality(empty), { rows: 0, selectivity: 0 })
      }
      await tree.close()
    },
  )

  t.test(`\`range_cardinality\`: all, parts and gaps: ${name}`, async (t) => {
    const count = 60_000
    const tree = await uniform(count, options)
    t.same(tree.approximateRangeCardinality(), { rows: count, selectivity: 1 })
    for (const share of [0.5, 0.1, 0.03]) {
      const { rows, selectivity } = tree.approximateRangeCardinality({
        gte: keyOf(10_000),
        lt: keyOf(10_000 + share * count),
      })
      t.ok(within(rows, share * count, 0.15), `${rows} of ${share * count}`)
      t.ok(within(selectivity, share, 0.15))
    }
    const seed = runSeed()
    t.comment(`SEED=${seed}`)
    const random = new Random(seed)
    for (let i = 0; i < 200; i++) {
      const [a, b, c, d] = Array.from({ length: 4 }, () => random.below(count)).sort(
        (left, right) => left - right,
      ) as [number, number, number, number]
      const wide = { gte: keyOf(a), lt: keyOf(d) }
      const narrow = { gte: keyOf(b), lt: keyOf(c) }
      const [more, less] = [wide, narrow].map((range) => tree.approximateRangeCardinality(range))
      if ((less?.selectivity ?? 0) > (more?.selectivity ?? 0)) t.fail(`${a} ${b} ${c} ${d}`)
      const [moreBytes, lessBytes] = [wide, narrow].map((range) =>
        tree.approximateRangeStats(range),
      )
      if ((lessBytes?.bytes ?? 0) > (moreBytes?.bytes ?? 0)) t.fail(`bytes ${a} ${b} ${c} ${d}`)
    }
    await tree.close()
  })
}

t.test(
  '`range_cardinality`: a gap between blocks holds nothing, where a zone map tells',
  async (t) => {
    const gap = { gte: 'b', lt: 'y' }
    for (const zoneMap of [true, false]) {
      const tree = await open('db', { ...memory, blockSize: 1, runtime: { zoneMap } })
      for (const key of ['a1', 'a2', 'a3', 'z1', 'z2', 'z3']) tree.insert(key, 'value')
      await tree.flush()
      const { rows } = tree.approximateRangeCardinality(gap)
      if (zoneMap) t.equal(rows, 0)
      else t.ok(rows >= 1)
      t.equal(tree.approximateRangeCardinality({ gte: 'a2', lte: 'z1' }).rows, 3)
      await tree.close()
    }
  },
)

t.test('memory counts exactly, at the seqno that is asked for', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 100; i++) tree.insert(keyOf(i), 'value')
  tree.rotateMemtable()
  for (let i = 0; i < 100; i++) tree.insert(keyOf(i), 'again')
  t.equal(tree.approximateRangeStats().keyCount, 200)
  t.equal(tree.approximateRangeStats({ gte: keyOf(10), lt: keyOf(20) }).keyCount, 20)
  t.equal(tree.approximateRangeStats({ gt: keyOf(10), lte: keyOf(20) }).keyCount, 20)
  t.equal(tree.approximateRangeStats({ gte: keyOf(10), lt: keyOf(20), seqno: 100 }).keyCount, 10)
  t.equal(tree.approximateRangeStats({ seqno: 0 }).keyCount, 0)
  t.ok(tree.approximateRangeStats().bytes > 2000)
  t.same(tree.approximateRangeCardinality({ lt: keyOf(50) }), { rows: 100, selectivity: 0.5 })
  await tree.close()
})

t.test('an older snapshot sees the tables of its time, not what was ingested since', async (t) => {
  const tree = await uniform(1000)
  using snapshot = tree.snapshot()
  const { seqno } = snapshot
  const ingestion = tree.ingestion()
  for (let i = 0; i < 1000; i++) ingestion.write(keyOf(5000 + i), 'value')
  await ingestion.finish()
  t.equal(tree.approximateRangeStats().keyCount, 2000)
  t.equal(tree.approximateRangeStats({ seqno }).keyCount, 1000)
  t.same(tree.approximateRangeCardinality({ seqno }), { rows: 1000, selectivity: 1 })
  await tree.close()
})

t.test('an order of its own', async (t) => {
  const options = { comparator: comparators.reverse, runtime: { zoneMap: true } }
  const tree = await uniform(20_000, options)
  const range = { gt: keyOf(15_000), lte: keyOf(5_000) }
  t.ok(within(tree.approximateRangeStats(range).keyCount, 10_000, 0.15))
  t.ok(within(tree.approximateRangeCardinality(range).rows, 10_000, 0.15))
  t.equal(tree.approximateRangeStats({ gt: keyOf(5_000), lt: keyOf(15_000) }).keyCount, 0)
  await tree.close()
})

t.test(
  '`range_cardinality`: a damaged zone map is told, and every other read goes on',
  async (t) => {
    const fs = new MemoryFileSystem()
    const options: OpenOptions = { fs, maintenance: 'manual', runtime: { zoneMap: true } }
    const tree = await open('/db', options)
    for (let i = 0; i < 5000; i++) tree.insert(keyOf(i), 'value')
    await tree.flush()
    await tree.close()
    const name = fs.list('/db/tables')[0]?.name
    const file = fs.openRead(`/db/tables/${name}`)
    const bytes = Buffer.alloc(file.size())
    file.read(bytes, 0)
    // The zone map lies between the index, which ends in the last key, and the meta block: one of its own first keys.
    const at = bytes.lastIndexOf(keyOf(0), bytes.indexOf('created_at') - 1)
    bytes[at + 4] = (bytes[at + 4] as number) ^ 0xff
    const writer = fs.openAppend(`/db/tables/${name}`)
    writer.writeAt(bytes, 0)
    writer.close()
    const again = await open('/db', options)
    t.throws(() => again.approximateRangeCardinality({ gte: keyOf(1) }), {
      code: 'VARVE_CHECKSUM_MISMATCH',
    })
    t.equal(again.approximateRangeStats().keyCount, 5000)
    t.equal(again.len(), 5000)
    await again.close()
  },
)
