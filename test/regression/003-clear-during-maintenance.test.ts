/** A flush or merge that ran while the tree was cleared installed its output and brought the data back. */
import t from 'tap'
import { open } from '../../src/main/index.js'

t.test('clear wins over a flush and a merge that are running', async (t) => {
  const tree = await open('/clear', { fs: 'memory', maintenance: 'manual' })
  for (const round of [1, 2]) {
    for (let i = 0; i < 100; i++) tree.insert(`key${i}`, `value${round}`)
    await tree.flush()
  }
  const merge = tree.majorCompact()
  tree.insert('unflushed', 'value')
  const flush = tree.flush()
  await tree.clear()
  await Promise.all([merge, flush])
  t.equal(tree.len(), 0)
  t.equal(tree.tableCount(), 0)
  tree.insert('new', 'value')
  await tree.flush()
  t.same([...tree.range({ values: false })].map(String), ['new'])
  await tree.close()
})
