/** Cursors that seek, and batches of ranges: every source, every bound, past the ends and back. */

import t from 'tap'
import { open, type SeekableIterator, type Tree } from '../../../../src/main/index.js'
import { codeOf, concatenation, textOf } from '../../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

/** Letters in a deep run of several tables, in L0, in a sealed buffer and in the active one; `dead` and `ranged` hidden. */
async function letters(): Promise<Tree> {
  const tree = await open('db', { ...memory, mergeOperator: concatenation, blockSize: 1 })
  for (const key of ['a', 'c', 'dead', 'e', 'g', 'i', 'ranged', 'x']) tree.insert(key, key)
  await tree.flush()
  await tree.majorCompact({ targetSize: 1 })
  for (const key of ['b', 'e', 'k']) tree.insert(key, key)
  tree.remove('dead')
  await tree.flush()
  tree.removeRange('r', 's')
  tree.insert('d', 'd')
  tree.rotateMemtable()
  tree.merge('m', 'm')
  tree.insert('z', 'z')
  return tree
}

const ALL = 'a b c d e g i k m x z'.split(' ')

function step(it: SeekableIterator, way: 'next' | 'prev'): string | undefined {
  const { value } = it[way]()
  if (value !== undefined && String(value[0]) !== String(value[1])) throw new Error('a wrong value')
  return value && String(value[0])
}

t.test(
  '`seekable_range`: seeks to and fro, after the end, on what is there and what is not',
  async (t) => {
    const tree = await letters()
    const it = tree.seekable()
    t.equal(step(it, 'prev'), undefined, 'nothing lies before the start')
    t.same(
      ALL.map(() => step(it, 'next')),
      ALL,
    )
    t.equal(step(it, 'next'), undefined)
    t.equal(step(it, 'next'), undefined, 'the end stays the end')
    t.equal(step(it, 'prev'), 'z', 'and is left again')
    const targets = ['a', 'aa', 'dead', 'e', 'f', 'ranged', 'z', 'zz', '0', 'k', 'c']
    for (const target of [...targets, ...targets].sort(() => 0)) {
      it.seekTo(target)
      const behind = ALL.filter((key) => key >= target)
      const before = ALL.filter((key) => key < target)
      t.equal(it.peekKey()?.toString(), behind[0])
      t.equal(step(it, 'next'), behind[0], `next from ${target}`)
      it.seekTo(target)
      t.equal(step(it, 'prev'), before.at(-1), `prev from ${target}`)
      it.seekToForPrev(target)
      const upto = ALL.filter((key) => key <= target)
      t.equal(step(it, 'prev'), upto.at(-1), `prev from behind ${target}`)
      it.seekToForPrev(target)
      t.equal(
        step(it, 'next'),
        ALL.find((key) => key > target),
        `next from behind ${target}`,
      )
    }
    it.return()
    t.equal(step(it, 'next'), undefined, 'one that ended stays ended')
    t.equal(it.peekKey(), undefined)
    await tree.close()
  },
)

t.test('`seekable_range`: a target outside the bounds goes to the bound', async (t) => {
  const tree = await letters()
  const bounds = [
    [{ gte: 'b', lt: 'm' }, 'b c d e g i k'],
    [{ gt: 'b', lte: 'm' }, 'c d e g i k m'],
    [{ gt: 'aa', lt: 'kk' }, 'b c d e g i k'],
    [{ gte: 'dead', lte: 'ranged' }, 'e g i k m'],
  ] as const
  for (const [range, keys] of bounds) {
    const inside = keys.split(' ')
    const it = tree.seekable(range)
    for (const low of ['0', 'a', 'aa']) {
      it.seekTo(low)
      t.equal(step(it, 'next'), inside[0])
      it.seekToForPrev(low)
      t.equal(step(it, 'prev'), undefined)
      t.equal(step(it, 'next'), inside[0])
    }
    for (const high of ['x', 'zz']) {
      it.seekTo(high)
      t.equal(it.peekKey(), undefined)
      t.equal(step(it, 'next'), undefined)
      t.equal(step(it, 'prev'), inside.at(-1))
    }
    it.return()
  }
  for (const none of [{ gte: 'm', lt: 'b' }, { gt: 'b', lt: 'b' }, { gt: 'zz' }]) {
    const it = tree.seekable(none)
    for (const target of ['0', 'b', 'c', 'zzz']) {
      it.seekTo(target)
      t.equal(step(it, 'next'), undefined)
      t.equal(step(it, 'prev'), undefined)
    }
    it.return()
  }
  await tree.close()
})

