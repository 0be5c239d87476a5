/** What runs when: flushes at once that install in order, two trees on one thread, pauses, retries, settings in flight. */

import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import {
  leveled,
  MaintenancePool,
  moveDown,
  type OpenOptions,
  open,
  type Tree,
} from '../../../../src/main/index.js'
import { FaultFileSystem, failOn } from '../../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { GatedPool, latch } from '../../../support/gated-pool.js'
import { codeOf, visibleLines } from '../../../support/trees.js'

const SMALL = 128 * 1024

/** Fills a write buffer and seals it. */
function seal(tree: Tree, round: number): void {
  for (let i = 0; i < 20; i++) tree.insert(`key ${i}`, `round ${round}`)
  tree.insert(`round ${round}`, 'x')
  tree.rotateMemtable()
}

/** A tree of which three flushes may run at once, and no merge. */
function openFlushing(folder: string, pool: GatedPool): Promise<Tree> {
  return open(folder, {
    pool: pool.option,
    runtime: { memtableBytes: SMALL, maxSealedMemtables: 5, flushConcurrency: 3 },
    strategy: leveled({ l0Threshold: 99 }),
  })
}

/** Turns of the event loop after which what is waited for will not come. */
const TURNS_MAX = 2_000_000

/** Resolves when `holds`: looked at again after each turn of the event loop. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn > TURNS_MAX) throw new Error(`never: ${holds}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** What a process of its own prints that runs `script`, without what the test runner loads into processes. */
async function runAlone(folder: string, script: string): Promise<string> {
  const path = join(folder, 'script.mjs')
  writeFileSync(path, script)
  const env = { ...process.env, NODE_OPTIONS: '' }
  const { stdout } = await promisify(execFile)(process.execPath, [path], { env })
  return stdout.trim()
}

t.test('flushes run at once, and install in the order of their memtables', async (t) => {
  const first = latch()
  const inner = new MaintenancePool({ threads: 4 })
  let ended = 0
  const pool = new GatedPool(inner, async (_job, number) => {
    if (number === 1) await first.opened
    ended++
  })
  const folder = t.testdir()
  const tree = await openFlushing(folder, pool)
  const installed: number[] = []
  tree.on('flush', ({ highestSeqno }) => installed.push(highestSeqno))
  for (let round = 1; round <= 3; round++) seal(tree, round)
  t.equal(tree.metrics().maintenance.flushesRunning, 3)
  await until(() => ended === 2)
  t.equal(tree.tableCount(), 0, 'newer data does not come before older data')
  t.equal(tree.sealedMemtableCount(), 3)
  t.equal(tree.getString('key 3'), 'round 3')
  first.open()
  await tree.idle()
  t.same(installed, [20, 41, 62])
  t.equal(tree.getString('key 3'), 'round 3')
  t.match(tree.metrics().maintenance, { flushes: 3, memtablesFlushed: 3, flushesRunning: 0 })
  await tree.close()
  await pool.close()
})

t.test('a flush that fails takes those behind it along, and all are tried again', async (t) => {
  const first = latch()
  const inner = new MaintenancePool({ threads: 4 })
  let ended = 0
  const pool = new GatedPool(inner, async (_job, number) => {
    if (number === 1) {
      await first.opened
      throw new Error('lost')
    }
    ended++
  })
  const folder = t.testdir()
  const tree = await openFlushing(folder, pool)
  const errors: string[] = []
  tree.on('error', ({ message }) => errors.push(message))
  for (let round = 1; round <= 3; round++) seal(tree, round)
  await until(() => ended === 2)
  first.open()
  await until(() => tree.lastError !== undefined)
  t.equal(tree.tableCount(), 0)
  t.equal(tree.sealedMemtableCount(), 3)
  await tree.drained()
  await until(() => tree.sealedMemtableCount() === 0)
  t.same(errors, ['lost'], 'told once')
  t.equal(tree.lastError, undefined)
  t.match(tree.metrics().maintenance, { flushFailures: 1, memtablesFlushed: 3 })
  t.equal(tree.getString('key 3'), 'round 3')
  await tree.close()
  const again = await open(folder)
  t.equal(again.getString('key 3'), 'round 3')
  t.equal(again.len(), 23)
  await again.close()
  await pool.close()
})

