/**
 * The block cache against the model of its guarantees: what it finds, what it holds, what survives.
 */
import t from 'tap'
import { BlockCacheModel } from '../../src/shared/kernel/reference/block-cache.js'
import type { BlockCache } from '../../src/shared/memory/block-cache.js'
import { CacheView } from '../../src/shared/memory/cache-view.js'
import { EpochSlot } from '../../src/shared/memory/epochs.js'
import { auditCache } from '../support/cache-audit.js'
import { Random, runSeed } from '../support/random.js'
import { testCache, testEpochs, testWorkspace } from '../support/workspace.js'

const BLOCK_BYTES_MAX = 100_000

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(128)
const { shared, heap } = workspace
const source = heap.allocate(BLOCK_BYTES_MAX)

/** A cache with the means to put blocks in and look at them. */
class TestCache {
  readonly cache: BlockCache
  readonly view: CacheView
  readonly model: BlockCacheModel
  readonly #lengths = new Map<string, number>()

  constructor(capacityBytes: number) {
    this.cache = testCache(workspace, capacityBytes)
    this.view = this.cache.view
    this.model = new BlockCacheModel(capacityBytes)
  }

  /** Inserts random bytes, or those that were there before: a block on disk never changes. */
  insert(owner: number, offset: number, bytes: Uint8Array, isMetadata = false): boolean {
    shared.bytes.set(bytes, source)
    const at = this.view.insert(owner, offset, source, bytes.length, isMetadata)
    if (at === 0) return false
    if (at % 8 !== 0) throw new Error('a block that is not aligned')
    this.#lengths.set(`${owner}/${offset}`, bytes.length)
    this.model.inserted(owner, offset, bytes)
    const problem = this.model.judge(owner, offset, shared.view(at, bytes.length))
    if (problem !== undefined) throw new Error(problem)
    return true
  }

  /** Looks a block up; whether it is there. Throws where the model objects. */
  find(owner: number, offset: number): boolean {
    const at = this.view.find(owner, offset)
    const length = this.#lengths.get(`${owner}/${offset}`) ?? 0
    const found = at === 0 ? undefined : shared.view(at, length)
    const problem = this.model.judge(owner, offset, found)
    if (problem !== undefined) throw new Error(problem)
    return found !== undefined
  }

  holds(owner: number, offset: number): boolean {
    return this.view.find(owner, offset) !== 0
  }
}

/** The one content of a block, from its name. */
function contentOf(owner: number, offset: number, length: number): Uint8Array {
  return new Random(owner * 7919 + offset).bytes(length)
}

for (const capacityBytes of [96 << 10, 200_000, 1 << 20, 4 << 20]) {
  t.test(`random use of ${capacityBytes} bytes`, async (t) => {
    const test = new TestCache(capacityBytes)
    const owners = 1 + random.below(5)
    let hits = 0
    let inserted = 0
    for (let i = 0; i < 20_000; i++) {
      const owner = random.below(owners)
      const offset = random.below(random.pick([20, 1000])) * 4096 + random.below(2) * 2 ** 40
      if (test.find(owner, offset)) {
        hits++
        continue
      }
      // Lengths follow from the name: a block is always the same.
      const length = new Random(offset + owner).below(random.chance(0.001) ? 40_000 : 6000)
      if (test.insert(owner, offset, contentOf(owner, offset, length), random.chance(0.05)))
        inserted++
    }
    const stats = test.cache.stats()
    t.ok(hits > 100 && inserted > 100, `${hits} hits, ${inserted} insertions`)
    t.equal(stats.hits, hits)
    t.equal(stats.misses, 20_000 - hits)
    t.ok(stats.sizeBytes <= capacityBytes, `${stats.sizeBytes} bytes in use`)
    t.equal(stats.insertions, inserted)
    t.ok(stats.evictions <= stats.insertions)
    t.equal(
      test.model.judgeAll((owner, offset) => test.holds(owner, offset)),
      undefined,
    )
    test.cache.dispose()
  })
}

t.test('what is forgotten is not found, and its room comes back', async (t) => {
  const test = new TestCache(200_000)
  let forgotten = 0
  let found = 0
  for (let i = 0; i < 5000; i++) {
    const [owner, offset] = [random.below(3), random.below(60) * 4096]
    if (!test.find(owner, offset)) test.insert(owner, offset, contentOf(owner, offset, 3000))
    if (!random.chance(0.3)) continue
    test.view.forget(owner, offset)
    forgotten++
    if (test.view.has(owner, offset) || test.holds(owner, offset)) found++
  }
  t.ok(forgotten > 1000)
  t.equal(found, 0)
  const { sizeBytes, insertions, evictions } = test.cache.stats()
  t.ok(evictions <= insertions && sizeBytes <= 200_000)
  test.view.forget(9, 0)
  t.equal(test.cache.stats().evictions, evictions, 'what is not there is nothing to forget')
  for (let owner = 0; owner < 3; owner++)
    for (let i = 0; i < 60; i++) test.view.forget(owner, i * 4096)
  t.equal(test.cache.stats().sizeBytes, 0)
  test.cache.dispose()
})

