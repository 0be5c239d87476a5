// A merge was cut behind one of the longest keys, inside a range delete: its bound is a byte longer than what the length
// field holds, so that the table that was written could not be opened, and the merge failed again and again.
import t from 'tap'
import { MaintenancePool, open } from '../../src/main/index.js'
import { visibleLines } from '../support/trees.js'

t.test('merges in slices keep off the longest keys', async (t) => {
  const pool = new MaintenancePool({ threads: 3 })
  t.teardown(() => pool.close())
  const tree = await open(t.testdir(), {
    maintenance: 'manual',
    compression: 'none',
    pool,
    runtime: { compactionThreads: 3, subcompactionMinBytes: 0 },
  })
  const keyOf = (i: number): Buffer => Buffer.alloc(65_535, String.fromCharCode(97 + i))
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 20; i++) tree.insert(keyOf(i), `value ${round}`)
    // Kept by the watermark, so that the merge has to write it.
    tree.removeRange('a', keyOf(18))
    await tree.flush({ gcWatermark: 0 })
  }
  tree.insert('c', '1')
  const shown = visibleLines(tree)
  const { action } = await tree.majorCompact({ gcWatermark: 0 })
  t.equal(action, 'merged')
  t.same(visibleLines(tree), shown)
  await tree.close()
})
