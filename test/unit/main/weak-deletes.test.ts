/** Weak deletes: reads, cancelling in flushes and merges, counts; and what holds where their contract is broken. */

import t from 'tap'
import { major, open, type Tree } from '../../../src/main/index.js'
import { moveDown } from '../../../src/main/strategies/move-down.js'
import { Random, runSeed } from '../../support/random.js'
import { textOf } from '../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual' } as const
const ALL = { gcWatermark: Number.POSITIVE_INFINITY }
const NONE = { gcWatermark: 0 }

async function withTree(work: (tree: Tree) => Promise<void>): Promise<void> {
  const tree = await open('db', manual)
  await work(tree)
  await tree.close()
}

t.test('`tree_flush_eviction`: a weak pair goes below the watermark only', (t) =>
  withTree(async (tree) => {
    tree.insert('a', '1', 0)
    tree.removeWeak('a', 1)
    await tree.flush(NONE)
    t.equal(tree.tableCount(), 1, 'watermark 0 keeps both')
    t.equal(tree.weakTombstoneCount(), 1)
    t.equal(tree.weakTombstoneReclaimableCount(), 1)
    tree.insert('b', '1', 2)
    tree.removeWeak('b', 3)
    await tree.flush({ gcWatermark: 3 })
    t.equal(tree.tableCount(), 1, 'a watermark above the value lets both go: no table is written')
    t.equal(tree.sealedMemtableCount(), 0)
  }),
)

t.test('`tree_flush_eviction`: a tombstone outlives the flush and dies in the last level', (t) =>
  withTree(async (tree) => {
    tree.insert('a', '1')
    tree.remove('a')
    await tree.flush(ALL)
    t.equal(tree.tombstoneCount(), 1)
    t.equal(tree.approximateLen(), 1, 'what it hides is gone')
    await tree.majorCompact(NONE)
    t.equal(tree.tableCount(), 0, 'even with watermark 0')
  }),
)

t.test('`tree_flush_eviction`: a newer value keeps the tombstone until the last level', (t) =>
  withTree(async (tree) => {
    tree.insert('a', '1', 0)
    tree.remove('a', 1)
    tree.insert('a', '2', 2)
    await tree.flush({ gcWatermark: 1 })
    t.equal(tree.tombstoneCount(), 1, 'the tombstone is not below the watermark')
    await tree.majorCompact({ gcWatermark: 3 })
    t.equal(tree.tombstoneCount(), 0)
    t.equal(tree.approximateLen(), 1)
    t.equal(tree.getString('a', { seqno: 3 }), '2')
  }),
)

t.test('`table_remove_weak`: a weak delete within one table reads as deleted', (t) =>
  withTree(async (tree) => {
    for (const key of ['a', 'b', 'c']) tree.insert(key, key)
    tree.removeWeak('b')
    await tree.flush(NONE)
    t.equal(tree.get('b'), undefined)
    t.equal(textOf(tree.range()), 'a=a c=c')
    t.equal(textOf(tree.range({ reverse: true })), 'c=c a=a')
  }),
)

t.test('`table_weak_tombstones`: only a tombstone right before its value is reclaimable', (t) =>
  withTree(async (tree) => {
    const counts = (): number[] => [tree.weakTombstoneCount(), tree.weakTombstoneReclaimableCount()]
    tree.insert('a', '1')
    tree.removeWeak('a')
    await tree.flush(NONE)
    t.same(counts(), [1, 1], 'a pair')
    for (const key of ['b', 'c']) {
      tree.insert(key, '1')
      tree.removeWeak(key)
    }
    await tree.flush(NONE)
    t.same(counts(), [3, 3], 'several keys')
    tree.insert('d', '1')
    tree.removeWeak('d')
    tree.removeWeak('d')
    tree.removeWeak('d')
    await tree.flush(NONE)
    t.same(counts(), [6, 4], 'stacked: only the last one has its value')
    tree.removeWeak('e')
    await tree.flush(NONE)
    t.same(counts(), [7, 4], 'alone')
  }),
)

t.test('`tree_weak_delete`: reads as a delete, before and after flushes and across sources', (t) =>
  withTree(async (tree) => {
    tree.insert('a', '1')
    t.equal(tree.getString('a'), '1')
    tree.removeWeak('a')
    t.equal(tree.get('a'), undefined)
    await tree.flush(NONE)
    t.equal(tree.get('a'), undefined)
    tree.insert('b', '1')
    await tree.flush(NONE)
    tree.removeWeak('b')
    t.equal(tree.get('b'), undefined, 'value in a table, tombstone in memory')
    await tree.flush(NONE)
    t.equal(tree.get('b'), undefined, 'in two tables')
    await tree.majorCompact(ALL)
    t.equal(tree.len(), 0)
    t.equal(tree.tableCount(), 0)
  }),
)

