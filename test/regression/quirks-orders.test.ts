/**
 * The register of the crate's mistakes (semantics.md 36), continued: where it compares bytes although the tree has an order
 * of its own, and where strategies put newer data below older.
 */

import { join } from 'node:path'
import t from 'tap'
import { type CompactionStrategy, comparators, leveled, open } from '../../src/main/index.js'
import { moveDown } from '../../src/main/strategies/move-down.js'
import { sizeTiered } from '../../src/main/strategies/size-tiered.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { decodeTree } from '../support/decoder/index.js'
import { entry, type HandTable, KIND, writeTree } from '../support/hand-tree.js'
import { concatenation, linesOfPairs, textOf, visibleLines } from '../support/trees.js'

const { PUT, MERGE, WEAK } = KIND
const KEEP = { gcWatermark: 0 }
const LATEST = Number.MAX_SAFE_INTEGER

const reversed = {
  fs: 'memory',
  maintenance: 'manual',
  comparator: comparators.reverse,
} as const

t.test('6: the key after a weak tombstone is another one, whichever way keys run', async (t) => {
  const tree = await open('db', reversed)
  tree.insert('m', 'old')
  await tree.flush(KEEP)
  await tree.compact(moveDown(0, 6), KEEP)
  // In the tree's order b comes after m; in that of bytes before it.
  tree.removeWeak('m')
  tree.insert('b', 'value')
  await tree.flush({ gcWatermark: tree.visibleSeqno.get() })
  t.equal(tree.get('m'), undefined)
  t.equal(textOf(tree.range()), 'b=value')
  await tree.compact(leveled({ l0Threshold: 1 }), { gcWatermark: LATEST })
  t.equal(textOf(tree.range()), 'b=value', 'nothing rises from the dead')
  await tree.close()
})

t.test('6: seeks stop at the bounds, whichever way keys run', async (t) => {
  const tree = await open('db', reversed)
  for (const key of 'abcdefg') tree.insert(key, key)
  await tree.flush()
  using iterator = tree.seekable({ gte: 'f', lte: 'c' })
  const nextKey = (): string | undefined => {
    const { value } = iterator.next()
    return value === undefined ? undefined : String(value[0])
  }
  iterator.seekTo('g')
  t.equal(nextKey(), 'f', 'before the lower bound is at it')
  iterator.seekTo('d')
  t.equal(nextKey(), 'd')
  iterator.seekTo('a')
  t.equal(nextKey(), undefined, 'behind the upper bound is nothing')
  iterator.seekTo('z')
  t.equal(nextKey(), 'f')
  await tree.close()
})

t.test('6: dropRange knows which bound is the lower one', async (t) => {
  const tree = await open('db', reversed)
  for (const keys of ['ab', 'cd', 'ef']) {
    for (const key of keys) tree.insert(key, key)
    await tree.flush()
  }
  t.equal((await tree.dropRange({ gte: 'c', lte: 'd' })).action, 'nothing', 'the wrong way round')
  t.equal(tree.len(), 6)
  t.equal((await tree.dropRange({ gte: 'd', lte: 'c' })).action, 'dropped')
  t.equal(textOf(tree.range()), 'f=f e=e b=b a=a')
  await tree.close()
})

t.test('6: range tombstones are sorted, found and kept in the order of the tree', async (t) => {
  const folder = join(t.testdir(), 'db')
  const options = { ...reversed, fs: 'std' } as const
  const tree = await open(folder, options)
  for (const key of 'abcdefghij') tree.insert(key, 'old')
  await tree.flush(KEEP)
  await tree.compact(moveDown(0, 6), KEEP)
  for (const [start, end] of ['jh', 'fd', 'ig', 'cb'] as const) {
    tree.removeRange(start as string, end as string)
  }
  tree.removeRange('a', 'j')
  tree.insert('h', 'new')
  const expected = 'h=new g=old d=old b=old a=old'
  t.equal(textOf(tree.range()), expected, 'in memory; the last one is the wrong way round')
  await tree.flush(KEEP)
  t.equal(textOf(tree.range()), expected, 'in a table')
  await tree.compact(moveDown(0, 3), KEEP)
  await tree.close()
  const again = await open(folder, options)
  t.equal(textOf(again.range()), expected, 'reopened')
  t.equal(textOf(again.range({ reverse: true })), expected.split(' ').reverse().join(' '))
  await again.majorCompact({ gcWatermark: LATEST })
  t.equal(textOf(again.range()), expected, 'applied')
  t.equal(again.approximateLen(), 5)
  await again.close()
})

t.test('10: a range delete that lies in several tables is told once', async (t) => {
  const tree = await open('db', {
    fs: new MemoryFileSystem(),
    maintenance: 'manual',
    blockSize: 128,
    compression: 'none',
  })
  for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, 'v'.repeat(100))
  const deleted = tree.seqno.get()
  tree.removeRange('key 2', 'key 7')
  for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, 'w'.repeat(100))
  await tree.flush(KEEP)
  await tree.majorCompact({ ...KEEP, targetSize: 2000 })
  t.ok(tree.tableCount() > 3)
  const events = Array.from(tree.scanSinceSeqno(0))
  t.equal(events.filter(({ type }) => type === 'rangeTombstone').length, 1)
  t.equal(events.length, 201)
  t.equal(events[deleted]?.type, 'rangeTombstone', 'in its place')
  await tree.close()
})

