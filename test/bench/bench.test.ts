/** The macro bench runs tiny, so that it cannot rot: every workload, and equal results in all rounds. */
import t from 'tap'
import { runBench } from '../../bench/run.js'

t.test('every macro workload runs, and finds in each round what it found before', async (test) => {
  const rows = await runBench({
    num: 2000,
    keySize: 16,
    valueSize: 100,
    cacheMb: 4,
    reads: 500,
    seed: 1,
    rounds: 2,
    workloads: [],
  })
  test.ok(rows.length >= 17)
  for (const row of rows) test.ok(row.wallNs > 0, row.name)
  const scanned = rows.filter(({ name }) => name === 'readseq' || name === 'readreverse')
  test.same(
    scanned.map(({ operations }) => operations),
    [2000, 2000],
  )
})
