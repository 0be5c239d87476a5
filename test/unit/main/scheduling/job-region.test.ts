/** The memory that jobs get: who waits for it, and who is refused. */

import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import { open, type Tree } from '../../../../src/main/index.js'
import { withJobMemory } from '../../../../src/main/scheduling/job-region.js'
import { VarveError } from '../../../../src/shared/base/errors.js'

const environment = processEnvironment()

t.test('more jobs than there is memory for wait for each other, and all run', async (t) => {
  const before = environment.heap.usedBytes
  let running = 0
  let most = 0
  const ends: (() => void)[] = []
  const jobs = Array.from({ length: 40 }, () =>
    withJobMemory(environment, async () => {
      running++
      most = Math.max(most, running)
      await new Promise<void>((resolve) => ends.push(resolve))
      running--
    }),
  )
  let ended = 0
  while (ended < jobs.length) {
    await new Promise((resolve) => setImmediate(resolve))
    for (const end of ends.splice(0)) {
      end()
      ended++
    }
  }
  await Promise.all(jobs)
  t.ok(most > 5 && most < 40, `${most} at once`)
  t.equal(environment.heap.usedBytes, before)
})

t.test('a job that runs out is run with more; where nobody has any, it is refused', async (t) => {
  const before = environment.heap.usedBytes
  const sizes: number[] = []
  await withJobMemory(environment, async ({ region }) => {
    sizes.push(region.end - region.start)
    if (sizes.length < 3) throw new VarveError('VARVE_OUT_OF_MEMORY', 'more')
  })
  t.same(
    sizes.map((size) => size / (sizes[0] ?? 1)),
    [1, 2, 4],
  )
  // All the memory there is, in pieces.
  const pieces: number[] = []
  for (let isLeft = true; isLeft; ) {
    try {
      pieces.push(environment.heap.allocate(64 * 1024 * 1024))
    } catch {
      isLeft = false
    }
  }
  await t.rejects(
    withJobMemory(environment, async () => undefined),
    { code: 'VARVE_OUT_OF_MEMORY' },
  )
  for (const piece of pieces) environment.heap.free(piece)
  t.equal(environment.heap.usedBytes, before)
})

t.test('thirty trees flush at once', async (t) => {
  const trees: Tree[] = []
  for (let i = 0; i < 30; i++) {
    trees.push(await open(`/db${i}`, { fs: 'memory', runtime: { memtableBytes: 128 * 1024 } }))
  }
  const errors: Error[] = []
  for (const tree of trees) {
    tree.on('error', (error) => errors.push(error))
    tree.insert('a', '1')
  }
  await Promise.all(trees.map((tree) => tree.flush()))
  t.ok(trees.every((tree) => tree.tableCount() === 1))
  t.same(errors, [])
  await Promise.all(trees.map((tree) => tree.close()))
})
