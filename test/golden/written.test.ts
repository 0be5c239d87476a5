/**
 * Trees written by the engine, judged by the independent decoder: every byte and checksum of tables and manifests, the
 * shape of runs, recomputed properties, and what is visible at every seqno that is still exact. Manifests are encoded
 * again to the same bytes.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { leveled, MAX_SEQNO, type OpenOptions, open, type Tree } from '../../src/main/index.js'
import {
  type DecodedTree,
  decodeTree,
  encodeEditLog,
  encodeSnapshot,
  type TreeOptions,
  type ZstdDecoder,
} from '../support/decoder/index.js'
import { Random, runSeed } from '../support/random.js'
import { linesOfPairs, visibleLines } from '../support/trees.js'

const KEYS = 500

/** The optional native package, as a decoder; undefined where it is not installed. */
function zstdDecoder(): ZstdDecoder | undefined {
  try {
    const zstd = createRequire(import.meta.url)('zstd-napi') as {
      Decompressor: new () => {
        decompress(bytes: Uint8Array): Buffer
        loadDictionary(dictionary: Uint8Array): void
      }
    }
    return (bytes, _length, dictionary) => {
      const decompressor = new zstd.Decompressor()
      if (dictionary === undefined) return decompressor.decompress(bytes)
      decompressor.loadDictionary(dictionary)
      // The library refuses an id for a dictionary of raw content: it goes out of the header (RFC 8878, 3.1.1.1).
      const idAt = ((bytes[4] as number) & 0x20) === 0 ? 6 : 5
      const frame = Buffer.concat([bytes.subarray(0, idAt), bytes.subarray(idAt + 4)])
      frame[4] = (frame[4] as number) & ~3
      return decompressor.decompress(frame)
    }
  } catch {
    return undefined
  }
}

type Tap = Pick<typeof t, 'ok' | 'same' | 'equal'>

interface Case {
  readonly name: string
  readonly options: OpenOptions
  readonly decoding?: TreeOptions
  /** What must be true of the tables beside being sound. */
  readonly check?: (tree: DecodedTree) => boolean
}

const zstd = zstdDecoder()
const dictionary = Buffer.from('the quick brown fox value jumps over key and value '.repeat(8))

const isFiltered = (tree: DecodedTree, kind: 'full' | 'partitioned'): boolean =>
  tree.tables.every(({ table }) => table.filter?.kind === kind)

const hasSection = (tree: DecodedTree, name: string): boolean =>
  tree.tables.every(({ table }) => table.sections.some((section) => section.name === name))

const CASES: readonly Case[] = [
  { name: 'defaults', options: {}, check: (tree) => hasSection(tree, 'varve_filter') },
  {
    name: 'crate filters',
    options: { filterFormat: 'v5', filterPartitioning: false },
    check: (tree) => isFiltered(tree, 'full'),
  },
  {
    name: 'partitioned crate filters, two-level index',
    options: {
      filterFormat: 'v5',
      filterPartitioning: true,
      blockSize: 256,
      runtime: { indexPartitionSpillThreshold: 0 },
    },
    check: (tree) => isFiltered(tree, 'partitioned') && hasSection(tree, 'index'),
  },
  {
    name: 'partitioned filters of our own, two-level index',
    options: {
      filterPartitioning: true,
      blockSize: 128,
      runtime: { indexPartitionSpillThreshold: 0 },
    },
    check: (tree) => hasSection(tree, 'varve_filter_tli') && hasSection(tree, 'index'),
  },
  {
    name: 'no filters, restart interval 1, hash index',
    options: { filter: 'none', restartInterval: 1, hashRatio: 0.75, blockSize: 1024 },
    check: (tree) => tree.tables.every(({ table }) => table.filter === undefined),
  },
  {
    name: 'LZ4 everywhere',
    options: { compression: 'lz4', indexCompression: 'lz4', indexRestartInterval: 8 },
  },
  { name: 'one entry a block', options: { blockSize: 1, filter: { falsePositiveRate: 0.3 } } },
  {
    name: 'seqnos of each block',
    options: { blockSize: 300, runtime: { seqnoInIndex: true, zoneMap: true } },
    check: (tree) => hasSection(tree, 'seqno_bounds'),
  },
  { name: 'large blocks', options: { blockSize: 256 * 1024, restartInterval: 255 } },
  {
    name: 'a snapshot for every change',
    options: { manifestLogRotateBytes: 0 },
    check: (tree) => tree.edits.length === 0,
  },
  { name: 'a manifest log that rotates now and then', options: { manifestLogRotateBytes: 512 } },
  ...(zstd === undefined
    ? []
    : [
        {
          name: 'zstd',
          options: { compression: { zstd: 3 }, indexCompression: { zstd: 1 } },
          decoding: { zstd },
        },
        {
          name: 'zstd with a dictionary',
          options: { compression: { zstdDict: dictionary, level: 5 } },
          decoding: { zstd, dictionary },
        },
      ]),
]

