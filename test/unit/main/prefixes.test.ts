// Prefix extractors and what filters are good for: scans give the same with and without, tables are passed over where they
// may be, never where they must not; and point reads count what filters spare them.
import { join } from 'node:path'
import t from 'tap'
import {
  type Comparator,
  comparators,
  open,
  type PrefixExtractor,
  prefixExtractors,
  type Tree,
} from '../../../src/main/index.js'
import type { OpenOptions } from '../../../src/main/options.js'
import { prefixIndexOf, probeOf } from '../../../src/shared/base/prefix-extractor.js'
import { shortFromBehind } from '../../support/comparators.js'
import { decodeTree } from '../../support/decoder/index.js'
import { Random, runSeed } from '../../support/random.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)

const module = new URL('../../support/prefix-extractors.js', import.meta.url)

interface FilterCounts {
  readonly filterQueries: number
  readonly filterSkips: number
  readonly prefixSkips: number
}

/** What the filters of a tree have been asked since it was opened. */
function counts(tree: Tree): FilterCounts {
  const { filterQueries, filterSkips, prefixSkips } = tree.metrics()
  return { filterQueries, filterSkips, prefixSkips }
}

const keysOf = (entries: Iterable<readonly [Buffer, Buffer]>): string =>
  Array.from(entries, ([key]) => key.toString()).join(' ')

/** Up to the first slash. */
const firstPart: PrefixExtractor = {
  name: 'first part',
  prefixes: (key) => {
    const end = key.indexOf('/')
    return end < 0 ? [] : [key.subarray(0, end + 1)]
  },
}

const EXTRACTORS: Readonly<Record<string, OpenOptions['prefixExtractor'] & object>> = {
  'fixed(3)': prefixExtractors.fixed(3),
  'delimiter(/)': prefixExtractors.delimiter('/'),
  'a plain object': firstPart,
  'a module': { module, export: 'everyLength', options: { most: 6 } },
}

const SHAPES: Readonly<Record<string, OpenOptions>> = {
  'whole filters': {},
  'filters in partitions': { filterPartitioning: true, filter: { bitsPerKey: 1 } },
  'whole filters of the crate': { filterFormat: 'v5' },
  'filters of the crate in partitions': { filterFormat: 'v5', filterPartitioning: true },
  'no filters': { filter: 'none' },
}

/** Keys of two parts; those of one flush share no first part with those of the next, but their ranges overlap. */
function keyOf(flush: number): string {
  return `${String(random.below(12) * 5 + flush).padStart(2, '0')}/${random.below(40)}/${random.below(9)}`
}

for (const [name, prefixExtractor] of Object.entries(EXTRACTORS)) {
  for (const [shape, options] of Object.entries(SHAPES)) {
    for (const comparator of [undefined, comparators.reverse, shortFromBehind]) {
      const order: Partial<Record<'comparator', Comparator>> =
        comparator === undefined ? {} : { comparator }
      const what = `${name}, ${shape}${comparator === undefined ? '' : `, ${comparator.name}`}`
      t.test(`\`tree_prefix_bloom\`: the same with and without: ${what}`, async (t) => {
        const folder = t.testdir()
        const settings = { ...options, ...order, maintenance: 'manual', blockSize: 256 } as const
        const plain = await open('/plain', { ...settings, fs: 'memory' })
        let tree = await open(folder, { ...settings, prefixExtractor })
        for (let flush = 0; flush < 5; flush++) {
          for (let i = 0; i < 60; i++) {
            const key = keyOf(flush)
            for (const one of [plain, tree]) {
              if (i % 7 === 6) one.remove(key)
              else one.insert(key, `${flush} ${i}`)
            }
          }
          await plain.flush()
          await tree.flush()
        }
        const wrong: string[] = []
        const compare = (): void => {
          for (let i = 0; i < 60; i++) {
            const whole = keyOf(i % 5)
            const prefix = whole.slice(0, random.pick([0, 1, 2, 3, 4, 5, whole.length]))
            const reverse = random.chance(0.5)
            const found = keysOf(tree.prefix(prefix, { reverse }))
            if (found !== keysOf(plain.prefix(prefix, { reverse }))) wrong.push(prefix)
            if (tree.containsPrefix(prefix) !== plain.containsPrefix(prefix)) wrong.push(prefix)
          }
        }
        compare()
        const { prefixSkips } = counts(tree)
        t.equal(prefixSkips > 0, shape !== 'no filters', `${prefixSkips} tables skipped`)
        await plain.majorCompact({ targetSize: 1000 })
        await tree.majorCompact({ targetSize: 1000 })
        compare()
        await tree.close()
        tree = await open(folder, { ...settings, prefixExtractor })
        compare()
        t.same(wrong, [])
        t.equal(counts(plain).prefixSkips, 0, 'none without an extractor')
        await tree.close()
        await plain.close()
        const compareKeys = (a: Uint8Array, b: Uint8Array): number =>
          comparator?.compare(Buffer.from(a), Buffer.from(b)) ?? Buffer.compare(a, b)
        decodeTree(folder, {
          compare: compareKeys,
          ...(comparator === undefined ? {} : { comparatorName: comparator.name }),
        })
      })
    }
  }
}

