/** Merges in slices, on threads: what they leave is what a whole merge leaves; a slice that fails leaves nothing. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import {
  comparators,
  MaintenancePool,
  mergeOperators,
  type OpenOptions,
  open,
  type Tree,
} from '../../../src/main/index.js'
import { decodeTree, type TreeOptions } from '../../support/decoder/index.js'
import { Random, runSeed } from '../../support/random.js'
import { codeOf, tableFiles, visibleLines } from '../../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)

const pool = new MaintenancePool({ threads: 4 })
t.teardown(() => pool.close())

const PARALLEL = { compactionThreads: 3, subcompactionMinBytes: 0 }
const SERIAL = { compactionThreads: 1 }

const base = {
  maintenance: 'manual',
  blockSize: 200,
  pool,
  mergeOperator: mergeOperators.append,
} as const

/** Four flushes of overlapping keys, some of them deleted, merged or under range deletes. */
async function fill(tree: Tree, withRanges: boolean): Promise<void> {
  const random = new Random(seed)
  const key = (): string => `key${String(random.below(2000)).padStart(5, '0')}`
  for (let flush = 0; flush < 4; flush++) {
    for (let i = 0; i < 700; i++) {
      const kind = random.below(20)
      if (kind < 12) tree.insert(key(), `value ${flush} ${i}`)
      else if (kind < 15) tree.merge(key(), `+${i}`)
      else if (kind < 18) tree.remove(key())
      else if (withRanges && kind === 19 && random.chance(0.3)) tree.removeRange(key(), key())
    }
    await tree.flush({ gcWatermark: 0 })
  }
}

const decoding = ({ comparator }: OpenOptions): TreeOptions =>
  comparator === undefined
    ? {}
    : { compare: (a, b) => Buffer.compare(b, a), comparatorName: comparators.reverse.name }

const CASES: readonly (readonly [string, OpenOptions, boolean])[] = [
  ['plain', {}, false],
  ['with range deletes', {}, true],
  ['reverse order', { comparator: comparators.reverse }, false],
  [
    'reverse order with range deletes, which stays whole',
    { comparator: comparators.reverse },
    true,
  ],
  [
    'two-level index, partitioned filters',
    { filterPartitioning: true, runtime: { indexPartitionSpillThreshold: 0 } },
    true,
  ],
]

for (const [name, options, withRanges] of CASES) {
  t.test(`\`sub_compaction\`: ${name}`, async (t) => {
    const folder = t.testdir()
    const lines: string[][] = []
    for (const [form, runtime] of Object.entries({ SERIAL, PARALLEL })) {
      const path = join(folder, form)
      const tree = await open(path, {
        ...base,
        ...options,
        runtime: { ...options.runtime, ...runtime },
      })
      await fill(tree, withRanges)
      const before = visibleLines(tree)
      using snapshot = tree.snapshot()
      const old = visibleLines(tree)
      const result = await tree.majorCompact({ targetSize: 4000 })
      t.equal(result.action, 'merged')
      t.same(visibleLines(tree), before, `${form}: nothing that is seen changes`)
      t.same(Array.from(snapshot.iter()).length, old.length)
      lines.push(before)
      const entries = decodeTree(path, decoding(options)).tables.flatMap(({ table }) =>
        table.entries.map((entry) => `${Buffer.from(entry.key)} ${entry.seqno} ${entry.kind}`),
      )
      lines.push(entries)
      await tree.close()
      const again = await open(path, { ...base, ...options })
      t.same(visibleLines(again), before, `${form}: nor after reopening`)
      await again.close()
    }
    const [serialLines, serialEntries, parallelLines, parallelEntries] = lines
    t.same(parallelLines, serialLines)
    t.same(parallelEntries, serialEntries, 'entry for entry')
  })
}

t.test('`parallel_compaction`: several threads work on one merge', async (t) => {
  const folder = t.testdir()
  let most = 0
  let running = 0
  const counting = {
    parallelism: 3,
    threads: 3,
    close: () => pool.close(),
    run: async (job: Parameters<MaintenancePool['run']>[0]) => {
      running++
      most = Math.max(most, running)
      try {
        return await pool.run(job)
      } finally {
        running--
      }
    },
  }
  const tree = await open(folder, {
    ...base,
    pool: counting as unknown as MaintenancePool,
    runtime: PARALLEL,
  })
  await fill(tree, false)
  most = 0
  await tree.majorCompact()
  t.equal(most, 3)
  t.equal(tree.tableCount(), 3)
  await tree.close()
})

t.test(
  'a slice that fails takes the other ones with it, and the tree stays as it was',
  async (t) => {
    const folder = t.testdir()
    let isBroken = false
    let jobs = 0
    const failing = {
      parallelism: 3,
      threads: 3,
      close: () => pool.close(),
      run: (job: Parameters<MaintenancePool['run']>[0]) => {
        if (isBroken && job.kind === 'compaction' && jobs++ === 1)
          throw new Error('a worker is gone')
        return pool.run(job)
      },
    }
    const tree = await open(join(folder, 'db'), {
      ...base,
      pool: failing as unknown as MaintenancePool,
      runtime: PARALLEL,
    })
    await fill(tree, true)
    const before = visibleLines(tree)
    const files = tableFiles(join(folder, 'db'))
    const used = processEnvironment().heap.usedBytes
    isBroken = true
    t.equal(await codeOf(() => tree.majorCompact()), 'no code: a worker is gone')
    t.same(tableFiles(join(folder, 'db')), files, 'no table is left behind')
    t.equal(processEnvironment().heap.usedBytes, used)
    t.same(visibleLines(tree), before)
    isBroken = false
    t.equal((await tree.majorCompact()).action, 'merged')
    t.same(visibleLines(tree), before)
    await tree.close()
    t.ok(readdirSync(join(folder, 'db', 'tables')).length > 0)
  },
)
