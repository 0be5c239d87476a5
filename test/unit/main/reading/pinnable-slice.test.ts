/** Pinned values: which reads are, what they show under pressure, and what is left when they are gone. */

import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import { Cache, type MergeOperator, open, type PinnableSlice } from '../../../../src/main/index.js'
import { Random, runSeed } from '../../../support/random.js'
import { codeOf, concatenation } from '../../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

t.test('`pinnable_slice`: which reads are pinned, and that they equal get', async (t) => {
  const mergeOperator: MergeOperator = concatenation
  const tree = await open('db', { ...memory, mergeOperator })
  tree.insert('table', 'in a table')
  tree.insert('empty', '')
  tree.insert('dead', 'x')
  tree.insert('ranged', 'x')
  tree.merge('merged', 'a')
  await tree.flush()
  tree.remove('dead')
  tree.removeRange('ra', 'rb')
  tree.insert('buffer', 'in a write buffer')
  tree.merge('merged', 'b')
  const snapshot = tree.snapshot()
  tree.insert('table', 'newer')
  const shown = (reads: Pick<typeof tree, 'getPinned' | 'get'>, key: string): unknown => {
    const slice = reads.getPinned(key)
    if (slice === undefined) return undefined
    const text = `${slice.value} ${slice.isPinned ? 'pinned' : 'owned'}`
    t.equal(slice.length, slice.value.length)
    t.ok(slice.equals(reads.get(key) ?? Buffer.from('absent')), `${key} equals its get`)
    t.same(slice.toBuffer(), slice.value)
    slice[Symbol.dispose]()
    return text
  }
  t.equal(shown(snapshot, 'table'), 'in a table pinned')
  t.equal(shown(tree, 'table'), 'newer owned', 'a write buffer is not kept for one value')
  t.equal(shown(tree, 'buffer'), 'in a write buffer owned')
  t.equal(shown(tree, 'merged'), 'ab owned')
  t.equal(shown(tree, 'empty'), ' owned')
  for (const key of ['dead', 'ranged', 'never']) t.equal(shown(tree, key), undefined)
  snapshot[Symbol.dispose]()
  await tree.close()
})

t.test('a disposed slice says so', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  await tree.flush()
  tree.insert('b', '2')
  for (const key of ['a', 'b']) {
    const slice = tree.getPinned(key) as PinnableSlice
    slice[Symbol.dispose]()
    slice[Symbol.dispose]()
    for (const use of [
      () => slice.value,
      () => slice.toBuffer(),
      () => slice.equals(Buffer.of()),
    ]) {
      t.equal(await codeOf(use), 'VARVE_CLOSED')
    }
    t.equal(slice.length, 1)
  }
  await tree.close()
})

t.test('pinned values stay what they are while the cache evicts all the time', async (t) => {
  const random = new Random(runSeed())
  t.comment(`SEED=${random.seed}`)
  // Eight segments: four of them may be pinned.
  const cache = new Cache({ capacityBytes: 256 << 10 })
  const tree = await open('db', { ...memory, cache, blockSize: 1024, compression: 'none' })
  const bytesOf = (i: number): Buffer => Buffer.alloc(50 + (i % 700), i & 255)
  const keyOf = (i: number): string => `key ${String(i).padStart(6, '0')}`
  for (let i = 0; i < 5_000; i++) tree.insert(keyOf(i), bytesOf(i))
  await tree.flush()
  const held: { readonly slice: PinnableSlice; readonly number: number }[] = []
  let pinned = 0
  let owned = 0
  let wrong = 0
  for (let round = 0; round < 20_000; round++) {
    const number = random.below(5_000)
    const slice = tree.getPinned(keyOf(number)) as PinnableSlice
    if (slice.isPinned) pinned++
    else owned++
    held.push({ slice, number })
    const some = held[random.below(held.length)]
    if (some?.slice.equals(bytesOf(some.number)) !== true) wrong++
    if (held.length > 60) {
      const [gone] = held.splice(random.below(held.length), 1)
      gone?.slice[Symbol.dispose]()
    }
  }
  t.equal(wrong, 0)
  t.ok(pinned > 1000 && owned > 1000, `${pinned} were pinned, ${owned} too many`)
  t.equal(cache.blocks.view.pinnedSegmentCount, 4)
  for (const { slice, number } of held) {
    if (!slice.equals(bytesOf(number))) wrong++
    slice[Symbol.dispose]()
  }
  t.equal(wrong, 0)
  t.equal(cache.blocks.view.pinnedSegmentCount, 0)
  await tree.close()
  cache[Symbol.dispose]()
})

t.test('a cache too small to pin, and none at all, give owned values', async (t) => {
  for (const capacityBytes of [0, 96 << 10]) {
    const cache = new Cache({ capacityBytes })
    const tree = await open('db', { ...memory, cache })
    tree.insert('a', '1')
    await tree.flush()
    const slice = tree.getPinned('a') as PinnableSlice
    t.notOk(slice.isPinned)
    t.equal(String(slice.value), '1')
    await tree.close()
    cache[Symbol.dispose]()
  }
})

t.test('a slice outlives its tree, and then gives everything back', async (t) => {
  const { heap } = processEnvironment()
  const usedBytes = heap.usedBytes
  const tree = await open('db', memory)
  tree.insert('a', 'value')
  await tree.flush()
  const slice = tree.getPinned('a') as PinnableSlice
  t.ok(slice.isPinned)
  await tree.close()
  t.equal(String(slice.value), 'value')
  slice[Symbol.dispose]()
  t.equal(heap.usedBytes, usedBytes)
})

t.test('compaction and clear leave a pinned value as it is', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, `value ${i}`)
  await tree.flush()
  const slice = tree.getPinned('key 7') as PinnableSlice
  tree.insert('key 7', 'newer')
  await tree.flush()
  await tree.majorCompact()
  await tree.clear()
  t.equal(String(slice.value), 'value 7')
  slice[Symbol.dispose]()
  await tree.close()
})
