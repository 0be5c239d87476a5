/** Reads that do not wait for the disk: nothing of it on the calling thread, and what happens to the tree meanwhile. */

import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import { Cache, type OpenOptions, open, type Tree } from '../../../../src/main/index.js'
import { FaultFileSystem, failOn } from '../../../../src/shared/fs/fault-file-system.js'
import { StdFileSystem } from '../../../../src/shared/fs/std-file-system.js'
import { LaterFileSystem } from '../../../support/later-file-system.js'
import { codeOf, concatenation } from '../../../support/trees.js'

const key = (i: number): string => `key ${String(i).padStart(4, '0')}`

/** A tree of 1000 keys in one table, nothing of it in memory. */
async function coldTree(fs: LaterFileSystem, options: OpenOptions = {}): Promise<Tree> {
  const set = { fs, maintenance: 'manual', blockSize: 500, mergeOperator: concatenation } as const
  const first = await open('/db', { ...set, compression: 'none', ...options })
  for (let i = 0; i < 1000; i++) first.insert(key(i), `value ${i}`)
  first.merge(key(5), '+')
  first.remove(key(6))
  await first.flush()
  await first.close()
  return open('/db', { ...set, ...options })
}

const partitions = {
  filterPartitioning: true,
  runtime: { indexPartitionSpillThreshold: 0 },
} as const

for (const [name, options] of [
  ['one index and filter', {}],
  ['index and filter in partitions', partitions],
] as const) {
  t.test(`nothing is read on the calling thread: ${name}`, async (t) => {
    const fs = new LaterFileSystem()
    const tree = await coldTree(fs, options)
    fs.forbidsReads = true
    t.equal(String(await tree.getAsync(key(7))), 'value 7')
    t.equal(String(await tree.getAsync(key(5))), 'value 5+')
    t.equal(await tree.getAsync(key(6)), undefined)
    t.equal(await tree.getAsync('absent'), undefined)
    const many = [key(500), 'absent', key(5), key(6), key(999), key(500)]
    t.same(
      (await tree.multiGetAsync(many)).map((value) => value && String(value)),
      ['value 500', undefined, 'value 5+', undefined, 'value 999', 'value 500'],
    )
    for (const reverse of [false, true]) {
      let count = 0
      for await (const chunk of tree.rangeAsync({ reverse })) count += chunk.length
      t.equal(count, 999)
    }
    t.equal(String(tree.get(key(7))), 'value 7', 'and what was read is in memory')
    fs.forbidsReads = false
    await tree.close()
  })
}

t.test('what memory holds is answered without a read', async (t) => {
  const fs = new LaterFileSystem()
  const tree = await coldTree(fs)
  tree.insert('new', 'in memory')
  await tree.getAsync(key(7))
  const before = { ...fs.counts }
  t.equal(String(await tree.getAsync(key(7))), 'value 7')
  t.equal(String(await tree.getAsync('new')), 'in memory')
  t.same(fs.counts, before)
  await tree.close()
})

t.test('reads of one block at one time are one read', async (t) => {
  const fs = new LaterFileSystem()
  const tree = await coldTree(fs)
  fs.isHeld = true
  const reads = Array.from({ length: 10 }, () => tree.getAsync(key(300)))
  await new Promise(setImmediate)
  t.equal(fs.waitingCount, 1)
  fs.release()
  t.same((await Promise.all(reads)).map(String), new Array(10).fill('value 300'))
  await tree.close()
})

t.test('a read sees the tree as it was at the call, whatever comes meanwhile', async (t) => {
  const fs = new LaterFileSystem()
  const tree = await coldTree(fs)
  fs.isHeld = true
  const reads = [tree.getAsync(key(1)), tree.getAsync(key(2))]
  const many = tree.multiGetAsync([key(1), key(3), key(900)])
  const range = tree.rangeAsync({ gte: key(1), lt: key(4) })
  const chunk = range.next()
  for (let i = 0; i < 10; i++) tree.insert(key(i), 'late')
  await tree.clear()
  fs.release()
  t.same((await Promise.all(reads)).map(String), ['value 1', 'value 2'])
  t.same((await many).map(String), ['value 1', 'value 3', 'value 900'])
  const shown = (await chunk).value?.map(([name, value]) => `${name}=${value}`)
  t.same(shown?.[0], `${key(1)}=value 1`)
  await range.return()
  t.ok(tree.isEmpty())
  await tree.close()
})

