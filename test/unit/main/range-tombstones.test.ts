/** Range deletes through every source, read and kind of maintenance; random programs beside the model are in test/model. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mergeOperators, open, type Tree, WriteBatch } from '../../../src/main/index.js'
import { leveled } from '../../../src/main/strategies/leveled.js'
import { major } from '../../../src/main/strategies/major.js'
import { moveDown } from '../../../src/main/strategies/move-down.js'
import { Model } from '../../model/model.js'
import { decodeTree } from '../../support/decoder/index.js'
import { Random, runSeed } from '../../support/random.js'
import { codeOf, linesOfPairs, textOf, visibleLines } from '../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual' } as const
const disk = { maintenance: 'manual' } as const
const ALL = { gcWatermark: Number.POSITIVE_INFINITY }
const NONE = { gcWatermark: 0 }

async function withKeys(names: string, options = {}): Promise<Tree> {
  const tree = await open('db', { ...manual, ...options })
  for (const name of names) tree.insert(name, name.toUpperCase())
  return tree
}

const rangesOnDisk = (folder: string): string[] =>
  decodeTree(folder).tables.flatMap(({ table }) =>
    table.rangeTombstones.map(
      ({ start, end, seqno }) => `${Buffer.from(start)}..${Buffer.from(end)}@${seqno}`,
    ),
  )

t.test('`range_tombstone`: hides older versions in every source, and nothing else', async (t) => {
  const tree = await withKeys('abcdef')
  await tree.flush()
  await tree.compact(moveDown(0, 6))
  tree.insert('c', 'in L0')
  await tree.flush()
  tree.insert('d', 'sealed')
  tree.rotateMemtable()
  tree.insert('e', 'active')
  using before = tree.snapshot()
  tree.removeRange('b', 'f')
  t.equal(textOf(tree.range()), 'a=A f=F')
  t.equal(textOf(tree.range({ reverse: true })), 'f=F a=A')
  for (const key of 'bcde') t.equal(tree.get(key), undefined, key)
  t.same(tree.multiGet(['a', 'c', 'e', 'f']).map(String), ['A', 'undefined', 'undefined', 'F'])
  t.equal(tree.len(), 2)
  t.notOk(tree.containsPrefix('c'))
  t.equal(tree.sizeOf('d'), undefined)
  t.equal(textOf(before.range()), 'a=A b=B c=in L0 d=sealed e=active f=F', 'a snapshot sees them')
  tree.insert('d', 'newer')
  for (const step of ['sealed', 'flushed', 'merged']) {
    if (step === 'sealed') tree.rotateMemtable()
    else if (step === 'flushed') await tree.flush()
    else await tree.majorCompact()
    t.equal(textOf(tree.range()), 'a=A d=newer f=F', step)
    t.equal(textOf(tree.range({ reverse: true, lt: 'f' })), 'd=newer a=A', step)
    t.equal(textOf(before.range({ gte: 'c', lt: 'e' })), 'c=in L0 d=sealed', step)
    t.equal(tree.get('c'), undefined, step)
  }
  await tree.close()
})

t.test('`range_tombstone`: several over one key, each for the readers that see it', async (t) => {
  const tree = await open('db', manual)
  for (const [i, write] of [
    () => tree.insert('k', '0', 0),
    () => tree.removeRange('a', 'z', 1),
    () => tree.insert('k', '2', 2),
    () => tree.removeRange('k', 'l', 3),
    () => tree.removeRange('j', 'k', 4),
    () => tree.insert('k', '5', 5),
  ].entries()) {
    write()
    tree.visibleSeqno.fetchMax(i + 1)
    tree.seqno.fetchMax(i + 1)
  }
  const history = (): (string | undefined)[] =>
    [1, 2, 3, 4, 5, 6].map((seqno) => tree.getString('k', { seqno }))
  const wanted = ['0', undefined, '2', undefined, undefined, '5']
  t.same(history(), wanted)
  await tree.flush(NONE)
  t.same(history(), wanted, 'flushed')
  await tree.majorCompact(NONE)
  t.same(history(), wanted, 'merged')
  await tree.close()
})

t.test(
  '`range_tombstone`: a table of range tombstones only, and what hides behind it',
  async (t) => {
    const folder = t.testdir()
    let tree = await open(folder, disk)
    for (const key of 'abcdef') tree.insert(key, key)
    await tree.flush()
    tree.removeRange('e', 'f')
    tree.removeRange('b', 'd')
    await tree.flush()
    t.equal(tree.tableCount(), 2)
    t.equal(textOf(tree.range()), 'a=a d=d f=f')
    await tree.close()
    t.same(rangesOnDisk(folder).sort(), ['b..d@7', 'e..f@6'])
    tree = await open(folder, disk)
    t.equal(textOf(tree.range()), 'a=a d=d f=f', 'recovered')
    t.equal(tree.highestPersistedSeqno(), 7)
    tree.insert('b', 'again')
    await tree.flush()
    await tree.compact(major({ targetBytes: 1 }), NONE)
    t.equal(textOf(tree.range()), 'a=a b=again d=d f=f')
    await tree.majorCompact(ALL)
    t.equal(textOf(tree.range()), 'a=a b=again d=d f=f')
    await tree.close()
    t.same(rangesOnDisk(folder), [], 'applied, and gone')
  },
)

t.test('`range_tombstone`: a flush writes them whole into each of its tables', async (t) => {
  const folder = t.testdir()
  const runtime = { memtableBytes: 256 << 20 }
  const tree = await open(folder, { ...disk, runtime, compression: 'none' })
  for (let i = 0; i < 140; i++) tree.insert(`k${String(i).padStart(3, '0')}`, Buffer.alloc(1 << 20))
  tree.removeRange('a', 'k050')
  tree.removeRange('k130', 'z')
  await tree.flush()
  t.equal(tree.tableCount(), 3)
  t.equal(tree.len(), 80)
  await tree.close()
  t.same(rangesOnDisk(folder).length, 6)
  const again = await open(folder, disk)
  t.equal(again.len(), 80)
  t.equal(again.get('k049'), undefined)
  t.equal(again.sizeOf('k050'), 1 << 20)
  await again.close()
})

t.test('`range_tombstone`: a damaged block fails the open', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, disk)
  tree.insert('a', '1')
  tree.removeRange('needle-start', 'needle-the-end')
  await tree.flush()
  await tree.close()
  const [name] = readdirSync(join(folder, 'tables'))
  const path = join(folder, 'tables', name as string)
  const bytes = readFileSync(path)
  const at = bytes.indexOf('needle-start')
  bytes[at] = (bytes[at] as number) ^ 1
  writeFileSync(path, bytes)
  t.equal(await codeOf(() => open(folder, disk)), 'VARVE_CHECKSUM_MISMATCH')
})

t.test('`range_tombstone`: merges cut it between their tables, and lose no gap', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { ...disk, blockSize: 64, compression: 'none' })
  const keys = Array.from({ length: 90 }, (_, i) => `k${String(i).padStart(2, '0')}`)
  for (const key of keys) tree.insert(key, 'x'.repeat(60))
  await tree.flush()
  await tree.compact(moveDown(0, 6))
  tree.removeRange('a', 'z')
  for (const key of keys.filter((_, i) => i % 10 === 0)) tree.insert(key, 'y'.repeat(60))
  await tree.flush()
  const wanted = visibleLines(tree)
  t.equal(wanted.length, 9)
  await tree.compact(leveled({ l0Threshold: 1, targetBytes: 100 }), NONE)
  await tree.compact(
    {
      name: 'into L2',
      pendingBytes: () => 0,
      choose: ({ levels }) => {
        const tableIds = levels.slice(0, 6).flatMap((runs) => runs.flat().map(({ id }) => id))
        const input = { tableIds, destination: 2, canonicalLevel: 2, targetBytes: 100 }
        return { kind: 'merge', input }
      },
    },
    NONE,
  )
  t.ok((tree.levelTableCount(2) ?? 0) > 3, `${tree.levelTableCount(2)} tables`)
  t.same(visibleLines(tree), wanted)
  for (const key of keys) {
    const expected = Number(key.slice(1)) % 10 === 0 ? 60 : undefined
    if (tree.sizeOf(key) !== expected) t.fail(`${key} is ${tree.sizeOf(key)}`)
  }
  await tree.majorCompact(NONE)
  t.same(visibleLines(tree), wanted)
  await tree.majorCompact(ALL)
  t.same(visibleLines(tree), wanted)
  t.equal(tree.approximateLen(), 9)
  await tree.close()
  t.same(rangesOnDisk(folder), [])
})

t.test('`range_tombstone`: stays while something outside the merge may lie under it', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, disk)
  tree.insert('k', 'old', 1)
  tree.visibleSeqno.fetchMax(2)
  await tree.flush(NONE)
  tree.removeRange('a', 'z', 5)
  tree.insert('m', 'm', 6)
  tree.visibleSeqno.fetchMax(7)
  await tree.flush(NONE)
  const newest = {
    name: 'the newest table alone',
    pendingBytes: () => 0,
    choose: ({
      levels,
    }: {
      readonly levels: readonly (readonly (readonly { id: number }[])[])[]
    }) => {
      const id = levels[0]?.[0]?.[0]?.id as number
      const input = { tableIds: [id], destination: 6, canonicalLevel: 6, targetBytes: 1 << 20 }
      return { kind: 'merge' as const, input }
    },
  }
  await tree.compact(newest, ALL)
  t.equal(tree.get('k'), undefined, 'an older table above the output')
  tree.insert('b', 'late', 3)
  t.equal(tree.get('b'), undefined)
  await tree.majorCompact(ALL)
  t.equal(tree.get('b'), undefined, 'a write buffer holds something older')
  await tree.flush(ALL)
  await tree.majorCompact(ALL)
  t.equal(textOf(tree.range()), 'm=m')
  t.same(rangesOnDiskOf(tree), [])
  await tree.close()
})

function rangesOnDiskOf(tree: Tree): string[] {
  return rangesOnDisk(tree.path)
}

t.test('`range_tombstone`: ingested entries count by their seqno', async (t) => {
  const tree = await open('db', manual)
  const ingest = async (value: string): Promise<void> => {
    const ingestion = tree.ingestion()
    for (const key of 'abc') ingestion.write(key, value)
    await ingestion.finish()
  }
  await ingest('one')
  tree.removeRange('b', 'z')
  t.equal(textOf(tree.range()), 'a=one')
  await ingest('two')
  t.equal(textOf(tree.range()), 'a=two b=two c=two')
  await tree.flush()
  await tree.majorCompact()
  t.equal(textOf(tree.range()), 'a=two b=two c=two')
  await tree.close()
})

t.test('`range_tombstone`: narrow reads beside broad ones, and reopened keys', async (t) => {
  const tree = await withKeys('abcxyz')
  tree.removeRange('a', 'x')
  tree.insert('b', 'new')
  await tree.flush()
  tree.removeRange('y', 'yy')
  t.equal(textOf(tree.range({ gte: 'x', lt: 'y' })), 'x=X')
  t.equal(textOf(tree.range({ gt: 'a', lte: 'b' })), 'b=new')
  t.equal(textOf(tree.prefix('y')), '')
  t.equal(textOf(tree.range({ gte: 'y' })), 'z=Z')
  await tree.close()
})

t.test('`range_tombstone`: a whole table that is hidden is not read', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, disk)
  for (let i = 0; i < 3000; i++) tree.insert(`gone${i}`, 'x'.repeat(50))
  await tree.flush()
  tree.removeRange('gone', 'goof')
  tree.insert('left', '1')
  await tree.flush()
  const before = tree.cacheStats()
  t.equal(textOf(tree.range()), 'left=1')
  t.equal(textOf(tree.range({ reverse: true })), 'left=1')
  const after = tree.cacheStats()
  const read = after.hits + after.misses - before.hits - before.misses
  t.ok(read <= 4, `${read} blocks were looked at`)
  await tree.close()
})

t.test(
  '`range_tombstone`: an unfinished batch, a range and its entries at one seqno',
  async (t) => {
    const folder = t.testdir()
    let tree = await open(folder, disk)
    for (const key of 'abc') tree.insert(key, key)
    await tree.flush()
    tree.apply(new WriteBatch().insert('b', 'new').removeRange('a', 'z'))
    t.equal(textOf(tree.range()), 'b=new')
    await tree.flush()
    // The part of the flushed table that has no entries left becomes a table of range tombstones, whose sentinel has the
    // seqno of the entry beside it.
    await tree.compact(moveDown(0, 2), NONE)
    t.equal(textOf(tree.range()), 'b=new')
    await tree.close()
    tree = await open(folder, disk)
    t.equal(textOf(tree.range()), 'b=new')
    await tree.majorCompact(ALL)
    t.equal(textOf(tree.range()), 'b=new')
    await tree.close()
  },
)

t.test('`rt_merge_compaction`: an operand after a range delete is folded on nothing', async (t) => {
  for (const step of ['flush', 'L2', 'last level'] as const) {
    const tree = await open('db', { ...manual, mergeOperator: mergeOperators.append })
    tree.insert('k', 'base')
    if (step !== 'flush') await tree.flush(NONE)
    tree.removeRange('a', 'z')
    if (step !== 'flush') await tree.flush(NONE)
    tree.merge('k', '1')
    tree.merge('k', '2')
    t.equal(tree.getString('k'), '12')
    await tree.flush(ALL)
    if (step === 'L2') {
      await tree.compact(
        {
          name: 'into L2',
          pendingBytes: () => 0,
          choose: ({ levels }) => {
            const tableIds = levels.flatMap((runs) => runs.flat().map(({ id }) => id))
            const input = { tableIds, destination: 2, canonicalLevel: 2, targetBytes: 1 << 20 }
            return { kind: 'merge', input }
          },
        },
        ALL,
      )
    }
    if (step === 'last level') await tree.majorCompact(ALL)
    t.equal(tree.getString('k'), '12', step)
    t.equal(tree.approximateLen(), 1, 'one entry is left of it')
    await tree.close()
  }
})

t.test('`prop_range_tombstone`: random programs against a model', async (t) => {
  const random = new Random(runSeed())
  t.comment(`SEED=${random.seed}`)
  const keys = Array.from({ length: 40 }, (_, i) => Buffer.from(`k${String(i).padStart(2, '0')}`))
  for (let round = 0; round < 25; round++) {
    const folder = t.testdir()
    let tree = await open(folder, { ...disk, blockSize: random.pick([1, 100, 4096]) })
    const model = new Model()
    const check = (what: string): void => {
      const seqno = tree.visibleSeqno.get()
      const found = linesOfPairs(tree.range()).join()
      if (found !== linesOfPairs(model.range({}, seqno)).join()) t.fail(`round ${round}: ${what}`)
      const back = linesOfPairs(tree.range({ reverse: true })).join()
      if (back !== linesOfPairs(model.range({ reverse: true }, seqno)).join()) {
        t.fail(`round ${round}: ${what}, backwards`)
      }
    }
    // Some rounds delete ranges only, so that tables without entries come up.
    const inserts = random.pick([0.1, 0.5, 0.8])
    for (let i = 0; i < 120; i++) {
      const seqno = tree.seqno.get()
      const [key, other] = [random.pick(keys), random.pick(keys)]
      if (random.chance(inserts)) {
        const value = Buffer.from(`v${i}`)
        tree.insert(key, value)
        model.write(seqno, [{ key, value }])
      } else if (random.chance(0.7)) {
        tree.removeRange(key, other)
        model.removeRange(seqno, { start: key, end: other })
      } else if (random.chance(0.3)) {
        await tree.flush(random.pick([ALL, NONE, {}]))
        check('flushed')
      } else if (random.chance(0.4)) {
        const targetBytes = random.pick([1, 1 << 20])
        const strategy = random.pick([
          major({ targetBytes }),
          leveled({ l0Threshold: 1, targetBytes }),
          moveDown(0, 1 + random.below(6)),
        ])
        await tree.compact(strategy, random.pick([ALL, NONE, {}]))
        check('merged')
      } else if (random.chance(0.2)) {
        await tree.close()
        tree = await open(folder, disk)
        check('opened again')
      }
    }
    check('at the end')
    await tree.majorCompact(ALL)
    check('merged at the end')
    await tree.close()
  }
})
