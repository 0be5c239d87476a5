// Custom orders of keys: what users see, and what is refused; then comparators that throw, lie and contradict themselves.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import {
  type Comparator,
  comparators,
  open,
  type Tree,
  VarveError,
} from '../../../src/main/index.js'
import type { OpenOptions } from '../../../src/main/options.js'
import { leveled } from '../../../src/main/strategies/leveled.js'
import { sizeTiered } from '../../../src/main/strategies/size-tiered.js'
import { goldenFolder } from '../../golden/fixtures.js'
import { rotated, shortFromBehind, shortFromBehindAt, u64le } from '../../support/comparators.js'
import { decodeTree } from '../../support/decoder/index.js'
import { Random, runSeed } from '../../support/random.js'
import { codeOf, copyTree, listing } from '../../support/trees.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)

const fixture = join(goldenFolder, 'v5/trees/std')
const module = new URL('../../support/comparators.js', import.meta.url)
const number = (value: number): Buffer => {
  const key = Buffer.alloc(8)
  key.writeBigUInt64LE(BigInt(value))
  return key
}
const keysOf = (entries: Iterable<readonly [Buffer, Buffer]>): string =>
  Array.from(entries, ([key]) => key.toString()).join(' ')

/** Every kind of comparator, with whether its jobs can leave the main thread. */
const KINDS: readonly {
  readonly what: string
  readonly comparator: OpenOptions['comparator'] & object
  readonly order: Comparator
}[] = [
  {
    what: 'the shipped reverse order',
    comparator: comparators.reverse,
    order: comparators.reverse,
  },
  { what: 'a plain object', comparator: shortFromBehind, order: shortFromBehind },
  { what: 'a plain object with compareAt', comparator: shortFromBehindAt, order: shortFromBehind },
  {
    what: 'a module',
    comparator: { module, export: 'rotated', options: { by: 77 } },
    order: rotated({ by: 77 }),
  },
]

const small = leveled({ targetBytes: 2048, l0Threshold: 2, levelRatios: [2] })