t.test(
  'close while reads run: they end with their results, and give everything back',
  async (t) => {
    const { heap } = processEnvironment()
    const usedBytes = heap.usedBytes
    for (const cacheBytes of [0, 1 << 20]) {
      const fs = new LaterFileSystem()
      const cache = new Cache({ capacityBytes: cacheBytes })
      const tree = await coldTree(fs, { ...partitions, cache })
      fs.isHeld = true
      const single = tree.getAsync(key(700))
      const resolved = tree.getAsync(key(5))
      const many = tree.multiGetAsync([key(10), key(400), key(5)])
      const range = tree.rangeAsync()
      const chunk = range.next()
      await tree.close()
      t.equal(await codeOf(() => tree.getAsync(key(1))), 'VARVE_CLOSED')
      fs.release()
      t.equal(String(await single), 'value 700')
      t.equal(String(await resolved), 'value 5+')
      t.same((await many).map(String), ['value 10', 'value 400', 'value 5+'])
      let count = (await chunk).value?.length ?? 0
      for await (const rest of range) count += rest.length
      t.equal(count, 999)
      t.equal(fs.openFiles, 0, 'and no file is open')
      cache[Symbol.dispose]()
    }
    t.equal(heap.usedBytes, usedBytes)
  },
)

t.test('a failing read fails its caller only, and the next one is good', async (t) => {
  const inner = new LaterFileSystem()
  const tree = await coldTree(inner)
  await tree.close()
  const fs = new FaultFileSystem(inner)
  const again = await open('/db', { fs, maintenance: 'manual', mergeOperator: concatenation })
  fs.setRule(failOn('readLater', { times: 3 }))
  t.equal(await codeOf(() => again.getAsync(key(1))), 'VARVE_IO')
  t.equal(await codeOf(() => again.multiGetAsync([key(1), key(500), key(900)])), 'VARVE_IO')
  fs.setRule(failOn('readLater', { times: 1 }))
  t.equal(
    await codeOf(async () => {
      for await (const _ of again.rangeAsync());
    }),
    'VARVE_IO',
  )
  t.equal(String(await again.getAsync(key(1))), 'value 1')
  let count = 0
  for await (const chunk of again.rangeAsync({ values: false })) count += chunk.length
  t.equal(count, 999)
  await again.close()
})

t.test('a file of the system is closed after its reads, not under them', async (t) => {
  const fs = new StdFileSystem()
  const folder = t.testdir({ file: 'x'.repeat(100_000) })
  const file = fs.openRead(`${folder}/file`)
  const target = Buffer.alloc(100_000)
  const read = file.readLater?.(target, 0)
  file.close()
  // Its number may be another file's from now on.
  const other = fs.create(`${folder}/other`)
  other.write(Buffer.alloc(100_000, 'y'))
  t.equal(await read, 100_000)
  t.notOk(target.includes('y'))
  other.close()
  t.equal(await codeOf(() => file.readLater?.(target, 0)), 'VARVE_CLOSED')
})

t.test('on the disk: many reads at a time over few descriptors', async (t) => {
  const { DescriptorTable } = await import('../../../../src/main/index.js')
  const tree = await open(t.testdir(), {
    maintenance: 'manual',
    cache: new Cache({ capacityBytes: 0 }),
    descriptorTable: new DescriptorTable(2),
  })
  for (let table = 0; table < 8; table++) {
    for (let i = table; i < 800; i += 8) tree.insert(key(i), `value ${i}`)
    await tree.flush()
  }
  const numbers = Array.from({ length: 400 }, (_, i) => (i * 37) % 800)
  const found = await Promise.all(numbers.map((i) => tree.getAsync(key(i))))
  t.same(
    found.map(String),
    numbers.map((i) => `value ${i}`),
  )
  await tree.close()
})
