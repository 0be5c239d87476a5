/**
 * The memtable kernel against its twin: random programs over hard keys, limits, and a concurrent
 * reader. Prints its seed; SEED=… replays a run.
 */
import t, { type Test as TestContext } from 'tap'
import {
  KIND_MAX,
  MEMTABLE_BYTES_MIN,
  MEMTABLE_ENTRY_COUNT,
  MEMTABLE_HEIGHT,
  MEMTABLE_KEY_BYTES,
  MEMTABLE_KEY_COUNT,
  MEMTABLE_OVERFLOW,
  MEMTABLE_SEQNO_MAX,
  MEMTABLE_SEQNO_MIN,
  MEMTABLE_TOMBSTONE_COUNT,
  MEMTABLE_USED_BYTES,
  MEMTABLE_VALUE_BYTES,
  MEMTABLE_WEAK_TOMBSTONE_COUNT,
} from '../../src/shared/kernel/layout.js'
import {
  compareBytes,
  type ReferenceEntry,
  ReferenceMemtable,
} from '../../src/shared/kernel/reference/memtable.js'
import { type KernelEntry, KernelMemtable } from '../support/kernel-memtable.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'

const seed = runSeed()
t.comment(`seed ${seed}`)

function text(entry: KernelEntry | ReferenceEntry | undefined): string {
  if (entry === undefined) return 'none'
  const { key, value, kind, seqno } = entry
  const show = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
  return `${show(key)}#${seqno},${kind}=${show(value)}`
}

/** Makers of keys, each hard on something else. */
const keyMakers: Record<string, (random: Random) => Uint8Array> = {
  'random bytes': (random) => random.bytes(1 + random.below(24)),
  'a tiny alphabet': (random) =>
    Uint8Array.from({ length: 1 + random.below(12) }, () => random.pick([0, 0, 1, 0xff])),
  'one long prefix': (random) =>
    Buffer.from(`a prefix that every key shares/${random.below(3000)}`),
  'many tenants': (random) =>
    Buffer.from(`tenant-${random.below(40)}/the same middle/${random.below(200)}`),
  'rare strangers': (random) =>
    random.chance(0.01)
      ? random.bytes(1 + random.below(3))
      : Buffer.from(`/common/${random.below(4000).toString().padStart(9, '0')}`),
  'zeros of many lengths': (random) => new Uint8Array(1 + random.below(300)),
}

/** An ascending or a descending counter. */
function counting(step: number): (random: Random) => Uint8Array {
  let next = 1_000_000_000
  return (random) => {
    next += step * (random.chance(0.9) ? 1 : 0)
    return Buffer.from(`key ${next}`)
  }
}

function compareCursors(
  test: TestContext,
  memtable: KernelMemtable,
  twin: ReferenceMemtable,
  random: Random,
  key: () => Uint8Array,
  steps: number,
): void {
  const cursor = memtable.cursor()
  const expected = twin.cursor()
  let found = cursor.first()
  let wanted = expected.first()
  for (let i = 0; i < steps; i++) {
    if (text(found) !== text(wanted)) {
      test.equal(text(found), text(wanted), `cursor step ${i}, seed ${seed}`)
      return
    }
    const step = random.below(40)
    if (step === 0) [found, wanted] = [cursor.first(), expected.first()]
    else if (step === 1) [found, wanted] = [cursor.last(), expected.last()]
    else if (step <= 3) {
      const target = key()
      ;[found, wanted] = [cursor.seek(target), expected.seek(target)]
    } else if (step <= 5) {
      const target = key()
      ;[found, wanted] = [cursor.seekBefore(target), expected.seekBefore(target)]
    } else if (step <= 7) {
      const target = key()
      ;[found, wanted] = [cursor.seekBehind(target), expected.seekBehind(target)]
    } else if (step <= 9) {
      const target = key()
      ;[found, wanted] = [cursor.seekUpto(target), expected.seekUpto(target)]
    } else {
      const forward = random.chance(0.5)
      for (let n = random.below(random.chance(0.1) ? 200 : 8); n >= 0; n--) {
        ;[found, wanted] = forward
          ? [cursor.next(), expected.next()]
          : [cursor.prev(), expected.prev()]
        if (text(found) !== text(wanted)) break
      }
    }
  }
}

