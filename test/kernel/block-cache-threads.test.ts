/**
 * The block cache under threads that all find, insert, pin and evict: what they see is what was put there, whatever the
 * others do, and also where some of them end at any moment. Prints its seed.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { CACHE_LOCK } from '../../src/shared/kernel/layout-cache.js'
import type { BlockCache } from '../../src/shared/memory/block-cache.js'
import { CacheView } from '../../src/shared/memory/cache-view.js'
import { OWNER_SLOT } from '../../src/shared/memory/epochs.js'
import { auditCache } from '../support/cache-audit.js'
import {
  fillHammerBlock,
  HAMMER_BLOCK_BYTES_MAX,
  Hammer,
  type HammerData,
  type HammerReport,
  hammerBlock,
  isHammerBlock,
} from '../support/cache-hammer.js'
import { Random, runSeed } from '../support/random.js'
import { testCache, testEpochs, testWorkspace } from '../support/workspace.js'

const SLOT_WORDS = 64

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(64)
const { shared, heap } = workspace
const epochs = testEpochs(workspace)

interface Thread {
  readonly worker: Worker
  readonly data: HammerData
  readonly report: Promise<HammerReport>
}

/** Threads over one cache. */
class Scene {
  readonly cache: BlockCache
  readonly names: number
  readonly #stops = new SharedArrayBuffer(4 * SLOT_WORDS)
  readonly #words = new Int32Array(this.#stops)

  constructor(capacityBytes: number, names: number) {
    this.cache = testCache(workspace, capacityBytes)
    this.names = names
  }