t.test('a block that was used in another form stays as one that was used', async (t) => {
  const test = new TestCache(1 << 20)
  const used = Array.from({ length: 40 }, (_, i) => i * 4096)
  for (const offset of used) {
    shared.bytes.set(contentOf(1, offset, 4000), source)
    test.view.insertUsed(1, offset, source, 4000)
  }
  for (let i = 0; i < 3000; i++) test.insert(2, i * 4096, contentOf(2, i, 4000))
  const survivors = used.filter((offset) => test.view.find(1, offset) !== 0).length
  t.equal(survivors, used.length)
  test.cache.dispose()
})

t.test('blocks of other owners and other offsets stay apart', async (t) => {
  const test = new TestCache(1 << 20)
  for (let i = 0; i < 50; i++) test.insert(i % 5, Math.floor(i / 5) * 4096, Uint8Array.of(i))
  let found = 0
  for (let owner = 0; owner < 8; owner++) {
    for (let offset = 0; offset < 12; offset++) if (test.find(owner, offset * 4096)) found++
  }
  t.equal(found, 50)
  t.notOk(test.find(0, 1), 'an offset inside a block is no block')
  test.cache.dispose()
})

t.test('what was used again survives a scan of many times the capacity', async (t) => {
  const test = new TestCache(1 << 20)
  const block = (offset: number): Uint8Array => contentOf(1, offset, 4000)
  const hot = Array.from({ length: 60 }, (_, i) => i * 4096)
  for (const offset of hot) test.insert(1, offset, block(offset))
  for (let round = 0; round < 3; round++) for (const offset of hot) test.find(1, offset)
  for (let i = 0; i < 3000; i++) test.insert(2, i * 4096, block(i))
  const survivors = hot.filter((offset) => test.find(1, offset)).length
  t.ok(survivors >= 54, `${survivors} of ${hot.length} are still there`)
  test.cache.dispose()
})

t.test('metadata outlives data that is read once', async (t) => {
  const test = new TestCache(1 << 20)
  for (let i = 0; i < 40; i++) test.insert(1, i * 4096, contentOf(1, i, 4000), true)
  for (let i = 0; i < 3000; i++) test.insert(2, i * 4096, contentOf(2, i, 4000))
  let survivors = 0
  for (let i = 0; i < 40; i++) if (test.find(1, i * 4096)) survivors++
  t.equal(survivors, 40)
  test.cache.dispose()
})

t.test('what does not fit, and a cache that is off', async (t) => {
  const test = new TestCache(96 << 10)
  t.notOk(test.insert(1, 0, new Uint8Array(BLOCK_BYTES_MAX)), 'larger than a segment')
  t.ok(test.insert(1, 4096, new Uint8Array((32 << 10) - 16)), 'just a segment')
  t.ok(test.insert(1, 8192, new Uint8Array(0)), 'nothing at all')
  t.ok(test.find(1, 8192))
  test.cache.dispose()
  for (const capacityBytes of [0, 50_000]) {
    const off = new TestCache(capacityBytes)
    t.notOk(off.insert(1, 0, Uint8Array.of(1)))
    t.notOk(off.find(1, 0))
    off.cache.dispose()
  }
})

t.test('three segments of blocks that fill one each', async (t) => {
  const test = new TestCache(96 << 10)
  for (let i = 0; i < 500; i++) {
    const offset = random.below(8) * 4096
    if (!test.find(1, offset)) {
      const length = (32 << 10) - 16 - 8 * new Random(offset).below(20)
      test.insert(1, offset, contentOf(1, offset, length), random.chance(0.3))
    }
  }
  t.ok(test.cache.stats().sizeBytes <= 96 << 10)
  test.cache.dispose()
})