function compareScans(test: TestContext, memtable: KernelMemtable, twin: ReferenceMemtable): void {
  const wanted = twin.entries.map(text)
  const cursor = memtable.cursor()
  const forward: string[] = []
  for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) {
    forward.push(text(entry))
  }
  const backward: string[] = []
  for (let entry = cursor.last(); entry !== undefined; entry = cursor.prev()) {
    backward.push(text(entry))
  }
  test.ok(same(forward, wanted), `a forward scan is the twin's, seed ${seed}`)
  test.ok(same(backward.reverse(), wanted), `a backward scan is the twin's, seed ${seed}`)
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i])
}

const makers = Object.entries({
  ...keyMakers,
  'ascending keys': counting(1),
  'descending keys': counting(-1),
})

for (const [name, make] of makers) {
  t.test(`random programs over ${name}`, async (test) => {
    const random = new Random(seed ^ name.length)
    const memory = new TestMemory(8)
    const memtable = new KernelMemtable(memory, 2 << 20)
    // Alone at first; from some round on other threads may read.
    memtable.reuseNodes(true)
    const sharedFrom = random.below(24)
    const twin = new ReferenceMemtable()
    const known: Uint8Array[] = []
    const anyKey = () =>
      known.length > 0 && random.chance(0.6) ? random.pick(known) : make(random)
    let seqno = 1000
    let tombstones = 0
    let weakTombstones = 0
    for (let round = 0; round < 12; round++) {
      if (round === sharedFrom) memtable.reuseNodes(false)
      for (let i = 0; i < 500; i++) {
        const key = known.length > 0 && random.chance(0.2) ? random.pick(known) : make(random)
        known.push(key)
        const value = random.bytes(random.chance(0.2) ? 0 : random.below(30))
        const kind = random.below(KIND_MAX + 1)
        // Mostly ascending; some equal to the last, some from anywhere below.
        const order = random.below(10)
        const at = order === 0 ? random.below(seqno) : order === 1 ? seqno : ++seqno
        if (!memtable.insert(key, value, kind, at)) test.fail('full too early')
        twin.insert(key, value, kind, at)
        tombstones += kind === 1 ? 1 : 0
        weakTombstones += kind === 2 ? 1 : 0
      }
      for (let i = 0; i < 300; i++) {
        const key = anyKey()
        const at = random.chance(0.3) ? Number.POSITIVE_INFINITY : random.below(seqno + 2)
        const found = text(memtable.get(key, at))
        const wanted = text(twin.get(key, at))
        if (found !== wanted) test.equal(found, wanted, `get at ${at}, seed ${seed}`)
      }
      compareCursors(test, memtable, twin, random, anyKey, 300)
    }
    compareScans(test, memtable, twin)
    const keys = new Set(twin.entries.map((entry) => Buffer.from(entry.key).toString('latin1')))
    const seqnos = twin.entries.map((entry) => entry.seqno)
    const sum = (length: (entry: ReferenceEntry) => number) =>
      BigInt(twin.entries.reduce((total, entry) => total + length(entry), 0))
    test.equal(memtable.field(MEMTABLE_ENTRY_COUNT), twin.entries.length)
    test.equal(memtable.field(MEMTABLE_KEY_COUNT), keys.size)
    test.equal(memtable.field(MEMTABLE_TOMBSTONE_COUNT), tombstones)
    test.equal(memtable.field(MEMTABLE_WEAK_TOMBSTONE_COUNT), weakTombstones)
    test.equal(memtable.wideField(MEMTABLE_SEQNO_MIN), BigInt(Math.min(...seqnos)))
    test.equal(memtable.wideField(MEMTABLE_SEQNO_MAX), BigInt(Math.max(...seqnos)))
    test.equal(
      memtable.wideField(MEMTABLE_KEY_BYTES),
      sum((entry) => entry.key.length),
    )
    test.equal(
      memtable.wideField(MEMTABLE_VALUE_BYTES),
      sum((entry) => entry.value.length),
    )
  })
}