  data(slot: number, view: number, standsAfter = 0): HammerData {
    const { names } = this
    const bytesMax = HAMMER_BLOCK_BYTES_MAX
    const source = heap.allocate(HAMMER_BLOCK_BYTES_MAX)
    const [memory, stops] = [shared.memory, this.#stops]
    const seed = random.below(2 ** 31)
    const of = { source, seed, names, bytesMax, standsAfter, stops }
    return { memory, epochs: epochs.address, slot, view, ...of }
  }

  /** A thread that is under way. */
  async start(standsAfter = 0): Promise<Thread> {
    const slot = epochs.take()!
    Atomics.store(this.#words, slot, 0)
    const data = this.data(slot, this.cache.openView(slot), standsAfter)
    const url = new URL('../support/cache-hammer-worker.js', import.meta.url)
    const worker = new Worker(url, { workerData: data })
    await once(worker, 'message')
    return { worker, data, report: once(worker, 'message').then(([report]) => report) }
  }

  async stop({ worker, data, report }: Thread): Promise<HammerReport> {
    const exit = once(worker, 'exit')
    Atomics.store(this.#words, data.slot, 1) // pairs with the load in cache-hammer-worker.ts
    const found = await report
    await exit
    this.forget(data)
    return found
  }

  /** What main does for a thread that is gone. */
  forget({ view, slot, source }: HammerData): void {
    this.cache.closeView(view)
    epochs.give(slot)
    heap.free(source)
  }

  /** Main as one more thread, or alone. */
  hammer(steps: number, isAlone = false): HammerReport {
    const data = this.data(OWNER_SLOT, this.cache.view.address)
    const hammer = new Hammer(data, shared)
    for (let i = 0; i < steps; i++) {
      if (isAlone) hammer.stepAlone()
      else hammer.step()
    }
    heap.free(data.source)
    return hammer.report()
  }

  problems(): string[] {
    return auditCache(shared, this.cache.address).problems
  }
}

for (const [segments, names] of [
  [3, 60],
  [6, 300],
  [64, 2000],
] as const) {
  t.test(`four threads over ${segments} segments`, async (t) => {
    const usedBytes = heap.usedBytes
    const scene = new Scene(segments * 32 * 1024, names)
    const threads = await Promise.all([scene.start(), scene.start(), scene.start()])
    const reports = [scene.hammer(4000)]
    for (const thread of threads) reports.push(await scene.stop(thread))
    t.strictSame(
      reports.flatMap(({ problems }) => problems),
      [],
    )
    const sum = (of: (report: HammerReport) => number): number =>
      reports.reduce((total, report) => total + of(report), 0)
    t.ok(sum(({ inserted }) => inserted) > 0 && sum(({ found }) => found) > 0)
    if (segments > 3) t.ok(sum(({ pinned }) => pinned) > 0, 'pins were taken')
    const stats = scene.cache.stats()
    t.equal(
      stats.hits,
      sum(({ found }) => found),
      'hits of all threads are told',
    )
    t.equal(
      stats.hits + stats.misses,
      sum(({ operations }) => operations),
    )
    t.comment(`${sum(({ refused }) => refused)} of ${stats.misses} blocks were not taken`)
    t.strictSame(scene.problems(), [])
    scene.cache.dispose()
    t.equal(heap.usedBytes, usedBytes)
  })
}

t.test('threads end at random moments', async (t) => {
  const usedBytes = heap.usedBytes
  const scene = new Scene(6 * 32 * 1024, 300)
  for (let round = 0; round < 6; round++) {
    const [first, second, third] = await Promise.all([scene.start(), scene.start(), scene.start()])
    const reports = [scene.hammer(random.below(300))]
    await second.worker.terminate()
    reports.push(scene.hammer(random.below(300)))
    scene.forget(second.data)
    reports.push(scene.hammer(random.below(300)))
    await third.worker.terminate()
    scene.forget(third.data)
    reports.push(scene.hammer(1000))
    reports.push(await scene.stop(first))
    t.strictSame(
      reports.flatMap(({ problems }) => problems),
      [],
    )
    t.strictSame(scene.problems(), [])
    const after = scene.hammer(600, true)
    t.equal(after.refused, 0, 'alone again, main is refused nothing')
    t.strictSame(after.problems, [])
    t.ok(after.found > 0)
  }
  scene.cache.dispose()
  t.equal(heap.usedBytes, usedBytes)
})

t.test('a thread is terminated while it holds the lock', async (t) => {
  const scene = new Scene(6 * 32 * 1024, 300)
  const { cache } = scene
  const lock = (): number => shared.loadU32(cache.address + CACHE_LOCK)
  const source = heap.allocate(64)
  for (const accesses of [1 + random.below(30), 1 + random.below(3000)]) {
    const thread = await scene.start(accesses)
    t.equal(lock(), thread.data.slot + 1)
    t.equal(cache.view.insert(99, 0, source, 8, false), 0, 'nobody waits for it')
    await thread.worker.terminate()
    t.equal(lock(), thread.data.slot + 1)
    scene.forget(thread.data)
    t.strictSame(scene.problems(), [])
    t.equal(cache.stats().sizeBytes, 0, 'the cache begins anew')
    const report = scene.hammer(2000, true)
    t.strictSame(report.problems, [])
    t.equal(report.refused, 0)
    t.strictSame(scene.problems(), [])
  }
  heap.free(source)
  cache.dispose()
})

t.test('the lock of a thread that is gone; what others have pinned stays', async (t) => {
  const scene = new Scene(8 * 32 * 1024, 300)
  const { cache } = scene
  scene.hammer(1000, true)
  const [slot, other] = [epochs.take()!, epochs.take()!]
  const dead = cache.openView(slot)
  const alive = new CacheView(shared, cache.openView(other))
  const source = heap.allocate(HAMMER_BLOCK_BYTES_MAX)
  const block = hammerBlock(7, HAMMER_BLOCK_BYTES_MAX)
  fillHammerBlock(shared.u32, source, block)
  const at = alive.insert(block.owner, block.offset, source, block.words * 4, false)
  t.equal(alive.pin(at), true)
  const word = (cache.address + CACHE_LOCK) >>> 2
  Atomics.store(shared.u32, word, slot + 1)
  t.equal(alive.insert(9, 1, source, 8, false), 0)
  t.equal(alive.find(block.owner, block.offset), at, 'lookups need no lock')
  cache.closeView(dead)
  t.strictSame(scene.problems(), [])
  t.equal(alive.find(block.owner, block.offset), 0)
  t.strictSame(scene.hammer(1000).problems, [])
  t.equal(isHammerBlock(shared.u32, at, block), true, 'it was pinned all the time')
  t.ok(auditCache(shared, cache.address).limboSegments >= 1)
  alive.unpin(at)
  cache.closeView(alive.address)
  scene.hammer(2000, true)
  t.equal(auditCache(shared, cache.address).limboSegments, 0)
  for (const number of [slot, other]) epochs.give(number)
  heap.free(source)
  cache.dispose()
})
