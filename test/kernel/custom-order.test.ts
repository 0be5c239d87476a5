// The second build of the kernels: sound orders against sorted arrays, and orders that contradict themselves, under which
// every kernel ends, stays inside its region, and says that something was wrong.
import t from 'tap'
import { instantiateKernel, type Kernel, kernelModule } from '../../src/shared/kernel/kernel.js'
import { KernelMemtable } from '../support/kernel-memtable.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)

const REGION_BYTES = 1 << 20

type Compare = (a: Uint8Array, b: Uint8Array) => number

/** A kernel of the second build whose order is `compare`, with nothing between the two. */
function orderedKernel(
  memory: TestMemory,
  compare: Compare,
): { kernel: Kernel; broken: () => number } {
  let broken = 0
  const order = {
    compare: (a: number, aLength: number, b: number, bLength: number) =>
      compare(memory.bytes.subarray(a, a + aLength), memory.bytes.subarray(b, b + bLength)),
    broken: () => {
      broken++
    },
  }
  const imports = { env: { memory: memory.memory }, order }
  const instance = new WebAssembly.Instance(kernelModule('ordered-kernel'), imports)
  return { kernel: instance.exports as unknown as Kernel, broken: () => broken }
}

const SOUND: Readonly<Record<string, Compare>> = {
  reverse: (a, b) => Buffer.compare(b, a),
  'longer first': (a, b) => b.length - a.length || Buffer.compare(a, b),
}

for (const [name, compare] of Object.entries(SOUND)) {
  t.test(`a sound order: ${name}`, async (t) => {
    const memory = new TestMemory(4)
    const { kernel, broken } = orderedKernel(memory, compare)
    const memtable = new KernelMemtable(memory, REGION_BYTES).through(kernel)
    const keys = new Map<string, Buffer>()
    for (let i = 0; ; i++) {
      const key = Buffer.from(random.bytes(1 + random.below(6)))
      if (!memtable.insert(key, Buffer.alloc(8), 0, i)) break
      keys.set(key.toString('hex'), key)
    }
    const sorted = [...keys.values()].sort(compare)
    const cursor = memtable.cursor()
    const walked: string[] = []
    for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) {
      const key = Buffer.from(entry.key).toString('hex')
      if (walked.at(-1) !== key) walked.push(key)
    }
    t.same(
      walked,
      sorted.map((key) => key.toString('hex')),
      `${walked.length} keys in order`,
    )
    const wrong: string[] = []
    for (let i = 0; i < 2000; i++) {
      const index = random.below(sorted.length)
      const key = sorted[index] as Buffer
      const near = {
        seek: [cursor.seek(key), sorted[index]],
        behind: [cursor.seekBehind(key), sorted[index + 1]],
        before: [cursor.seekBefore(key), sorted[index - 1]],
        upto: [cursor.seekUpto(key), sorted[index]],
      } as const
      for (const [what, [found, wanted]] of Object.entries(near)) {
        if (Buffer.from(found?.key ?? []).compare(wanted ?? Buffer.alloc(0)) !== 0) wrong.push(what)
      }
    }
    t.same(wrong, [])
    t.equal(broken(), 0)
  })
}

t.test('the reverse order of the first module is the reverse', async (t) => {
  const memory = new TestMemory(2)
  const kernel = instantiateKernel(memory.memory)
  const [a, b] = [memory.allocate(64), memory.allocate(64)]
  for (let i = 0; i < 2000; i++) {
    const x = Buffer.from(random.bytes(random.below(20)).map((byte) => byte & 3))
    const y = Buffer.from(random.bytes(random.below(20)).map((byte) => byte & 3))
    memory.bytes.set(x, a)
    memory.bytes.set(y, b)
    const order = Math.sign(kernel.compare_reverse(a, x.length, b, y.length))
    if (order !== Math.sign(Buffer.compare(y, x)))
      t.fail(`${x.toString('hex')} ${y.toString('hex')}`)
  }
})

/** Orders that contradict themselves. */
const UNSOUND: Readonly<Record<string, Compare>> = {
  random: () => random.below(3) - 1,
  'less, always': () => -1,
  'more, always': () => 1,
  'equal, always': () => 0,
  'in a circle': (a, b) => {
    const difference = ((a[0] ?? 0) % 7) - ((b[0] ?? 0) % 7)
    return difference === 0 ? Buffer.compare(a, b) : (difference + 7) % 7 < 4 ? 1 : -1
  },
  'mostly sound': (a, b) => (random.chance(0.02) ? -1 : 1) * Buffer.compare(a, b),
}

for (const [name, compare] of Object.entries(UNSOUND)) {
  t.test(`an unsound order: ${name}`, async (t) => {
    const memory = new TestMemory(8)
    const before = memory.allocate(4096)
    const region = new KernelMemtable(memory, REGION_BYTES)
    const behind = memory.allocate(4096)
    memory.bytes.fill(0xa5, before, before + 4096)
    memory.bytes.fill(0xa5, behind, behind + 4096)
    const { kernel, broken } = orderedKernel(memory, compare)
    const memtable = region.through(kernel)
    let inserted = 0
    const isDescending = random.chance(0.5)
    for (;;) {
      const key = isDescending ? Buffer.from(String(1e6 - inserted)) : random.bytes(4)
      if (!memtable.insert(key, Buffer.alloc(4), 0, inserted)) break
      inserted++
    }
    t.ok(inserted > 1000, `${inserted} entries until it is full`)
    const cursor = memtable.cursor()
    const stepsMax = 5 * inserted + 1000
    for (const isForward of [true, false]) {
      let steps = 0
      let entry = isForward ? cursor.first() : cursor.last()
      while (entry !== undefined && steps++ < stepsMax) {
        entry = isForward ? cursor.next() : cursor.prev()
      }
      t.ok(steps < stepsMax, `${isForward ? 'forward' : 'backwards'}: ends after ${steps} steps`)
    }
    for (let i = 0; i < 500; i++) {
      const key = random.bytes(1 + random.below(5))
      cursor.seek(key)
      cursor.seekBefore(key)
      cursor.seekBehind(key)
      cursor.seekUpto(key)
      cursor.next()
      cursor.prev()
    }
    const edges = [before, behind].map((at) => memory.bytes.subarray(at, at + 4096))
    t.ok(
      edges.every((bytes) => bytes.every((byte) => byte === 0xa5)),
      'nothing outside was touched',
    )
    t.comment(`${broken()} times broken`)
  })
}
