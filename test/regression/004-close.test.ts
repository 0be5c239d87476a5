// Closing while work is queued and while iterators are open: nothing hangs, nothing is lost, iterators
// keep what they read through.
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { open } from '../../src/main/open.js'
import { major } from '../../src/main/strategies/major.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

const manual = { maintenance: 'manual' } as const

t.test('calls that wait in the queue settle', async (t) => {
  const tree = await open('/db', { ...manual, fs: new MemoryFileSystem() })
  tree.insert('a', '1')
  await tree.flush()
  const waiting = [tree.compact(major()), tree.compact(), tree.majorCompact(), tree.flush()]
  const settled = Promise.allSettled(waiting)
  await tree.close()
  const outcomes = await settled
  for (const outcome of outcomes) {
    const isFine =
      outcome.status === 'fulfilled' ||
      VarveError.is(outcome.reason, 'VARVE_CLOSED') ||
      VarveError.is(outcome.reason, 'VARVE_ABORTED')
    t.ok(isFine, outcome.status === 'rejected' ? String(outcome.reason) : 'done')
  }
})

t.test('a write during close is refused or kept', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...manual, fs })
  tree.insert('a', '1')
  const closing = tree.close()
  let isAccepted = true
  try {
    tree.insert('b', '2')
  } catch (error) {
    t.ok(VarveError.is(error, 'VARVE_CLOSED'))
    isAccepted = false
  }
  await closing
  const again = await open('/db', { ...manual, fs })
  t.equal(again.getString('a'), '1')
  t.equal(again.getString('b'), isAccepted ? '2' : undefined)
  await again.close()
})

t.test('an iterator that outlives the tree', async (t) => {
  const { heap } = processEnvironment()
  const before = heap.usedBytes
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...manual, fs, blockSize: 32 })
  for (let i = 0; i < 500; i++) tree.insert(`key${1000 + i}`, `value ${i}`)
  await tree.flush()
  const [started, fresh] = [tree.iter(), tree.iter()]
  started.next()
  await tree.close()
  for (const [iterator, first] of [
    [started, 1],
    [fresh, 0],
  ] as const) {
    try {
      let i: number = first
      for (const [key, value] of iterator) {
        if (String(key) !== `key${1000 + i}` || String(value) !== `value ${i}`) t.fail('wrong data')
        i++
      }
      t.equal(i, 500)
    } catch (error) {
      t.ok(VarveError.is(error, 'VARVE_CLOSED'), String(error))
    }
  }
  // What the iterators used waits for the next ones, until a tree closes.
  await (await open('/db', { ...manual, fs })).close()
  t.equal(heap.usedBytes, before)
})

t.test(
  'a file that an old iterator held is not removed once the name is in use again',
  async (t) => {
    const fs = new MemoryFileSystem()
    const tree = await open('/db', { ...manual, fs })
    tree.insert('a', '1')
    await tree.flush()
    const iterator = tree.iter()
    await tree.clear()
    await tree.close()
    for (let i = 0; i < 3; i++) {
      const between = await open('/db', { ...manual, fs })
      between.insert('b', String(i))
      await between.flush()
      if (i < 2) await between.clear()
      await between.close()
    }
    iterator.return()
    const last = await open('/db', { ...manual, fs })
    t.equal(last.getString('b'), '2')
    await last.close()
  },
)
