/**
 * Automatic maintenance that fails once, at every call of a file system and at every step of a worker: nothing is lost, and
 * the tree recovers by itself, without being opened again, unless it was the manifest that could not be written.
 */
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { leveled, type OpenOptions, open, type Tree, VarveError } from '../../src/main/index.js'
import { FaultFileSystem, failNth } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { LosingPool } from '../support/losing-pool.js'
import { tableFiles, visibleLines } from '../support/trees.js'

const { heap, shared } = processEnvironment()
const options: OpenOptions = {
  blockSize: 256,
  strategy: leveled({ l0Threshold: 1, targetBytes: 2000 }),
  runtime: { memtableBytes: 256 * 1024 },
}

// Retries do not keep a process alive.
const alive = setInterval(() => undefined, 1000)
t.teardown(() => clearInterval(alive))

function write(tree: Tree, round: number): void {
  for (let i = 0; i < 40; i++) tree.insert(`key${(i * 7 + round) % 60}`, `value ${round} ${i}`)
}

/** True where the manifest is beyond use. */
function isPoisoned(tree: Tree): boolean {
  try {
    tree.rotateMemtable()
    return false
  } catch (error) {
    if (!VarveError.is(error)) throw error
    return true
  }
}

/** A flush and a merge by themselves, the Nth call of which fails; whether there was one, and how it ended. */
async function failOnce(
  errno: string,
  number: number,
): Promise<'not reached' | 'recovered' | 'poisoned'> {
  const memory = new MemoryFileSystem()
  const manual = await open('/db', { ...options, fs: memory, maintenance: 'manual' })
  for (let round = 0; round < 2; round++) {
    write(manual, round)
    await manual.flush({ gcWatermark: 0 })
  }
  await manual.close()
  const fs = new FaultFileSystem(memory)
  const tree = await open('/db', { ...options, fs })
  await tree.idle()
  const errors: Error[] = []
  let isOver = false
  const over = new Promise<void>((resolve) => {
    const end = (): void => {
      isOver = true
      resolve()
    }
    tree.on('error', (error) => {
      errors.push(error)
      if (isPoisoned(tree)) end()
    })
    tree.on('flush', () => void tree.idle().then(end))
  })
  write(tree, 2)
  const shown = visibleLines(tree)
  const failing = fs.callCount + number
  fs.setRule(failNth(failing, errno))
  tree.rotateMemtable()
  await over
  fs.setRule()
  const reached = fs.callCount >= failing
  const poisoned = isPoisoned(tree)
  if (visibleLines(tree).join() !== shown.join()) throw new Error(`${errno} ${number}: lost`)
  if (errors.length > 1) throw new Error(`${errno} ${number}: reported ${errors.length} times`)
  if (errors.some((error) => !VarveError.is(error))) throw new Error(String(errors[0]))
  if (!isOver || (!poisoned && tree.sealedMemtableCount() > 0)) throw new Error('not flushed')
  await tree.close({ flush: poisoned ? 'discard' : 'auto' })
  const mode = { manifestRecoveryMode: 'tolerate-corrupted-tail-records' } as const
  const again = await open('/db', { ...options, ...mode, fs: memory, maintenance: 'manual' })
  const found = visibleLines(again).join()
  if (!poisoned && found !== shown.join()) throw new Error(`${errno} ${number}: lost at reopening`)
  await again.close()
  if (!reached) return 'not reached'
  return poisoned ? 'poisoned' : 'recovered'
}

for (const errno of ['ENOSPC', 'EIO', 'EMFILE']) {
  t.test(`${errno} at every call of a flush and a merge`, { timeout: 120_000 }, async (t) => {
    const before = heap.usedBytes
    const count = { recovered: 0, poisoned: 0, 'not reached': 0 }
    for (let first = 1; count['not reached'] === 0; first += 8) {
      const numbers = Array.from({ length: 8 }, (_, i) => first + i)
      // At once: most of the time goes by in the pause before another attempt.
      for (const outcome of await Promise.all(numbers.map((n) => failOnce(errno, n)))) {
        count[outcome]++
      }
    }
    t.ok(count.recovered > 20 && count.poisoned > 0, JSON.stringify(count))
    t.equal(heap.usedBytes, before)
  })
}

t.test('a worker is lost at every step of a flush and of a merge', async (t) => {
  const pool = new LosingPool(shared)
  const folder = t.testdir()
  const before = heap.usedBytes
  const db = join(folder, 'db')
  const tree = await open(db, { ...options, pool: pool.asPool, maintenance: 'manual' })
  let losses = 0
  /** Loses a worker after 0, 1, 2 … steps of `work`, until it ends by itself. */
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    for (let steps = 0; ; steps++) {
      const shown = visibleLines(tree)
      const files = tableFiles(db)
      pool.stepsLeft = steps
      const error: unknown = await work().then(
        () => undefined,
        (failure: unknown) => failure,
      )
      pool.stepsLeft = Number.POSITIVE_INFINITY
      if (visibleLines(tree).join() !== shown.join()) t.fail(`step ${steps}: lost`)
      if (error === undefined) return
      losses++
      if (!VarveError.is(error, 'VARVE_IO')) throw error
      t.same(tableFiles(db), files, `step ${steps}: nothing is left behind`)
    }
  }
  for (let round = 0; round < 3; round++) {
    write(tree, round)
    await attempt(() => tree.flush({ gcWatermark: 0 }))
  }
  await attempt(() => tree.majorCompact({ targetSize: 1000 }))
  t.ok(losses > 10 && losses === pool.lostCount, `${losses} losses`)
  const shown = visibleLines(tree)
  await tree.close()
  t.equal(heap.usedBytes, before)
  const again = await open(db, { ...options, maintenance: 'manual' })
  t.same(visibleLines(again), shown)
  await again.close()
})

t.test('a full disk is waited for, and writes go on by themselves', async (t) => {
  const fs = new MemoryFileSystem({ capacityBytes: 1 << 20 })
  const tree = await open('/db', { ...options, fs })
  const errors: Error[] = []
  const failed = new Promise<void>((resolve) => {
    tree.on('error', (error) => {
      errors.push(error)
      resolve()
    })
  })
  write(tree, 0)
  fs.setCapacity((1 << 20) - fs.availableSpace('/db'))
  const shown = visibleLines(tree)
  tree.rotateMemtable()
  await failed
  t.ok(VarveError.is(errors[0], 'VARVE_STORAGE_FULL'))
  t.ok(VarveError.is(tree.lastError, 'VARVE_STORAGE_FULL'))
  t.same(visibleLines(tree), shown)
  tree.insert('more', '1')
  const flushed = new Promise((resolve) => tree.on('flush', resolve))
  fs.setCapacity(1 << 20)
  await flushed
  t.equal(tree.lastError, undefined)
  t.equal(tree.sealedMemtableCount(), 0)
  await tree.close()
})
