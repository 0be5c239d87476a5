// A merge into the last level drops a tombstone that covers nothing more. Where that was the newest entry of the tree, the
// next open counted from below it: seqnos were handed out twice, and a reader of changes missed what got the old ones
// (semantics.md 36.18).
import t from 'tap'
import { open } from '../../src/main/index.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { codeOf, textOf } from '../support/trees.js'

const manual = { maintenance: 'manual' } as const

t.test('seqnos go on behind an entry that was dropped', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...manual, fs })
  tree.insert('a', '1')
  tree.remove('a')
  await tree.flush()
  await tree.majorCompact()
  t.equal(tree.tableCount(), 0, 'nothing is left')
  t.equal(tree.highestPersistedSeqno(), 1)
  const cursor = tree.visibleSeqno.get()
  await tree.close()
  const again = await open('/db', { ...manual, fs })
  t.equal(again.highestPersistedSeqno(), 1)
  t.equal(again.seqno.get(), cursor)
  again.insert('b', '2')
  t.same(
    Array.from(again.scanSinceSeqno(cursor), ({ key }) => String(key)),
    ['b'],
  )
  await again.flush()
  t.equal(again.highestPersistedSeqno(), 2)
  await again.close()
})

t.test('so do they after clear, and in a checkpoint', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...manual, fs })
  for (let i = 0; i < 5; i++) tree.insert('a', `${i}`)
  await tree.flush()
  await tree.clear()
  await tree.createCheckpoint('/copy')
  await tree.close()
  for (const path of ['/db', '/copy']) {
    const again = await open(path, { ...manual, fs })
    t.ok(again.seqno.get() >= 5, path)
    t.equal(textOf(again), '')
    await again.close()
  }
})

t.test('so do they behind a flush of which nothing is left', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...manual, fs })
  tree.insert('a', '1')
  tree.removeWeak('a')
  await tree.flush()
  t.equal(tree.tableCount(), 0)
  t.equal(tree.highestPersistedSeqno(), 1)
  await tree.close()
  const again = await open('/db', { ...manual, fs })
  t.equal(again.highestPersistedSeqno(), 1)
  t.equal(again.seqno.get(), 2)
  await again.close()
})

t.test('a damaged mark is not passed over', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...manual, fs })
  tree.insert('a', '1')
  await tree.flush()
  await tree.clear()
  await tree.close()
  const file = fs.openAppend('/db/seqno-mark')
  file.writeAt(Buffer.of(9), 4)
  file.close()
  t.equal(await codeOf(() => open('/db', { ...manual, fs })), 'VARVE_CHECKSUM_MISMATCH')
})