t.test('10: what stands in a table of range deletes alone is not told', async (t) => {
  const tree = await open('db', { fs: 'memory', maintenance: 'manual' })
  tree.removeRange('a', 'c')
  tree.removeRange('b', 'z')
  await tree.flush(KEEP)
  const shown = Array.from(tree.scanSinceSeqno(0), ({ type, seqno }) => `${type} ${seqno}`)
  t.same(shown, ['rangeTombstone 0', 'rangeTombstone 1'])
  await tree.close()
})

/**
 * Runs a strategy until it has nothing to do; what is visible stays what it is, at every seqno that the watermark leaves
 * readable.
 */
async function runDry(
  folder: string,
  strategy: CompactionStrategy,
  seqnos: readonly number[],
  gcWatermark: number,
): Promise<{ readonly problems: string[]; readonly actions: number }> {
  const tree = await open(folder, {
    maintenance: 'manual',
    mergeOperator: concatenation,
    runtime: { retainFrom: 0 },
  })
  const before = seqnos.map((seqno) => visibleLines(tree, seqno).join())
  const problems: string[] = []
  let actions = 0
  for (; actions < 30; actions++) {
    const { action } = await tree.compact(strategy, { gcWatermark })
    if (action === 'nothing') break
    seqnos.forEach((seqno, i) => {
      if (visibleLines(tree, seqno).join() !== before[i]) problems.push(`${action} at ${seqno}`)
    })
  }
  const latest = visibleLines(tree)
  await tree.compact(strategy, { gcWatermark: LATEST })
  await tree.majorCompact({ gcWatermark: LATEST })
  if (visibleLines(tree).join() !== latest.join()) problems.push('collected')
  await tree.close()
  const merge = (_key: Uint8Array, base: Uint8Array | undefined, rest: readonly Uint8Array[]) =>
    concatenation.merge(_key as never, base as never, rest as never)
  const decoded = linesOfPairs(decodeTree(folder, { merge }).visible(1n << 62n))
  if (decoded.join() !== latest.join()) problems.push('decoded')
  return { problems, actions }
}

const wide = (seqno: number, ...keys: readonly string[]): HandTable['entries'] =>
  keys.map((key) => entry(key, seqno, PUT, `${key}${seqno}`.padEnd(200, '.')))

t.test('12: no level above hides newer data below, whatever runs it has', async (t) => {
  // Two overlapping runs in level 1, the newer one so placed that it alone would fit the next level.
  const folder = writeTree(t.testdir(), [
    { level: 1, entries: wide(9, 'd', 'e', 'f') },
    { level: 1, entries: wide(5, 'a', 'e', 'k') },
    { level: 2, entries: wide(3, 'a', 'b') },
    { level: 2, entries: wide(2, 'b', 'e', 'z') },
    { level: 3, entries: wide(1, 'e') },
  ])
  const strategy = leveled({ l0Threshold: 1, targetBytes: 64, levelRatios: [1] })
  const { problems, actions } = await runDry(folder, strategy, [2, 3, 4, 6, 10], 0)
  t.same(problems, [])
  t.ok(actions > 1, `${actions} steps`)
})

t.test('21: runs that are not next to each other in age are not merged', async (t) => {
  const pad = (count: number): HandTable['entries'] =>
    Array.from({ length: count }, (_, i) =>
      entry(`pad ${String(i).padStart(3, '0')}`, 1, PUT, `${i * 7919}`.repeat(9)),
    )
  // Old and new are small and alike, the run between them is large.
  const operands = [
    { level: 0, entries: [entry('k', 9, MERGE, 'new'), entry('z', 9, PUT, 'z')] },
    { level: 0, entries: [entry('k', 5, MERGE, 'mid'), ...pad(400)] },
    { level: 0, entries: [entry('k', 1, PUT, 'old'), entry('y', 1, PUT, 'y')] },
  ]
  const weak = [
    { level: 0, entries: [entry('k', 9, WEAK), entry('z', 9, PUT, 'z')] },
    { level: 0, entries: [entry('k', 5, PUT, 'mid'), entry('k', 3, WEAK), ...pad(400)] },
    { level: 0, entries: [entry('k', 1, PUT, 'old'), entry('y', 1, PUT, 'y')] },
  ]
  const strategy = sizeTiered({ minMergeWidth: 2, maxSpaceAmplificationPercent: 100_000 })
  for (const tables of [operands, weak]) {
    for (const [gcWatermark, seqnos] of [
      [0, [2, 4, 6, 10]],
      [10, [10]],
    ] as const) {
      const folder = join(t.testdir(), `${tables === weak} ${gcWatermark}`)
      const { problems } = await runDry(writeTree(folder, tables), strategy, seqnos, gcWatermark)
      t.same(problems, [])
    }
  }
})