t.test(
  'two trees, one thread: flushes of both come first, then their merges in turns',
  async (t) => {
    const pool = new MaintenancePool({ threads: 1 })
    const order: string[] = []
    const settings: OpenOptions = {
      pool,
      maintenance: 'manual',
      runtime: { compactionConcurrency: 4, memtableBytes: SMALL },
      compression: 'none',
    }
    const openNamed = async (name: string): Promise<Tree> => {
      const tree = await open(join(t.testdirName, name), settings)
      // Four disjoint tables of L0, so that four merges may run at once.
      for (const part of ['k', 'l', 'm', 'n']) {
        for (let round = 0; round < 2; round++) {
          for (let i = 0; i < 50; i++) tree.insert(`${part}${i}`, `${round}`)
          await tree.flush({ gcWatermark: 0 })
        }
      }
      tree.on('flush', () => order.push(`${name} flush`))
      tree.on('compaction', () => order.push(`${name} merge`))
      return tree
    }
    t.testdir()
    const a = await openNamed('a')
    const b = await openNamed('b')
    /** Merges the two tables of one part. */
    const mergePart = (tree: Tree, part: string) =>
      tree.compact({
        name: part,
        pendingBytes: () => 0,
        choose: (version) => {
          const tables = version.levels
            .flat(2)
            .filter(({ keyMin }) => keyMin[0] === part.charCodeAt(0))
          const tableIds = tables.map(({ id }) => id)
          const destination = { destination: 0, canonicalLevel: 0, targetBytes: 2 ** 26 }
          return { kind: 'merge', input: { tableIds, ...destination } }
        },
      })
    const work: Promise<unknown>[] = ['k', 'l', 'm', 'n'].map((part) => mergePart(a, part))
    work.push(mergePart(b, 'k'), mergePart(b, 'l'))
    for (const tree of [a, b]) {
      tree.insert('new', '1')
      work.push(tree.flush())
    }
    await Promise.all(work)
    t.same(order, [
      'a merge',
      'b flush',
      'a flush',
      'b merge',
      'a merge',
      'b merge',
      'a merge',
      'a merge',
    ])
    await Promise.all([a.close(), b.close()])
    await pool.close()
  },
)

t.test('settings that change in flight: concurrency and size of write buffers', async (t) => {
  const held = latch()
  const fs = new MemoryFileSystem()
  const runtime = { memtableBytes: 4 * SMALL, maxSealedMemtables: 8 }
  const tree = await open('/db', { fs, runtime, beforeFlush: () => held.opened })
  const running = (): number => tree.metrics().maintenance.flushesRunning
  for (let round = 1; round <= 4; round++) seal(tree, round)
  t.equal(running(), 1)
  tree.updateRuntimeConfig({ flushConcurrency: 3 })
  t.equal(running(), 3, 'at once, for what waits')
  tree.updateRuntimeConfig({ flushConcurrency: 1 })
  t.equal(running(), 3, 'what runs goes on')
  // The buffer at hand has the old size, the next one the new.
  const entries = (): number => {
    const before = tree.sealedMemtableCount()
    let count = 0
    while (tree.sealedMemtableCount() === before) {
      tree.insert(`entry ${count}`, 'x'.repeat(1000))
      count++
    }
    return count
  }
  tree.updateRuntimeConfig({ memtableBytes: SMALL })
  const [old, small] = [entries(), entries()]
  t.ok(old > 3 * small, `${old} entries, then ${small}`)
  tree.updateRuntimeConfig({ maxSealedMemtables: tree.sealedMemtableCount() })
  t.equal(tree.insert('a', '1'), false)
  tree.updateRuntimeConfig({ maxSealedMemtables: 9 })
  t.equal(tree.insert('a', '1'), true)
  held.open()
  await tree.idle()
  t.equal(tree.sealedMemtableCount(), 0)
  t.equal(running(), 0)
  await tree.close()
})

t.test('compactionConcurrency counts from the next compaction on', async (t) => {
  const held = latch()
  const inner = new MaintenancePool({ threads: 4 })
  const pool = new GatedPool(inner, (job) => (job.kind === 'compaction' ? held.opened : undefined))
  const tree = await open(t.testdir(), { pool: pool.option, maintenance: 'manual' })
  for (let round = 0; round < 4; round++) {
    tree.insert(`${'abcd'[round]}`, '1')
    await tree.flush()
  }
  const one = (id: number) =>
    tree.compact({
      name: 'one',
      pendingBytes: () => 0,
      choose: () => ({
        kind: 'merge',
        input: { tableIds: [id], destination: 0, canonicalLevel: 0, targetBytes: 2 ** 26 },
      }),
    })
  const ids = tree
    .levelSegmentStats()
    .flatMap(({ segments }) => segments.map(({ tableId }) => tableId))
  const work = ids.map(one)
  const merging = (): number => pool.begun.filter((kind) => kind === 'compaction').length
  await until(() => merging() === 1)
  t.equal(tree.metrics().maintenance.compactionsRunning, 1)
  tree.updateRuntimeConfig({ compactionConcurrency: 3 })
  await until(() => merging() === 3)
  t.equal(tree.metrics().maintenance.compactionsRunning, 3)
  held.open()
  await Promise.all(work)
  t.match(tree.metrics().maintenance, { merges: 4, compactionsRunning: 0 })
  await tree.close()
  await pool.close()
})

t.test('paused, no compaction begins by itself; flushes go on; resumed, it does', async (t) => {
  const tree = await open('/db', { fs: 'memory', strategy: leveled({ l0Threshold: 2 }) })
  await tree.idle()
  tree.pauseMaintenance()
  for (let round = 0; round < 5; round++) {
    tree.insert('a', `${round}`)
    await tree.flush()
  }
  await tree.idle()
  t.equal(tree.l0RunCount(), 5)
  t.match(tree.metrics().maintenance, { merges: 0, moves: 0 })
  tree.resumeMaintenance()
  await tree.idle()
  t.ok(tree.l0RunCount() < 2)
  tree.pauseMaintenance()
  await tree.close()
})

