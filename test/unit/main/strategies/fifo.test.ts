/** FIFO on a tree: what is too old or too much is dropped, and nothing else. */

import t from 'tap'
import { fifo, open } from '../../../../src/main/index.js'

t.test('`fifo_ttl`: by age and by size, and twice the same', async (t) => {
  let now = 1_000_000
  const tree = await open('db', { fs: 'memory', maintenance: 'manual', clock: () => now })
  const limit = 2 ** 40
  t.equal((await tree.compact(fifo({ limit, ttlSeconds: 1 }))).action, 'nothing', 'an empty tree')
  for (const key of ['a', 'b', 'c', 'd']) {
    tree.insert(key, 'v'.repeat(5_000))
    await tree.flush()
    now += 10_000
  }
  t.equal((await tree.compact(fifo({ limit }))).action, 'nothing', 'no age set')
  t.equal((await tree.compact(fifo({ limit, ttlSeconds: 0 }))).action, 'nothing')
  t.equal((await tree.compact(fifo({ limit, ttlSeconds: 60 }))).action, 'nothing', 'all are recent')
  t.equal(tree.len(), 4)
  const old = fifo({ limit, ttlSeconds: 35 })
  t.match(await tree.compact(old), { action: 'dropped', tablesIn: 1 })
  t.notOk(tree.containsKey('a'))
  t.equal((await tree.compact(old)).action, 'nothing', 'once is enough')
  const half = fifo({ limit: Math.floor((tree.diskSpace() * 2) / 3) })
  t.match(await tree.compact(half), { action: 'dropped', tablesIn: 1 })
  t.equal((await tree.compact(half)).action, 'nothing')
  t.same(
    Array.from(tree.iter(), ([key]) => String(key)),
    ['c', 'd'],
  )
  now = 0
  t.equal((await tree.compact(fifo({ limit, ttlSeconds: 1 }))).action, 'nothing', 'a clock at 0')
  await tree.close()
})
