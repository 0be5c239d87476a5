// The sync of a manifest record failed after its bytes had reached the log. The flush then removed its tables, which the
// next open found named and missing: the whole tree was lost.
import t from 'tap'
import { open } from '../../src/main/open.js'
import { major } from '../../src/main/strategies/major.js'
import { FaultFileSystem, failOn } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

for (const work of ['flush', 'merge'] as const) {
  t.test(`during a ${work}`, async (t) => {
    const memory = new MemoryFileSystem()
    const fs = new FaultFileSystem(memory)
    const options = { maintenance: 'manual' } as const
    const tree = await open('/db', { ...options, fs })
    tree.insert('a', '1')
    await tree.flush()
    tree.insert('b', '2')
    if (work === 'merge') await tree.flush()
    const run = async (): Promise<void> => {
      if (work === 'flush') await tree.flush()
      else await tree.compact(major())
    }
    fs.setRule(failOn('sync', { path: 'edits-' }))
    await t.rejects(run(), { code: 'VARVE_IO' })
    fs.setRule()
    const files = memory.list('/db/tables').length
    await t.rejects(run(), { code: 'VARVE_IO', details: { reason: 'manifest-failed' } })
    t.equal(memory.list('/db/tables').length, files, 'no job is run in vain')
    t.equal(tree.getString('b'), '2', 'readable all the same')
    await tree.close({ flush: 'discard' })
    const again = await open('/db', { ...options, fs: memory })
    t.equal(again.getString('a'), '1')
    t.equal(again.getString('b'), '2')
    await again.close()
  })
}
