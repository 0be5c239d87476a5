/** Bulk ingestions that lose a worker at every step, or a thread, or fill the disk: nothing of them is left. */
import { writeFileSync } from 'node:fs'
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

t.test('a thread ends in the middle of a job', async (t) => {
  const used = heap.usedBytes
  const folder = t.testdir({ db: {} })
  const db = join(folder, 'db')
  const pool = new MaintenancePool({ threads: 2 })
  const module = new URL('../support/lethal-comparator.js', import.meta.url)
  const comparator = { module, export: 'lethal', options: { trap: join(folder, 'trap') } }
  const tree = await open(db, { maintenance: 'manual', pool, comparator })
  for (let round = 0; round < 2; round++) {
    writeFileSync(join(folder, 'trap'), '')
    t.equal(await codeOf(() => tree.bulkIngest(pairs(3000), small)), 'VARVE_IO')
    t.same(tableFiles(db), [])
    t.equal(tree.len(), 0)
  }
  await tree.bulkIngest(pairs(3000), small)
  t.equal(tree.len(), 3000)
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
