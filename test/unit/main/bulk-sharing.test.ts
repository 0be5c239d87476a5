/** One pool for ingestions, flushes and merges of several trees: who gets a thread, counted job by job. */
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import { MaintenancePool, open, type Tree } from '../../../src/main/index.js'
import { JobLine, type JobPlace, PASSES_MAX } from '../../../src/main/scheduling/job-line.js'
import type { Job, JobResult } from '../../../src/shared/jobs/jobs.js'

const { heap } = processEnvironment()

/** A pool that notes who got a thread, in order. */
class WatchedPool {
  readonly threads: number
  readonly parallelism: number
  readonly line: JobLine
  /** `kind of owner`, in the order in which they began. */
  readonly served: string[] = []
  readonly #pool: MaintenancePool

  constructor(threads: number) {
    this.#pool = new MaintenancePool({ threads })
    this.threads = threads
    this.line = new JobLine(threads)
    this.parallelism = this.line.mergesMax
  }

  get option(): MaintenancePool {
    return this as unknown as MaintenancePool
  }

  async run(job: Job, place?: JobPlace): Promise<JobResult> {
    return this.line.run(place, () => {
      const isMerge = job.kind === 'compaction' && !job.isIngestion
      const kind = job.kind === 'flush' || isMerge ? job.kind : 'ingest'
      this.served.push(`${kind} ${place?.owner}`)
      return this.#pool.run(job)
    })
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }
}

const ITEMS = 80_000

/** Shuffled pairs, many small jobs; `at` is called when a third of them was taken. */
function* pairs(prefix: string, at?: () => void): Generator<readonly [string, string]> {
  for (let i = 0; i < ITEMS; i++) {
    if (i === Math.floor(ITEMS / 3)) at?.()
    yield [`${prefix}${(i * 7919) % ITEMS}`, 'x'.repeat(40)]
  }
}

const small = { memoryBytes: 256 * 1024 }

function write(tree: Tree, round: number): void {
  for (let i = 0; i < 300; i++) tree.insert(`key${i}`, `value ${round}`)
}

for (const threads of [1, 2]) {
  t.test(
    `a flush and a merge of one tree while another ingests, with ${threads} threads`,
    async (t) => {
      const used = heap.usedBytes
      const pool = new WatchedPool(threads)
      const folder = t.testdir()
      const options = { maintenance: 'manual', pool: pool.option } as const
      const one = await open(join(folder, 'one'), options)
      const two = await open(join(folder, 'two'), options)
      for (let round = 0; round < 2; round++) {
        write(one, round)
        await one.flush()
      }
      write(one, 2)
      let isIngested = false
      let from = 0
      const ends: { kind: string; isBefore: boolean }[] = []
      const work: Promise<unknown>[] = []
      const begin = (): void => {
        from = pool.served.length
        const note = (kind: string) => (): unknown => ends.push({ kind, isBefore: !isIngested })
        work.push(one.flush().then(note('flush')), one.majorCompact().then(note('merge')))
      }
      const ingested = two.bulkIngest(pairs('k', begin), small).then(() => {
        isIngested = true
      })
      await ingested
      await Promise.all(work)
      const behind = pool.served.slice(from)
      const flush = behind.findIndex((one) => one.startsWith('flush'))
      const merge = behind.findIndex((one) => one.startsWith('compaction'))
      t.ok(flush >= 0 && flush <= threads, `${flush} jobs began before the flush did`)
      t.ok(merge >= 0 && merge <= PASSES_MAX + threads, `${merge} jobs began before the merge did`)
      t.ok(behind.length > PASSES_MAX, `${behind.length} jobs in all`)
      t.same(
        ends.map(({ isBefore }) => isBefore),
        [true, true],
        'both ended while it ran',
      )
      t.equal(two.len(), ITEMS)
      t.equal(one.getString('key7'), 'value 2')
      await one.close()
      await two.close()
      await pool.close()
      t.equal(heap.usedBytes, used)
    },
  )

  t.test(`two ingestions side by side take turns, with ${threads} threads`, async (t) => {
    const pool = new WatchedPool(threads)
    const folder = t.testdir()
    const options = { maintenance: 'manual', pool: pool.option } as const
    const one = await open(join(folder, 'one'), options)
    const two = await open(join(folder, 'two'), options)
    await Promise.all([one.bulkIngest(pairs('a'), small), two.bulkIngest(pairs('b'), small)])
    t.equal(one.len() + two.len(), 2 * ITEMS)
    // In the first half of all jobs, neither had twice as many as the other.
    const half = pool.served.slice(0, pool.served.length >> 1)
    const [first] = half
    const own = half.filter((job) => job === first).length
    t.ok(own > half.length / 3 && own < (2 * half.length) / 3, `${own} of ${half.length}`)
    await one.close()
    await two.close()
    await pool.close()
  })
}

t.test('an ingestion takes every thread there is', async (t) => {
  const pool = new WatchedPool(2)
  const tree = await open(t.testdir(), { maintenance: 'manual', pool: pool.option })
  let most = 0
  let running = 0
  const run = pool.run.bind(pool)
  pool.run = async (job, place) => {
    most = Math.max(most, ++running)
    try {
      return await run(job, place)
    } finally {
      running--
    }
  }
  await tree.bulkIngest(pairs('k'), { ...small, parallelism: 2 })
  t.equal(most, 2)
  await tree.close()
  await pool.close()
})

t.test('merges that stand still do not stop an ingestion', async (t) => {
  const pool = new MaintenancePool({ threads: 1 })
  const tree = await open(t.testdir(), { maintenance: 'manual', pool })
  tree.pauseMaintenance()
  await tree.bulkIngest(pairs('k'), small)
  t.equal(tree.len(), ITEMS)
  await tree.close()
  await pool.close()
})
