/** Range reads: bounds, prefixes, shapes, both ends, and iterators that outlive what happens to the tree. */

import t, { type Test } from 'tap'
import { open, type RangeOptions, type Tree } from '../../../src/main/index.js'
import { codeOf, textOf } from '../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const
const LETTERS = ['a', 'b', 'bb', 'c', 'd']

/** A tree with the letters as keys and values: a part in a deep table, a part in L0, a part in memory. */
async function letters(): Promise<Tree> {
  const tree = await open('db', memory)
  const put = (keys: readonly string[]): void => {
    for (const key of keys) tree.insert(key, key)
  }
  put(['a', 'c', 'dead'])
  await tree.flush()
  await tree.majorCompact()
  put(['b', 'd'])
  tree.remove('dead')
  await tree.flush()
  put(['bb'])
  return tree
}

const keysOf = (tree: Tree, range: RangeOptions): string =>
  Array.from(tree.range({ ...range, values: false }), String).join(' ')

/** The same letters, all of them in memory. */
async function lettersInMemory(): Promise<Tree> {
  const tree = await open('db', memory)
  for (const key of [...LETTERS].reverse()) tree.insert(key, key)
  tree.insert('dead', 'dead')
  tree.remove('dead')
  return tree
}

/** Every combination of bounds, in both directions, with every limit. */
async function checkBounds(t: Test, tree: Tree): Promise<void> {
  const bounds = [undefined, '', '0', 'a', 'b', 'b0', 'bb', 'd', 'e']
  let wrong = 0
  for (const low of bounds) {
    for (const high of bounds) {
      for (const lowName of ['gt', 'gte'] as const) {
        for (const highName of ['lt', 'lte'] as const) {
          const expected = LETTERS.filter(
            (key) =>
              (low === undefined || key > low || (lowName === 'gte' && key === low)) &&
              (high === undefined || key < high || (highName === 'lte' && key === high)),
          )
          const range = {
            ...(low === undefined ? {} : { [lowName]: low }),
            ...(high === undefined ? {} : { [highName]: high }),
          }
          const backward = [...expected].reverse()
          if (keysOf(tree, range) !== expected.join(' ')) wrong++
          if (keysOf(tree, { ...range, reverse: true }) !== backward.join(' ')) wrong++
          for (const limit of [0, 1, 2, 9]) {
            const some = backward.slice(0, limit).join(' ')
            if (keysOf(tree, { ...range, limit, reverse: true }) !== some) wrong++
            if (keysOf(tree, { ...range, limit }) !== expected.slice(0, limit).join(' ')) wrong++
          }
        }
      }
    }
  }
  t.equal(wrong, 0)
  t.equal(keysOf(tree, { gt: 'a', gte: 'c' }), 'c d', 'of two bounds the tighter one counts')
  t.equal(keysOf(tree, { lt: 'd', lte: 'b' }), 'a b')
  await tree.close()
}

t.test('`tree_range`: all bounds, over tables of several levels and memory', async (t) =>
  checkBounds(t, await letters()),
)

t.test('`tree_range_memtable_only`: all bounds, over memory alone', async (t) =>
  checkBounds(t, await lettersInMemory()),
)

t.test('shapes: entries, keys, values', async (t) => {
  const tree = await letters()
  t.equal(textOf(tree.range({ limit: 2 })), 'a=a b=b')
  t.same(Array.from(tree.range({ values: false, limit: 2 }), String), ['a', 'b'])
  t.same(Array.from(tree.range({ keys: false, limit: 2 }), String), ['a', 'b'])
  t.throws(() => tree.range({ keys: false, values: false } as never), TypeError)
  t.throws(() => tree.range({ limit: -1 }), RangeError)
  t.throws(() => tree.range({ limit: Number.NaN }), RangeError)
  t.throws(() => tree.range({ seqno: -1 }), RangeError)
  t.equal(textOf(tree.iter()), textOf(tree))
  await tree.close()
})

t.test('prefixes, those of ff bytes and the empty one', async (t) => {
  const tree = await open('db', memory)
  const keys = ['61', '6161', '61ff', '61ffff', '62', 'fe', 'ff', 'ff00', 'ffff', 'ffff01']
  for (const key of keys) tree.insert(Buffer.from(key, 'hex'), key)
  for (const prefix of ['', '61', '61ff', '6161', '63', 'ff', 'ffff', 'ffffff']) {
    const expected = keys.filter((key) => key.startsWith(prefix))
    const bytes = Buffer.from(prefix, 'hex')
    const shown = Array.from(tree.prefix(bytes), ([key]) => key.toString('hex'))
    t.same(shown, expected, `prefix ${prefix}`)
    const reversed = Array.from(tree.prefix(bytes, { reverse: true }), ([key]) =>
      key.toString('hex'),
    )
    t.same(reversed, [...expected].reverse(), `prefix ${prefix}, reversed`)
    t.equal(tree.containsPrefix(bytes), expected.length > 0)
  }
  const part = tree.prefix(Buffer.of(0x61), { gt: Buffer.of(0x61), lt: Buffer.of(0x61, 0xff) })
  t.same(
    Array.from(part, ([key]) => key.toString('hex')),
    ['6161'],
    'further bounds narrow it',
  )
  const outside = tree.prefix(Buffer.of(0x61), { gte: Buffer.of(0x10), lte: Buffer.of(0xff) })
  t.equal(Array.from(outside).length, 4, 'and never widen it')
  await tree.close()
})