/** Decodes the folder with every check of the decoder, and the manifest to its bytes and back. */
function decodeAll(test: Tap, folder: string, { decoding, check }: Case): DecodedTree {
  const tree = decodeTree(folder, decoding)
  const { snapshot, edits } = tree
  const encoded = encodeSnapshot(snapshot)
  const read = (name: string): Buffer => readFileSync(join(folder, name))
  test.ok(read('current').equals(encoded.current), 'current')
  test.ok(read(`v${snapshot.id}`).equals(encoded.snapshot), `v${snapshot.id}`)
  const log = encodeEditLog(edits)
  if (log.length > 0) test.ok(read(`edits-${snapshot.id}`).equals(log), `edits-${snapshot.id}`)
  if (tree.tables.length > 0) test.ok(check?.(tree) ?? true, 'the tables are as the options say')
  for (const { table } of tree.tables) test.equal(table.extraMeta.size, 0, 'no unknown properties')
  return tree
}

function writeSome(tree: Tree, random: Random, count: number): void {
  for (let i = 0; i < count; i++) {
    const key = `key:${String(random.below(KEYS)).padStart(5, '0')}`
    if (random.chance(0.2)) tree.remove(key)
    else tree.insert(key, `value ${random.u32()} `.repeat(random.below(4)))
  }
}

for (const one of CASES) {
  t.test(one.name, async (t) => {
    const random = new Random(runSeed())
    t.comment(`SEED=${random.seed}`)
    const folder = join(t.testdir(), 'db')
    const runtime = { ...one.options.runtime, retainFrom: 0 }
    const options: OpenOptions = { maintenance: 'manual', ...one.options, runtime }
    let tree = await open(folder, options)
    decodeAll(t, folder, one)
    const seqnos: number[] = []
    const lines = new Map<number, readonly string[]>()
    const agree = (when: string): void => {
      const decoded = decodeAll(t, folder, one)
      t.same(
        linesOfPairs(decoded.visible(1n << 63n)).join('\n'),
        visibleLines(tree).join('\n'),
        when,
      )
      for (const seqno of seqnos) {
        const ours = linesOfPairs(tree.range({ seqno })).join('\n')
        t.ok(ours === lines.get(seqno)?.join('\n'), `${when}: a read at ${seqno} is as it was`)
        const theirs = linesOfPairs(decoded.visible(BigInt(seqno))).join('\n')
        t.ok(ours === theirs, `${when}: as the decoder has it`)
      }
    }
    for (let round = 0; round < 4; round++) {
      writeSome(tree, random, 300)
      seqnos.push(tree.visibleSeqno.get())
      lines.set(tree.visibleSeqno.get(), linesOfPairs(tree.range()))
      writeSome(tree, random, 100)
      await tree.flush({ gcWatermark: 0 })
      agree(`flush ${round}`)
    }
    await tree.compact(leveled({ l0Threshold: 1 }), { gcWatermark: 0 })
    agree('a compaction that collects nothing')
    await tree.close()
    tree = await open(folder, options)
    agree('reopened')
    writeSome(tree, random, 100)
    await tree.flush({ gcWatermark: 0 })
    await tree.majorCompact({ gcWatermark: 0, targetSize: 20_000 })
    agree('a major compaction that collects nothing')
    seqnos.length = 0
    await tree.majorCompact({ gcWatermark: MAX_SEQNO })
    agree('a major compaction that collects everything')
    await tree.close()
    t.same(decodeAll(t, folder, one).orphans, [], 'no file is left behind')
    tree = await open(folder, options)
    await tree.clear()
    agree('cleared')
    await tree.close()
    t.same(decodeAll(t, folder, one).orphans, [], 'nor after clearing')
  })
}

t.test('snapshots read what the decoder reads at their seqno', async (t) => {
  const random = new Random(runSeed())
  t.comment(`SEED=${random.seed}`)
  const folder = join(t.testdir(), 'db')
  const tree = await open(folder, { maintenance: 'manual' })
  const snapshots = []
  for (let round = 0; round < 5; round++) {
    writeSome(tree, random, 200)
    snapshots.push(tree.snapshot())
    await tree.flush()
    if (round % 2 === 1) await tree.majorCompact()
  }
  const decoded = decodeTree(folder)
  for (const snapshot of snapshots) {
    const theirs = linesOfPairs(decoded.visible(BigInt(snapshot.seqno)))
    t.same(linesOfPairs(snapshot.range()), theirs, `at ${snapshot.seqno}`)
    snapshot[Symbol.dispose]()
  }
  await tree.close()
})

t.test('automatic maintenance writes sound trees as well', async (t) => {
  const random = new Random(runSeed())
  t.comment(`SEED=${random.seed}`)
  const folder = join(t.testdir(), 'db')
  const strategy = leveled({ l0Threshold: 2, targetBytes: 16 * 1024 })
  const options: OpenOptions = { strategy, runtime: { memtableBytes: 128 * 1024 } }
  const tree = await open(folder, options)
  for (let i = 0; i < 40; i++) {
    writeSome(tree, random, 250)
    await tree.drained()
  }
  const shown = visibleLines(tree)
  await tree.close()
  const decoded = decodeAll(t, folder, { name: 'automatic', options })
  t.ok(
    decoded.tables.some(({ level }) => level > 0),
    'compaction has run',
  )
  t.same(linesOfPairs(decoded.visible(1n << 63n)), shown)
})
