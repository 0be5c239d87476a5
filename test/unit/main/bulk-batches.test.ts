// How the chunks of a bulk ingestion become the batches of its jobs.
import t from 'tap'
import { MaintenancePool, open, packEntries } from '../../../src/main/index.js'
import { cutEvenly, type GatheredChunks } from '../../../src/main/ingestion/chunk-batch.js'
import type { Job } from '../../../src/shared/jobs/jobs.js'
import { Random, runSeed } from '../../support/random.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
const MIB = 2 ** 20

function batchOf(lengths: readonly number[], first: number): GatheredChunks {
  return {
    chunks: lengths.map((length) => new Uint8Array(length)),
    numbers: lengths.map((_, i) => first + i),
    bytes: lengths.reduce((sum, length) => sum + length, 0),
    longest: Math.max(0, ...lengths),
  }
}

t.test('batches are cut evenly, every chunk once and in order', async (t) => {
  const random = new Random(seed)
  for (let round = 0; round < 300; round++) {
    let total = 0
    const batches = Array.from({ length: random.below(4) }, () => {
      const lengths = Array.from({ length: 1 + random.below(9) }, () => 1 + random.below(1000))
      total += lengths.length
      return batchOf(lengths, total - lengths.length)
    })
    const count = 1 + random.below(6)
    const pieces = cutEvenly(batches, count)
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0)
    const longest = Math.max(0, ...batches.map((batch) => batch.longest))
    t.same(
      pieces.flatMap(({ numbers }) => numbers),
      Array.from({ length: total }, (_, i) => i),
    )
    t.ok(pieces.length <= count)
    for (const piece of pieces) {
      t.ok(piece.chunks.length > 0 && piece.bytes < bytes / count + longest + 1)
      t.same(
        piece,
        batchOf(
          piece.chunks.map(({ length }) => length),
          piece.numbers[0] ?? 0,
        ),
      )
    }
  }
})

t.test('two threads end with as much each, whatever the size of a batch', async (t) => {
  const pool = new MaintenancePool({ threads: 2 })
  const taken: number[] = []
  const watched = {
    parallelism: 2,
    threads: 2,
    close: () => pool.close(),
    run: (job: Job) => {
      if (job.kind === 'ingest' && job.source.kind === 'chunks')
        taken.push(job.source.chunks.reduce((sum, { length }) => sum + length, 0))
      return pool.run(job)
    },
  }
  const tree = await open(t.testdir(), {
    maintenance: 'manual',
    pool: watched as unknown as MaintenancePool,
  })
  function* entries(count: number): Generator<readonly [string, Buffer]> {
    const value = Buffer.alloc(10_000, 7)
    for (let i = 0; i < count; i++) yield [`key${String(i).padStart(6, '0')}`, value]
  }
  const chunks = [...packEntries(entries(5400))]
  await tree.bulkIngest(chunks, { sorted: true })
  t.equal(tree.len(), 5400)
  const last = taken.slice(-2)
  const [a, b] = last as [number, number]
  t.ok(Math.abs(a - b) <= 1.1 * MIB, `${taken.map((bytes) => (bytes / MIB).toFixed(1))}`)
  t.ok(Math.max(...taken) < 40 * MIB)
  await tree.close()
  await pool.close()
})