t.test('a cursor yields what was there, once and in order, while inserts go on', async (test) => {
  const random = new Random(seed)
  for (const [name, make] of Object.entries(keyMakers)) {
    const memtable = new KernelMemtable(new TestMemory(32), 16 << 20)
    memtable.reuseNodes(random.chance(0.5))
    const twin = new ReferenceMemtable()
    const known: Uint8Array[] = []
    let seqno = 0
    const insert = () => {
      const key = known.length > 0 && random.chance(0.2) ? random.pick(known) : make(random)
      known.push(key)
      // The value is the entry's number in the twin: what identifies it.
      const value = Buffer.from(String(known.length - 1))
      const at = random.chance(0.1) ? random.below(seqno + 1) : ++seqno
      if (!memtable.insert(key, value, 0, at)) test.fail('full too early')
      twin.insert(key, value, 0, at)
    }
    for (let i = 0; i < 300; i++) insert()
    for (let round = 0; round < 30; round++) {
      const forward = random.chance(0.5)
      const start = random.pick(known)
      const cursor = memtable.cursor()
      const before = twin.entries.filter((entry) =>
        forward ? compareBytes(entry.key, start) >= 0 : compareBytes(entry.key, start) < 0,
      )
      if (!forward) before.reverse()
      const yielded: number[] = []
      let entry = forward ? cursor.seek(start) : cursor.seekBefore(start)
      while (entry !== undefined) {
        yielded.push(Number(Buffer.from(entry.value).toString()))
        for (let n = random.below(3); n > 0; n--) insert()
        entry = forward ? cursor.next() : cursor.prev()
        if (known.length > 20_000) break
      }
      const place = new Map(twin.entries.map((each, i) => [each.number, i]))
      const places = yielded.map((number) => place.get(number)!)
      if (!forward) places.reverse()
      const ordered = places.every((each, i) => i === 0 || places[i - 1]! < each)
      const seen = new Set(yielded)
      const missing = before.filter((each) => !seen.has(each.number))
      if (!ordered) test.fail(`order over ${name}, seed ${seed}`)
      if (known.length <= 20_000 && missing.length > 0) {
        test.fail(`${missing.length} entries missing over ${name}, seed ${seed}`)
      }
      if (known.length > 8000) break
    }
    test.pass(name)
  }
})

t.test('a memtable takes entries until it is full, and keeps them all', async (test) => {
  const random = new Random(seed)
  const shapes: [string, number, () => Uint8Array, () => Uint8Array][] = [
    ['the smallest region', MEMTABLE_BYTES_MIN, () => random.bytes(9), () => random.bytes(9)],
    ['tiny entries', 1 << 20, () => random.bytes(4), () => new Uint8Array(0)],
    ['ordinary entries', 2 << 20, () => random.bytes(16), () => random.bytes(100)],
    ['long keys', 4 << 20, () => random.bytes(1 + random.below(65_535)), () => random.bytes(3)],
    ['an odd size', 300_007, () => random.bytes(12), () => random.bytes(50)],
  ]
  for (const [name, bytes, makeKey, makeValue] of shapes) {
    const memtable = new KernelMemtable(new TestMemory(8), bytes)
    memtable.reuseNodes(random.chance(0.5))
    const entries: [Uint8Array, Uint8Array][] = []
    while (true) {
      const entry: [Uint8Array, Uint8Array] = [makeKey(), makeValue()]
      if (!memtable.insert(...entry, 0, entries.length)) break
      entries.push(entry)
    }
    test.ok(memtable.field(MEMTABLE_USED_BYTES) <= bytes, `${name}: ${entries.length} entries`)
    test.equal(memtable.field(MEMTABLE_ENTRY_COUNT), entries.length)
    if (name === 'tiny entries') test.not(memtable.field(MEMTABLE_OVERFLOW), 0)
    const wrong = entries.filter(([key, value], i) => {
      const found = memtable.get(key, i + 1)
      return found === undefined || compareBytes(found.value, value) !== 0
    })
    test.equal(wrong.length, 0, `${name}: all readable`)
    entries.sort(([a], [b]) => compareBytes(a, b))
    const cursor = memtable.cursor()
    let count = 0
    for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) {
      if (compareBytes(entry.key, entries[count]![0]) !== 0) break
      count++
    }
    test.equal(count, entries.length, `${name}: all in order`)
    test.equal(memtable.get(random.bytes(30), Number.POSITIVE_INFINITY), undefined)
  }
})

