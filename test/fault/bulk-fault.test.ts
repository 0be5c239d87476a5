/** Bulk ingestions that lose a worker at every step, lose all threads, or fill the disk: nothing of them is left. */
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { MaintenancePool, open } from '../../src/main/index.js'
import { FaultFileSystem } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { LosingPool } from '../support/losing-pool.js'
import { codeOf, tableFiles, textOf } from '../support/trees.js'

const { heap, shared } = processEnvironment()

const small = { memoryBytes: 256 * 1024 }

function* pairs(count: number): Generator<readonly [string, string]> {
  for (let i = 0; i < count; i++) yield [`key${(i * 7919) % count}`, 'x'.repeat(50)]
}

t.test('a worker is lost at every step of the jobs', async (t) => {
  const used = heap.usedBytes
  const folder = t.testdir()
  const db = join(folder, 'db')
  const pool = new LosingPool(shared)
  const tree = await open(db, { maintenance: 'manual', pool: pool.asPool })
  tree.insert('before', '1')
  await tree.flush()
  const files = tableFiles(db)
  let losses = 0
  for (let steps = 0; ; steps += 1 + (steps >> 2)) {
    pool.stepsLeft = steps
    const code = await codeOf(() => tree.bulkIngest(pairs(5000), small))
    pool.stepsLeft = Number.POSITIVE_INFINITY
    if (code === undefined) break
    losses++
    t.equal(code, 'VARVE_IO', `after ${steps} steps`)
    t.same(tableFiles(db), files, 'its files are gone')
    t.equal(textOf(tree), 'before=1')
  }
  t.ok(losses > 8, `${losses} losses`)
  t.equal(tree.len(), 5001)
  await tree.close()
  t.equal(heap.usedBytes, used)
})

t.test('all threads end in the middle', async (t) => {
  const used = heap.usedBytes
  const folder = t.testdir()
  const db = join(folder, 'db')
  const pool = new MaintenancePool({ threads: 2 })
  const tree = await open(db, { maintenance: 'manual', pool })
  function* source(): Generator<readonly [string, string]> {
    let i = 0
    for (const pair of pairs(60_000)) {
      if (i++ === 30_000) void pool.close()
      yield pair
    }
  }
  const code = await codeOf(() => tree.bulkIngest(source(), small))
  // Where no job was running at that moment, new threads were started.
  t.ok(code === 'VARVE_IO' || (code === undefined && tree.len() === 60_000), String(code))
  if (code !== undefined) t.same(tableFiles(db), [])
  await tree.bulkIngest(pairs(1000), small)
  t.ok(tree.len() >= 1000)
  await tree.close()
  await pool.close()
  t.equal(heap.usedBytes, used)
})

t.test(
  'the disk is full: while runs are written, while they are merged, or for the manifest',
  async (t) => {
    const used = heap.usedBytes
    let refusals = 0
    for (let room = 0; ; room++) {
      const disk = new MemoryFileSystem()
      const fs = new FaultFileSystem(disk)
      const tree = await open('/db', { fs, maintenance: 'manual' })
      let written = 0
      fs.setRule(({ operation }) => {
        if (operation !== 'write' || written++ < room) return undefined
        return { errno: 'ENOSPC', writtenBytes: 11 }
      })
      const code = await codeOf(() => tree.bulkIngest(pairs(12_000), small))
      fs.setRule()
      if (code !== undefined) {
        refusals++
        t.equal(code, 'VARVE_STORAGE_FULL')
        t.equal(tree.len(), 0)
        t.same(disk.list('/db/tables'), [], 'its files are gone')
      } else t.equal(tree.len(), 12_000)
      await tree.close()
      if (code === undefined) break
    }
    t.ok(refusals > 5, `${refusals} refusals`)
    t.equal(heap.usedBytes, used)
  },
)
