/** Asynchronous ranges: chunks, pace, signals, and ends of every kind. */

import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import { Cache, open, type Tree } from '../../../../src/main/index.js'
import { LaterFileSystem } from '../../../support/later-file-system.js'
import { codeOf, concatenation } from '../../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const
const key = (i: number): string => `key ${String(i).padStart(5, '0')}`

async function filled(options: object = {}): Promise<Tree> {
  const set = { ...memory, blockSize: 400, mergeOperator: concatenation, ...options }
  const tree = await open('/db', set)
  for (let round = 0; round < 3; round++) {
    for (let i = round; i < 3000; i += 3) tree.insert(key(i), `value ${i}`)
    if (round < 2) await tree.flush()
  }
  for (let i = 0; i < 3000; i += 50) tree.merge(key(i), '+')
  for (let i = 1; i < 3000; i += 50) tree.remove(key(i))
  return tree
}

async function all<T>(chunks: AsyncIterable<T[]>): Promise<T[]> {
  const entries: T[] = []
  for await (const chunk of chunks) entries.push(...chunk)
  return entries
}

t.test('chunks together are the range, in every shape and direction', async (t) => {
  for (const capacityBytes of [0, 200_000, 8 << 20]) {
    const cache = new Cache({ capacityBytes })
    const tree = await filled({ cache })
    const ranges = [
      {},
      { reverse: true },
      { gt: key(100), lte: key(2222) },
      { gte: key(100), lt: key(2222), reverse: true, limit: 777 },
      { limit: 0 },
      { gte: 'x' },
      { gte: key(9), lt: key(3) },
    ]
    for (const range of ranges) {
      t.same(await all(tree.rangeAsync(range)), Array.from(tree.range(range)))
      t.same(
        await all(tree.rangeAsync({ ...range, values: false })),
        Array.from(tree.range({ ...range, values: false })),
      )
    }
    t.same(await all(tree.rangeAsync({ keys: false })), Array.from(tree.range({ keys: false })))
    using snapshot = tree.snapshot()
    tree.insert('a', 'late')
    t.equal((await all(snapshot.rangeAsync())).length, snapshot.len())
    await tree.close()
    cache[Symbol.dispose]()
  }
})

t.test('wrong options are refused at once', async (t) => {
  const tree = await open('db', memory)
  t.throws(() => tree.rangeAsync({ limit: -1 }), RangeError)
  t.throws(() => tree.rangeAsync({ keys: false, values: false } as never), TypeError)
  t.throws(() => tree.rangeAsync({ gte: 5 as never }), TypeError)
  await tree.close()
})

t.test('the consumer sets the pace, and what is read ahead is bounded', async (t) => {
  const fs = new LaterFileSystem()
  const first = await filled({ fs, compression: 'none' })
  await first.majorCompact()
  await first.close()
  const tree = await open('/db', { fs, maintenance: 'manual', mergeOperator: concatenation })
  const range = tree.rangeAsync()
  t.equal(fs.counts.later, 0, 'nothing before the first step')
  await range.next()
  const { later } = fs.counts
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  t.equal(fs.counts.later, later, 'and nothing while nobody asks')
  await all(range)
  t.ok(fs.counts.later < 20, `${fs.counts.later} reads for a file of several hundred blocks`)
  await tree.close()
})

t.test('steps that are asked for at once come in order', async (t) => {
  const tree = await filled()
  const range = tree.rangeAsync({ values: false })
  const results = await Promise.all(Array.from({ length: 5 }, () => range.next()))
  const shown = results.flatMap(({ value }) => value?.map(String) ?? [])
  t.same(shown, Array.from(tree.range({ values: false, limit: shown.length }), String))
  await range.return()
  t.same(await range.next(), { done: true, value: undefined })
  await tree.close()
})

t.test('leaving the loop lets go of everything', async (t) => {
  const { heap } = processEnvironment()
  const usedBytes = heap.usedBytes
  const tree = await filled()
  for await (const chunk of tree.rangeAsync()) if (chunk.length > 0) break
  const range = tree.rangeAsync()
  await range.next()
  await range[Symbol.asyncDispose]()
  await range.return()
  await tree.close()
  t.equal(heap.usedBytes, usedBytes)
})

t.test('a signal ends it: before, between steps, and while it waits for the disk', async (t) => {
  const { heap } = processEnvironment()
  const usedBytes = heap.usedBytes
  const fs = new LaterFileSystem()
  const first = await filled({ fs })
  await first.close()
  const tree = await open('/db', { fs, maintenance: 'manual', mergeOperator: concatenation })
  const gone = new Error('gone')
  t.equal(
    await codeOf(() => tree.rangeAsync({ signal: AbortSignal.abort(gone) }).next()),
    'VARVE_ABORTED',
  )
  const between = new AbortController()
  const range = tree.rangeAsync({ signal: between.signal })
  await range.next()
  between.abort(gone)
  const error = await range.next().catch((reason) => reason)
  t.match(error, { code: 'VARVE_ABORTED', cause: gone })
  t.same(await range.next(), { done: true, value: undefined })
  fs.isHeld = true
  const waiting = new AbortController()
  const held = tree.rangeAsync({ gte: key(2000), signal: waiting.signal })
  const chunk = codeOf(() => held.next())
  while (fs.waitingCount === 0) await new Promise(setImmediate)
  waiting.abort()
  t.equal(await chunk, 'VARVE_ABORTED', 'without the read coming to its end')
  fs.release()
  const done = new AbortController()
  t.equal((await all(tree.rangeAsync({ limit: 3, signal: done.signal }))).length, 3)
  done.abort()
  await tree.close()
  await new Promise(setImmediate)
  t.equal(heap.usedBytes, usedBytes)
})

t.test('other work gets its turn while a range comes out of memory', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 20_000; i++) tree.insert(key(i), `value ${i}`)
  let turns = 0
  const count = (): void => {
    turns++
    immediate = setImmediate(count)
  }
  let immediate = setImmediate(count)
  await all(tree.rangeAsync())
  clearImmediate(immediate)
  t.ok(turns > 2, `${turns} turns`)
  await tree.close()
})