for (const { what, comparator, order } of KINDS) {
  t.test(
    `\`custom_comparator\`: ${what}: reads, scans and bounds, in memory and on disk`,
    async (t) => {
      const folder = t.testdir()
      let tree = await open(folder, { comparator, maintenance: 'manual', blockSize: 128 })
      const keys = Array.from({ length: 300 }, () => Buffer.from(String(random.below(5000))))
      const live = new Map<string, Buffer>()
      const sorted = (): Buffer[] =>
        [...live.keys()].map((key) => Buffer.from(key)).sort((a, b) => order.compare(a, b))
      const check = (when: string): void => {
        const wanted = sorted()
        t.equal(keysOf(tree.iter()), wanted.join(' '), `${when}: forward`)
        t.equal(
          keysOf(tree.iter({ reverse: true })),
          wanted.toReversed().join(' '),
          `${when}: reverse`,
        )
        t.equal(String(tree.firstKeyValue()?.[0]), String(wanted[0]))
        t.equal(String(tree.lastKeyValue()?.[0]), String(wanted.at(-1)))
        for (const key of keys) t.same(tree.get(key), live.get(String(key)), `${when}: ${key}`)
        for (let i = 0; i < 20; i++) {
          const [a, b] = [random.pick(keys), random.pick(keys)]
          const inside = (low: number, high: number): string =>
            wanted
              .filter((key) => order.compare(key, a) > low && order.compare(key, b) < high)
              .join(' ')
          t.equal(keysOf(tree.range({ gt: a, lt: b })), inside(0, 0), `${when}: ${a} < … < ${b}`)
          t.equal(
            keysOf(tree.range({ gte: a, lte: b })),
            inside(-1, 1),
            `${when}: ${a} <= … <= ${b}`,
          )
        }
        for (const prefix of ['1', '42', '']) {
          const starting = wanted.filter((key) => String(key).startsWith(prefix))
          t.equal(keysOf(tree.prefix(prefix)), starting.join(' '), `${when}: prefix ${prefix}`)
          t.equal(tree.containsPrefix(prefix), starting.length > 0)
        }
      }
      for (const [i, key] of keys.entries()) {
        tree.insert(key, `first ${i}`)
        live.set(String(key), Buffer.from(`first ${i}`))
      }
      check('in the memtable')
      await tree.flush()
      check('in a table')
      for (const key of keys.filter((_, i) => i % 3 === 0)) {
        tree.remove(key)
        live.delete(String(key))
      }
      const [start, end] = [random.pick(keys), random.pick(keys)].sort((a, b) =>
        order.compare(a, b),
      )
      tree.removeRange(start as Buffer, end as Buffer)
      for (const key of sorted()) {
        const isIn =
          order.compare(key, start as Buffer) >= 0 && order.compare(key, end as Buffer) < 0
        if (isIn) live.delete(String(key))
      }
      check('deletes in the memtable')
      await tree.flush()
      check('deletes in a table')
      await tree.majorCompact({ targetSize: 1000 })
      check('compacted')
      await tree.close()
      tree = await open(folder, { comparator })
      check('opened again')
      await tree.close()
      decodeTree(folder, {
        compare: (a, b) => order.compare(Buffer.from(a), Buffer.from(b)),
        comparatorName: order.name,
      })
    },
  )

  t.test(
    `\`custom_comparator_compaction\`: ${what}: leveled, size-tiered, major, ingested`,
    async (t) => {
      for (const strategy of [small, sizeTiered({ minMergeWidth: 2, targetBytes: 4096 })]) {
        const folder = t.testdir()
        const tree = await open(folder, {
          comparator,
          strategy,
          blockSize: 200,
          runtime: { memtableBytes: 128 * 1024 },
        })
        const live = new Map<string, string>()
        for (let i = 0; i < 4000; i++) {
          const key = String(random.below(700))
          if (random.chance(0.2)) {
            tree.remove(key)
            live.delete(key)
          } else {
            tree.insert(key, `value ${i}`)
            live.set(key, `value ${i}`)
          }
          if (i % 500 === 499) await tree.flush()
        }
        const wanted = (): string[] =>
          [...live.keys()].sort((a, b) => order.compare(Buffer.from(a), Buffer.from(b)))
        await tree.idle()
        t.equal(keysOf(tree.iter()), wanted().join(' '), `${strategy.name}: by itself`)
        const fresh = ['x', 'y', 'z', 'xx', 'zz'].sort((a, b) =>
          order.compare(Buffer.from(a), Buffer.from(b)),
        )
        const ingestion = tree.ingestion()
        for (const key of fresh) {
          ingestion.write(key, 'ingested')
          live.set(key, 'ingested')
        }
        await ingestion.finish()
        const backwards = tree.ingestion()
        backwards.write(fresh[1] as string, '')
        t.throws(() => backwards.write(fresh[0] as string, ''), { code: 'VARVE_INGEST_ORDER' })
        await backwards.abort()
        await tree.majorCompact({ targetSize: 3000 })
        t.equal(
          keysOf(tree.iter()),
          wanted().join(' '),
          `${strategy.name}: after a major compaction`,
        )
        for (const [key, value] of live) t.equal(tree.getString(key), value)
        await tree.close()
        decodeTree(folder, {
          compare: (a, b) => order.compare(Buffer.from(a), Buffer.from(b)),
          comparatorName: order.name,
        })
      }
    },
  )
}

t.test('`custom_comparator`: numbers, little endian, and keys that are none', async (t) => {
  const tree = await open('/numbers', { fs: 'memory', comparator: u64le })
  for (const value of [1000, 3, 70_000, 256, 255, 0]) tree.insert(number(value), String(value))
  t.throws(() => tree.insert('seven b', ''), {
    code: 'VARVE_COMPARATOR',
    cause: { message: 'a key has 8 bytes' },
  })
  t.throws(() => tree.remove('x'), { code: 'VARVE_COMPARATOR' })
  const values = (): string => [...tree.range({ keys: false })].join(' ')
  t.equal(values(), '0 3 255 256 1000 70000')
  await tree.flush()
  t.throws(() => tree.get('x'), {
    code: 'VARVE_COMPARATOR',
    details: { comparator: 'u64-little-endian' },
  })
  t.equal(values(), '0 3 255 256 1000 70000', 'nothing was changed')
  t.equal(
    [...tree.range({ gt: number(3), lte: number(1000), keys: false })].join(' '),
    '255 256 1000',
  )
  await tree.close()
})

