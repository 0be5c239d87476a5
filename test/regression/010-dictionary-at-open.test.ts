/** A table whose dictionary was not given was opened, and refused its first block only: half of a tree could be read. */

import t from 'tap'
import { open } from '../../src/main/index.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { Zstd } from '../../src/shared/table/zstd.js'
import { codeOf } from '../support/trees.js'

const noZstd = new Zstd().isAvailable ? false : 'zstd-napi is not built here'

t.test('open refuses it, and lets everything go', { skip: noZstd }, async (t) => {
  const fs = new MemoryFileSystem()
  const compression = { zstdDict: Buffer.from('a dictionary') }
  const tree = await open('/db', { fs, compression })
  tree.insert('a', '1')
  await tree.close()
  for (let round = 0; round < 3; round++) {
    t.equal(await codeOf(() => open('/db', { fs })), 'VARVE_ZSTD_DICT_MISMATCH')
  }
  const again = await open('/db', { fs, compression })
  t.equal(again.getString('a'), '1')
  await again.close()
})
