// Where several threads use a cache, each segment that is emptied waits for the reads of all of them. Insertion went round
// the main queue as for a thread that is alone: what was free went for the hot blocks that were kept, nothing was gained,
// and a cache of hot blocks took no new ones any more.
import t from 'tap'
import { EpochSlot, OWNER_SLOT } from '../../src/shared/memory/epochs.js'
import { auditCache } from '../support/cache-audit.js'
import { testCache, testEpochs, testWorkspace } from '../support/workspace.js'

const BLOCK_BYTES = 5000

t.test('a cache of hot blocks that threads share takes new ones', async (t) => {
  const workspace = testWorkspace(8)
  const { shared, heap } = workspace
  const epochs = testEpochs(workspace)
  const cache = testCache(workspace, 16 * (32 << 10))
  const { view } = cache
  const slot = epochs.take()!
  const other = cache.openView(slot)
  const own = new EpochSlot(shared, epochs.address, OWNER_SLOT)
  const source = heap.allocate(BLOCK_BYTES)
  let taken = 0
  for (let i = 0; i < 600; i++) {
    own.enter()
    if (view.insert(1, i * 4096, source, BLOCK_BYTES, false) !== 0 && i >= 300) taken++
    // Everything is read again and again.
    for (let round = 0; round < 2; round++) for (let j = 0; j <= i; j++) view.find(1, j * 4096)
    own.leave()
  }
  t.ok(taken > 200, `${taken} of 300 were taken`)
  t.strictSame(auditCache(shared, cache.address).problems, [])
  cache.closeView(other)
  epochs.give(slot)
  cache.dispose()
})
