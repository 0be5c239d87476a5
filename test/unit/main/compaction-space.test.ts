/** Merges where there is little room: refused, narrowed, or done in slices that give back what they have used up. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import {
  type CompactionStrategy,
  comparators,
  major,
  mergeOperators,
  type OpenOptions,
  open,
  type Tree,
} from '../../../src/main/index.js'
import { FaultFileSystem } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { StdFileSystem } from '../../../src/shared/fs/std-file-system.js'
import { decodeTree, type TreeOptions } from '../../support/decoder/index.js'
import { Random, runSeed } from '../../support/random.js'
import { visibleLines } from '../../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
const { heap } = processEnvironment()

const GATED = { storageAdmissionCheck: true } as const
const TIGHT = { ...GATED, tightSpaceCompaction: true } as const
const base = {
  maintenance: 'manual',
  compression: 'none',
  mergeOperator: mergeOperators.append,
} as const

interface Filling {
  readonly flushes?: number
  readonly keys?: number
  readonly withRanges?: boolean
  /** Range deletes of so many keys; undefined for any number. */
  readonly span?: number
}

/** Flushes of overlapping keys, about a megabyte together. */
async function fill(tree: Tree, random: Random, filling: Filling = {}): Promise<void> {
  const { flushes = 4, keys = 400, withRanges = false, span } = filling
  const keyOf = (i: number): string => `key${String(i).padStart(5, '0')}`
  const key = (): string => keyOf(random.below(keys))
  const removeRange = (): void => {
    const from = random.below(keys)
    const to = span === undefined ? random.below(keys) : from + span
    // One of the two is the wrong way round in the tree's order, and deletes nothing.
    tree.removeRange(keyOf(from), keyOf(to))
    tree.removeRange(keyOf(to), keyOf(from))
  }
  for (let flush = 0; flush < flushes; flush++) {
    for (let i = 0; i < keys; i++) {
      const kind = random.below(20)
      if (kind < 14) tree.insert(key(), `value ${flush} ${i} ${'x'.repeat(random.below(1200))}`)
      else if (kind < 16) tree.merge(key(), `+${i}`)
      else if (kind < 18) tree.remove(key())
      else if (withRanges && random.chance(0.1)) removeRange()
    }
    await tree.flush({ gcWatermark: 0 })
  }
}

t.test('`compaction_space_admission`: off by default', async (t) => {
  const tree = await open('/db', { ...base, fs: new MemoryFileSystem() })
  await fill(tree, new Random(seed))
  tree.updateRuntimeConfig({ storageLimitBytes: 1 })
  t.equal((await tree.majorCompact()).action, 'merged')
  await tree.close()
})

t.test('`compaction_space_admission`: skipped for the quota, and done later', async (t) => {
  const tree = await open('/db', { ...base, fs: new MemoryFileSystem(), runtime: GATED })
  await fill(tree, new Random(seed))
  const used = tree.diskSpace()
  tree.updateRuntimeConfig({ storageLimitBytes: 2 * used - 1 })
  t.equal((await tree.majorCompact()).action, 'nothing')
  t.equal(tree.tableCount(), 4)
  tree.updateRuntimeConfig({ storageLimitBytes: 2 * used })
  t.equal((await tree.majorCompact()).action, 'merged')
  t.equal(tree.tableCount(), 1)
  await tree.close()
})

t.test('`compaction_space_admission`: skipped for the disk, and done later', async (t) => {
  const fs = new MemoryFileSystem({ capacityBytes: 1 << 30 })
  const tree = await open('/db', { ...base, fs, runtime: GATED })
  await fill(tree, new Random(seed))
  const used = tree.diskSpace()
  const full = (1 << 30) - fs.availableSpace('/db')
  fs.setCapacity(full + used - 1)
  t.equal((await tree.majorCompact()).action, 'nothing')
  fs.setCapacity(full + used + 1024 * 1024)
  t.equal((await tree.majorCompact()).action, 'merged')
  await tree.close()
})

