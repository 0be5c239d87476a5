/**
 * The register of the crate's mistakes (semantics.md 36), entry by entry: what this engine does instead. Entries that
 * strategies decide have their tests beside the strategies; those of parts that are not built yet are named at the end.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { leveled, major, open, type RuntimeConfig, type Tree } from '../../src/main/index.js'
import { moveDown } from '../../src/main/strategies/move-down.js'
import { decodeTree, utf8 } from '../support/decoder/index.js'
import { entry, KIND, tombstone, writeTree } from '../support/hand-tree.js'
import {
  codeOf,
  concatenation,
  linesOfPairs,
  tableFiles,
  textOf,
  visibleLines,
} from '../support/trees.js'

const LATEST = 1n << 63n
const manual = {
  maintenance: 'manual',
  mergeOperator: concatenation,
  runtime: { retainFrom: 0 },
} as const

const { PUT, DELETE, MERGE } = KIND

/** The tree's answer, which must be the decoder's own at every seqno asked. */
function agree(test: Pick<typeof t, 'same'>, tree: Tree, seqnos: readonly number[]): void {
  const decoded = decodeTree(tree.path, {
    merge: (_key, base, operands) => concatenation.merge(_key, base, operands),
  })
  for (const seqno of seqnos) {
    const theirs = linesOfPairs(decoded.visible(BigInt(seqno)))
    test.same(visibleLines(tree, seqno), theirs, `at ${seqno}`)
  }
}

t.test('1: a merge keeps what a range tombstone covers outside the keys it writes', async (t) => {
  // The tombstone reaches far below and above the only other key of its table; older data lies deeper, on both sides.
  const folder = writeTree(t.testdir(), [
    { level: 0, entries: [entry('m', 20, PUT, 'new')], tombstones: [tombstone('a', 'z', 10)] },
    { level: 0, entries: [entry('m', 5, PUT, 'old')] },
    {
      level: 6,
      entries: [entry('b', 1, PUT, 'b'), entry('m', 2, PUT, 'm'), entry('y', 3, PUT, 'y')],
    },
  ])
  const tree = await open(folder, manual)
  t.equal(textOf(tree.range()), 'm=new')
  const result = await tree.compact(leveled({ l0Threshold: 1 }), { gcWatermark: 0 })
  t.not(result.action, 'nothing')
  t.equal(textOf(tree.range()), 'm=new', 'nothing rises from the dead')
  agree(t, tree, [1, 4, 6, 11, 21])
  await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER })
  t.equal(textOf(tree.range()), 'm=new')
  await tree.close()
  t.same(linesOfPairs(decodeTree(folder).visible(LATEST)), linesOfPairs([[utf8('m'), utf8('new')]]))
})

t.test('1: nor between and beside the tables that one merge writes', async (t) => {
  const keys = Array.from({ length: 60 }, (_, i) => `k${String(i).padStart(2, '0')}`)
  const old = keys.map((key) => entry(key, 1, PUT, 'old'))
  const outside = [entry('a', 1, PUT, 'old'), ...old, entry('z', 1, PUT, 'old')]
  const folder = writeTree(t.testdir(), [
    {
      level: 0,
      entries: keys.filter((_, i) => i % 2 === 0).map((key) => entry(key, 9, PUT, 'x'.repeat(300))),
      tombstones: [tombstone('a', 'k30', 5), tombstone('k20', 'zz', 6)],
    },
    { level: 5, entries: [entry('k01', 3, PUT, 'older')] },
    { level: 6, entries: outside },
  ])
  const tree = await open(folder, { ...manual, blockSize: 256, compression: 'none' })
  const before = visibleLines(tree)
  t.equal(before.length, 30)
  const strategy = {
    name: 'upper levels',
    pendingBytes: () => 0,
    choose: () => ({
      kind: 'merge' as const,
      input: { tableIds: [0, 1], destination: 5, canonicalLevel: 5, targetBytes: 1024 },
    }),
  }
  const result = await tree.compact(strategy, { gcWatermark: 0 })
  t.ok(result.tablesOut > 2, `${result.tablesOut} tables`)
  t.same(visibleLines(tree), before)
  agree(t, tree, [1, 2, 4, 6, 7, 10])
  await tree.close()
  const again = await open(folder, manual)
  t.same(visibleLines(again), before, 'reopened')
  await again.close()
})

