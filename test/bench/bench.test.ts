/** The macro benches run tiny, so that they cannot rot: every workload, and equal results in all rounds. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runAmplification } from '../../bench/amplification.js'
import { runBulk } from '../../bench/bulk.js'
import { runLoad } from '../../bench/load.js'
import { ENGINES, NATIVE } from '../../bench/macro/contestants.js'

import { type PeerRow, runPeers } from '../../bench/peers.js'
import { runReads } from '../../bench/reads.js'
import { runBench } from '../../bench/run.js'
import { runThreads } from '../../bench/threads.js'

t.test('every macro workload runs, and finds in each round what it found before', async (test) => {
  const rows = await runBench({
    num: 2000,
    keySize: 16,
    valueSize: 100,
    cacheBytes: 4 * 2 ** 20,
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

t.test('amplification is measured under every strategy', async (test) => {
  const rows = await runAmplification({
    ...{ num: 6000, reads: 300, memtableBytes: 256 * 1024 },
    ...{ policies: [], withRocks: false },
  })
  test.equal(rows.length, 7)
  for (const { policy, write, space, tables, blocks } of rows) {
    test.ok(write > 0.5 && space > 1 && tables > 0 && blocks > 0, policy)
  }
  const major = rows.find(({ policy }) => policy.includes('major'))
  test.equal(major?.tables, 1, 'one run is one table for each read')
})

t.test('every way to read the same keys finds the same', async (test) => {
  const figures = await runReads({ num: 3000, rounds: 1, batches: 3 })
  test.ok(figures.length >= 20)
  const sums = new Map<string, number>()
  for (const { cache, name, wallNs, checksum } of figures) {
    test.ok(wallNs > 0, name)
    const kind = `${cache} ${name.includes('seek') ? 'seeks' : 'reads'}`
    test.equal(sums.get(kind) ?? checksum, checksum, `${kind} by ${name}`)
    sums.set(kind, checksum)
  }
})

t.test('threads that read one tree find the same in every round', async (test) => {
  const figures = await runThreads({ num: 2000, threads: [1, 2], seconds: 0.01, rounds: 2 })
  test.equal(figures.length, 10)
  for (const { name, rate, checksum } of figures) test.ok(rate > 0 && checksum > 0, name)
  const gets = figures.filter(({ name, threads }) => name.startsWith('get') && threads === 1)
  test.equal(gets.length, 4)
})

t.test('the load test finds every entry, in the memory that it may take', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'varve-load-'))
  test.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const MIB = 2 ** 20
  const report = await runLoad(join(folder, 'tree'), {
    num: 20_000,
    keyBytes: 16,
    valueBytes: 100,
    cacheBytes: MIB,
    memtableBytes: MIB,
  })
  // What this process holds beside the load test is the other tests' doing.
  const failures = report.failures.filter((failure) => !/resident|JavaScript heap/.test(failure))
  test.strictSame(failures, [])
  test.ok(report.writeAmplification > 0)
})

t.test('every way of bulk ingestion brings every entry', async (test) => {
  const figures = await runBulk({ num: 3000, keyBytes: 16, valueBytes: 100, rounds: 1 })
  test.equal(figures.length, 8)
  for (const { name, found } of figures) test.equal(found, 3000, name)
})

t.test('varve and the peers that are installed read what was written', async (test) => {
  const rows: PeerRow[] = []
  await runPeers(
    {
      ...{ num: 500, numSteady: 2000, rounds: 1, cacheBytes: 2 ** 20, seed: 1 },
      // db_bench waits for its compactions in steps of five seconds.
      ...{ engines: ENGINES.filter((name) => name !== NATIVE), workloads: [] },
    },
    {
      add: (row) => rows.push(row),
      onStep: () => undefined,
      onFailure(error) {
        throw error
      },
    },
  )
  const own = rows.filter(({ engine }) => engine === 'varve')
  test.equal(own.length, 28)
})

t.test('db_bench does the same work where it is installed', async (test) => {
  const rows: PeerRow[] = []
  const options = { num: 2000, numSteady: 2000, rounds: 1, cacheBytes: 2 ** 20, seed: 1 }
  const workloads = ['fillseq', 'readrandom', 'readmissing', 'multiget', 'flush', 'compact']
  await runPeers(
    { ...options, engines: [NATIVE], workloads },
    {
      add: (row) => rows.push(row),
      onStep: () => undefined,
      onFailure(error) {
        throw error
      },
    },
  )
  if (rows.length === 0) return test.pass('it is not installed')
  test.strictSame(rows.map(({ name }) => name).sort(), [...workloads].sort())
  for (const { name, wallNs } of rows) test.ok(wallNs > 0, name)
})
