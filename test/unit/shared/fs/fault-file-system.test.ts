// Faults happen where the rule says, and nowhere else.
import t from 'tap'
import {
  FaultFileSystem,
  type FileCall,
  failNth,
  failOn,
} from '../../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'

function work(fs: FaultFileSystem): void {
  fs.makeDirectory('/db')
  const file = fs.create('/db/a')
  file.write(Buffer.from('one'))
  file.write(Buffer.from('two'))
  file.sync('normal')
  file.close()
  fs.rename('/db/a', '/db/b')
  fs.syncDirectory('/db')
}

t.test('fails the Nth call until the run succeeds', async (t) => {
  let failures = 0
  for (let n = 1; ; n++) {
    const fs = new FaultFileSystem(new MemoryFileSystem(), failNth(n))
    try {
      work(fs)
      break
    } catch (error) {
      t.match(error, { code: 'VARVE_IO', details: { errno: 'EIO' } })
      t.equal(fs.callCount, n)
      failures++
    }
  }
  t.equal(failures, 7)
})

t.test('fails by operation and path, a number of times', async (t) => {
  const fs = new FaultFileSystem(
    new MemoryFileSystem(),
    failOn('rename', { path: '/db/b', errno: 'ENOSPC', times: 1 }),
  )
  t.throws(() => work(fs), { code: 'VARVE_STORAGE_FULL' })
  fs.rename('/db/a', '/db/b')
})

t.test('a short write wrote its part; the observer sees every call', async (t) => {
  const inner = new MemoryFileSystem()
  const calls: FileCall[] = []
  const fs = new FaultFileSystem(inner)
  fs.setRule((call) => {
    calls.push(call)
    return call.number === 4 ? { errno: 'EIO', writtenBytes: 1 } : undefined
  })
  t.throws(() => work(fs), { code: 'VARVE_IO' })
  t.equal(inner.openRead('/db/a').size(), 4)
  t.same(
    calls.map((call) => `${call.number} ${call.operation} ${call.path}`),
    ['1 makeDirectory /db', '2 create /db/a', '3 write /db/a', '4 write /db/a'],
  )
  fs.setRule()
  t.equal(fs.exists('/db/a'), true)
})
