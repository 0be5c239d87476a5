// The sentinel of a table without entries takes the start of a range tombstone as its key, which may be as long as keys
// come: the block was too small for it, and the flush failed.
import t from 'tap'
import { open } from '../../src/main/index.js'

t.test('a range delete whose start is of the longest kind, alone in its flush', async (t) => {
  const tree = await open('db', { fs: 'memory', maintenance: 'manual', blockSize: 1 })
  const key = Buffer.alloc(65_535, 97)
  tree.insert(key, 'gone')
  await tree.flush()
  tree.removeRange(key, 'b')
  await tree.flush()
  t.equal(tree.get(key), undefined)
  await tree.majorCompact({ gcWatermark: 0 })
  t.equal(tree.len(), 0)
  await tree.close()
})
