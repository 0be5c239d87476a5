// A cursor that had wanted a block of one table took it for the block that it wanted next, where that lies at the same
// offset of the next table. Met where a range tombstone widens a table beyond its entries, so that nothing in it is in
// bounds: a reverse scan gave keys behind its bound.
import t from 'tap'
import { open } from '../../src/main/index.js'
import { major } from '../../src/main/strategies/major.js'

t.test('a reverse scan that starts in a table of nothing but what lies behind', async (t) => {
  const tree = await open('db', { fs: 'memory', maintenance: 'manual', blockSize: 64 })
  tree.removeRange('c', 'x')
  for (const key of ['a', 'x']) tree.insert(key, key.repeat(100))
  await tree.flush()
  await tree.compact(major({ targetBytes: 1 }), { gcWatermark: 0 })
  t.ok(tree.tableCount() > 1)
  const keys = [...tree.range({ lt: 'd', reverse: true, values: false })].map(String)
  t.same(keys, ['a'])
  await tree.close()
})
