/**
 * Every half-done state: a reader at each atomic store of the writer, and a writer at the atomic loads of a reader.
 * One thread, repeatable; prints its seed.
 */
import t from 'tap'
import { MEMTABLE_NODE_BOTTOM } from '../../src/shared/kernel/layout.js'
import { KernelMemtable } from '../support/kernel-memtable.js'
import { TestMemory } from '../support/memory.js'
import { type Hooks, pausedKernel } from '../support/paused-kernel.js'
import { Random, runSeed } from '../support/random.js'

const seed = runSeed()
t.comment(`seed ${seed}`)

function keyOf(number: number): Buffer {
  const key = Buffer.alloc(6)
  key.writeUIntBE(number, 0, 6)
  return key
}

/** The memtable, the numbers of its keys in order, and the same through a kernel with hooks. */
async function scene(bytes: number) {
  const memory = new TestMemory(24)
  const plain = new KernelMemtable(memory, bytes)
  const hooks: Hooks = { stored: () => {}, loaded: () => {} }
  const paused = plain.through(await pausedKernel(memory.memory, hooks))
  return { plain, paused, hooks }
}

/** How keys come: each a way of splitting. */
const orders: Record<string, (random: Random, index: number) => number> = {
  random: (random) => random.below(2 ** 32),
  ascending: (_, index) => 1000 + index,
  descending: (_, index) => 1_000_000 - index,
  streams: (_, index) => (index % 7) * 100_000 + index,
  'close to each other': (random, index) => index * 65_536 + random.below(3),
}

for (const [name, make] of Object.entries(orders)) {
  t.test(`reads at each store of the writer, ${name}`, async (test) => {
    const random = new Random(seed)
    const { plain, paused, hooks } = await scene(4 << 20)
    const committed = new Set<number>()
    const cursor = plain.cursor()
    const bottom = () => plain.field(MEMTABLE_NODE_BOTTOM)
    let bottomBefore = 0
    let stores = 0
    let checks = 0
    let failures = 0
    const fail = (text: string) => {
      if (failures++ < 3) test.fail(`${text}, ${name}, seed ${seed}`)
    }
    const check = () => {
      checks++
      let seen = 0
      let previous = -1
      for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) {
        const number = Buffer.from(entry.key).readUIntBE(0, 6)
        if (number <= previous) fail('a forward scan is out of order')
        previous = number
        if (committed.has(number)) seen++
      }
      if (seen !== committed.size) fail(`a forward scan sees ${seen} of ${committed.size}`)
      seen = 0
      for (let entry = cursor.last(); entry !== undefined; entry = cursor.prev()) {
        if (committed.has(Buffer.from(entry.key).readUIntBE(0, 6))) seen++
      }
      if (seen !== committed.size) fail(`a backward scan sees ${seen} of ${committed.size}`)
    }
    hooks.stored = () => {
      stores++
      // All is interesting while the tree changes shape; elsewhere a sample is enough.
      if (bottom() !== bottomBefore ? committed.size < 2500 : random.chance(0.005)) check()
    }
    for (let index = 0; index < 2500; index++) {
      const number = make(random, index)
      if (committed.has(number)) continue
      bottomBefore = bottom()
      if (!paused.insert(keyOf(number), new Uint8Array(0), 0, index)) test.fail('full too early')
      committed.add(number)
    }
    test.ok(checks > 100, `${checks} checks at ${stores} stores`)
    test.equal(failures, 0)
  })

  t.test(`inserts at the loads of a reader, ${name}`, async (test) => {
    const random = new Random(seed)
    const { plain, paused, hooks } = await scene(16 << 20)
    const committed: number[] = []
    const known = new Set<number>()
    const cursor = paused.cursor()
    let target = 0
    let budget = 0
    const insert = (number: number) => {
      if (known.has(number) || number < 0) return
      known.add(number)
      committed.push(number)
      if (!plain.insert(keyOf(number), new Uint8Array(0), 0, committed.length)) {
        test.fail('full too early')
      }
    }
    for (let index = 0; index < 100; index++) insert(make(random, index))
    hooks.loaded = () => {
      if (budget === 0 || !random.chance(0.2)) return
      budget--
      // Enough beside the reader's key to split its leaf, or a few of the usual kind.
      const beside = random.chance(0.7)
      const side = random.pick([-1, 1])
      let ascent = 0
      for (let n = random.below(70); n > 0; n--) {
        const distance = side > 0 ? ++ascent : 1 + random.below(200)
        insert(beside ? target + side * distance : make(random, known.size))
      }
    }
    let failures = 0
    const fail = (text: string) => {
      if (failures++ < 3) test.fail(`${text} at ${committed.length} keys, ${name}, seed ${seed}`)
    }
    for (let round = 0; round < 1500 && committed.length < 60_000; round++) {
      // Half of the time the newest key: where ascending input cuts leaves.
      target = random.chance(0.5) ? committed.at(-1)! : random.pick(committed)
      const before = committed.length
      const key = keyOf(target)
      budget = 2
      const found = cursor.seek(key)
      if (found === undefined || Buffer.compare(found.key, key) !== 0) fail('seek misses')
      // A key that is not there, above those that come in beside the target: the leaf's range may be
      // cut below it between finding the leaf and reading its fence.
      const absent = Buffer.concat([keyOf(target + 300), Uint8Array.of(0)])
      budget = 2
      const above = cursor.seek(absent)
      if (above !== undefined && Buffer.compare(above.key, absent) < 0) fail('seek is below')
      budget = 2
      const below = cursor.seekBefore(key)
      if (below !== undefined && Buffer.compare(below.key, key) >= 0) fail('seek_before is above')
      budget = 2
      if (paused.get(key, Number.POSITIVE_INFINITY) === undefined) fail('get misses')
      if (round % 50 > 1) continue
      // A whole scan, under way while the tree grows.
      const wanted = new Set(committed)
      const forward = round % 50 === 0
      budget = 30
      let entry = forward ? cursor.first() : cursor.last()
      let previous = forward ? -1 : 2 ** 48
      while (entry !== undefined) {
        const number = Buffer.from(entry.key).readUIntBE(0, 6)
        if (forward ? number <= previous : number >= previous) fail('a scan is out of order')
        previous = number
        target = number
        wanted.delete(number)
        entry = forward ? cursor.next() : cursor.prev()
      }
      if (wanted.size > 0) fail(`a scan misses ${wanted.size} of ${before}`)
    }
    test.equal(failures, 0, `${committed.length} keys`)
  })
}