t.test('1: a merge that leaves no entry keeps its range tombstones', async (t) => {
  const folder = writeTree(t.testdir(), [
    { level: 0, entries: [entry('c', 5, DELETE)], tombstones: [tombstone('a', 'f', 4)] },
    { level: 6, entries: [entry('b', 1, PUT, 'b'), entry('x', 1, PUT, 'x')] },
  ])
  const tree = await open(folder, manual)
  for (const destination of [1, 3]) {
    const ids = tableFiles(folder).filter((id) => id !== 1)
    await tree.compact(
      {
        name: 'one table',
        pendingBytes: () => 0,
        choose: () => ({
          kind: 'merge',
          input: { tableIds: ids, destination, canonicalLevel: destination, targetBytes: 1 << 20 },
        }),
      },
      { gcWatermark: Number.MAX_SAFE_INTEGER },
    )
    t.equal(textOf(tree.range()), 'x=x', `in level ${destination}`)
  }
  await tree.close()
})

t.test('2: a merge that stops midway installs nothing', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { ...manual, blockSize: 256, compression: 'none' })
  for (let i = 0; i < 300; i++) tree.insert(`k${String(i).padStart(3, '0')}`, 'v'.repeat(100))
  await tree.flush()
  const [id] = tableFiles(folder) as [number]
  const path = join(folder, 'tables', String(id))
  const bytes = readFileSync(path)
  const damaged = Buffer.from(bytes)
  damaged[20_000] = (damaged[20_000] as number) ^ 1
  writeFileSync(path, damaged)
  const seqno = tree.visibleSeqno.get()
  t.equal(await codeOf(() => tree.majorCompact({ targetSize: 1024 })), 'VARVE_CHECKSUM_MISMATCH')
  t.same(tableFiles(folder), [id], 'what it had written is gone')
  t.equal(tree.tableCount(), 1)
  t.equal(tree.levelTableCount(0), 1)
  t.equal(tree.visibleSeqno.get(), seqno)
  writeFileSync(path, bytes)
  t.equal(
    (await tree.majorCompact({ targetSize: 1024 })).action,
    'merged',
    'and it can be done again',
  )
  t.equal(tree.len(), 300)
  await tree.close()
})

t.test('16: range tombstones that have been applied in the last level are gone', async (t) => {
  const folder = writeTree(t.testdir(), [
    { level: 0, entries: [entry('m', 20, PUT, 'new')], tombstones: [tombstone('a', 'z', 10)] },
    { level: 6, entries: [entry('b', 1, PUT, 'b'), entry('y', 3, PUT, 'y')] },
  ])
  const tree = await open(folder, manual)
  await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER })
  t.equal(textOf(tree.range()), 'm=new')
  await tree.close()
  const decoded = decodeTree(folder)
  const left = decoded.tables.reduce((sum, { table }) => sum + table.rangeTombstones.length, 0)
  t.equal(left, 0, 'no range tombstone is left')
  t.equal(
    decoded.tables.reduce((sum, { table }) => sum + table.entries.length, 0),
    1,
    'nor what they hid',
  )
  t.same(linesOfPairs(decoded.visible(LATEST)), linesOfPairs([[utf8('m'), utf8('new')]]))
})

t.test('17, 18: no seqno is ever zeroed', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, manual)
  tree.insert('a', '1', 100)
  tree.insert('b', '2', 200)
  tree.visibleSeqno.fetchMax(201)
  await tree.flush()
  await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER })
  await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER })
  t.equal(tree.highestPersistedSeqno(), 200)
  t.equal(tree.levelTableCount(6), 1)
  await tree.close()
  const seqnos = decodeTree(folder).tables.flatMap(({ table }) =>
    table.entries.map(({ seqno }) => seqno),
  )
  t.same(seqnos, [100n, 200n])
})