t.test('every walk of next, prev and peek from everywhere', async (t) => {
  const tree = await letters()
  let wrong = 0
  const it = tree.seekable()
  for (let start = 0; start <= ALL.length; start++) {
    for (let pattern = 0; pattern < 3 ** 5; pattern++) {
      if (start === ALL.length) it.seekTo('zzz')
      else it.seekTo(ALL[start] as string)
      let at = start
      for (let rest = pattern, i = 0; i < 5; i++, rest = Math.floor(rest / 3)) {
        if (rest % 3 === 2) {
          if (it.peekKey()?.toString() !== ALL[at]) wrong++
        } else if (rest % 3 === 1) {
          if (step(it, 'prev') !== ALL[at - 1]) wrong++
          at = Math.max(0, at - 1)
        } else {
          if (step(it, 'next') !== ALL[at]) wrong++
          at = Math.min(ALL.length, at + 1)
        }
      }
    }
  }
  t.equal(wrong, 0)
  it.return()
  await tree.close()
})

t.test('a cursor keeps what it sees, and follows no write', async (t) => {
  const tree = await letters()
  const it = tree.seekable({ gte: 'b', lt: 'h' })
  it.seekTo('d')
  tree.insert('cc', 'late')
  tree.remove('e')
  await tree.flush()
  await tree.majorCompact()
  t.same(
    [step(it, 'prev'), step(it, 'next'), step(it, 'next'), step(it, 'next')],
    ['c', 'c', 'd', 'e'],
  )
  await tree.clear()
  it.seekTo('b')
  t.equal(step(it, 'next'), 'b')
  await tree.close()
  it.seekToForPrev('g')
  t.equal(step(it, 'prev'), 'g', 'also when the tree has closed')
  it[Symbol.dispose]()
})

t.test('keys that are none are refused, and the cursor stays where it is', async (t) => {
  const tree = await letters()
  const it = tree.seekable()
  it.seekTo('c')
  for (const wrong of ['', 'x'.repeat(65_536), 5]) {
    t.equal(await codeOf(() => it.seekTo(wrong as string)), 'VARVE_INVALID_ARGUMENT')
    t.equal(await codeOf(() => it.seekToForPrev(wrong as string)), 'VARVE_INVALID_ARGUMENT')
  }
  t.equal(step(it, 'next'), 'c')
  it.return()
  await tree.close()
})

t.test('`seekable_range`: a batch of ranges equals separate ranges', async (t) => {
  const tree = await letters()
  const points = ['0', 'a', 'b', 'dd', 'e', 'k', 'ranged', 'x', 'zz']
  let checked = 0
  for (let pattern = 0; pattern < 2 ** points.length; pattern++) {
    const chosen = points.filter((_, i) => ((pattern >> i) & 1) === 1)
    const intervals = []
    for (let i = 0; i + 1 < chosen.length; i += 2) {
      const lower = (pattern >> i) % 3 === 0 ? { gt: chosen[i] } : { gte: chosen[i] }
      intervals.push({ ...lower, [(pattern >> i) % 2 === 0 ? 'lt' : 'lte']: chosen[i + 1] })
    }
    const separate = intervals.flatMap((one) => Array.from(tree.range(one as object)))
    if (textOf(tree.batchRangeScan(intervals as object[])) !== textOf(separate))
      t.fail(`${pattern}`)
    checked++
  }
  t.equal(checked, 512)
  t.equal(textOf(tree.batchRangeScan([{}])), textOf(tree))
  t.equal(textOf(tree.batchRangeScan([])), '')
  const empty = [{ gte: 'b', lt: 'a' }, { gte: 'a', lt: 'b' }, { gt: 'e', lt: 'e' }, { gte: 'x' }]
  t.equal(textOf(tree.batchRangeScan(empty)), 'a=a x=x z=z', 'empty ones yield nothing')
  const touching = [{ lt: 'c' }, { gte: 'c', lte: 'e' }, { gt: 'e' }]
  t.equal(textOf(tree.batchRangeScan(touching)), textOf(tree))
  using snapshot = tree.snapshot()
  tree.insert('aa', 'late')
  t.equal(textOf(snapshot.batchRangeScan([{ lt: 'b' }, { gte: 'x' }])), 'a=a x=x z=z')
  await tree.close()
})

t.test(
  'intervals that overlap, or do not ascend, are refused before anything is read',
  async (t) => {
    const tree = await letters()
    const wrong = [
      [{ gte: 'a', lt: 'c' }, { gte: 'b' }],
      [{ gte: 'a', lte: 'c' }, { gte: 'c' }],
      [{ gte: 'm' }, { gte: 'x' }],
      [{ lt: 'b' }, { lt: 'd' }],
      [{ gte: 'x' }, { gte: 'a', lt: 'b' }],
    ]
    for (const intervals of wrong) {
      t.equal(await codeOf(() => tree.batchRangeScan(intervals)), 'VARVE_INVALID_ARGUMENT')
      t.throws(() => tree.batchRangeScan(intervals), RangeError)
    }
    t.throws(() => tree.batchRangeScan([{ gte: 5 as never }]), TypeError)
    await tree.close()
  },
)