t.test('a compaction that keeps failing holds up no flush, and stands in lastError', async (t) => {
  const fs = new FaultFileSystem(new MemoryFileSystem())
  const tree = await open('/db', { fs, strategy: leveled({ l0Threshold: 2 }) })
  const errors: Error[] = []
  tree.on('error', (error) => errors.push(error))
  tree.insert('a', '0')
  await tree.flush()
  await tree.idle()
  // The merge reads its inputs from files; flushes read none.
  const table = `/db/tables/${tree.levelSegmentStats().flatMap(({ segments }) => segments)[0]?.tableId}`
  fs.setRule(failOn('read', { path: table }))
  for (let round = 1; round < 4; round++) {
    tree.insert('a', `${round}`)
    tree.rotateMemtable()
    await until(() => tree.sealedMemtableCount() === 0)
  }
  await until(() => errors.length > 0)
  t.match(tree.metrics().maintenance, { flushFailures: 0, flushes: 4 })
  t.equal(tree.lastError, errors.at(-1), 'no success of a flush hides it')
  t.match(tree.lastError, { code: 'VARVE_IO' })
  t.equal(tree.getString('a'), '3')
  fs.setRule()
  await until(() => tree.lastError === undefined)
  t.ok(tree.l0RunCount() < 2)
  await tree.close()
})

t.test(
  'a failed manifest write is told once, and refuses writes with its cause; reads go on',
  async (t) => {
    const memory = new MemoryFileSystem()
    const fs = new FaultFileSystem(memory)
    const tree = await open('/db', { fs, strategy: leveled({ l0Threshold: 2 }) })
    const errors: Error[] = []
    tree.on('error', (error) => errors.push(error))
    tree.insert('a', '1')
    await tree.flush()
    fs.setRule(failOn('sync', { path: 'edits-' }))
    tree.insert('b', '2')
    tree.rotateMemtable()
    await until(() => errors.length > 0)
    fs.setRule()
    const [original] = errors
    for (const write of [
      () => tree.insert('c', '3'),
      () => tree.remove('c'),
      () => tree.tryInsert('c', '3'),
      () => tree.flush(),
      () => tree.compact(),
      () => tree.clear(),
      () => tree.drained().then(() => tree.insert('c', '3')),
    ]) {
      await t.rejects(async () => write(), { code: 'VARVE_IO', cause: original })
    }
    await tree.idle()
    t.equal(errors.length, 1)
    t.equal(tree.lastError, original)
    t.equal(tree.getString('b'), '2')
    t.equal(visibleLines(tree).length, 2)
    await codeOf(() => tree.close())
    const again = await open('/db', { fs: memory })
    t.equal(again.getString('a'), '1')
    await again.close()
  },
)

t.test('closing takes merges that wait for a thread out of the line', async (t) => {
  const held = latch()
  const inner = new MaintenancePool({ threads: 1 })
  t.testdir()
  const busy = await open(join(t.testdirName, 'busy'), { pool: inner, maintenance: 'manual' })
  const tree = await open(join(t.testdirName, 'tree'), { pool: inner, maintenance: 'manual' })
  for (const one of [busy, tree]) {
    one.insert('a', '1')
    await one.flush()
  }
  // The only thread is taken by somebody who does not end.
  const blocker = inner.line.run(undefined, () => held.opened)
  const merge = tree.majorCompact()
  await until(() => inner.line.length === 1)
  const closing = tree.close()
  t.equal(await codeOf(() => merge), 'VARVE_ABORTED')
  await closing
  held.open()
  await blocker
  await busy.close()
  await inner.close()
})

t.test('a process with an open tree that is maintained ends by itself', async (t) => {
  const main = new URL('../../../../src/main/index.js', import.meta.url).href
  const script = `
    const { open, MaintenancePool } = await import(${JSON.stringify(main)})
    const tree = await open(${JSON.stringify(join(t.testdir(), 'db'))}, { runtime: { memtableBytes: ${SMALL} } })
    for (let i = 0; i < 2000; i++) if (!tree.insert('key ' + i, 'x'.repeat(500))) await tree.drained()
    console.log(tree.len())
  `
  t.equal(await runAlone(t.testdirName, script), '2000')
})

t.test('no thread is started before there is work for one', async (t) => {
  const main = new URL('../../../../src/main/index.js', import.meta.url).href
  const script = `
    const { open, moveDown } = await import(${JSON.stringify(main)})
    const tree = await open(${JSON.stringify(join(t.testdir(), 'db'))})
    tree.insert('a', '1')
    await tree.compact(moveDown(0, 1))
    console.log(process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length)
    await tree.flush()
    await tree.close()
  `
  t.equal(typeof moveDown, 'function')
  t.equal(await runAlone(t.testdirName, script), '0')
})