t.test(
  '`tree_prefix_bloom`: several runs: only the one that has the prefix is opened',
  async (t) => {
    const tree = await open('/runs', {
      fs: 'memory',
      maintenance: 'manual',
      prefixExtractor: prefixExtractors.delimiter(':'),
    })
    for (const user of ['a', 'b', 'c', 'd']) {
      for (const group of ['first', 'last']) tree.insert(`${group}:${user}:x`, user)
      await tree.flush()
    }
    t.equal(tree.tableCount(), 4)
    t.equal(keysOf(tree.prefix('first:c:')), 'first:c:x')
    t.equal(counts(tree).prefixSkips, 2, 'the last table lies behind it anyway')
    t.equal(tree.containsPrefix('first:e:'), false)
    t.equal(counts(tree).prefixSkips, 6)
    t.equal(keysOf(tree.prefix('first:c')), 'first:c:x', 'within the part behind a delimiter')
    t.equal(counts(tree).prefixSkips, 6, 'every table has first:')
    t.equal(keysOf(tree.prefix('firs')).split(' ').length, 4, 'no boundary, nothing skipped')
    t.equal(counts(tree).prefixSkips, 6)
    t.equal(keysOf(tree.prefix('other:')), '')
    t.equal(counts(tree).prefixSkips, 6, 'behind every table')
    tree.insert('first:e:x', 'fresh')
    t.equal(tree.containsPrefix('first:e:'), true, 'memtables are always looked into')
    tree.removeRange('first:c:', 'first:c;')
    await tree.flush()
    t.equal(tree.containsPrefix('first:c:'), false, 'a range delete in a table without such keys')
    await tree.close()
  },
)

t.test(
  '`tree_prefix_bloom`: filters of another extractor, or of none, are not believed',
  async (t) => {
    const folder = t.testdir()
    const first = await open(folder, { maintenance: 'manual' })
    first.insert('ab:1', 'without')
    await first.close()
    const second = await open(folder, { maintenance: 'manual', prefixExtractor: firstPart })
    second.insert('ab/2', 'another')
    await second.close()
    const prefixExtractor = prefixExtractors.fixed(2)
    const third = await open(folder, { maintenance: 'manual', prefixExtractor })
    third.insert('aa', '')
    third.insert('az', '')
    await third.flush()
    t.equal(keysOf(third.prefix('ab')), 'ab/2 ab:1')
    t.equal(counts(third).prefixSkips, 1, 'the one table that it indexed itself')
    await third.majorCompact()
    t.equal(keysOf(third.prefix('ab')), 'ab/2 ab:1', 'rewritten, all have its prefixes')
    t.equal(third.containsPrefix('ac'), false)
    t.equal(counts(third).prefixSkips, 2)
    await third.close()
    const { name: _, ...unnamed } = firstPart
    for (const extractor of [unnamed, { ...unnamed }]) {
      const fourth = await open(folder, { maintenance: 'manual', prefixExtractor: extractor })
      fourth.insert('aa/', '')
      fourth.insert('az/', '')
      await fourth.flush()
      t.equal(fourth.containsPrefix('ay/'), false)
      t.equal(counts(fourth).prefixSkips, 1, 'without a name, its own tables only')
      await fourth.close()
    }
  },
)

