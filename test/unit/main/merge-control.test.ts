/** Merges that are slowed down, paused, watched, aborted, and ended by closing: on threads and on this one. */
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import {
  type CompactionProgress,
  MaintenancePool,
  mergeOperators,
  type OpenOptions,
  open,
  type Tree,
} from '../../../src/main/index.js'
import { codeOf, tableFiles, visibleLines } from '../../support/trees.js'

const pool = new MaintenancePool({ threads: 2 })
t.teardown(() => pool.close())
const { heap } = processEnvironment()

/** The same merges in workers, and in process: a plain object of the user's keeps the jobs on this thread, in slices. */
const PLACES: readonly (readonly [string, OpenOptions])[] = [
  ['on threads', {}],
  ['on this thread', { mergeOperator: { ...mergeOperators.append, name: 'of my own' } as never }],
]

const BLOCK = 256
const base = { maintenance: 'manual', compression: 'none', blockSize: BLOCK, pool } as const

async function fill(tree: Tree): Promise<void> {
  for (let flush = 0; flush < 3; flush++) {
    for (let i = flush; i < 900; i += flush + 1) {
      tree.insert(`key${String(i).padStart(5, '0')}`, `value ${flush} ${'x'.repeat(40)}`)
    }
    await tree.flush({ gcWatermark: 0 })
  }
}

/** Starts a merge and waits until it stands still: progress that was told twice and did not change. */
async function untilStill(
  tree: Tree,
  signal?: AbortSignal,
): Promise<{ outcome: Promise<string | undefined>; at: CompactionProgress }> {
  let outcome: Promise<string | undefined> | undefined
  const at = await new Promise<CompactionProgress>((resolve) => {
    let last: CompactionProgress | undefined
    const onProgress = (progress: CompactionProgress): void => {
      if (last?.bytesRead === progress.bytesRead && progress.bytesRead > 0) resolve(progress)
      last = progress
    }
    outcome = codeOf(() => tree.majorCompact({ signal, onProgress }))
  })
  return { outcome: outcome as Promise<string | undefined>, at }
}

for (const [place, options] of PLACES) {
  t.test(`${place}: a pause holds a merge within a block`, async (t) => {
    const before = heap.usedBytes
    const tree = await open(t.testdir(), { ...base, ...options })
    await fill(tree)
    const shown = visibleLines(tree)
    tree.pauseMaintenance()
    const { outcome, at } = await untilStill(tree)
    t.ok(at.bytesRead < 8 * BLOCK, `${at.bytesRead} bytes read: the first block of each table`)
    t.equal(tree.tableCount(), 3)
    tree.insert('late', '1')
    await tree.flush({ gcWatermark: 0 })
    t.equal(tree.tableCount(), 4, 'flushes go on')
    tree.resumeMaintenance()
    t.equal(await outcome, undefined)
    t.equal(tree.tableCount(), 2)
    t.same(visibleLines(tree).length, shown.length + 1)
    await tree.close()
    t.equal(heap.usedBytes, before)
  })

  t.test(`${place}: a limit is kept, lifted while it holds, and is none for flushes`, async (t) => {
    const runtime = { compactionRateLimit: 1 }
    const tree = await open(t.testdir(), { ...base, ...options, runtime })
    await fill(tree)
    const { outcome, at } = await untilStill(tree)
    t.ok(at.bytesWritten > 0 && at.bytesWritten < 3 * BLOCK, `${at.bytesWritten} bytes written`)
    tree.updateRuntimeConfig({ compactionRateLimit: 0 })
    t.equal(await outcome, undefined)
    t.equal(tree.tableCount(), 1)
    await tree.close()
  })

  t.test(`${place}: an aborted merge changes nothing`, async (t) => {
    const folder = t.testdir()
    const tree = await open(folder, { ...base, ...options })
    await fill(tree)
    const shown = visibleLines(tree)
    const files = tableFiles(folder)
    tree.pauseMaintenance()
    const controller = new AbortController()
    const { outcome } = await untilStill(tree, controller.signal)
    const reason = new Error('enough')
    controller.abort(reason)
    t.equal(await outcome, 'VARVE_ABORTED')
    t.same(tableFiles(folder), files, 'the outputs are gone, the inputs are there')
    tree.resumeMaintenance()
    const again = tree.majorCompact({ signal: controller.signal })
    await t.rejects(again, { code: 'VARVE_ABORTED', cause: reason }, 'aborted beforehand')
    t.same(visibleLines(tree), shown)
    await tree.majorCompact()
    t.same(visibleLines(tree), shown)
    t.equal(tree.tableCount(), 1)
    await tree.close()
  })

  t.test(`${place}: closing ends merges, and writes out what is in memory`, async (t) => {
    const folder = t.testdir()
    const before = heap.usedBytes
    const tree = await open(folder, { ...base, ...options })
    await fill(tree)
    const files = tableFiles(folder)
    tree.pauseMaintenance()
    const { outcome } = await untilStill(tree)
    tree.insert('late', '1')
    const shown = visibleLines(tree)
    await tree.close()
    t.equal(await outcome, 'VARVE_ABORTED')
    t.equal(tableFiles(folder).length, files.length + 1)
    t.equal(heap.usedBytes, before)
    const again = await open(folder, { ...base, ...options })
    t.same(visibleLines(again), shown)
    await again.close()
  })

  t.test(`${place}: progress grows and ends complete`, async (t) => {
    const tree = await open(t.testdir(), { ...base, ...options })
    await fill(tree)
    const entries = tree.approximateLen()
    const told: CompactionProgress[] = []
    await tree.majorCompact({ onProgress: (progress) => told.push(progress) })
    const last = told.at(-1)
    t.equal(last?.bytesRead, last?.bytesTotal)
    t.equal(last?.entries, entries)
    t.ok((last?.bytesWritten ?? 0) > 900 * 40)
    t.ok(told.every(({ bytesRead }, i) => bytesRead >= (told[i - 1]?.bytesRead ?? 0)))
    await tree.close()
  })
}

t.test('automatic merges that the closing tree ends are no failures', async (t) => {
  const tree = await open(t.testdir(), { ...base, maintenance: 'auto' })
  tree.on('error', (error) => t.fail(String(error)))
  tree.pauseMaintenance()
  for (let i = 0; i < 12; i++) {
    for (let k = 0; k < 100; k++) tree.insert(`key${k}`, `value ${i}`)
    await tree.flush()
  }
  await tree.close()
  t.equal(tree.lastError, undefined)
})
