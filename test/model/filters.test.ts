/**
 * Random trees whose merges run a filter. What it does is invisible through a lens: it clears the high bits of values and
 * operands, and takes values away that are empty. So every answer, seen through the lens, is that of a model without a
 * filter, whenever merges ran; and what a snapshot showed once it shows, bit for bit, as long as it lives. SEED=… replays.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { comparators, leveled, type OpenOptions, open, sizeTiered } from '../../src/main/index.js'
import type { Snapshot } from '../../src/main/snapshot.js'
import type { Tree } from '../../src/main/tree.js'
import { aged, ageing } from '../support/filters.js'
import { joining } from '../support/operators.js'
import { Random, runSeed } from '../support/random.js'
import { linesOfPairs, visibleLines } from '../support/trees.js'
import { type Entry, Model } from './model.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

const { heap } = processEnvironment()
const KEYS = 200
const STEPS = 500

interface Case {
  readonly name: string
  readonly isOnDisk?: boolean
  readonly order?: typeof comparators.reverse
  readonly options: OpenOptions
}

const manual = { maintenance: 'manual' } as const
const filters = new URL('../support/filters.js', import.meta.url)
const operators = new URL('../support/operators.js', import.meta.url)
const small = leveled({ targetBytes: 4096, l0Threshold: 2, levelRatios: [3] })
const asModules: OpenOptions = {
  compactionFilter: { module: filters, export: 'ageing' },
  mergeOperator: { module: operators, export: 'joining' },
}
const asObjects: OpenOptions = { compactionFilter: ageing, mergeOperator: joining }

const CASES: readonly Case[] = [
  { name: 'objects', options: { ...manual, ...asObjects, strategy: small } },
  {
    name: 'objects, two merges at once',
    options: { ...asObjects, strategy: small, runtime: { compactionConcurrency: 2 } },
  },
  {
    name: 'objects in reverse order',
    order: comparators.reverse,
    options: { ...manual, ...asObjects, comparator: comparators.reverse, blockSize: 64 },
  },
  { name: 'modules', isOnDisk: true, options: { ...manual, ...asModules, strategy: small } },
  {
    name: 'modules, in slices',
    isOnDisk: true,
    options: {
      ...asModules,
      strategy: sizeTiered({ minMergeWidth: 2, targetBytes: 8192 }),
      blockSize: 128,
      runtime: { compactionThreads: 3, subcompactionMinBytes: 0 },
    },
  },
]

/** What is left of an entry through the lens; undefined where nothing is. */
function lens(value: Uint8Array | undefined): string | undefined {
  return value === undefined || value.length === 0 ? undefined : aged(value).toString('hex')
}

const seen = (entries: Iterable<Entry>): string[] =>
  Array.from(entries)
    .filter(([, value]) => value.length > 0)
    .map(([key, value]) => `${key} ${lens(value)}`)

/** A tree beside its model. */
class Pair {
  tree: Tree
  readonly model: Model
  readonly #random: Random
  /** Snapshots with what they showed first. */
  readonly #snapshots: { readonly snapshot: Snapshot; readonly lines: string }[] = []
  #single = 0

  constructor(tree: Tree, model: Model, random: Random) {
    this.tree = tree
    this.model = model
    this.#random = random
  }

  key(): Buffer {
    return Buffer.from(`key${String(this.#random.below(KEYS)).padStart(4, '0')}`)
  }

  write(): void {
    const random = this.#random
    const seqno = this.tree.seqno.get()
    const kind = random.below(20)
    const key = this.key()
    const value = Buffer.from(random.bytes(random.pick([0, 1, 3, 40, 300])))
    if (kind < 10) {
      this.tree.insert(key, value)
      this.model.write(seqno, [{ key, value }])
    } else if (kind < 14) {
      this.tree.merge(key, value)
      this.model.write(seqno, [{ key, value, form: 'merge' }])
    } else if (kind < 16) {
      this.tree.remove(key)
      this.model.write(seqno, [{ key, value: undefined }])
    } else if (kind === 16) {
      const range = { start: key, end: this.key() }
      this.tree.removeRange(range.start, range.end)
      this.model.removeRange(seqno, range)
    } else {
      this.#writeSingle(seqno, value)
    }
  }