t.test(
  'nodes that a split leaves behind are used again, unless other threads may be in them',
  async (test) => {
    const bytes = 4 << 20
    const fill = (isReusing: boolean): number => {
      const random = new Random(seed)
      const memtable = new KernelMemtable(new TestMemory(8), bytes)
      memtable.reuseNodes(isReusing)
      let count = 0
      while (memtable.insert(random.bytes(16), new Uint8Array(100), 0, count)) count++
      return count
    }
    const [kept, reused] = [fill(false), fill(true)]
    test.ok(reused > 1.06 * kept, `${reused} entries where ${kept} fit without`)
    // Leaves are half full at least: 136 bytes of an entry, 17 of its leaf, 7 of the hash, and little else.
    test.ok(bytes / reused < 165, `${(bytes / reused).toFixed(1)} bytes an entry`)
  },
)

t.test('limits', async (test) => {
  const memtable = new KernelMemtable(new TestMemory(8), 4 << 20)
  const longest = new Uint8Array(65_535).fill(0xff)
  const almost = longest.slice()
  almost[65_534] = 0xfe
  test.equal(memtable.kernel.memtable_reserve(memtable.base, 1, 4 << 20), 0, 'too large')
  test.equal(memtable.kernel.memtable_reserve(memtable.base, 65_535, -1), 0, '2^32 - 1 bytes')
  const used = memtable.field(MEMTABLE_USED_BYTES)
  test.not(memtable.kernel.memtable_reserve(memtable.base, 1, 3 << 20), 0)
  test.equal(memtable.field(MEMTABLE_USED_BYTES), used, 'a reserve takes nothing')
  const large = new Uint8Array(3 << 20).fill(7)
  test.equal(memtable.insert(longest, new Uint8Array(0), 1, Number.MAX_SAFE_INTEGER), true)
  test.equal(memtable.insert(almost, new Uint8Array(0), 0, 0), true)
  test.equal(memtable.insert(Uint8Array.of(0), large, 0, 5), true)
  test.equal(memtable.get(longest, Number.MAX_SAFE_INTEGER), undefined)
  test.equal(memtable.get(longest, 2 ** 53)?.seqno, Number.MAX_SAFE_INTEGER)
  test.equal(memtable.get(almost, 0), undefined, 'a read at 0 sees nothing')
  test.equal(memtable.get(almost, 1)?.value.length, 0)
  test.equal(compareBytes(memtable.get(Uint8Array.of(0), 6)!.value, large), 0)
  const cursor = memtable.cursor()
  test.equal(cursor.prev(), undefined, 'a cursor that was not placed stands nowhere')
  test.equal(cursor.last()?.key.length, 65_535)
  test.same(cursor.prev()?.key, almost)
  test.same(cursor.prev()?.key, Uint8Array.of(0))
  test.equal(cursor.prev(), undefined)
  test.same(cursor.next()?.key, Uint8Array.of(0))

  const empty = new KernelMemtable(new TestMemory(2), MEMTABLE_BYTES_MIN)
  const nowhere = empty.cursor()
  test.equal(nowhere.first() ?? nowhere.last() ?? nowhere.next() ?? nowhere.prev(), undefined)
  test.equal(nowhere.seek(longest) ?? nowhere.seekBefore(longest), undefined)
  test.equal(empty.get(longest, 9), undefined)
})

t.test('versions of one key, thousands of them, in both directions', async (test) => {
  const memtable = new KernelMemtable(new TestMemory(8), 4 << 20)
  const twin = new ReferenceMemtable()
  const random = new Random(seed)
  for (let i = 0; i < 5000; i++) {
    const seqno = random.chance(0.05) ? random.below(i + 1) : i
    const value = Buffer.from(String(i))
    memtable.insert(Uint8Array.of(5), value, 3, seqno)
    twin.insert(Uint8Array.of(5), value, 3, seqno)
  }
  compareScans(test, memtable, twin)
  const newest = memtable.kernel.memtable_get(
    memtable.base,
    memtable.placeKey(Uint8Array.of(5)),
    1,
    Number.POSITIVE_INFINITY,
  )
  const chain: string[] = []
  for (let entry = newest; entry !== 0; entry = memtable.kernel.memtable_older(entry)) {
    chain.push(text(memtable.entry(entry)))
  }
  test.ok(same(chain, twin.entries.map(text)), 'memtable_older walks the chain')
})

