/** What must come back: memory, descriptors and threads after trees close; codes of errors that cross the pool. */

import { closeSync, existsSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import { leveled, MaintenancePool, open, VarveError } from '../../../src/main/index.js'
import { codeOf, tableFiles } from '../../support/trees.js'

const descriptors = (): number =>
  existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0

t.test('200 trees opened and closed leave nothing behind', async (t) => {
  const folder = t.testdir()
  const cycle = async (i: number): Promise<void> => {
    const tree = await open(folder, { maintenance: 'manual', runtime: { memtableBytes: 1 << 20 } })
    tree.insert(`key ${i}`, 'value')
    tree.getString('key 0')
    using snapshot = tree.snapshot()
    snapshot.get('key 0')
    for (const [key] of tree.range()) if (key.length === 0) break
    const [first] = tree.prefix('key')
    if (first === undefined) throw new Error('nothing there')
    if (i % 50 === 10) await tree.majorCompact()
    if (i % 3 === 0) await tree.clear()
    tree.insert('key', 'last')
    await tree.close()
  }
  await cycle(0)
  const { heap } = processEnvironment()
  const start = { bytes: heap.usedBytes, descriptors: descriptors() }
  for (let i = 1; i <= 200; i++) await cycle(i)
  t.equal(heap.usedBytes, start.bytes, 'shared memory')
  t.equal(descriptors(), start.descriptors, 'descriptors')
})

t.test('failed opens leave nothing behind', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { maintenance: 'manual' })
  for (let i = 0; i < 3; i++) {
    tree.insert('key', String(i))
    await tree.flush()
  }
  await tree.close()
  const last = tableFiles(folder).at(-1)
  damage(join(folder, `tables/${last}`), -20)
  await codeOf(() => open(folder))
  const { heap } = processEnvironment()
  const start = { bytes: heap.usedBytes, descriptors: descriptors() }
  for (let i = 0; i < 20; i++) {
    t.not(await codeOf(() => open(folder)), undefined)
    t.not(await codeOf(() => open(folder, { readOnly: true })), undefined)
  }
  t.equal(heap.usedBytes, start.bytes, 'shared memory')
  t.equal(descriptors(), start.descriptors, 'descriptors')
})

/** Changes a byte of a file; a negative place counts from the end. */
function damage(path: string, at: number): void {
  const file = openSync(path, 'r+')
  const place = at < 0 ? statSync(path).size + at : at
  writeSync(file, Buffer.of(0x5a, 0xa5, 0x5a), 0, 3, place)
  closeSync(file)
}

t.test('an error in a worker arrives with its code, file and offset', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { maintenance: 'manual', blockSize: 256, compression: 'none' })
  for (let i = 0; i < 200; i++) tree.insert(`key ${i}`, `value ${i}`)
  await tree.flush()
  const [id] = tableFiles(folder)
  const path = join(folder, `tables/${id}`)
  damage(path, 1000)
  const before = { bytes: processEnvironment().heap.usedBytes }
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await tree.majorCompact()
      t.fail('it was merged')
    } catch (error) {
      t.ok(VarveError.is(error, 'VARVE_CHECKSUM_MISMATCH'), String(error))
      t.ok(error instanceof VarveError)
      t.match(error, { kind: 'corruption', details: { file: path } })
      t.type((error as VarveError).details['offset'], 'number')
      t.match((error as VarveError).message, path)
      t.match((error as VarveError).stack, 'workers', 'the stack is the worker’s')
    }
  }
  t.equal(processEnvironment().heap.usedBytes, before.bytes, 'the memory of the jobs came back')
  t.same(tableFiles(folder), [id], 'no output is left behind')
  t.equal(tree.tableCount(), 1)
  t.equal(tree.getString('key 0'), 'value 0', 'what is not damaged stays readable')
  tree.insert('after', 'all')
  await tree.flush()
  t.equal(tree.getString('after'), 'all', 'and the tree goes on')
  await tree.close()
})

t.test(
  'a failing automatic compaction is reported, and close does not wait for its retry',
  async (t) => {
    const folder = t.testdir()
    const first = await open(folder, { maintenance: 'manual', blockSize: 256, compression: 'none' })
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 200; i++) first.insert(`key ${i}`, `value ${i}`)
      await first.flush()
    }
    await first.close()
    damage(join(folder, `tables/${tableFiles(folder)[0]}`), 1000)
    const tree = await open(folder, { strategy: leveled({ l0Threshold: 2 }) })
    const error = await new Promise<Error>((resolve) => tree.on('error', resolve))
    t.ok(VarveError.is(error, 'VARVE_CHECKSUM_MISMATCH'), String(error))
    t.equal(tree.lastError, error)
    await tree.close()
  },
)

t.test('a pool of its own, shared by two trees and closed by its owner', async (t) => {
  const pool = new MaintenancePool({ threads: 1 })
  const folder = t.testdir()
  const trees = await Promise.all(
    ['one', 'other'].map((name) => open(join(folder, name), { pool })),
  )
  for (const tree of trees) tree.insert('a', '1')
  await Promise.all(trees.map((tree) => tree.flush()))
  await Promise.all(trees.map((tree) => tree.majorCompact()))
  for (const tree of trees) t.equal(tree.getString('a'), '1')
  await Promise.all(trees.map((tree) => tree.close()))
  await pool.close()
  await pool.close()
  for (const threads of [0, 1.5, -1]) t.throws(() => new MaintenancePool({ threads }), RangeError)
})
