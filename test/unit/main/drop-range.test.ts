/** Dropping tables whole: which ones, what stays, and who still sees them. */
import t from 'tap'
import { type DropBounds, open, type Tree } from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { codeOf, textOf } from '../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual' } as const

/** Tables [a, c], [d, f], [g, i], each of its own. */
async function threeTables(options: object = {}): Promise<Tree> {
  const tree = await open('db', { ...manual, ...options })
  for (const keys of ['abc', 'def', 'ghi']) {
    for (const key of keys) tree.insert(key, '1')
    await tree.flush()
  }
  return tree
}

const CASES: readonly (readonly [string, DropBounds, string])[] = [
  ['inclusive bounds', { gte: 'd', lte: 'f' }, 'a b c g h i'],
  ['an upper bound that excludes the last key', { gte: 'd', lt: 'f' }, 'a b c d e f g h i'],
  ['one that excludes the first key behind', { gte: 'd', lt: 'g' }, 'a b c g h i'],
  ['a lower bound that excludes the first key', { gt: 'd', lte: 'f' }, 'a b c d e f g h i'],
  ['one that excludes the last key before', { gt: 'c', lte: 'f' }, 'a b c g h i'],
  ['partial overlaps', { gte: 'b', lte: 'h' }, 'a b c g h i'],
  ['no lower bound', { lt: 'g' }, 'g h i'],
  ['no upper bound', { gte: 'd' }, 'a b c'],
  ['no bounds', {}, ''],
  ['bounds the wrong way round', { gte: 'i', lte: 'a' }, 'a b c d e f g h i'],
  ['an empty interval', { gte: 'd', lt: 'd' }, 'a b c d e f g h i'],
]

for (const [name, bounds, left] of CASES) {
  t.test(`\`tree_drop_range\`: ${name}`, async (t) => {
    const tree = await threeTables()
    const result = await tree.dropRange(bounds)
    t.equal(textOf(tree).replaceAll('=1', ''), left)
    t.equal(result.action, left.length === 17 ? 'nothing' : 'dropped')
    t.equal(tree.tableCount(), Math.ceil(left.replaceAll(' ', '').length / 3))
    t.ok(tree.l0RunCount() <= 1)
    await tree.close()
  })
}

t.test('`dirty_snapshot`: a snapshot keeps all data after it', async (t) => {
  const tree = await threeTables()
  const snapshot = tree.snapshot()
  const iterator = tree.iter()
  await tree.dropRange()
  t.equal(tree.len(), 0)
  t.equal(snapshot.len(), 9)
  t.equal(textOf(iterator).length, 35)
  snapshot[Symbol.dispose]()
  await tree.close()
})

t.test('memtables stay, and files go with the last reader', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await threeTables({ fs })
  tree.insert('e', 'in memory')
  const snapshot = tree.snapshot()
  await tree.dropRange()
  t.equal(textOf(tree), 'e=in memory')
  t.equal(fs.list(`${tree.path}/tables`).length, 3)
  snapshot[Symbol.dispose]()
  await tree.flush()
  t.equal(fs.list(`${tree.path}/tables`).length, 1)
  await tree.close()
})

t.test('older versions below may come back, as documented', async (t) => {
  const tree = await open('db', manual)
  for (const key of 'az') tree.insert(key, 'wide')
  tree.insert('m', 'old')
  await tree.flush({ gcWatermark: 0 })
  tree.insert('m', 'new')
  await tree.flush({ gcWatermark: 0 })
  await tree.dropRange({ gte: 'm', lte: 'm' })
  t.equal(tree.getString('m'), 'old')
  await tree.close()
})

t.test('it survives reopening, and bounds that are none are refused', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await threeTables({ fs })
  await tree.dropRange({ lt: Buffer.from('g') })
  t.equal(await codeOf(() => tree.dropRange({ from: 'a' } as DropBounds)), 'VARVE_INVALID_ARGUMENT')
  t.equal(
    await codeOf(() => tree.dropRange({ lt: 3 } as unknown as DropBounds)),
    'VARVE_INVALID_ARGUMENT',
  )
  t.equal(await codeOf(() => tree.dropRange({ lt: 'a', lte: 'a' })), 'VARVE_INVALID_ARGUMENT')
  await tree.close()
  const again = await open('db', { ...manual, fs })
  t.equal(textOf(again), 'g=1 h=1 i=1')
  await again.close()
})
