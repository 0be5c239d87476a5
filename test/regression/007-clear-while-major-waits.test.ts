// A major compaction waited for a running merge whose tables were cleared meanwhile, and was never woken.
import t from 'tap'
import { open } from '../../src/main/open.js'
import { leveled } from '../../src/main/strategies/leveled.js'

t.test('clear while a major compaction waits', { timeout: 20_000 }, async (t) => {
  const tree = await open('/db', {
    fs: 'memory',
    maintenance: 'manual',
    runtime: { compactionConcurrency: 2 },
  })
  for (const value of ['1', '2', '3']) {
    tree.insert('a', value)
    await tree.flush()
  }
  const running = tree.compact(leveled({ l0Threshold: 1 }))
  const waiting = tree.majorCompact()
  await tree.clear()
  await running
  await waiting
  t.equal(tree.isEmpty(), true)
  await tree.close()
})
