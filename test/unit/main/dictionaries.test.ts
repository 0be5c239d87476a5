/** zstd dictionaries: used by level, recorded by table, asked for when a tree opens. */

import t from 'tap'
import { type OpenOptions, open } from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { Zstd } from '../../../src/shared/table/zstd.js'
import { codeOf, visibleLines } from '../../support/trees.js'

const noZstd = new Zstd().isAvailable ? false : 'zstd-napi is not built here'
const dictionary = Buffer.from('{"name":"somebody","mail":"somebody@example.org","age":'.repeat(10))
const other = Buffer.from('nothing of the kind, but long enough to be a dictionary'.repeat(4))
const byLevel: OpenOptions['compression'] = ['none', 'lz4', { zstdDict: dictionary, level: 3 }]

const record = (i: number): string =>
  `{"name":"somebody","mail":"somebody@example.org","age":${i * 7919}}`

t.test('`zstd_dict_roundtrip`: by level, merged and reopened', { skip: noZstd }, async (t) => {
  const fs = new MemoryFileSystem()
  const bytesOf = (): number =>
    fs
      .list('/db/tables')
      .reduce((sum, { name }) => sum + fs.openRead(`/db/tables/${name}`).size(), 0)
  const options: OpenOptions = { fs, maintenance: 'manual', compression: byLevel, blockSize: 512 }
  let tree = await open('/db', options)
  for (let i = 0; i < 2_000; i++) tree.insert(`user ${i}`, record(i))
  await tree.flush()
  const shown = visibleLines(tree)
  const plain = bytesOf()
  await tree.majorCompact()
  t.ok(bytesOf() < plain / 2, `${bytesOf()} of ${plain} bytes`)
  t.same(visibleLines(tree), shown)
  tree.insert('user 7', record(0))
  tree.remove('user 8')
  await tree.close()
  tree = await open('/db', options)
  t.equal(tree.len(), 1_999)
  t.equal(tree.getString('user 7'), record(0))
  await tree.majorCompact()
  t.equal(tree.getString('user 9'), record(9))
  await tree.close()
  // Index blocks do without it, whatever is asked for.
  const indexed = await open('/db', { ...options, indexCompression: { zstdDict: other } })
  await indexed.majorCompact()
  t.equal(indexed.getString('user 9'), record(9))
  await indexed.close()
})

t.test(
  '`zstd_dict_roundtrip`: missing or wrong, the open is refused',
  { skip: noZstd },
  async (t) => {
    const fs = new MemoryFileSystem()
    const tree = await open('/db', {
      fs,
      maintenance: 'manual',
      compression: { zstdDict: dictionary },
    })
    for (let i = 0; i < 100; i++) tree.insert(`user ${i}`, record(i))
    await tree.close()
    const wrong: OpenOptions['compression'][] = ['none', 'lz4', { zstd: 3 }, { zstdDict: other }]
    for (const compression of wrong) {
      const code = await codeOf(() => open('/db', { fs, compression: compression as 'none' }))
      t.equal(code, 'VARVE_ZSTD_DICT_MISMATCH', JSON.stringify(compression))
    }
    const again = await open('/db', { fs, compression: ['none', { zstdDict: dictionary }] })
    t.equal(again.getString('user 5'), record(5), 'in any level of the policy')
    await again.close()
  },
)
