/** Point reads over every place that may hold a version: memory, sealed buffers, tables in one run and in several. */

import t from 'tap'
import { MAX_SEQNO, open, type Tree } from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { textOf } from '../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const
const KEEP = { gcWatermark: 0 }

/** What get, containsKey, sizeOf, range and prefix say about `key`, which must agree. */
function shown(tree: Tree, key: string, seqno: number = MAX_SEQNO): string | undefined {
  const at = { seqno }
  const value = tree.getString(key, at)
  const inRange = Array.from(tree.range({ gte: key, lte: key, seqno }), ([, found]) => `${found}`)
  const inPrefix = Array.from(tree.prefix(key, { lte: key, seqno }), ([, found]) => `${found}`)
  const backwards = Array.from(tree.range({ gte: key, lte: key, reverse: true, seqno }))
  const all = value === undefined ? [] : [value]
  const isSame =
    inRange.join() === all.join() &&
    inPrefix.join() === all.join() &&
    backwards.length === all.length &&
    tree.containsKey(key, at) === (value !== undefined) &&
    tree.sizeOf(key, at) === (value === undefined ? undefined : Buffer.byteLength(value))
  if (!isSame) throw new Error(`the ways of reading ${key} at ${seqno} differ`)
  return value
}

t.test('`tree_write_read`: written, read and removed, from memory and from a table', async (t) => {
  for (const isFlushed of [false, true]) {
    const tree = await open('db', memory)
    const settle = async (): Promise<void> => {
      if (isFlushed) await tree.flush()
    }
    for (const key of ['a', 'b', 'c']) tree.insert(key, key.toUpperCase())
    await settle()
    for (const key of ['a', 'b', 'c']) t.equal(shown(tree, key), key.toUpperCase())
    for (const key of [' ', 'bb', 'd']) t.equal(shown(tree, key), undefined)
    for (const key of ['a', 'b', 'c']) tree.remove(key)
    await settle()
    for (const key of ['a', 'b', 'c']) t.equal(shown(tree, key), undefined)
    tree.insert('b', 'again')
    await settle()
    t.equal(textOf(tree.range()), 'b=again')
    await tree.close()
  }
})

t.test(
  '`tree_non_disjoint_point_read`: of tables that overlap the newest version wins',
  async (t) => {
    const tree = await open('db', memory)
    for (let round = 0; round < 6; round++) {
      for (const key of ['a', 'm', 'z']) tree.insert(key, `${key}${round}`)
      tree.insert(`only ${round}`, String(round))
      await tree.flush(KEEP)
    }
    t.equal(tree.l0RunCount(), 6)
    for (const key of ['a', 'm', 'z']) t.equal(shown(tree, key), `${key}5`)
    for (let round = 0; round < 6; round++) {
      t.equal(shown(tree, `only ${round}`), String(round))
      // Each round wrote four entries.
      t.equal(shown(tree, 'm', 4 * round + 4), `m${round}`, `as of round ${round}`)
    }
    await tree.close()
  },
)

t.test('`regression_point_read_seqno`: a flush after a merge is still found first', async (t) => {
  const tree = await open('db', memory)
  for (let round = 0; round < 4; round++) {
    tree.insert('a', `old ${round}`)
    await tree.flush()
  }
  await tree.majorCompact()
  t.equal(shown(tree, 'a'), 'old 3')
  tree.insert('a', 'new')
  await tree.flush()
  t.equal(shown(tree, 'a'), 'new')
  t.equal(shown(tree, 'a', tree.visibleSeqno.get()), 'new')
  tree.insert('a', 'newest')
  t.equal(shown(tree, 'a'), 'newest')
  await tree.close()
})

t.test(
  '`tree_sealed_shadowing`: a tombstone in a sealed buffer hides what tables hold',
  async (t) => {
    const tree = await open('db', memory)
    for (const key of ['a', 'b', 'c']) tree.insert(key, 'old')
    await tree.flush()
    tree.remove('b')
    const before = tree.visibleSeqno.get()
    t.ok(tree.rotateMemtable())
    tree.insert('d', 'new')
    t.equal(tree.sealedMemtableCount(), 1)
    t.equal(shown(tree, 'b'), undefined)
    t.equal(textOf(tree.range()), 'a=old c=old d=new')
    t.equal(shown(tree, 'b', before - 1), 'old', 'not for readers of before')
    await tree.flush()
    t.equal(shown(tree, 'b'), undefined)
    await tree.close()
  },
)

/** The places that a newer version may lie in, over a base that lies in a table. */
const PLACES: Readonly<Record<string, (tree: Tree) => unknown>> = {
  'the active buffer': () => undefined,
  'a sealed buffer': (tree) => tree.rotateMemtable(),
  'a younger table': (tree) => tree.flush(KEEP),
}

