/** Many keys at once: equal to single gets whatever hides them, and how the missing blocks are read. */

import t from 'tap'
import { Cache, leveled, open, type Tree } from '../../../../src/main/index.js'
import { BatchFileSystem } from '../../../support/later-file-system.js'
import { Random, runSeed } from '../../../support/random.js'
import { codeOf, concatenation } from '../../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

/** Both ways of reading many keys against single gets. */
async function differences(tree: Tree, keys: readonly string[], seqno?: number): Promise<string[]> {
  const at = seqno === undefined ? {} : { seqno }
  const single = keys.map((key) => tree.getString(key, at))
  const text = (values: (Buffer | undefined)[]): (string | undefined)[] =>
    values.map((value) => value && String(value))
  const wrong: string[] = []
  const ways = [tree.multiGet(keys, at), await tree.multiGetAsync(keys, at)].map(text)
  ways.forEach((found, way) => {
    if (found.length !== keys.length) wrong.push(`${found.length} answers`)
    keys.forEach((key, i) => {
      if (found[i] !== single[i]) wrong.push(`${key}, way ${way}: ${found[i]}, not ${single[i]}`)
    })
  })
  return wrong
}

t.test(
  '`multi_get`: unsorted, repeated and missing keys, snapshots, deletes, merges, levels',
  async (t) => {
    const tree = await open('db', { ...memory, mergeOperator: concatenation, blockSize: 128 })
    const key = (i: number): string => `key ${String(i).padStart(4, '0')}`
    for (let i = 0; i < 500; i++) tree.insert(key(i), `old ${i}`)
    await tree.flush()
    await tree.majorCompact()
    for (let i = 0; i < 500; i += 3) tree.insert(key(i), `newer ${i}`)
    for (let i = 0; i < 500; i += 7) tree.remove(key(i))
    await tree.flush()
    for (let i = 0; i < 500; i += 5) tree.merge(key(i), `+${i}`)
    tree.removeRange(key(100), key(140))
    await tree.flush()
    using snapshot = tree.snapshot()
    for (let i = 120; i < 130; i++) tree.insert(key(i), `again ${i}`)
    tree.rotateMemtable()
    for (let i = 0; i < 500; i += 11) tree.removeWeak(key(i))
    const keys = Array.from({ length: 700 }, (_, i) => key((i * 379) % 600))
    const many = [...keys, ...keys.slice(0, 50), 'a', 'zzz']
    t.same(await differences(tree, many), [])
    t.same(await differences(tree, many, snapshot.seqno), [])
    t.same(await differences(tree, many, 0), [])
    t.same(
      snapshot.multiGet(many).map(String),
      many.map((one) => String(snapshot.get(one))),
    )
    const batches = Array.from({ length: 3 }, () => many).flat()
    t.ok(batches.length > 2048, 'more than are read together')
    t.same(await differences(tree, batches), [])
    for (const few of [[], [key(3)], [key(3), key(3)]]) t.same(await differences(tree, few), [])
    await tree.close()
  },
)

t.test(
  '`prop_multi_get`: random trees, with a tiny cache, one that holds everything, and none',
  async (t) => {
    const random = new Random(runSeed())
    t.comment(`SEED=${random.seed}`)
    for (const capacityBytes of [0, 96 << 10, 128 << 10, 8 << 20]) {
      for (let round = 0; round < 6; round++) {
        const cache = new Cache({ capacityBytes })
        const tree = await open('db', {
          ...memory,
          cache,
          blockSize: random.pick([64, 700, 4096]),
          filterPartitioning: random.chance(0.5),
          mergeOperator: concatenation,
          runtime: { indexPartitionSpillThreshold: random.pick([0, 4 << 20]) },
        })
        const span = random.pick([20, 400, 3000])
        const key = (): string => `key ${random.below(span)}`
        for (let step = 0; step < 4; step++) {
          for (let i = random.below(span); i > 0; i--) {
            const form = random.below(10)
            if (form < 7) tree.insert(key(), 'v'.repeat(random.below(random.pick([20, 900]))) + i)
            else if (form < 8) tree.remove(key())
            else if (form < 9) tree.merge(key(), `+${i}`)
            else if (i % 40 === 0) tree.removeRange('key 1', 'key 3')
          }
          if (random.chance(0.8)) await tree.flush()
          if (random.chance(0.3)) await tree.compact(leveled({ targetBytes: 4096 }))
        }
        const keys = Array.from({ length: 3 + random.below(300) }, key)
        const seqno = random.chance(0.5) ? undefined : tree.visibleSeqno.get()
        t.same((await differences(tree, keys, seqno)).slice(0, 3), [])
        await tree.close()
        cache[Symbol.dispose]()
      }
    }
  },
)

t.test('keys that are none are refused, in both ways', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  for (const wrong of ['', 'x'.repeat(65_536), 7, null]) {
    const keys = ['a', 'b', 'c', wrong as string]
    t.equal(await codeOf(() => tree.multiGet(keys)), 'VARVE_INVALID_ARGUMENT')
    t.equal(await codeOf(() => tree.multiGetAsync(keys)), 'VARVE_INVALID_ARGUMENT')
  }
  t.equal(tree.getString('a'), '1')
  await tree.close()
})

t.test('blocks that lie close to each other come in one read, each once', async (t) => {
  const fs = new BatchFileSystem()
  const first = await open('/db', { ...memory, fs, blockSize: 1000, compression: 'none' })
  const key = (i: number): string => `key ${String(i).padStart(4, '0')}`
  for (let i = 0; i < 1000; i++) first.insert(key(i), 'x'.repeat(90))
  await first.close()
  const tree = await open('/db', { ...memory, fs })
  Object.assign(fs.counts, { read: 0, later: 0, many: 0, inMany: 0 })
  const keys = Array.from({ length: 300 }, (_, i) => key((i * 7) % 300))
  t.notOk(tree.multiGet(keys).includes(undefined))
  t.equal(fs.counts.many, 1, 'one call')
  t.equal(fs.counts.inMany, 1, 'for one piece of the file')
  t.equal(fs.counts.read, 1, 'which the batch reads itself')
  tree.multiGet(keys)
  t.equal(fs.counts.many, 1, 'then memory has them')
  const apart = [key(600), key(999), key(800)]
  tree.multiGet(apart)
  t.equal(fs.counts.many, 2)
  t.equal(fs.counts.inMany, 4, 'blocks far apart are read apart, in one call')
  const { misses } = tree.cacheStats()
  tree.multiGet([key(700), key(700), key(700)])
  t.equal(tree.cacheStats().misses - misses, 1, 'a block that several keys want is missed once')
  await tree.close()
})

t.test('a descriptor table of one file still reads batches over many', async (t) => {
  const fs = new BatchFileSystem()
  const { DescriptorTable } = await import('../../../../src/main/index.js')
  const descriptorTable = new DescriptorTable(1)
  const cache = new Cache({ capacityBytes: 0 })
  const tree = await open('/db', { ...memory, fs, cache, descriptorTable })
  for (let table = 0; table < 6; table++) {
    for (let i = 0; i < 5; i++) tree.insert(`key ${table} ${i}`, `value ${table} ${i}`)
    await tree.flush()
  }
  const keys = Array.from({ length: 30 }, (_, i) => `key ${i % 6} ${Math.floor(i / 6)}`)
  t.same(await differences(tree, keys), [])
  t.equal(fs.openFiles, 1)
  await tree.close()
})
