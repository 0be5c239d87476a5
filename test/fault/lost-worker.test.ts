/** Worker threads that end in the middle of a flush or a merge: that job is lost and nothing else. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { MaintenancePool, open, type Tree, VarveError } from '../../src/main/index.js'
import { tableFiles, visibleLines } from '../support/trees.js'

const { heap } = processEnvironment()
const lethalModule = new URL('../support/lethal-operator.js', import.meta.url)

function optionsOf(folder: string, pool: MaintenancePool, maintenance: 'auto' | 'manual') {
  const mergeOperator = {
    module: lethalModule,
    export: 'lethal',
    options: { trap: join(folder, 'trap') },
  }
  const runtime = { compactionThreads: 1 }
  return { maintenance, blockSize: 256, pool, mergeOperator, runtime } as const
}

function write(tree: Tree, round: number): void {
  for (let i = 0; i < 400; i++) {
    const key = `key${String(i).padStart(4, '0')}`
    if (i % 3 === 0) tree.merge(key, `+${round}`)
    else tree.insert(key, `value ${round} of some length`)
  }
}

async function lossOf(work: Promise<unknown>): Promise<boolean> {
  const error = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  )
  return VarveError.is(error, 'VARVE_IO') && error.details['isWorkerLost'] === true
}

t.test('a worker leaves in a flush and in a merge', async (t) => {
  const pool = new MaintenancePool({ threads: 2 })
  t.teardown(() => pool.close())
  const folder = t.testdir({ db: {} })
  const db = join(folder, 'db')
  const before = heap.usedBytes
  const tree = await open(db, optionsOf(folder, pool, 'manual'))
  for (let round = 0; round < 3; round++) {
    // Versions of one key that a flush folds.
    write(tree, round)
    write(tree, round)
    const shown = visibleLines(tree)
    const files = tableFiles(db)
    writeFileSync(join(folder, 'trap'), '')
    t.ok(await lossOf(tree.flush()), 'the flush is lost')
    t.same(tableFiles(db), files, 'its tables are gone')
    t.same(visibleLines(tree), shown)
    tree.insert('written', 'afterwards')
    await tree.flush()
  }
  const shown = visibleLines(tree)
  const files = tableFiles(db)
  writeFileSync(join(folder, 'trap'), '')
  t.ok(await lossOf(tree.majorCompact({ targetSize: 2000 })), 'the merge is lost')
  t.same(tableFiles(db), files)
  t.same(visibleLines(tree), shown)
  await tree.majorCompact()
  t.same(visibleLines(tree), shown)
  await tree.close()
  t.equal(heap.usedBytes, before, 'the memory of lost jobs is given back')
  const again = await open(db, optionsOf(folder, pool, 'manual'))
  t.same(visibleLines(again), shown)
  await again.close()
})

t.test('threads that are terminated under a merge, which had written tables', async (t) => {
  const pool = new MaintenancePool({ threads: 2 })
  t.teardown(() => pool.close())
  const folder = t.testdir({ db: {} })
  const db = join(folder, 'db')
  const before = heap.usedBytes
  const tree = await open(db, optionsOf(folder, pool, 'manual'))
  for (let round = 0; round < 3; round++) {
    write(tree, round)
    await tree.flush({ gcWatermark: 0 })
  }
  const shown = visibleLines(tree)
  const files = tableFiles(db)
  // The rate lets some tables be written, and then holds the merge until the thread is terminated.
  tree.updateRuntimeConfig({ compactionRateLimit: 5000 })
  let lost: Promise<boolean> | undefined
  await new Promise<void>((resolve) => {
    const onProgress = (): void => {
      if (tableFiles(db).length > files.length + 1) resolve()
    }
    lost = lossOf(tree.majorCompact({ targetSize: 1000, onProgress }))
  })
  await pool.close()
  t.ok(await lost)
  t.same(tableFiles(db), files, 'the tables of the dead job are gone')
  t.same(visibleLines(tree), shown)
  tree.updateRuntimeConfig({ compactionRateLimit: 0 })
  await tree.majorCompact()
  t.equal(tree.tableCount(), 1, 'a new thread does it')
  t.same(visibleLines(tree), shown)
  await tree.close()
  t.equal(heap.usedBytes, before)
})

t.test('automatic maintenance reports a lost worker once, and tries again', async (t) => {
  const pool = new MaintenancePool({ threads: 2 })
  t.teardown(() => pool.close())
  const folder = t.testdir({ db: {} })
  const tree = await open(join(folder, 'db'), optionsOf(folder, pool, 'auto'))
  const errors: Error[] = []
  tree.on('error', (error) => errors.push(error))
  write(tree, 0)
  write(tree, 1)
  writeFileSync(join(folder, 'trap'), '')
  const flushed = new Promise((resolve) => tree.on('flush', resolve))
  tree.rotateMemtable()
  // The pause before another attempt does not keep a process alive.
  const alive = setInterval(() => undefined, 1000)
  await flushed
  clearInterval(alive)
  t.equal(errors.length, 1)
  t.ok(VarveError.is(errors[0], 'VARVE_IO'))
  t.equal(tree.sealedMemtableCount(), 0)
  await tree.close()
})
