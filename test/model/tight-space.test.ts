/**
 * Random trees whose room is always a little more than what they take: whatever is merged, in whatever slices, with readers
 * that hold older versions, nothing that anybody sees changes. SEED=… replays.
 */
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import {
  comparators,
  leveled,
  major,
  type OpenOptions,
  open,
  sizeTiered,
  type Tree,
} from '../../src/main/index.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { joining } from '../support/operators.js'
import { Random, runSeed } from '../support/random.js'
import { linesOfPairs, visibleLines } from '../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
t.setTimeout(120_000)

const { heap } = processEnvironment()
const KEYS = 250

function write(tree: Tree, random: Random): void {
  const key = (): string => `key${String(random.below(KEYS)).padStart(4, '0')}`
  for (let i = 20 + random.below(120); i > 0; i--) {
    const kind = random.below(40)
    if (kind < 26) tree.insert(key(), random.bytes(random.below(1200)))
    else if (kind < 32) tree.merge(key(), `+${i}`)
    else if (kind < 38) tree.remove(key())
    else if (kind === 38) tree.removeRange(key(), key())
    else tree.insert(`single${i}-${random.below(1e6)}`, 'x')
  }
}

/** What a reader saw when it began, and sees still. */
interface Reader {
  check(): void
  end(): void
}

function beginReading(tree: Tree, random: Random): Reader {
  const snapshot = tree.snapshot()
  const lines = linesOfPairs(snapshot.iter()).join()
  if (random.chance(0.5)) {
    return {
      check: () => {
        if (linesOfPairs(snapshot.iter()).join() !== lines) throw new Error('a snapshot changed')
      },
      end: () => snapshot[Symbol.dispose](),
    }
  }
  snapshot[Symbol.dispose]()
  const iterator = tree.iter()
  return {
    check: () => undefined,
    end: () => {
      if (linesOfPairs(iterator).join() !== lines) throw new Error('an iterator changed')
    },
  }
}

let punchedBytes = 0

for (let program = 0; program < 12; program++) {
  t.test(`program ${program}`, async (t) => {
    const before = heap.usedBytes
    const random = new Random((seed + program) >>> 0)
    const fs = new MemoryFileSystem()
    const options: OpenOptions = {
      fs,
      maintenance: 'manual',
      compression: random.pick(['none', 'lz4']),
      blockSize: random.pick([64, 700, 4096]),
      mergeOperator: joining,
      manifestLogRotateBytes: random.pick([0, 2000]),
      runtime: {
        storageAdmissionCheck: true,
        tightSpaceCompaction: true,
        indexPartitionSpillThreshold: random.pick([0, 1 << 20]),
        memtableBytes: 512 * 1024,
      },
      ...(random.chance(0.3) ? { comparator: comparators.reverse } : {}),
    }
    const strategies = [
      leveled({ l0Threshold: 1, targetBytes: 20_000, levelRatios: [3] }),
      sizeTiered({ minMergeWidth: 2, targetBytes: 30_000 }),
      major({ targetBytes: random.pick([15_000, 1 << 30]) }),
    ]
    let tree = await open('/db', options)
    const readers: Reader[] = []
    let merges = 0
    for (let step = 0; step < 60; step++) {
      write(tree, random)
      await tree.flush()
      const shown = visibleLines(tree)
      const room = 12_000 + random.below(60_000)
      tree.updateRuntimeConfig({ storageLimitBytes: tree.diskSpace() + room })
      if (random.chance(0.2)) readers.push(beginReading(tree, random))
      const { action } = await tree.compact(random.pick(strategies))
      if (action === 'merged') merges++
      if (visibleLines(tree).join() !== shown.join()) throw new Error(`step ${step}: changed`)
      for (const reader of readers) reader.check()
      if (random.chance(0.3)) readers.shift()?.end()
      if (random.chance(0.1)) {
        for (const reader of readers.splice(0)) reader.end()
        await tree.close()
        tree = await open('/db', options)
        if (visibleLines(tree).join() !== shown.join()) throw new Error(`step ${step}: lost`)
      }
    }
    for (const reader of readers) reader.end()
    await tree.close()
    t.comment(`${merges} merges, ${fs.punchedBytes} bytes punched`)
    punchedBytes += fs.punchedBytes
    t.equal(heap.usedBytes, before)
  })
}

t.test('merges in slices were among them', async (t) => {
  t.ok(punchedBytes > 0)
})
