/** Bulk ingestion of whole sources: any order, any kind of source, all or nothing. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import {
  type BulkIngestProgress,
  type BulkItem,
  comparators,
  MaintenancePool,
  type OpenOptions,
  open,
  packEntries,
} from '../../../src/main/index.js'
import { FaultFileSystem, failNth } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { decodeTree } from '../../support/decoder/index.js'
import { Random, runSeed } from '../../support/random.js'
import { codeOf, textOf } from '../../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)

const { heap } = processEnvironment()
const pool = new MaintenancePool({ threads: 2 })
t.teardown(() => pool.close())

const memory = { fs: 'memory', maintenance: 'manual' } as const
const small = { runtime: { memtableBytes: 128 * 1024 } }

type Pair = readonly [string, string]

/** Shuffled pairs, some keys several times. */
function shuffled(random: Random, count: number): Pair[] {
  return Array.from({ length: count }, (_, i): Pair => {
    const key = `key${String(random.below(count)).padStart(6, '0')}`
    return [key, `value ${i} ${'x'.repeat(random.below(60))}`]
  })
}

/** The last value of each key, by key. */
function expected(
  pairs: readonly Pair[],
  compare: (a: Buffer, b: Buffer) => number = Buffer.compare,
): string {
  const last = new Map(pairs)
  const sorted = [...last].sort(([a], [b]) => compare(Buffer.from(a), Buffer.from(b)))
  return sorted.map(([key, value]) => `${key}=${value}`).join(' ')
}

async function* later<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await Promise.resolve()
    yield item
  }
}

const FORMS: Readonly<
  Record<string, (pairs: readonly Pair[]) => Iterable<BulkItem> | AsyncIterable<BulkItem>>
> = {
  pairs: (pairs) => pairs,
  'pairs, later': (pairs) => later(pairs),
  'packed chunks': (pairs) => packEntries(pairs, { chunkBytes: 5000 }),
  'packed chunks, later': (pairs) => later(packEntries(pairs)),
  'pairs of bytes': (pairs) =>
    pairs.map(([key, value]) => [Buffer.from(key), Buffer.from(value)] as const),
}

for (const [form, sourceOf] of Object.entries(FORMS)) {
  t.test(`unsorted ${form}: the last value of each key, at one seqno`, async (t) => {
    const used = heap.usedBytes
    const folder = t.testdir()
    const pairs = shuffled(new Random(seed), 6000)
    const tree = await open(folder, { ...small, maintenance: 'manual', pool })
    tree.insert('key000000', 'old')
    tree.insert('old', 'stays')
    const before = tree.snapshot()
    const result = await tree.bulkIngest(sourceOf(pairs))
    t.match(result, { entryCount: 6000, seqno: 2 })
    t.equal(textOf(tree), expected([['old', 'stays'], ['key000000', 'old'], ...pairs]))
    t.equal(textOf(before.iter()), 'key000000=old old=stays')
    t.equal(tree.tableCount(), result.tableCount + 1)
    const decoded = decodeTree(folder)
    t.ok(decoded.tables.filter(({ record }) => Number(record.globalSeqno) === 2).length > 0)
    t.equal(readdirSync(join(folder, 'tables')).length, tree.tableCount(), 'no run is left')
    before[Symbol.dispose]()
    await tree.close()
    t.equal(heap.usedBytes, used)
  })
}

t.test('sorted sources go straight into tables, and are held to their promise', async (t) => {
  const pairs = Array.from(
    { length: 5000 },
    (_, i): Pair => [`k${String(i).padStart(5, '0')}`, `v${i}`],
  )
  for (const source of [pairs, packEntries(pairs, { chunkBytes: 3000 })]) {
    const tree = await open('/db', { ...memory, ...small })
    const { seqno, entryCount } = await tree.bulkIngest(source, { sorted: true })
    t.same([seqno, entryCount], [0, 5000])
    t.equal(textOf(tree), expected(pairs))
    await tree.close()
  }
  const wrong = [...pairs, ['k00010', 'again'] as const]
  for (const source of [wrong, packEntries(wrong)]) {
    const tree = await open('/db', { ...memory, ...small })
    t.equal(await codeOf(() => tree.bulkIngest(source, { sorted: true })), 'VARVE_INGEST_ORDER')
    t.equal(tree.len(), 0)
    t.equal(tree.seqno.get(), 0)
    await tree.close()
  }
})

t.test('more runs than are merged at a time, under other orders as well', async (t) => {
  const cases: readonly OpenOptions[] = [{}, { comparator: comparators.reverse }]
  for (const options of cases) {
    const tree = await open('/db', { ...memory, ...small, ...options })
    const pairs = shuffled(new Random(seed), 40_000)
    await tree.bulkIngest(pairs)
    const reverse = (a: Buffer, b: Buffer): number => Buffer.compare(b, a)
    t.ok(textOf(tree) === expected(pairs, options.comparator === undefined ? undefined : reverse))
    await tree.majorCompact()
    t.equal(tree.len(), new Map(pairs).size)
    await tree.close()
  }
})

t.test('nothing of nothing, and sources and options that are none', async (t) => {
  const tree = await open('/db', memory)
  t.match(await tree.bulkIngest([]), { entryCount: 0, tableCount: 0, seqno: undefined })
  t.equal(tree.seqno.get(), 0)
  const wrong: readonly (() => unknown)[] = [
    () => tree.bulkIngest(3 as never),
    () => tree.bulkIngest([['a']] as never),
    () => tree.bulkIngest([['', 'empty key']]),
    () => tree.bulkIngest([['a', 1]] as never),
    () => tree.bulkIngest(later([[1, 'a']]) as never),
    () => tree.bulkIngest([Buffer.from('no chunk')]),
    () => tree.bulkIngest([], { parallelism: 0 }),
  ]
  for (const call of wrong) t.equal(await codeOf(call), 'VARVE_INVALID_ARGUMENT', String(call))
  t.equal(tree.len(), 0)
  await tree.close()
})

