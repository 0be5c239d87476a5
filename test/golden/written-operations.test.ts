/**
 * Trees written with every operation, judged by the independent decoder, which resolves merges, range tombstones and weak
 * deletes by itself: what it sees in the files at each seqno is what the engine shows.
 */
import { join } from 'node:path'
import t from 'tap'
import {
  comparators,
  type OpenOptions,
  open,
  prefixExtractors,
  type Tree,
} from '../../src/main/index.js'
import { leveled } from '../../src/main/strategies/leveled.js'
import {
  type DecodedTree,
  decodeTree,
  KIND_MERGE,
  type TreeOptions,
} from '../support/decoder/index.js'
import { ageing } from '../support/filters.js'
import { joining } from '../support/operators.js'
import { Random, runSeed } from '../support/random.js'
import { linesOfPairs, visibleLines } from '../support/trees.js'

const KEYS = 300
const small = leveled({ l0Threshold: 2, targetBytes: 4096, levelRatios: [3] })

interface Case {
  readonly name: string
  readonly options: OpenOptions
  readonly decoding?: TreeOptions
}

const reverse: Case = {
  name: 'reverse order',
  options: { comparator: comparators.reverse },
  decoding: {
    compare: (a, b) => Buffer.compare(b, a),
    comparatorName: comparators.reverse.name,
  },
}

const CASES: readonly Case[] = [
  { name: 'defaults', options: {} },
  reverse,
  {
    name: 'filters of prefixes, zone maps, seqnos of each block',
    options: {
      prefixExtractor: prefixExtractors.fixed(4),
      filterFormat: 'v5',
      blockSize: 256,
      runtime: { zoneMap: true, seqnoInIndex: true },
    },
  },
  {
    name: 'merges in slices',
    options: {
      blockSize: 200,
      filterPartitioning: true,
      strategy: small,
      runtime: { compactionThreads: 3, subcompactionMinBytes: 0, indexPartitionSpillThreshold: 0 },
    },
  },
]

const keyOf = (number: number): string => `key:${String(number).padStart(5, '0')}`

/** Writes of every kind; `single` counts the keys that are written once and deleted weakly. */
function writeSome(tree: Tree, random: Random, count: number, single: { next: number }): void {
  for (let i = 0; i < count; i++) {
    const kind = random.below(30)
    const key = keyOf(random.below(KEYS))
    if (kind < 12) tree.insert(key, `value ${random.u32()} `.repeat(random.below(5)))
    else if (kind < 18) tree.merge(key, `+${random.below(100)}`)
    else if (kind < 22) tree.remove(key)
    else if (kind < 25) tree.insert(`single:${single.next++}`, `${i}`)
    else if (kind < 28) tree.removeWeak(`single:${random.below(single.next + 1)}`)
    else if (kind === 28) tree.removeRange(key, keyOf(random.below(KEYS)))
    else tree.removeRange(keyOf(random.below(KEYS)), key)
  }
}

async function ingestSome(tree: Tree, random: Random, order: -1 | 1): Promise<void> {
  const numbers = new Set(Array.from({ length: 60 }, () => random.below(KEYS)))
  const ingestion = tree.ingestion()
  for (const number of [...numbers].sort((a, b) => (a - b) * order)) {
    if (number % 5 === 0) ingestion.writeTombstone(keyOf(number))
    else ingestion.write(keyOf(number), `ingested ${random.u32()}`)
  }
  await ingestion.finish()
}

/** What of the tables only some operations write. */
function* featuresOf({ tables, model }: DecodedTree): Generator<string> {
  if (tables.some(({ record }) => record.globalSeqno > 0n)) yield 'ingested tables'
  if (tables.some(({ table }) => table.rangeTombstones.length > 0)) yield 'range tombstones'
  if (model.entries.some(({ kind }) => kind === KIND_MERGE)) yield 'operands'
}

const merge = (_key: Uint8Array, base: Uint8Array | undefined, operands: readonly Uint8Array[]) =>
  Buffer.concat(base === undefined ? operands : [base, ...operands])

for (const { name, options, decoding } of CASES) {
  t.test(name, async (t) => {
    const random = new Random(runSeed())
    t.comment(`SEED=${random.seed}`)
    const folder = join(t.testdir(), 'db')
    const decode = (): DecodedTree => decodeTree(folder, { merge, ...decoding })
    const given: OpenOptions = {
      maintenance: 'manual',
      mergeOperator: joining,
      strategy: small,
      ...options,
      runtime: { retainFrom: 0, ...options.runtime },
    }
    let tree = await open(folder, given)
    const seqnos: number[] = []
    const met = new Set<string>()
    const agree = (when: string): void => {
      const decoded = decode()
      for (const feature of featuresOf(decoded)) met.add(feature)
      const theirs = linesOfPairs(decoded.visible(1n << 63n))
      t.ok(theirs.join() === visibleLines(tree).join(), `${when}: ${theirs.length} entries`)
      for (const seqno of seqnos) {
        const ours = linesOfPairs(tree.range({ seqno })).join()
        t.ok(ours === linesOfPairs(decoded.visible(BigInt(seqno))).join(), `${when}, at ${seqno}`)
      }
    }
    const single = { next: 0 }
    for (let round = 0; round < 4; round++) {
      writeSome(tree, random, 250, single)
      seqnos.push(tree.visibleSeqno.get())
      await ingestSome(tree, random, options.comparator === undefined ? 1 : -1)
      writeSome(tree, random, 50, single)
      await tree.flush({ gcWatermark: 0 })
      agree(`flush ${round}`)
      await tree.compact(small, { gcWatermark: 0 })
      agree(`compaction ${round}`)
    }
    t.same([...met].sort(), ['ingested tables', 'operands', 'range tombstones'])
    await tree.close()
    tree = await open(folder, given)
    agree('reopened')
    await tree.majorCompact({ gcWatermark: 0, targetSize: 5000 })
    agree('merged, nothing collected')
    await tree.close()
    // What a filter does is what the files say afterwards.
    seqnos.length = 0
    const filtering = { ...given, compactionFilter: ageing, runtime: options.runtime ?? {} }
    tree = await open(folder, filtering)
    writeSome(tree, random, 100, single)
    await tree.flush()
    await tree.majorCompact()
    agree('filtered and collected')
    await tree.close()
    t.same(decode().orphans, [], 'no file is left behind')
  })
}
