/** A tree in memory lives as one on disk does. */

import t from 'tap'
import { open } from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { readFile, writeFile } from '../../support/manifests.js'
import { codeOf, textOf, visibleLines } from '../../support/trees.js'

const manual = { maintenance: 'manual' } as const

t.test('`mem_fs_tree`: written, flushed, merged, reopened, cleared', async (t) => {
  const fs = new MemoryFileSystem()
  let tree = await open('trees/db', { fs, ...manual, blockSize: 200 })
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 300; i++) tree.insert(`key ${i}`, `value ${round}`)
    tree.remove(`key ${round}`)
    tree.removeRange('key 20', 'key 21')
    await tree.flush()
  }
  const shown = visibleLines(tree)
  await tree.close()
  tree = await open('trees/db', { fs, ...manual })
  t.same(visibleLines(tree), shown)
  await tree.majorCompact()
  t.same(visibleLines(tree), shown)
  t.equal(await codeOf(() => open('trees/db', { fs, ...manual })), 'VARVE_LOCKED')
  await tree.clear()
  t.equal(fs.list(`${tree.path}/tables`).length, 0)
  await tree.close()
  tree = await open('trees/db', { fs, ...manual, createIfMissing: false })
  t.ok(tree.isEmpty())
  await tree.close()
})

t.test('`mem_fs_tree`: trees share a file system, and go by themselves', async (t) => {
  const fs = new MemoryFileSystem()
  const [one, other] = [await open('/one', { fs }), await open('/deep/other', { fs })]
  one.insert('a', '1')
  other.insert('a', '2')
  await Promise.all([one.flush(), other.flush()])
  await one.clear()
  await one.close()
  t.equal(other.getString('a'), '2')
  await other.close()
  const again = await open('/deep/other', { fs, readOnly: true })
  t.equal(textOf(again.range()), 'a=2')
  await again.close()
})

t.test('`mem_fs_tree`: a checkpoint at a relative path', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('home/db', { fs, ...manual })
  tree.insert('a', '1')
  const { path } = await tree.createCheckpoint('home/./copy')
  tree.insert('a', '2')
  const copy = await open(path, { fs, ...manual })
  t.equal(textOf(copy.range()), 'a=1')
  await copy.close()
  t.equal(textOf(tree.range()), 'a=2')
  await tree.close()
})

t.test('`mem_fs_tree`: every block is verified as it is read', async (t) => {
  const fs = new MemoryFileSystem()
  const options = { fs, ...manual, blockSize: 200, compression: 'none' } as const
  const tree = await open('/db', options)
  for (let i = 0; i < 300; i++) tree.insert(`key ${i}`, `value ${i}`)
  await tree.close()
  const bytes = readFile(fs, '/db/tables/0')
  bytes[3000]! ^= 1
  writeFile(fs, '/db/tables/0', bytes)
  const again = await open('/db', options)
  t.equal(await codeOf(() => again.len()), 'VARVE_CHECKSUM_MISMATCH')
  t.equal(again.getString('key 0'), 'value 0')
  await again.close()
})
