// The disk is full for a while: writes are refused once memory is, with the current error, and go on by themselves when
// there is space again. Nothing is latched, nothing lost, reads never stop.
import t from 'tap'
import { leveled, open, type StallEvent, VarveError } from '../../src/main/index.js'
import { FaultFileSystem } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

const runtime = { memtableBytes: 128 * 1024, maxSealedMemtables: 2 }
const textAt = (i: number): string => `${i} `.padEnd(900, 'x')

for (const [where, path] of Object.entries({ everywhere: '', 'for the manifest': 'edits-' })) {
  t.test(`the disk is full ${where}`, async (t) => {
    const memory = new MemoryFileSystem()
    const fs = new FaultFileSystem(memory)
    const tree = await open('/db', { fs, runtime, strategy: leveled({ l0Threshold: 2 }) })
    const errors: Error[] = []
    const stalls: StallEvent[] = []
    tree.on('error', (error) => errors.push(error))
    tree.on('stall', (stall) => stalls.push(stall))
    let count = 0
    /** Writes until a write is refused, or until `most` have been taken; waits where it is asked to and it helps. */
    const write = async (most: number): Promise<unknown> => {
      for (let n = 0; n < most; n++) {
        try {
          if (!tree.insert(`key ${count}`, textAt(count)) && !isFull) await tree.drained()
        } catch (error) {
          return error
        }
        count++
      }
      return undefined
    }
    let isFull = false
    fs.setRule(({ operation, path: at }) =>
      isFull && operation === 'write' && at.includes(path)
        ? { errno: 'ENOSPC', writtenBytes: 11 }
        : undefined,
    )
    for (let round = 0; round < 3; round++) {
      t.equal(await write(300), undefined)
      isFull = true
      let refusal = await write(2000)
      t.ok(VarveError.is(refusal, 'VARVE_STALLED'), 'memory takes what the disk does not')
      await new Promise<void>((resolve) => {
        tree.on('error', () => resolve())
        if (tree.lastError !== undefined) resolve()
      })
      refusal = await write(1)
      t.ok(VarveError.is(refusal, 'VARVE_STALLED'))
      t.equal((refusal as VarveError).cause, tree.lastError, 'with the error of now')
      t.ok(VarveError.is(tree.lastError, 'VARVE_STORAGE_FULL'))
      for (let i = 0; i < count; i += 7) {
        if (tree.getString(`key ${i}`) !== textAt(i)) throw new Error(`key ${i} is lost`)
      }
      t.equal(tree.len(), count)
      isFull = false
      await tree.drained()
      t.equal(tree.insert('awake', `${round}`), true)
      tree.remove('awake')
    }
    await tree.flush()
    await tree.idle()
    t.equal(tree.len(), count)
    t.ok(errors.every((error) => VarveError.is(error, 'VARVE_STORAGE_FULL')))
    t.ok(stalls.some(({ kind, cause }) => kind === 'stop' && cause === 'memtables'))
    t.ok(tree.metrics().maintenance.refusedWrites >= 6)
    await tree.close()
    const again = await open('/db', { fs: memory, maintenance: 'manual' })
    t.equal(again.len(), count)
    t.equal(memory.list('/db/tables').length, again.tableCount(), 'no file is left behind')
    await again.close()
  })
}
