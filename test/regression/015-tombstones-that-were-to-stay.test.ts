// A merge into the last level dropped a tombstone that nothing lay below, whatever the watermark: no read can tell, but
// whoever followed the changes from `retainFrom` on never heard of the delete (semantics.md 18 rule 2, 10).
import t from 'tap'
import { open } from '../../src/main/index.js'
import { codeOf } from '../support/trees.js'

t.test('automatic collection leaves tombstones at or above retainFrom', async (t) => {
  const tree = await open('/db', {
    fs: 'memory',
    maintenance: 'manual',
    runtime: { retainFrom: 0 },
  })
  tree.insert('a', '1')
  tree.remove('a')
  tree.remove('b')
  tree.removeWeak('c')
  await tree.flush()
  await tree.majorCompact()
  const types = (): string[] =>
    Array.from(tree.scanSinceSeqno(0), ({ type, key }) => `${type} ${key}`)
  t.same(types(), ['insert a', 'pointTombstone a', 'pointTombstone b', 'pointTombstone c'])
  tree.updateRuntimeConfig({ retainFrom: 2 })
  await tree.majorCompact()
  t.equal(await codeOf(types), 'VARVE_SEQNO_COLLECTED')
  t.same(
    Array.from(tree.scanSinceSeqno(2), ({ key }) => String(key)),
    ['b', 'c'],
  )
  await tree.close()
})

t.test(
  'a merge by hand drops them, as in the crate, and says so to whoever asks for the changes',
  async (t) => {
    const tree = await open('/db', {
      fs: 'memory',
      maintenance: 'manual',
      runtime: { retainFrom: 0 },
    })
    tree.insert('a', '1')
    tree.remove('b')
    await tree.flush({ gcWatermark: 0 })
    await tree.majorCompact({ gcWatermark: 0 })
    t.equal(tree.tombstoneCount(), 0)
    t.equal(await codeOf(() => tree.scanSinceSeqno(0)), 'VARVE_SEQNO_COLLECTED')
    t.equal(tree.getString('a', { seqno: 1 }), '1', 'reads of the past are as exact as before')
    await tree.close()
  },
)