  /** Keys that are written once, and deleted weakly or by the filter's `'removeWeak'`. */
  #writeSingle(seqno: number, value: Buffer): void {
    const random = this.#random
    if (this.#single > 0 && random.chance(0.4)) {
      const key = Buffer.from(`single${random.below(this.#single)}`)
      this.tree.removeWeak(key)
      this.model.write(seqno, [{ key, value: undefined, form: 'weak' }])
      return
    }
    const key = Buffer.from(`single${this.#single++}`)
    this.tree.insert(key, value)
    this.model.write(seqno, [{ key, value }])
  }

  check(when: string): void {
    const seqno = this.tree.visibleSeqno.get()
    const wanted = seen(this.model.range({}, seqno))
    const found = seen(this.tree.iter())
    const at = wanted.findIndex((line, i) => line !== found[i])
    if (at >= 0 || found.length !== wanted.length) {
      throw new Error(`${when}: ${found[at] ?? found.length}, not ${wanted[at] ?? wanted.length}`)
    }
    visibleLines(this.tree)
    for (let i = 0; i < 20; i++) {
      const key = this.key()
      if (lens(this.tree.get(key)) !== lens(this.model.get(key, seqno))) {
        throw new Error(`${when}: get of ${key} differs`)
      }
    }
    for (const { snapshot, lines } of this.#snapshots) {
      if (linesOfPairs(snapshot.iter()).join() !== lines) {
        throw new Error(`${when}: the snapshot at ${snapshot.seqno} has changed`)
      }
    }
  }

  takeSnapshot(): void {
    const snapshot = this.tree.snapshot()
    this.#snapshots.push({ snapshot, lines: linesOfPairs(snapshot.iter()).join() })
  }

  dropSnapshots(keep: number): void {
    for (const { snapshot } of this.#snapshots.splice(0, this.#snapshots.length - keep)) {
      snapshot[Symbol.dispose]()
    }
  }
}

CASES.forEach((one, number) => {
  t.test(one.name, async (t) => {
    const before = heap.usedBytes
    const random = new Random((seed + number) >>> 0)
    const folder = join(t.testdir(), 'db')
    mkdirSync(folder)
    const options: OpenOptions = { ...(one.isOnDisk ? {} : { fs: 'memory' }), ...one.options }
    const runtime = { memtableBytes: 128 * 1024, ...options.runtime }
    const reopen = (): Promise<Tree> => open(folder, { ...options, runtime })
    const pair = new Pair(await reopen(), new Model(one.order?.compare), random)
    for (let step = 0; step < STEPS; step++) {
      for (let i = random.below(12); i >= 0; i--) pair.write()
      const kind = random.below(24)
      if (kind < 6) await pair.tree.flush()
      else if (kind < 9) await pair.tree.compact()
      else if (kind === 9)
        await pair.tree.majorCompact({ targetSize: random.pick([2000, 1 << 30]) })
      else if (kind < 12) pair.takeSnapshot()
      else if (kind < 14) pair.dropSnapshots(random.below(3))
      else if (kind === 14 && one.isOnDisk) {
        pair.dropSnapshots(0)
        await pair.tree.close()
        pair.tree = await reopen()
        pair.model.reopen(pair.tree.seqno.get())
      } else if (kind < 19) pair.check(`step ${step}`)
      await pair.tree.drained()
    }
    await pair.tree.flush()
    await pair.tree.majorCompact()
    pair.check('at the end')
    pair.dropSnapshots(0)
    // Nothing was written since, so a merge of everything has been judged whole.
    await pair.tree.majorCompact()
    for (const [key, value] of pair.tree.iter()) {
      if (value.length === 0) t.fail(`${key} is still there, and empty`)
      if (value.some((byte) => byte > 127)) t.fail(`${key} was never judged`)
    }
    t.equal(pair.tree.lastError, undefined)
    await pair.tree.close()
    t.equal(heap.usedBytes, before, 'all memory is given back')
  })
})
