// A full disk: `drained` waited for the retry of a flush, whose timer did not keep the process alive, so the process
// ended in the middle of an await.
import t from 'tap'
import { open } from '../../src/main/open.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { FaultFileSystem, failOn } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

t.test('writing goes on once there is space again', { timeout: 30_000 }, async (t) => {
  const fs = new FaultFileSystem(new MemoryFileSystem())
  const runtime = { memtableBytes: 128 * 1024, maxSealedMemtables: 1 }
  const tree = await open('/db', { fs, runtime })
  const errors: unknown[] = []
  tree.on('error', (error) => errors.push(error))
  fs.setRule(failOn('create', { path: '/tables/', errno: 'ENOSPC', times: 2 }))
  const value = 'x'.repeat(1000)
  let stalls = 0
  for (let i = 0; i < 400; ) {
    try {
      tree.insert(`key${i}`, value)
      i++
    } catch (error) {
      if (!VarveError.is(error, 'VARVE_STALLED')) throw error
      stalls++
      await tree.drained()
    }
  }
  t.ok(stalls > 0)
  t.ok(errors.length === 2 && errors.every((error) => VarveError.is(error, 'VARVE_STORAGE_FULL')))
  t.equal(tree.len(), 400)
  t.equal(tree.lastError, undefined)
  await tree.close()
})