for (const segmentCount of [4, 5, 8, 32]) {
  t.test(`pinned blocks stay where they are in ${segmentCount} segments`, async (t) => {
    const test = new TestCache(segmentCount * (32 << 10))
    const { view } = test
    const pinnable = Math.min(segmentCount >> 1, segmentCount - 3)
    const lengthOf = (offset: number): number => 1 + new Random(offset).below(9000)
    const pins: { at: number; bytes: Uint8Array }[] = []
    const wrong: string[] = []
    let refused = 0
    for (let i = 0; i < 30_000; i++) {
      const offset = random.below(random.pick([10, 3000])) * 4096
      if (!test.find(1, offset)) {
        const bytes = contentOf(1, offset, lengthOf(offset))
        if (!test.insert(1, offset, bytes, random.chance(0.2))) wrong.push('an insertion failed')
      }
      if (random.chance(0.1)) {
        const at = view.find(1, offset)
        if (view.pin(at)) pins.push({ at, bytes: contentOf(1, offset, lengthOf(offset)) })
        else refused++
      }
      if (pins.length > 0 && random.chance(pins.length > 40 ? 0.9 : 0.08)) {
        const [pin] = pins.splice(random.below(pins.length), 1)
        view.unpin(pin!.at)
      }
      if (view.pinnedSegmentCount > pinnable) wrong.push('too much is pinned')
      const { at, bytes } = pins[i % Math.max(1, pins.length)] ?? { at: 0, bytes: Uint8Array.of() }
      if (Buffer.compare(shared.view(at, bytes.length), bytes) !== 0) wrong.push('a pin has moved')
    }
    t.strictSame(wrong.slice(0, 3), [])
    t.ok(refused > 0, `${refused} pins were refused`)
    for (const { at } of pins) view.unpin(at)
    t.equal(view.pinnedSegmentCount, 0)
    test.cache.dispose()
  })
}

t.test(
  'nothing is pinned in a cache of three segments, in one that is off, or outside',
  async (t) => {
    const test = new TestCache(96 << 10)
    test.insert(1, 0, Uint8Array.of(1, 2, 3))
    t.notOk(test.view.pin(test.view.find(1, 0)))
    t.notOk(test.view.pin(0))
    t.notOk(test.view.pin(source))
    test.cache.dispose()
    const off = new TestCache(0)
    t.notOk(off.view.pin(source))
    off.cache.dispose()
  },
)

t.test(
  'a view may pin its share, and closing it takes its pins back and keeps its counts',
  async (t) => {
    const usedBytes = heap.usedBytes
    const cache = testCache(workspace, 16 * (32 << 10))
    const { view } = cache
    const places = Array.from({ length: 12 }, (_, i) => view.insert(1, i, source, 20_000, false))
    const pinAll = (by: CacheView): number => places.filter((at) => by.pin(at)).length
    t.equal(pinAll(view), 8, 'alone, half of the segments')
    for (const at of places.slice(0, 8)) view.unpin(at)
    const address = cache.openView(5)
    const other = new CacheView(shared, address)
    t.strictSame([pinAll(view), pinAll(other)], [4, 4])
    for (let i = 0; i < 12; i++) t.not(other.find(1, i), 0)
    t.equal(other.find(2, 0), 0)
    cache.closeView(address)
    t.strictSame([cache.stats().hits, cache.stats().misses], [12, 1])
    t.equal(view.pinnedSegmentCount, 4)
    t.strictSame(auditCache(shared, cache.address).problems, [])
    t.throws(() => cache.closeView(address), { code: 'VARVE_ASSERTION' })
    cache.dispose()
    t.equal(heap.usedBytes, usedBytes)
  },
)

t.test(
  'what is emptied while another thread reads is filled anew only when it has left',
  async (t) => {
    const cache = testCache(workspace, 8 * (32 << 10))
    const epochs = testEpochs(workspace)
    const slot = epochs.take()!
    const reader = new EpochSlot(shared, epochs.address, slot)
    const other = new CacheView(shared, cache.openView(slot))
    const bytes = contentOf(1, 0, 5000)
    shared.bytes.set(bytes, source)
    const at = cache.view.insert(1, 0, source, bytes.length, false)
    reader.enter()
    t.equal(other.find(1, 0), at)
    let refused = 0
    for (let i = 1; i < 200; i++) {
      shared.bytes.set(contentOf(2, i, 5000), source)
      if (cache.view.insert(2, i, source, 5000, false) === 0) refused++
    }
    t.ok(refused > 100, `${refused} found no segment`)
    t.equal(Buffer.compare(shared.view(at, bytes.length), bytes), 0, 'the reader still sees it')
    t.strictSame(auditCache(shared, cache.address).problems, [])
    reader.leave()
    for (let i = 200; i < 240; i++) t.not(cache.view.insert(2, i, source, 5000, false), 0)
    t.strictSame(auditCache(shared, cache.address).problems, [])
    cache.closeView(other.address)
    epochs.give(slot)
    cache.dispose()
  },
)