t.test('`compaction_space_admission`: a disk that does not answer is not full', async (t) => {
  const fs = new FaultFileSystem(new MemoryFileSystem(), ({ operation }) =>
    operation === 'availableSpace' ? { errno: 'EIO' } : undefined,
  )
  const tree = await open('/db', { ...base, fs, runtime: GATED })
  await fill(tree, new Random(seed))
  t.equal((await tree.majorCompact()).action, 'merged')
  await tree.close()
})

t.test('`compaction_space_admission`: of one run the smallest neighbours that fit', async (t) => {
  const tree = await open('/db', { ...base, fs: new MemoryFileSystem(), runtime: GATED })
  await fill(tree, new Random(seed))
  await tree.majorCompact({ targetSize: 20_000 })
  const sizes = tree.levelSegmentStats()[6]?.segments.map(({ usedBytes }) => usedBytes) ?? []
  t.ok(sizes.length > 4)
  const smallest = Math.min(...sizes.slice(1).map((size, i) => size + (sizes[i] as number)))
  const shown = visibleLines(tree)
  tree.updateRuntimeConfig({ storageLimitBytes: tree.diskSpace() + smallest })
  const result = await tree.majorCompact()
  t.match(result, { action: 'merged', tablesIn: 2, tablesOut: 1 })
  t.same(visibleLines(tree), shown)
  tree.updateRuntimeConfig({ storageLimitBytes: tree.diskSpace() + 10 })
  t.equal((await tree.majorCompact()).action, 'nothing')
  await tree.close()
})

t.test('`compaction_space_admission`: the status tells what there is room for', async (t) => {
  const fs = new MemoryFileSystem({ capacityBytes: 1 << 30 })
  const tree = await open('/db', { ...base, fs })
  await fill(tree, new Random(seed), { flushes: 8 })
  await tree.majorCompact()
  const used = tree.diskSpace()
  const statusAt = (storageLimitBytes: number): string => {
    tree.updateRuntimeConfig({ storageLimitBytes })
    return tree.storageStats().status
  }
  t.equal(statusAt(used), 'healthy', 'nobody asked')
  t.match(tree.storageStats(), { capacityBytes: used, availableBytes: 0 })
  tree.updateRuntimeConfig(GATED)
  const reserve = 1024 * 1024
  t.equal(statusAt(used + Math.max(used, reserve)), 'fullCompactionAvailable')
  t.equal(statusAt(used + reserve - 1), 'readOnlyOutOfSpace')
  t.throws(() => tree.tryInsert('a', 'b'), { code: 'VARVE_STORAGE_FULL' })
  t.equal(statusAt(1 << 29), 'fullCompactionAvailable')
  for (let i = 0; tree.diskSpace() <= 2 * reserve; i++) {
    for (let k = 0; k < 200; k++) tree.insert(`more ${i} ${k}`, 'x'.repeat(2000))
    await tree.flush()
  }
  await tree.majorCompact()
  t.equal(statusAt(tree.diskSpace() + reserve), 'tightCompactionAvailable')
  await tree.close()
})

/** A tree with a room of `share` of its tables left beside them, in the quota and on the disk. */
async function tightTree(
  options: OpenOptions,
  share: number,
  filling?: Filling,
): Promise<{ tree: Tree; fs: MemoryFileSystem }> {
  const fs = new MemoryFileSystem({ capacityBytes: 1 << 30 })
  const tree = await open('/db', { ...base, fs, runtime: TIGHT, ...options })
  await fill(tree, new Random(seed), filling)
  const room = Math.ceil(tree.diskSpace() * share)
  // The manifest grows, too.
  fs.setCapacity((1 << 30) - fs.availableSpace('/db') + room + 8192)
  tree.updateRuntimeConfig({ storageLimitBytes: tree.diskSpace() + room })
  return { tree, fs }
}

