// `drained` with many tables in L0 that no strategy will ever merge: it must not wait for what does not come.
import t from 'tap'
import { open } from '../../src/main/open.js'
import { fifo } from '../../src/main/strategies/fifo.js'

t.test('drained resolves where compaction has nothing to do', { timeout: 20_000 }, async (t) => {
  const tree = await open('/db', { fs: 'memory', strategy: fifo({ limit: 2 ** 40 }) })
  for (let i = 0; i < 25; i++) {
    tree.insert('a', String(i))
    await tree.flush()
  }
  await tree.drained()
  t.equal(tree.getString('a'), '24')
  await tree.close()
})
