// Reads at old seqnos answered from super versions and files that knew nothing of them any more, instead of
// VARVE_SEQNO_COLLECTED.
import t from 'tap'
import { open } from '../../src/main/open.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

const collected = { code: 'VARVE_SEQNO_COLLECTED' }

t.test('between two clears, with an older snapshot', async (t) => {
  const tree = await open('/db', { fs: 'memory', maintenance: 'manual' })
  tree.insert('a', '1')
  using snapshot = tree.snapshot()
  await tree.clear()
  const between = tree.visibleSeqno.get()
  tree.insert('b', '2')
  await tree.clear()
  t.equal(snapshot.getString('a'), '1')
  t.throws(() => tree.get('a', { seqno: between }), collected)
  t.equal(tree.len(), 0)
  await tree.close()
})

t.test('from before the tree was opened', async (t) => {
  const fs = new MemoryFileSystem()
  const options = { fs, maintenance: 'manual' } as const
  const tree = await open('/db', options)
  tree.insert('a', '1')
  const early = tree.visibleSeqno.get()
  tree.insert('a', '2')
  await tree.flush()
  await tree.close()
  const again = await open('/db', options)
  t.throws(() => again.get('a', { seqno: early }), collected)
  t.equal(again.getString('a'), '2')
  await again.close()
})

t.test('from before the tree was opened, where its caller had them retained', async (t) => {
  const fs = new MemoryFileSystem()
  const options = { fs, maintenance: 'manual', runtime: { retainFrom: 1 } } as const
  const tree = await open('/db', options)
  tree.insert('a', '1')
  tree.insert('a', '2')
  await tree.flush()
  await tree.majorCompact()
  await tree.close()
  const again = await open('/db', options)
  t.equal(again.getString('a', { seqno: 1 }), '1')
  t.equal(again.getString('a'), '2')
  await again.close()
})