t.test('an extractor that fails costs filters, not data and not answers', async (t) => {
  let isFailing = false
  const failing = (): undefined => {
    if (isFailing) throw new Error('no')
    return undefined
  }
  const extractors: PrefixExtractor[] = [
    { name: 'throws', prefixes: (key) => failing() ?? [key.subarray(0, 1)] },
    { name: 'lies', prefixes: () => [Buffer.from('zz')] },
    { name: 'no bytes', prefixes: () => ['a' as never] },
    {
      name: 'endless',
      prefixes: function* (key) {
        for (;;) yield key.subarray(0, 1)
      },
    },
    { name: 'no list', prefixes: () => 7 as never },
    {
      name: 'boundary throws',
      prefixes: (key) => [key.subarray(0, 1)],
      isValidScanBoundary: () => {
        throw new Error('no')
      },
    },
    { name: 'longer than the key', prefixes: (key) => [Buffer.concat([key, key])] },
  ]
  for (const prefixExtractor of extractors) {
    const tree = await open('/failing', { fs: 'memory', maintenance: 'manual', prefixExtractor })
    for (const isThrowing of [true, false, true]) {
      isFailing = isThrowing
      for (const key of ['a', 'b', 'c']) tree.insert(key, key)
      await tree.flush()
      t.equal(keysOf(tree.prefix('b')), 'b', String(prefixExtractor.name))
      t.equal(tree.containsPrefix('x'), false)
    }
    await tree.close()
  }
  await t.rejects(open('/x', { fs: 'memory', prefixExtractor: {} as never }), TypeError)
  await t.rejects(
    open('/x', { fs: 'memory', prefixExtractor: { ...firstPart, name: '' } }),
    RangeError,
  )
  t.throws(() => prefixExtractors.fixed(0), RangeError)
  t.throws(() => prefixExtractors.fixed(1.5), RangeError)
  t.throws(() => prefixExtractors.delimiter(256), RangeError)
  t.throws(() => prefixExtractors.delimiter('ab'), TypeError)
})

t.test('more prefixes than a filter is worth: none, and the same answers', async (t) => {
  const tree = await open('/many', {
    fs: 'memory',
    maintenance: 'manual',
    prefixExtractor: prefixExtractors.fixed(4),
    filterFormat: 'v5',
    filter: { bitsPerKey: 1 },
  })
  const key = Buffer.alloc(5)
  for (let i = 0; i < 400_000; i++) {
    key.writeUInt32BE(i * 2)
    tree.insert(key, '')
  }
  await tree.flush()
  const prefix = Buffer.alloc(4)
  for (const value of [0, 2, 3, 500_000, 500_001, 799_998, 799_999]) {
    prefix.writeUInt32BE(value)
    t.equal(tree.containsPrefix(prefix), value % 2 === 0, String(value))
  }
  await tree.close()
})

t.test('which prefix of a scan filters are asked for', async (t) => {
  const probe = (extractor: PrefixExtractor, prefix: string): string | undefined => {
    const found = probeOf(prefixIndexOf(extractor), Buffer.from(prefix))
    return found === undefined ? undefined : Buffer.from(found).toString()
  }
  const fixed = prefixExtractors.fixed(3)
  t.same(
    ['', 'a', 'abc', 'abcd'].map((prefix) => probe(fixed, prefix)),
    [undefined, undefined, 'abc', 'abc'],
  )
  const delimiter = prefixExtractors.delimiter(':')
  t.same(
    ['', 'a', ':', 'a:', 'a:b', 'a:b:', `${'x:'.repeat(20)}y`].map((prefix) =>
      probe(delimiter, prefix),
    ),
    [undefined, undefined, ':', 'a:', 'a:', 'a:b:', 'x:'.repeat(16)],
  )
  const asked: string[] = []
  const strict: PrefixExtractor = {
    prefixes: (key) => [key.subarray(0, 1), key.subarray(0, 2)],
    isValidScanBoundary: (prefix) => {
      asked.push(String(prefix))
      return prefix.length === 1
    },
  }
  t.equal(probe(strict, 'ab'), 'a')
  t.same(asked, ['ab', 'a'])
})