for (const [place, settle] of Object.entries(PLACES)) {
  t.test(`\`tree_shadowing\`: what lies in ${place} hides what is older`, async (t) => {
    const tree = await open('db', memory)
    const base = ['a', 'ab', 'abc', 'b']
    for (const key of base) tree.insert(key, 'old')
    await tree.flush(KEEP)
    await tree.majorCompact(KEEP)
    const old = tree.visibleSeqno.get()
    tree.insert('ab', 'updated')
    tree.remove('abc')
    tree.insert('abd', 'added')
    await settle(tree)
    t.equal(shown(tree, 'ab'), 'updated')
    t.equal(shown(tree, 'abc'), undefined)
    t.equal(textOf(tree.range()), 'a=old ab=updated abd=added b=old')
    t.equal(textOf(tree.prefix('ab')), 'ab=updated abd=added')
    t.equal(textOf(tree.prefix('ab', { reverse: true })), 'abd=added ab=updated')
    t.equal(textOf(tree.range({ seqno: old })), base.map((key) => `${key}=old`).join(' '))
    tree.remove('ab')
    tree.insert('abc', 'reborn')
    t.equal(textOf(tree.prefix('ab')), 'abc=reborn abd=added')
    await tree.close()
  })
}

t.test(
  '`latest_snapshot`: a read at the highest seqno sees the newest of everything',
  async (t) => {
    const tree = await open('db', memory)
    tree.insert('a', '1')
    tree.insert('b', '1')
    await tree.flush(KEEP)
    tree.insert('a', '2')
    tree.remove('b')
    tree.insert('c', '1', 50)
    t.equal(textOf(tree.range({ seqno: MAX_SEQNO })), 'a=2 c=1', 'what is not published yet too')
    t.equal(textOf(tree.range()), 'a=2')
    using snapshot = tree.snapshot(MAX_SEQNO)
    tree.insert('a', '3', 60)
    t.equal(snapshot.getString('a'), '3')
    await tree.close()
  },
)

/** A tree of one table, whose blocks hold a few entries each. */
async function oneTable(write: (tree: Tree) => void): Promise<Tree> {
  const fs = new MemoryFileSystem()
  const options = { ...memory, fs, blockSize: 128, runtime: { retainFrom: 0 } }
  const tree = await open('db', options)
  write(tree)
  await tree.close()
  const again = await open('db', options)
  if (again.tableCount() !== 1) throw new Error(`${again.tableCount()} tables`)
  return again
}

const numbered = (i: number): string => `key ${String(i).padStart(4, '0')}`

t.test('`table_point_reads`: one version of each key', async (t) => {
  const tree = await oneTable((tree) => {
    for (let i = 0; i < 500; i++) tree.insert(numbered(2 * i), `value ${i}`)
  })
  for (let i = 0; i < 500; i++) {
    if (tree.getString(numbered(2 * i)) !== `value ${i}`) t.fail(numbered(2 * i))
    if (tree.containsKey(numbered(2 * i + 1))) t.fail(numbered(2 * i + 1))
  }
  t.notOk(tree.containsKey('key'))
  t.notOk(tree.containsKey('l'))
  await tree.close()
})

t.test('`table_point_reads`: many versions, over blocks of their own', async (t) => {
  const VERSIONS = 200
  const tree = await oneTable((tree) => {
    for (let i = 0; i < VERSIONS; i++) {
      for (const key of ['a', 'b', 'c']) tree.insert(key, `${key}${i}`, i)
    }
    tree.visibleSeqno.fetchMax(VERSIONS)
  })
  for (const key of ['a', 'b', 'c']) {
    t.equal(tree.get(key, { seqno: 0 }), undefined)
    for (let seqno = 1; seqno <= VERSIONS; seqno++) {
      if (shown(tree, key, seqno) !== `${key}${seqno - 1}`) t.fail(`${key} at ${seqno}`)
    }
    t.equal(tree.getString(key), `${key}${VERSIONS - 1}`)
  }
  await tree.close()
})

t.test('`table_range`: every part of one table, and what its back gives', async (t) => {
  const KEYS = 60
  const tree = await oneTable((tree) => {
    for (let i = 0; i < KEYS; i++) tree.insert(numbered(i), String(i))
  })
  let wrong = 0
  for (let low = 0; low < KEYS; low += 3) {
    for (let high = low; high < KEYS; high += 2) {
      const range = { gte: numbered(low), lt: numbered(high) }
      const values = Array.from(tree.range({ ...range, keys: false }), Number)
      if (values.length !== high - low || values.some((value, i) => value !== low + i)) wrong++
      using iterator = tree.range({ ...range, keys: false })
      if (Number(iterator.nextBack().value ?? -1) !== (high > low ? high - 1 : -1)) wrong++
    }
  }
  t.equal(wrong, 0)
  await tree.close()
})

t.test('`table_range_oob`: bounds before the first key and behind the last', async (t) => {
  const tree = await oneTable((tree) => {
    for (const key of ['b', 'c', 'd']) tree.insert(key, key)
  })
  const all = 'b=b c=c d=d'
  t.equal(textOf(tree.range({ gte: 'a' })), all)
  t.equal(textOf(tree.range({ gt: 'a', lte: 'z' })), all)
  t.equal(textOf(tree.range({ lte: 'e' })), all)
  t.equal(textOf(tree.range({ lte: 'a' })), '')
  t.equal(textOf(tree.range({ lt: 'b' })), '')
  t.equal(textOf(tree.range({ gt: 'd' })), '')
  t.equal(textOf(tree.range({ gte: 'e', lt: 'z' })), '')
  t.equal(textOf(tree.range({ gte: 'a', lt: 'c' })), 'b=b')
  t.equal(textOf(tree.range({ gte: 'c', lt: 'z', reverse: true })), 'd=d c=c')
  t.equal(tree.range({ gte: 'e' }).nextBack().done, true)
  t.equal(tree.range({ lt: 'a' }).nextBack().done, true)
  await tree.close()
})