t.test('a prefix may be text', async (t) => {
  const tree = await letters()
  t.equal(textOf(tree.prefix('b')), 'b=b bb=bb')
  t.equal(textOf(tree.prefix('b', { reverse: true, limit: 1 })), 'bb=bb')
  t.equal(textOf(tree.prefix('')), 'a=a b=b bb=bb c=c d=d')
  t.ok(tree.containsPrefix('bb'))
  t.notOk(tree.containsPrefix('bbb'))
  const given = Buffer.from('b')
  tree.containsPrefix(given)
  t.equal(String(given), 'b', 'what was given stays as it is')
  await tree.close()
})

t.test('both ends, in every order, yield each entry once', async (t) => {
  const tree = await letters()
  for (let pattern = 0; pattern < 64; pattern++) {
    for (const reverse of [false, true]) {
      const entries = tree.range({ reverse, values: false })
      const front: string[] = []
      const back: string[] = []
      for (let step = 0; step < 7; step++) {
        const isBack = ((pattern >> step) & 1) === 1
        const { value } = isBack ? entries.nextBack() : entries.next()
        if (value !== undefined) (isBack ? back : front).push(String(value))
      }
      const shown = [...front, ...back.reverse()]
      const expected = reverse ? [...LETTERS].reverse() : LETTERS
      if (shown.join() !== expected.join()) t.same(shown, expected, `pattern ${pattern}`)
    }
  }
  const limited = tree.range({ limit: 3, values: false })
  t.equal(String(limited.nextBack().value), 'd')
  t.equal(String(limited.next().value), 'a')
  t.equal(String(limited.nextBack().value), 'c')
  t.ok(limited.next().done, 'a limit counts both ends together')
  await tree.close()
})

t.test('an iterator that has ended stays ended', async (t) => {
  const tree = await letters()
  const entries = tree.range()
  t.equal(Array.from(entries).length, 5)
  t.same(entries.next(), { done: true, value: undefined })
  t.same(entries.nextBack(), { done: true, value: undefined })
  entries[Symbol.dispose]()
  const stopped = tree.range()
  for (const [key] of stopped) if (String(key) === 'b') break
  t.ok(stopped.next().done, 'leaving a loop ends it')
  await tree.close()
})

t.test('writes after its start are not seen by an iterator', async (t) => {
  const tree = await letters()
  const entries = tree.range()
  tree.insert('a0', 'late')
  tree.insert('b', 'late')
  tree.remove('c')
  t.equal(textOf(entries), 'a=a b=b bb=bb c=c d=d')
  await tree.close()
})

t.test('an iterator survives flush, compaction, clear and close', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { maintenance: 'manual', blockSize: 256 })
  const expected: string[] = []
  for (let i = 0; i < 3_000; i++) {
    const key = `key ${String(i).padStart(5, '0')}`
    tree.insert(key, `value of ${key}`)
    expected.push(key)
    if (i % 1000 === 500) await tree.flush()
  }
  const held = [tree.range(), tree.range({ reverse: true }), tree.range({ values: false })] as const
  const shown: string[][] = held.map(() => [])
  const step = (count: number): void => {
    held.forEach((entries, i) => {
      for (let n = 0; n < count; n++) {
        const value = entries.next().value as Buffer | [Buffer, Buffer] | undefined
        if (value !== undefined) shown[i]?.push(String(Array.isArray(value) ? value[0] : value))
      }
    })
  }
  step(100)
  await tree.flush()
  step(500)
  await tree.majorCompact()
  step(500)
  await tree.clear()
  t.ok(tree.isEmpty())
  step(500)
  step(3_000)
  t.same(shown[0], expected)
  t.same(shown[1], [...expected].reverse())
  t.same(shown[2], expected)
  tree.insert('a', '1')
  const late = tree.range()
  await tree.close()
  t.equal(String(late.next().value?.[0]), 'a')
  t.ok(late.next().done)
})

t.test('what is handed out belongs to the caller', async (t) => {
  const tree = await letters()
  const pairs = Array.from(tree.range())
  for (const [key, value] of pairs) {
    key.fill(0)
    value.fill(0)
  }
  tree.get('a')?.fill(0)
  tree.firstKeyValue()?.[1].fill(0)
  t.equal(textOf(tree.range()), 'a=a b=b bb=bb c=c d=d')
  await tree.close()
})

t.test('point reads in all their forms', async (t) => {
  const tree = await letters()
  t.same(tree.get('a'), Buffer.from('a'))
  t.equal(tree.getString('bb'), 'bb')
  t.equal(tree.sizeOf('bb'), 2)
  t.equal(tree.sizeOf('zz'), undefined)
  t.equal(tree.containsKey('d'), true)
  t.equal(tree.containsKey('dead'), false)
  const target = Buffer.alloc(3, '.')
  t.equal(tree.getInto('bb', target), 2)
  t.equal(String(target), 'bb.')
  t.equal(tree.getInto('bb', target.subarray(0, 1)), 2, 'the value’s length, however much fits')
  t.equal(tree.getInto('zz', target), -1)
  t.same(
    tree.multiGet(['d', 'zz', 'a', 'd']).map((value) => value && String(value)),
    ['d', undefined, 'a', 'd'],
  )
  t.same(tree.multiGet([]), [])
  t.equal(textOf([tree.firstKeyValue() ?? []] as never), 'a=a')
  t.equal(textOf([tree.lastKeyValue() ?? []] as never), 'd=d')
  t.equal(tree.len(), 5)
  t.equal(tree.get('a', { seqno: 0 }), undefined, 'nothing is visible at 0')
  t.equal(tree.isEmpty({ seqno: 0 }), true)
  t.equal(await codeOf(() => tree.get('a', { seqno: 1.5 })), 'VARVE_INVALID_ARGUMENT')
  await tree.close()
})