const KINDS: readonly (readonly [string, OpenOptions, Filling])[] = [
  ['several tables', {}, {}],
  ['with range deletes', {}, { withRanges: true }],
  ['reverse order', { comparator: comparators.reverse }, {}],
  [
    'reverse order with range deletes',
    { comparator: comparators.reverse, blockSize: 512 },
    { withRanges: true, keys: 500, span: 9 },
  ],
  ['large values in small blocks', { blockSize: 64 }, { keys: 300 }],
  [
    'two-level index',
    { blockSize: 256, runtime: { ...TIGHT, indexPartitionSpillThreshold: 0 } },
    {},
  ],
]

for (const [name, options, filling] of KINDS) {
  t.test(`\`compaction_space_admission\`: in tight slices, ${name}`, async (t) => {
    const before = heap.usedBytes
    const { tree, fs } = await tightTree(options, 0.25, filling)
    const shown = visibleLines(tree)
    using snapshot = tree.snapshot()
    const result = await tree.majorCompact()
    t.equal(result.action, 'merged')
    t.equal(result.tablesIn, 4, 'all inputs are used up')
    t.ok(result.tablesOut >= 3, `${result.tablesOut} tables, one for each slice`)
    t.ok(fs.punchedBytes > 0)
    t.same(visibleLines(tree), shown)
    t.same(Array.from(snapshot.iter()).length, shown.length)
    t.equal(tree.levelTableCount(6), tree.tableCount())
    await tree.close()
    fs.setCapacity(1 << 30)
    const again = await open('/db', { ...base, fs, ...options })
    t.same(visibleLines(again), shown)
    await again.majorCompact()
    t.equal(again.tableCount(), 1)
    t.same(visibleLines(again), shown)
    await again.close()
    t.equal(heap.usedBytes, before)
  })
}

t.test('`compaction_space_admission`: a single table in tight slices', async (t) => {
  const { tree } = await tightTree({}, 0.4, { flushes: 1, keys: 1500 })
  const shown = visibleLines(tree)
  const result = await tree.majorCompact()
  t.match(result, { action: 'merged', tablesIn: 1 })
  t.ok(result.tablesOut > 1)
  t.same(visibleLines(tree), shown)
  await tree.close()
})

t.test(
  '`compaction_space_admission`: without holes, or with one block, it is skipped',
  async (t) => {
    const { tree, fs } = await tightTree({}, 0.25)
    fs.setPunchHoleSupported(false)
    t.equal((await tree.majorCompact()).action, 'nothing')
    fs.setPunchHoleSupported(true)
    t.equal((await tree.majorCompact()).action, 'merged')
    await tree.close()
    const one = await tightTree({ blockSize: 1 << 20 }, 0.1, { flushes: 1, keys: 40 })
    t.equal((await one.tree.majorCompact()).action, 'nothing')
    await one.tree.close()
  },
)

t.test('`compaction_space_admission`: tight slices equal an ordinary merge', async (t) => {
  const folder = t.testdir()
  for (const [name, options, filling] of KINDS) {
    const entries: string[][] = []
    for (const form of ['ordinary', 'tight']) {
      const path = join(folder, `${name} ${form}`)
      const tree = await open(path, { ...base, ...options })
      await fill(tree, new Random(seed), filling)
      if (form === 'tight') {
        const storageLimitBytes = Math.ceil(tree.diskSpace() * 1.3)
        tree.updateRuntimeConfig({ ...TIGHT, storageLimitBytes })
        if (!new StdFileSystem().canPunchHoles(join(path, 'tables', '0'))) {
          // Without holes there are no tight slices to compare.
          await tree.close()
          break
        }
      }
      const { tablesIn, tablesOut } = await tree.majorCompact()
      t.equal(tablesIn, 4)
      t.equal(tablesOut > 1, form === 'tight')
      const decoding: TreeOptions =
        options.comparator === undefined
          ? {}
          : {
              compare: (a, b) => Buffer.compare(b, a),
              comparatorName: comparators.reverse.name,
            }
      await tree.close()
      entries.push(
        decodeTree(path, decoding).tables.flatMap(({ table }) =>
          table.entries.map((entry) => `${Buffer.from(entry.key)} ${entry.seqno} ${entry.kind}`),
        ),
      )
    }
    if (entries.length === 2) t.same(entries[1]?.sort(), entries[0]?.sort(), name)
  }
})