t.test('a source that throws, and a signal, leave nothing behind', async (t) => {
  const used = heap.usedBytes
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...memory, ...small, fs })
  tree.insert('a', 'old')
  async function* failing(): AsyncGenerator<Pair> {
    yield* shuffled(new Random(seed), 4000)
    throw new Error('the source is broken')
  }
  t.equal(await codeOf(() => tree.bulkIngest(failing())), 'no code: the source is broken')
  const controller = new AbortController()
  const phases = new Set<BulkIngestProgress['phase']>()
  let count = 0
  function* endless(): Generator<Pair> {
    for (;;) {
      if (++count === 9000) controller.abort()
      yield [`key${count}`, 'x'.repeat(100)]
    }
  }
  const code = await codeOf(() =>
    tree.bulkIngest(endless(), {
      signal: controller.signal,
      onProgress: ({ phase }) => phases.add(phase),
    }),
  )
  t.equal(code, 'VARVE_ABORTED')
  t.ok(phases.has('reading'))
  t.equal(
    await codeOf(() => tree.bulkIngest([['a', 'b']], { signal: AbortSignal.abort() })),
    'VARVE_ABORTED',
  )
  t.same(fs.list('/db/tables'), [])
  t.equal(textOf(tree), 'a=old')
  await tree.close()
  t.equal(heap.usedBytes, used)
})

t.test(
  'the source is not read further than the workers take it, and the event loop turns',
  async (t) => {
    let taken = 0
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const blocked: (() => void)[] = []
    const slow = {
      parallelism: 2,
      threads: 2,
      close: () => pool.close(),
      run: async (job: Parameters<MaintenancePool['run']>[0]) => {
        if (job.kind === 'ingest') await new Promise<void>((resolve) => blocked.push(resolve))
        return pool.run(job)
      },
    }
    const tree = await open(t.testdir(), {
      ...small,
      maintenance: 'manual',
      pool: slow as unknown as MaintenancePool,
    })
    function* source(): Generator<Pair> {
      for (; taken < 10_000; taken++) yield [`key${taken}`, 'x'.repeat(100)]
    }
    const ingested = tree.bulkIngest(source())
    while (blocked.length < 2) await new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    t.ok(taken < 4500, `${taken} taken: two buffers on their way, the third one full`)
    const release = setInterval(() => blocked.splice(0).map((go) => go()), 1)
    t.match(await ingested, { entryCount: 10_000 })
    clearInterval(timer)
    clearInterval(release)
    t.ok(turns > 0)
    await tree.close()
  },
)

t.test(
  'every file call fails once: the tree is as before, or has all of it; no file is left',
  async (t) => {
    const used = heap.usedBytes
    const pairs = shuffled(new Random(seed), 1500)
    let failures = 0
    for (let n = 1; ; n += 1 + (n >> 3)) {
      const disk = new MemoryFileSystem()
      const fs = new FaultFileSystem(disk)
      const tree = await open('/db', { ...memory, ...small, fs })
      const base = fs.callCount
      fs.setRule(failNth(base + n))
      const code = await codeOf(() => tree.bulkIngest(pairs))
      const isOver = fs.callCount < base + n
      fs.setRule()
      if (code !== undefined) {
        failures++
        t.match(code, /^VARVE_/, `call ${n}`)
        t.equal(tree.len(), 0)
      } else t.ok(textOf(tree) === expected(pairs))
      await tree.close().catch(() => undefined)
      const again = await open('/db', { ...memory, fs: disk })
      t.ok(['', expected(pairs)].includes(textOf(again)))
      t.equal(disk.list('/db/tables').length, again.tableCount())
      await again.close()
      if (isOver) break
    }
    t.ok(failures > 5)
    t.equal(heap.usedBytes, used)
  },
)

t.test('two at once, with flushes and merges beside them', async (t) => {
  const tree = await open(t.testdir(), { ...small, pool })
  const one = Array.from(
    { length: 4000 },
    (_, i): Pair => [`one${(i * 7919) % 4000}`, 'x'.repeat(50)],
  )
  const two = Array.from(
    { length: 4000 },
    (_, i): Pair => [`two${(i * 7919) % 4000}`, 'x'.repeat(50)],
  )
  const both = Promise.all([tree.bulkIngest(one), tree.bulkIngest(later(two))])
  for (let i = 0; i < 2000; i++) {
    if (!tree.insert(`own${i}`, 'x'.repeat(100))) await tree.drained()
  }
  await both
  await tree.idle()
  t.equal(tree.len(), 10_000)
  await tree.close()
})

t.test('chunks: round trip, entries that are larger than one, keys that are none', async (t) => {
  const pairs: Pair[] = [
    ['a', ''],
    ['b', 'x'.repeat(5000)],
    ['c', '1'],
    ['d', 'y'.repeat(90)],
  ]
  const chunks = [...packEntries(pairs, { chunkBytes: 100 })]
  t.ok(chunks.length >= 3)
  const tree = await open('/db', memory)
  await tree.bulkIngest(chunks)
  t.equal(textOf(tree), expected(pairs))
  t.equal(await codeOf(() => [...packEntries([['', 'x']])]), 'VARVE_INVALID_ARGUMENT')
  await tree.close()
})
