// A move to the last level that has to merge what it moves leaves out what it lands in front of. It dropped
// tombstones as if nothing lay below, and what they hid came back.
import t from 'tap'
import { moveDown, open } from '../../src/main/index.js'

t.test('a tombstone stays while something of the last level lies below it', async (t) => {
  const tree = await open('db', { fs: 'memory', maintenance: 'manual' })
  tree.insert('b', 'gone')
  await tree.flush()
  await tree.compact(moveDown(0, 6))
  for (const key of ['a', 'c']) {
    tree.remove('b')
    tree.insert(key, 'x')
    tree.insert('d', key)
    await tree.flush()
  }
  const { action } = await tree.compact(moveDown(0, 6))
  t.equal(action, 'merged')
  t.equal(tree.get('b'), undefined)
  t.equal(tree.len(), 3)
  await tree.majorCompact()
  t.equal(tree.len(), 3)
  await tree.close()
})
