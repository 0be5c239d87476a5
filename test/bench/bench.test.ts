/** The macro bench runs tiny, so that it cannot rot: every workload, and equal results in all rounds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runBench } from '../../bench/run.js'

test('every macro workload runs, and finds in each round what it found before', async () => {
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
  assert.ok(rows.length >= 17)
  for (const row of rows) assert.ok(row.wallNs > 0, row.name)
  const scanned = rows.filter(({ name }) => name === 'readseq' || name === 'readreverse')
  assert.deepEqual(
    scanned.map(({ operations }) => operations),
    [2000, 2000],
  )
})
