// A flush or merge that was running when the tree was cleared installed its tables afterwards: the data came back.
import t from 'tap'
import { open } from '../../src/main/open.js'
import { major } from '../../src/main/strategies/major.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

for (const work of ['flush', 'merge'] as const) {
  t.test(`clear during a ${work}`, async (t) => {
    const fs = new MemoryFileSystem()
    const tree = await open('/db', { fs, maintenance: 'manual' })
    tree.insert('a', '1')
    if (work === 'merge') await tree.flush()
    const running = work === 'flush' ? tree.flush() : tree.compact(major())
    await tree.clear()
    tree.insert('b', '2')
    await running
    t.equal(tree.getString('a'), undefined)
    t.equal(tree.len(), 1)
    await tree.close()
    const again = await open('/db', { fs, maintenance: 'manual' })
    t.equal(again.getString('a'), undefined)
    t.equal(again.getString('b'), '2')
    t.equal(fs.list('/db/tables').length, again.tableCount())
    await again.close()
  })
}