t.test('what an iterator reads is punched only when it has ended', async (t) => {
  const { tree, fs } = await tightTree({ blockSize: 512 }, 0.2)
  const shown = visibleLines(tree)
  const iterator = tree.iter()
  iterator.next()
  const result = await tree.majorCompact()
  t.equal(result.action, 'merged')
  t.ok(result.tablesIn < 4, 'nothing is given back, so there is no room for the rest')
  t.equal(fs.punchedBytes, 0)
  t.same(visibleLines(tree), shown, 'half of the keys are here, half of them there')
  t.equal(Array.from(iterator).length, shown.length - 1)
  iterator[Symbol.dispose]()
  t.ok(fs.punchedBytes > 0)
  t.same(visibleLines(tree), shown)
  t.doesNotThrow(() => Array.from(tree.scanSinceSeqno(0, { partial: true })))
  await tree.createCheckpoint('/half')
  const half = await open('/half', { ...base, fs })
  t.same(visibleLines(half), shown, 'a checkpoint of a half done merge is whole')
  await half.close()
  for (const { name } of fs.list('/half/tables')) fs.remove(`/half/tables/${name}`)
  const rest = await tree.majorCompact()
  t.equal(rest.action, 'merged', 'the rest goes on from there')
  t.same(visibleLines(tree), shown)
  await tree.close()
})

t.test('what was left half done goes on after opening again', async (t) => {
  const { tree, fs } = await tightTree({ blockSize: 512 }, 0.2, { withRanges: true, span: 5 })
  const shown = visibleLines(tree)
  const iterator = tree.iter()
  iterator.next()
  await tree.majorCompact()
  await tree.close()
  iterator[Symbol.dispose]()
  t.equal(fs.punchedBytes, 0, 'after closing nothing is touched')
  const again = await open('/db', { ...base, fs, runtime: TIGHT })
  t.ok(fs.punchedBytes > 0, 'opening gives back what is used up')
  t.same(visibleLines(again), shown)
  const result = await again.majorCompact()
  t.equal(result.action, 'merged')
  t.same(visibleLines(again), shown)
  await again.close()
})

t.test('the files of a checkpoint are not punched', async (t) => {
  const { tree, fs } = await tightTree({ blockSize: 512 }, 0.3)
  const shown = visibleLines(tree)
  await tree.createCheckpoint('/checkpoint')
  await tree.majorCompact()
  t.equal(fs.punchedBytes, 0)
  t.same(visibleLines(tree), shown)
  await tree.close()
  const other = await open('/checkpoint', { ...base, fs })
  t.same(visibleLines(other), shown)
  await other.close()
})

t.test('on a disk, blocks are given back and the length stays', async (t) => {
  const fs = new StdFileSystem()
  const folder = t.testdir()
  const tree = await open(folder, { ...base, runtime: TIGHT })
  await fill(tree, new Random(seed))
  const path = join(folder, 'tables', '0')
  if (!fs.canPunchHoles(path)) {
    t.comment('this file system cannot punch holes')
    return tree.close()
  }
  const { size, blocks } = statSync(path)
  tree.updateRuntimeConfig({ storageLimitBytes: Math.ceil(tree.diskSpace() * 1.3) })
  const shown = visibleLines(tree)
  let leastBlocks = blocks
  const strategy: CompactionStrategy = major()
  const watch = setInterval(() => {
    const now = statSync(path, { throwIfNoEntry: false })
    if (now === undefined) return
    t.equal(now.size, size)
    leastBlocks = Math.min(leastBlocks, now.blocks)
  }, 1)
  await tree.compact(strategy)
  clearInterval(watch)
  t.ok(leastBlocks < blocks, `${leastBlocks} of ${blocks}`)
  t.same(visibleLines(tree), shown)
  await tree.close()
})