t.test('`custom_comparator`: the name on disk', async (t) => {
  const folder = t.testdir({ reverse: {}, bytes: {}, long: {} })
  const path = join(folder, 'reverse')
  const tree = await open(path, { comparator: comparators.reverse })
  tree.insert('a', '1')
  await tree.close()
  const before = listing(path)
  for (const comparator of [undefined, comparators.u64be, shortFromBehind]) {
    const options = comparator === undefined ? {} : { comparator }
    t.equal(await codeOf(() => open(path, options)), 'VARVE_COMPARATOR_MISMATCH')
  }
  const changed = listing(path).filter((line) => !before.includes(line) && !line.startsWith('LOCK'))
  t.same(changed, [], 'nothing was touched')
  const alike: Comparator = { ...shortFromBehind, name: comparators.reverse.name }
  t.equal(alike.name, 'reverse-lexicographic', 'the name that other engines use')
  for (const name of ['x'.repeat(257), '', 'ü'.repeat(129)]) {
    await t.rejects(open(join(folder, 'long'), { comparator: { ...u64le, name } }), RangeError)
  }
  t.same(readdirSync(join(folder, 'long')), [], 'nothing was created')
  const longest = await open(join(folder, 'long'), {
    comparator: { ...u64le, name: 'ü'.repeat(128) },
  })
  await longest.close()
  await t.rejects(open(folder, { comparator: {} as never }), TypeError, 'no comparator')
  await t.rejects(
    open(folder, { comparator: { ...u64le, name: 7 } as never }),
    TypeError,
    'no name',
  )
  const missing = { module, export: 'nothing' }
  await t.rejects(open(join(folder, 'bytes'), { comparator: missing }), TypeError)
  t.same(readdirSync(join(folder, 'bytes')), [])
})

t.test('orders that are those of bytes keep all of their shortcuts', async (t) => {
  const { workspace } = processEnvironment()
  const promised: Comparator = {
    name: 'promised',
    isLexicographic: true,
    compare: () => {
      throw new Error('never called')
    },
  }
  for (const comparator of [comparators.lexicographic, comparators.u64be, promised]) {
    const tree = await open('/bytes', { fs: 'memory', comparator })
    for (const key of ['b', 'a', 'c']) tree.insert(key, key)
    await tree.flush()
    tree.removePrefix('c')
    t.equal(keysOf(tree.iter()), 'a b')
    await tree.close()
  }
  t.equal(workspace.order.isBytes, true)
})

t.test('what only the order of bytes can do is refused', async (t) => {
  const tree = await open('/refused', { fs: 'memory', comparator: comparators.reverse })
  tree.insert('a', '1')
  t.throws(() => tree.removePrefix('a'), { code: 'VARVE_UNSUPPORTED' })
  t.throws(() => tree.removeRange('', 'a'), RangeError)
  t.equal(tree.getString('a'), '1')
  tree.removeRange('a', 'A')
  t.equal(tree.get('a'), undefined, 'a range from a down to A')
  await tree.close()
})

t.test('a tree of another engine is refused before a file is touched', async (t) => {
  const path = copyTree(fixture, join(t.testdir(), 'db'))
  const before = listing(path)
  t.equal(await codeOf(() => open(path, { comparator: u64le })), 'VARVE_COMPARATOR_MISMATCH')
  t.same(
    listing(path).filter((line) => line.startsWith('tables') || line.startsWith('current')),
    before.filter((line) => line.startsWith('tables') || line.startsWith('current')),
  )
})

/** Comparators that break the rules. Each is wrong in a way of its own. */
function hostile(seed: number): readonly Comparator[] {
  const dice = new Random(seed)
  let calls = 0
  const wrong = (name: string, compare: Comparator['compare']): Comparator => ({ name, compare })
  const honest = (a: Buffer, b: Buffer): number => Buffer.compare(a, b)
  return [
    wrong('random', (a, b) => (a.equals(b) ? 0 : dice.chance(0.5) ? -1 : 1)),
    wrong('always less', (a, b) => (a.equals(b) ? 0 : -1)),
    wrong('always more', (a, b) => (a.equals(b) ? 0 : 1)),
    wrong('always equal', () => 0),
    wrong('not a number', () => Number.NaN),
    wrong('no answer', () => undefined as never),
    wrong('text', () => 'less' as never),
    wrong('rarely wrong', (a, b) => (dice.chance(0.01) ? -honest(a, b) : honest(a, b))),
    wrong('in a circle', (a, b) => {
      const [x, y] = [(a.at(-1) as number) % 3, (b.at(-1) as number) % 3]
      if (x === y) return honest(a, b)
      return (x + 1) % 3 === y ? -1 : 1
    }),
    wrong('throws now and then', (a, b) => {
      if (++calls % 500 === 0) throw new Error('no')
      return honest(a, b)
    }),
    wrong('throws for pairs', (a, b) => {
      if (!a.equals(b) && (a.at(-1) === 55) !== (b.at(-1) === 55)) throw new Error('not these two')
      return honest(a, b)
    }),
    wrong('turns around', (a, b) => (++calls > 3000 ? honest(b, a) : honest(a, b))),
    wrong('throws nothing', () => {
      throw undefined
    }),
  ]
}