t.test('`tree_contains_prefix`: nothing, everything, seqnos, deletes, flushes', async (t) => {
  for (const prefixExtractor of [undefined, prefixExtractors.fixed(2)]) {
    const options = prefixExtractor === undefined ? {} : { prefixExtractor }
    const tree = await open('/contains', { fs: 'memory', maintenance: 'manual', ...options })
    t.equal(tree.containsPrefix(''), false, 'an empty tree')
    t.equal(tree.containsPrefix('ab'), false)
    const empty = tree.visibleSeqno.get()
    tree.insert('abc', '1')
    tree.insert('abd', '2')
    tree.insert('b', '3')
    const check = (when: string): void => {
      t.equal(tree.containsPrefix(''), true, when)
      for (const prefix of ['a', 'ab', 'abc', 'abd', 'b'])
        t.equal(tree.containsPrefix(prefix), true)
      for (const prefix of ['abe', 'ac', 'aba', 'ba', 'abcd']) {
        t.equal(tree.containsPrefix(prefix), false, `${when}: ${prefix}`)
      }
      t.equal(tree.containsPrefix('ab', { seqno: empty }), false, 'before it was written')
    }
    using before = tree.snapshot()
    check('in memory')
    await tree.flush()
    check('in a table')
    tree.remove('abc')
    t.equal(tree.containsPrefix('abc'), false)
    t.equal(tree.containsPrefix('ab'), true)
    tree.remove('abd')
    t.equal(tree.containsPrefix('ab'), false)
    await tree.flush()
    t.equal(tree.containsPrefix('ab'), false)
    t.equal(before.containsPrefix('ab'), true, 'as it was')
    await tree.majorCompact()
    t.equal(tree.containsPrefix('ab'), false)
    t.equal(tree.containsPrefix('b'), true)
    before[Symbol.dispose]()
    await tree.close()
  }
})

t.test('`tree_disjoint_prefix`: one run of many tables, both ways', async (t) => {
  const tree = await open('/disjoint', {
    fs: 'memory',
    maintenance: 'manual',
    prefixExtractor: prefixExtractors.fixed(1),
  })
  const letters = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const letter of letters) {
    for (let i = 0; i < 10; i++) tree.insert(`${letter}${i}`, letter)
    await tree.flush()
  }
  t.equal(tree.tableCount(), letters.length)
  for (const letter of letters) {
    const wanted = Array.from({ length: 10 }, (_, i) => `${letter}${i}`)
    t.equal(keysOf(tree.prefix(letter)), wanted.join(' '))
    t.equal(keysOf(tree.prefix(letter, { reverse: true })), wanted.toReversed().join(' '))
  }
  t.equal(keysOf(tree.prefix('')).split(' ').length, 60)
  t.equal(keysOf(tree.prefix('g')), '')
  await tree.close()
})

t.test(
  '`partitioned_bloom_skip`: keys that are not there, behind the last partition too',
  async (t) => {
    for (const filterPartitioning of [true, false]) {
      for (const filterFormat of ['varve', 'v5'] as const) {
        const merge = (
          key: Uint8Array,
          base: Uint8Array | undefined,
          operands: readonly Uint8Array[],
        ) => Buffer.concat([key, base ?? Buffer.alloc(0), ...operands])
        const tree = await open('/partitions', {
          fs: 'memory',
          maintenance: 'manual',
          filterPartitioning,
          filterFormat,
          mergeOperator: { merge },
        })
        for (let i = 0; i < 20_000; i += 2) tree.insert(`key${String(i).padStart(5, '0')}`, 'x')
        tree.insert('zzz', 'behind them, in a table of its own key range')
        tree.removeRange('zzz1', 'zzzz')
        await tree.flush()
        for (let i = 0; i < 20_000; i += 500)
          t.equal(tree.getString(`key${String(i).padStart(5, '0')}`), 'x')
        const { filterQueries, filterSkips } = counts(tree)
        t.equal(filterQueries, 40)
        t.equal(filterSkips, 0, 'never one that is there')
        for (let i = 1; i < 20_000; i += 500)
          t.equal(tree.get(`key${String(i).padStart(5, '0')}`), undefined)
        t.equal(tree.get('zzz2'), undefined, 'behind the last key, inside the range')
        t.equal(counts(tree).filterQueries, 81)
        t.ok(counts(tree).filterSkips >= 38, 'nearly all')
        tree.merge('key00001', '+')
        t.equal(tree.getString('key00001'), 'key00001+', 'a merge read over it')
        await tree.close()
      }
    }
  },
)