t.test('18: how far seqnos have come is known, also where their last entry is gone', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { maintenance: 'manual' })
  tree.insert('a', '1', 100)
  tree.remove('a', 200)
  tree.visibleSeqno.fetchMax(201)
  await tree.flush()
  await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER })
  t.equal(tree.tableCount(), 0)
  t.equal(tree.highestPersistedSeqno(), 200)
  t.equal(tree.highestSeqno(), 200)
  await tree.close()
  const again = await open(folder, { maintenance: 'manual' })
  t.equal(again.highestPersistedSeqno(), 200)
  t.ok(again.seqno.get() > 200)
  await again.close()
})

t.test(
  '19: tombstones go in the last level, and old snapshots still see what they hid',
  async (t) => {
    const tree = await open(t.testdir(), { maintenance: 'manual' })
    tree.insert('a', '1')
    using snapshot = tree.snapshot()
    tree.remove('a')
    await tree.flush()
    await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER })
    t.equal(tree.tombstoneCount(), 0)
    t.equal(tree.get('a'), undefined)
    t.equal(snapshot.getString('a'), '1')
    await tree.close()
  },
)

t.test('20: operands on both sides of a range delete are never folded into one', async (t) => {
  const folder = writeTree(t.testdir(), [
    {
      level: 0,
      entries: [entry('k', 9, MERGE, 'c'), entry('k', 2, MERGE, 'b'), entry('k', 1, PUT, 'a')],
      tombstones: [tombstone('a', 'z', 5)],
    },
    { level: 6, entries: [entry('b', 1, PUT, 'b')] },
  ])
  const tree = await open(folder, manual)
  t.equal(textOf(tree.range()), 'k=c')
  t.equal(textOf(tree.range({ seqno: 5 })), 'b=b k=ab')
  await tree.compact(moveDown(0, 3), { gcWatermark: 0 })
  t.equal(textOf(tree.range()), 'k=c')
  await tree.compact(major(), { gcWatermark: 0 })
  t.equal(textOf(tree.range()), 'k=c')
  await tree.compact(major(), { gcWatermark: Number.MAX_SAFE_INTEGER })
  t.equal(textOf(tree.range()), 'k=c')
  await tree.close()
})

t.test('22: a merge operand keeps its seqno in the last level', async (t) => {
  const folder = writeTree(t.testdir(), [
    { level: 0, entries: [entry('k', 9, MERGE, 'y'), entry('k', 7, MERGE, 'x')] },
    { level: 6, entries: [entry('k', 3, MERGE, 'b'), entry('k', 2, PUT, 'a')] },
  ])
  const tree = await open(folder, manual)
  t.equal(tree.getString('k'), 'abxy')
  await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER })
  t.equal(tree.getString('k'), 'abxy')
  tree.insert('other', '1')
  await tree.flush()
  await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER })
  t.equal(tree.getString('k'), 'abxy')
  await tree.close()
  const seqnos = decodeTree(folder).tables.flatMap(({ table }) =>
    table.entries.map(({ seqno }) => seqno),
  )
  t.notOk(seqnos.includes(0n))
})

t.test('14: a setting without effect is refused, not taken', async (t) => {
  const tree = await open('db', { fs: 'memory', maintenance: 'manual' })
  const changes: Partial<RuntimeConfig>[] = [
    { blockChecksumAlgo: 'crc32c' },
    { manifestKvChecksums: false },
  ]
  for (const change of changes) {
    t.equal(
      await codeOf(() => tree.updateRuntimeConfig(change)),
      'VARVE_UNSUPPORTED',
      JSON.stringify(change),
    )
  }
  await tree.close()
  for (const name of ['topLevelIndexPinning', 'filterPartitionSize', 'indexPartitionSize']) {
    t.equal(
      await codeOf(() => open('db', { fs: 'memory', [name]: 4096 })),
      'VARVE_INVALID_ARGUMENT',
      name,
    )
  }
})
