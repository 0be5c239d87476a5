/** The space of file systems: what is free, and what happens to a tree where none is. */

import { join } from 'node:path'
import t from 'tap'
import { open, VarveError } from '../../../src/main/index.js'
import { FaultFileSystem } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { StdFileSystem } from '../../../src/shared/fs/std-file-system.js'
import { codeOf, visibleLines } from '../../support/trees.js'

t.test('`available_space`: of a disk', async (t) => {
  const folder = t.testdir()
  const fs = new StdFileSystem()
  const bytes = fs.availableSpace(folder)
  t.ok(Number.isSafeInteger(bytes) && bytes > 0 && bytes < 2 ** 60, String(bytes))
  t.throws(() => fs.availableSpace(join(folder, 'none')), { code: 'VARVE_IO' })
})

t.test('`available_space`: of memory, without a limit and with one', async (t) => {
  const free = new MemoryFileSystem()
  t.equal(free.availableSpace('/'), Number.POSITIVE_INFINITY)
  t.throws(() => free.availableSpace('/none'), { code: 'VARVE_IO' })
  const fs = new MemoryFileSystem({ capacityBytes: 100 })
  t.equal(new FaultFileSystem(fs).availableSpace('/'), 100)
  const file = fs.create('/a')
  file.write(Buffer.alloc(60))
  t.equal(fs.availableSpace('/a'), 40)
  t.throws(() => file.write(Buffer.alloc(41)), { code: 'VARVE_STORAGE_FULL' })
  t.equal(file.path, '/a')
  t.equal(fs.availableSpace('/'), 40, 'a refused write takes nothing')
  file.writeAt(Buffer.alloc(60), 0)
  fs.link('/a', '/b')
  t.equal(fs.availableSpace('/'), 40, 'a second name takes nothing')
  file.write(Buffer.alloc(40))
  t.equal(fs.availableSpace('/'), 0)
  const clone = fs.crashClone({ keepUnsynced: 1, random: () => 0 })
  t.equal(clone.availableSpace('/'), 0, 'after a power cut the disk is as large')
  fs.remove('/a')
  t.equal(fs.availableSpace('/'), 0, 'the last name goes, not the first')
  fs.remove('/b')
  t.equal(fs.availableSpace('/'), 100)
  fs.setCapacity(10)
  t.equal(fs.availableSpace('/'), 10)
})

t.test('`available_space`: two trees share what there is', async (t) => {
  const fs = new MemoryFileSystem({ capacityBytes: 1 << 20 })
  const options = { fs, maintenance: 'manual', compression: 'none' } as const
  const trees = [await open('/one', options), await open('/other', options)]
  const before = fs.availableSpace('/one')
  trees[0]?.insert('a', Buffer.alloc(100_000))
  await trees[0]?.flush()
  t.ok(fs.availableSpace('/other') <= before - 100_000)
  t.equal(fs.availableSpace('/other'), fs.availableSpace('/one'))
  for (const tree of trees) await tree.close()
})

t.test(
  '`available_space`: a tree on a full disk loses nothing, and goes on with more',
  async (t) => {
    const fs = new MemoryFileSystem({ capacityBytes: 300_000 })
    const tree = await open('/db', { fs, maintenance: 'manual', compression: 'none' })
    let code: string | undefined
    let rounds = 0
    while (code === undefined && rounds < 50) {
      for (let i = 0; i < 100; i++) tree.insert(`key ${rounds} ${i}`, 'v'.repeat(200))
      rounds++
      code = await codeOf(() => tree.flush())
    }
    t.equal(code, 'VARVE_STORAGE_FULL')
    t.ok(VarveError.is(await tree.flush().catch((error) => error), 'VARVE_STORAGE_FULL'), 'again')
    const shown = visibleLines(tree)
    t.equal(shown.length, 100 * rounds)
    fs.setCapacity(10_000_000)
    await tree.flush()
    t.same(visibleLines(tree), shown)
    await tree.majorCompact()
    await tree.close()
    const again = await open('/db', { fs, maintenance: 'manual' })
    t.same(visibleLines(again), shown)
    await again.close()
  },
)