t.test('`tree_weak_delete`: two inserts and one weak delete read as absent', (t) =>
  withTree(async (tree) => {
    tree.insert('a', 'old')
    tree.insert('a', 'new')
    tree.removeWeak('a')
    t.equal(tree.get('a'), undefined)
    await tree.flush(ALL)
    t.equal(tree.get('a'), undefined, 'nothing rises from the dead')
    await tree.majorCompact(ALL)
    t.equal(tree.get('a'), undefined)
  }),
)

t.test('`tree_weak_delete_eviction`: many pairs cancelled in one flush', (t) =>
  withTree(async (tree) => {
    for (let i = 0; i < 26; i++) tree.insert(String.fromCharCode(97 + i), 'value')
    for (let i = 0; i < 26; i++) tree.removeWeak(String.fromCharCode(97 + i))
    t.equal(tree.len(), 0)
    await tree.flush(ALL)
    t.equal(tree.tableCount(), 0)
    t.equal(tree.len(), 0)
  }),
)

for (const isFromBack of [false, true]) {
  t.test(`\`tree_weak_delete_queue\`: consumed from the ${isFromBack ? 'back' : 'front'}`, (t) =>
    withTree(async (tree) => {
      const keys = Array.from({ length: 300 }, (_, i) => `job${String(i).padStart(4, '0')}`)
      for (const [i, key] of keys.entries()) {
        tree.insert(key, key)
        if (i % 70 === 0) await tree.flush()
      }
      const left = [...keys]
      while (left.length > 0) {
        const next = isFromBack ? tree.lastKeyValue() : tree.firstKeyValue()
        const wanted = isFromBack ? left.pop() : left.shift()
        if (String(next?.[0]) !== wanted) t.fail(`${next?.[0]} came instead of ${wanted}`)
        tree.removeWeak(wanted as string)
        if (left.length % 60 === 0) await tree.flush()
        if (left.length % 90 === 0) await tree.majorCompact()
      }
      t.ok(tree.isEmpty())
      await tree.flush()
      await tree.majorCompact()
      t.equal(tree.tableCount(), 0)
    }),
  )
}

t.test('a key that is inserted and weakly deleted in turns never comes back', (t) =>
  withTree(async (tree) => {
    tree.insert('k', 'first')
    await tree.flush()
    await tree.compact(moveDown(0, 6))
    // The value hides the tombstone in the flush; yet once the value is cancelled, that tombstone is needed.
    tree.removeWeak('k')
    tree.insert('k', 'second')
    await tree.flush(ALL)
    t.equal(tree.getString('k'), 'second')
    tree.removeWeak('k')
    await tree.flush(ALL)
    await tree.compact(moveDown(0, 1), ALL)
    t.equal(tree.get('k'), undefined)
    // And one that follows a whole pair.
    tree.insert('k', 'third')
    tree.removeWeak('k')
    tree.insert('k', 'fourth')
    tree.removeWeak('k')
    await tree.flush(ALL)
    t.equal(tree.get('k'), undefined)
    await tree.majorCompact(ALL)
    t.equal(tree.get('k'), undefined)
    t.equal(tree.tableCount(), 0)
  }),
)

t.test('a tombstone behind a pair stays for what lies below', (t) =>
  withTree(async (tree) => {
    tree.insert('k', 'first')
    await tree.flush()
    await tree.compact(moveDown(0, 6))
    tree.remove('k')
    tree.insert('k', 'second')
    tree.removeWeak('k')
    await tree.flush(ALL)
    t.equal(tree.get('k'), undefined)
    await tree.majorCompact(ALL)
    t.equal(tree.tableCount(), 0)
  }),
)

t.test(
  'a broken contract shows nothing, or a value that was there; merged at once, nothing',
  async (t) => {
    const random = new Random(runSeed())
    t.comment(`SEED=${random.seed}`)
    for (let round = 0; round < 60; round++) {
      const tree = await open('db', manual)
      const written = new Set<string>()
      let isDeleted = true
      for (let i = 0; i < 40; i++) {
        const kind = random.below(10)
        if (kind < 4) {
          tree.insert('k', `v${i}`)
          written.add(`v${i}`)
          isDeleted = false
        } else if (kind < 6) {
          tree.removeWeak('k')
          isDeleted = true
        } else if (kind < 8) {
          await tree.flush()
        } else {
          await tree.compact(random.pick([major({ targetBytes: 1 }), major(), moveDown(0, 3)]))
        }
        const found = tree.getString('k')
        if (found !== undefined && !written.has(found)) t.fail(`${found} was never written`)
        if (!isDeleted && found !== [...written].at(-1)) t.fail(`${found} is not the last value`)
      }
      await tree.close()
      const whole = await open('db', manual)
      for (let i = 0; i < 5; i++) whole.insert('k', `v${i}`)
      whole.removeWeak('k')
      for (let i = random.below(3); i > 0; i--) await whole.flush(NONE)
      await whole.flush(ALL)
      await whole.majorCompact(ALL)
      if (whole.get('k') !== undefined) t.fail('what is merged at once is drained')
      await whole.close()
    }
  },
)