t.test('counts of stretches equal those of the twin', async (test) => {
  const random = new Random(seed)
  for (const [name, make] of Object.entries(keyMakers)) {
    const memtable = new KernelMemtable(new TestMemory(20), 8 << 20)
    const twin = new ReferenceMemtable()
    for (let i = 0; i < 2000; i++) {
      const key = make(random)
      const seqno = random.below(1000)
      memtable.insert(key, new Uint8Array(0), 0, seqno)
      twin.insert(key, new Uint8Array(0), 0, seqno)
    }
    const cursor = memtable.cursor()
    for (let i = 0; i < 300; i++) {
      const [lower, upper] = [make(random), make(random)].sort(compareBytes) as [
        Uint8Array,
        Uint8Array,
      ]
      const isInclusive = random.chance(0.5)
      const limit = random.pick([0, 500, 1000, Number.MAX_SAFE_INTEGER])
      cursor.seek(lower)
      const count = cursor.countUpto(upper, isInclusive, limit)
      const expected = twin.count(lower, upper, isInclusive, limit)
      if (count !== expected) test.fail(`${name}: ${count}, not ${expected}`)
    }
  }
  test.pass()
})

t.test('a tree of several inner levels, with strangers at its edges', async (test) => {
  const random = new Random(seed)
  const shapes: Record<string, () => Uint8Array> = {
    'strangers throughout': () =>
      random.chance(0.1)
        ? random.bytes(6)
        : Buffer.from(`/common/${random.below(1e9).toString(36).padStart(6, '0')}`),
    'prefixes of every length': () => {
      const shared = random.below(10)
      return Buffer.concat([new Uint8Array(shared).fill(0x61), random.bytes(5)])
    },
    // Ever lower, under an ever shorter prefix: the left edge loosens at each level.
    'a sinking left edge': () =>
      random.chance(0.3)
        ? Buffer.concat([new Uint8Array(random.below(7)).fill(0x61), random.bytes(4)])
        : Buffer.concat([Buffer.from('aaaaaaaa'), random.bytes(5)]),
  }
  for (const [name, make] of Object.entries(shapes)) {
    const memtable = new KernelMemtable(new TestMemory(40), 32 << 20)
    memtable.reuseNodes(random.chance(0.5))
    const keys = new Map<string, Buffer>()
    for (let i = 0; i < 150_000; i++) {
      const key = Buffer.from(make())
      if (!memtable.insert(key, new Uint8Array(0), 0, i)) test.fail('full too early')
      keys.set(key.toString('latin1'), key)
    }
    const sorted = [...keys.values()].sort(Buffer.compare)
    test.ok(memtable.field(MEMTABLE_HEIGHT) >= 2, `${name}: ${sorted.length} keys`)
    const cursor = memtable.cursor()
    let wrong = 0
    for (let i = 0; i < 20_000; i++) {
      const index = random.below(sorted.length)
      const found = cursor.seek(sorted[index]!)
      if (found === undefined || Buffer.compare(found.key, sorted[index]!) !== 0) wrong++
      const before = cursor.seekBefore(sorted[index]!)
      const wanted = sorted[index - 1]
      if (text(before).split('#')[0] !== (wanted?.toString('latin1') ?? 'none').split('#')[0])
        wrong++
    }
    test.equal(wrong, 0, `${name}: seeks, seed ${seed}`)
    let count = 0
    let previous: Uint8Array | undefined
    for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) {
      if (previous !== undefined) {
        const order = compareBytes(previous, entry.key)
        if (order > 0) test.fail(`${name}: order, seed ${seed}`)
        if (order === 0) continue
      }
      previous = entry.key
      count++
    }
    test.equal(count, sorted.length, `${name}: a scan sees every key`)
  }
})
