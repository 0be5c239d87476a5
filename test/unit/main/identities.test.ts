/** Ids: of memtables, of tables, and of trees that share a process. */

import t from 'tap'
import { Cache, open, type Tree } from '../../../src/main/index.js'
import { codeOf, tableFiles } from '../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

/** Id of the active memtable, which there is from the first write on. */
const memtableId = (tree: Tree): number | undefined => tree['core'].latest.active?.id

t.test('`memtable_id`: the first is 0, the one after a flush 1', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  t.equal(memtableId(tree), 0)
  await tree.flush()
  tree.insert('a', '2')
  t.equal(memtableId(tree), 1)
  tree.rotateMemtable()
  tree.insert('a', '3')
  t.equal(memtableId(tree), 2)
  await tree.close()
})

t.test(
  '`multi_trees`: each numbers its own tables, and none reads the blocks of another',
  async (t) => {
    using cache = new Cache({ capacityBytes: 1 << 20 })
    const folders = [t.testdir(), t.testdir({ other: {} })].map(
      (folder, i) => `${folder}/tree ${i}`,
    )
    const trees: Tree[] = []
    for (const folder of folders) trees.push(await open(folder, { maintenance: 'manual', cache }))
    for (const [i, tree] of trees.entries()) {
      for (let n = 0; n < 100; n++) tree.insert(`key ${n}`, `tree ${i}`)
      await tree.flush()
    }
    for (const folder of folders) t.same(tableFiles(folder), [0])
    for (let round = 0; round < 2; round++) {
      for (const [i, tree] of trees.entries()) {
        const values = Array.from({ length: 100 }, (_, n) => tree.getString(`key ${n}`))
        t.ok(values.every((value) => value === `tree ${i}`))
      }
    }
    await trees[0]?.close()
    t.equal(trees[1]?.getString('key 3'), 'tree 1', 'nor do they end together')
    await trees[1]?.close()
  },
)

t.test('`custom_seqno_generator`: one of the caller’s own is asked, and followed', async (t) => {
  /** Counts in tens, and what it was asked for. */
  class Tens {
    value = 0
    readonly calls: string[] = []
    next(): number {
      this.calls.push('next')
      this.value += 10
      return this.value - 10
    }
    get(): number {
      return this.value
    }
    set(value: number): void {
      this.value = value
    }
    fetchMax(value: number): void {
      this.value = Math.max(this.value, Math.ceil(value / 10) * 10)
    }
  }
  const seqno = new Tens()
  const visibleSeqno = new Tens()
  const tree = await open('db', { ...memory, seqno, visibleSeqno })
  t.equal(tree.seqno, seqno)
  t.equal(tree.visibleSeqno, visibleSeqno)
  for (const key of ['a', 'b', 'c']) tree.insert(key, key)
  t.equal(seqno.calls.length, 3)
  t.equal(tree.highestSeqno(), 20)
  t.equal(visibleSeqno.get(), 30)
  t.equal(tree.getString('c'), 'c')
  t.equal(tree.get('c', { seqno: 20 }), undefined)
  await tree.flush()
  const drawn = seqno.calls.length
  await tree.clear()
  t.ok(seqno.calls.length > drawn, 'the engine draws from it too')
  t.ok(visibleSeqno.get() > 30)
  await tree.close()
  for (const wrong of [{}, { next: () => 1 }, 7]) {
    t.equal(
      await codeOf(() => open('db', { ...memory, seqno: wrong as never })),
      'VARVE_INVALID_ARGUMENT',
    )
  }
})