t.test('`tree_filter_hit_rate`: what is asked and what is spared', async (t) => {
  const tree = await open('/rate', { fs: 'memory', maintenance: 'manual' })
  for (let i = 0; i < 1000; i++) tree.insert(`key${i}`, 'x')
  t.equal(tree.getString('key5'), 'x')
  t.same(counts(tree), { filterQueries: 0, filterSkips: 0, prefixSkips: 0 }, 'in memory')
  await tree.flush()
  for (let i = 0; i < 1000; i++) tree.get(`key${i}`)
  t.same(counts(tree), { filterQueries: 1000, filterSkips: 0, prefixSkips: 0 })
  for (let i = 0; i < 1000; i++) tree.get(`key${i}x`)
  const { filterQueries, filterSkips } = counts(tree)
  t.ok(filterQueries > 1900 && filterQueries <= 2000, 'but for keys outside the table')
  const rate = filterSkips / (filterQueries - 1000)
  t.ok(rate > 0.98, `${rate}: a false positive for one in a thousand`)
  tree.multiGet(Array.from({ length: 50 }, (_, i) => `key1${i}y`))
  t.equal(counts(tree).filterQueries, filterQueries + 50, 'many at once count one by one')
  await tree.close()
})

t.test('`expect_point_read_hits`: no filter of any kind in the last level', async (t) => {
  for (const expectPointReadHits of [false, true]) {
    const tree = await open('/hits', {
      fs: 'memory',
      maintenance: 'manual',
      expectPointReadHits,
      prefixExtractor: prefixExtractors.fixed(2),
    })
    for (let i = 0; i < 100; i++) tree.insert(`key${i}`, 'x')
    await tree.flush()
    t.ok(tree.filterSize() > 0, 'in L0 there is one')
    await tree.majorCompact()
    t.equal(tree.filterSize() === 0, expectPointReadHits)
    t.equal(tree.containsPrefix('ke'), true)
    t.equal(tree.containsPrefix('kf'), false)
    await tree.close()
  }
})

t.test(
  '`burr_filter_end_to_end`: a filter survives reopening and never rejects a key',
  async (t) => {
    const root = t.testdir()
    const shapes: readonly OpenOptions[] = [
      { filterFormat: 'v5' },
      { filterFormat: 'v5', filter: { falsePositiveRate: 0.2 } },
      { filterFormat: 'v5', filterPartitioning: true, filter: { bitsPerKey: 1 } },
      { filterFormat: 'v5', prefixExtractor: prefixExtractors.delimiter('/') },
      { filterFormat: 'varve', filter: { bitsPerKey: 1 } },
    ]
    for (const [i, options] of shapes.entries()) {
      const folder = join(root, String(i))
      const keys = Array.from({ length: 5000 }, () => `${random.below(50)}/${random.u32()}`)
      const first = await open(folder, { ...options, maintenance: 'manual' })
      for (const key of keys) first.insert(key, key)
      await first.flush()
      await first.close()
      const second = await open(folder, { ...options, maintenance: 'manual' })
      t.ok(second.filterSize() > 0)
      const lost = keys.filter((key) => second.getString(key) !== key)
      t.same(lost, [])
      t.equal(counts(second).filterSkips, 0)
      await second.close()
    }
  },
)