t.test(
  'comparators that break the rules end in an error or an end, never in a hang or a crash',
  async (t) => {
    t.setTimeout(120_000)
    const { heap } = processEnvironment()
    const usedBytes = heap.usedBytes
    for (let i = 0; i < hostile(0).length; i++) {
      const comparator = hostile(random.u32())[i] as Comparator
      const codes = new Set<string>()
      const attempt = async (work: () => unknown): Promise<void> => {
        try {
          await work()
        } catch (error) {
          if (!VarveError.is(error)) throw error
          codes.add(error.code)
        }
      }
      const tree = await open('/hostile', {
        fs: 'memory',
        comparator,
        maintenance: 'manual',
        strategy: small,
        blockSize: 64,
        runtime: { memtableBytes: 256 * 1024 },
      })
      for (let round = 0; round < 3; round++) {
        for (let n = 0; n < 1500; n++) {
          await attempt(() => tree.insert(`key${random.below(3000)}`, `value ${n}`))
          if (n % 50 === 0)
            await attempt(() => tree.removeRange(`key${n}`, `key${random.below(3000)}`))
        }
        await attempt(() => useEveryRead(tree))
        await attempt(() => tree.flush())
        await attempt(() => useEveryRead(tree))
        await attempt(() => tree.compact())
        await attempt(() => tree.majorCompact({ targetSize: 2000 }))
      }
      t.ok(
        [...codes].every(
          (code) =>
            code === 'VARVE_COMPARATOR' ||
            code === 'VARVE_STALLED' ||
            code === 'VARVE_INVALID_HEADER' ||
            code === 'VARVE_RANGE_TOMBSTONE',
        ),
        `${comparator.name}: ${[...codes].join(', ') || 'no error'}`,
      )
      await attempt(() => tree.close())
      await attempt(() => tree.close({ flush: 'discard' }))
      t.equal(heap.usedBytes, usedBytes, `${comparator.name}: the memory is given back`)
    }
  },
)

/** Reads of every kind, each drained for as long as there can be entries. */
function useEveryRead(tree: Tree): void {
  const errors: unknown[] = []
  const attempt = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      errors.push(error)
    }
  }
  const drain = (options: Parameters<Tree['range']>[0]): void => {
    attempt(() => {
      let count = 0
      for (const _ of tree.range(options)) {
        if (++count > 100_000) throw new Error('an iterator that does not end')
      }
    })
  }
  for (let i = 0; i < 50; i++) attempt(() => tree.get(`key${random.below(3000)}`))
  drain({})
  drain({ reverse: true })
  for (let i = 0; i < 20; i++) {
    const [a, b] = [`key${random.below(3000)}`, `key${random.below(3000)}`]
    drain({ gt: a, lte: b })
    drain({ gte: a, lt: b, reverse: true })
    attempt(() => tree.containsPrefix(a.slice(0, 4)))
  }
  const strange = errors.find((error) => !VarveError.is(error))
  if (strange !== undefined) throw strange
  if (errors.length > 0) throw errors[0]
}

t.test('a comparator that uses its own tree is told so, and the tree lives on', async (t) => {
  let tree: Tree | undefined
  let isCurious = false
  const comparator: Comparator = {
    name: 'curious',
    compare: (a, b) => {
      if (isCurious) tree?.get('a')
      return Buffer.compare(a, b)
    },
  }
  tree = await open('/curious', { fs: 'memory', comparator })
  for (const key of ['a', 'b', 'c']) tree.insert(key, key)
  await tree.flush()
  isCurious = true
  t.throws(() => tree?.get('b'), { code: 'VARVE_COMPARATOR' })
  isCurious = false
  t.equal(tree.getString('b'), 'b')
  await tree.close()
})

t.test('an entry that was linked in doubt is the last one, and is not written out', async (t) => {
  let isBroken = false
  const comparator: Comparator = {
    name: 'breaks',
    compare: (a, b) => {
      if (isBroken && !a.equals(b)) throw new Error('broken')
      return Buffer.compare(a, b)
    },
  }
  const tree = await open('/breaks', { fs: 'memory', comparator, maintenance: 'manual' })
  for (let i = 0; i < 500; i++) tree.insert(`key${i}`, 'x')
  await tree.flush()
  for (let i = 0; i < 500; i++) tree.insert(`key${i}`, 'y')
  isBroken = true
  t.throws(() => tree.insert('new', 'z'), {
    code: 'VARVE_COMPARATOR',
    cause: { message: 'broken' },
  })
  isBroken = false
  t.throws(() => tree.insert('newer', 'z'), { code: 'VARVE_COMPARATOR' }, 'later writes fail')
  t.equal(tree.getString('key1'), 'y', 'reads go on')
  await tree.close({ flush: 'discard' })
})
