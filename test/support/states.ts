/**
 * Random trees for tests of reads: memtables, overlapping L0 runs and deeper ones, as structures in
 * the shared memory and as plain lists. Tables are written and opened by the engine's own classes,
 * with filters of both kinds, one- and two-level indexes, global seqnos and restrictions.
 */
import { publishState } from '../../src/shared/iterator/read-state.js'
import type { ViewRun } from '../../src/shared/iterator/read-view.js'
import { compareBytes } from '../../src/shared/kernel/reference/memtable.js'
import type {
  ReferenceRun,
  ReferenceState,
  ReferenceTable,
} from '../../src/shared/kernel/reference/point-read.js'
import type { ReferenceRange } from '../../src/shared/kernel/reference/ranges.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import type { Workspace } from '../../src/shared/memory/workspace.js'
import { BlockLoader } from '../../src/shared/table/block-loader.js'
import type { FilterShape } from '../../src/shared/table/filter-builder.js'
import { ResidentTable } from '../../src/shared/table/resident-table.js'
import { TableFile } from '../../src/shared/table/table-file.js'
import type { TableShape } from '../../src/shared/table/table-writer.js'
import { buildMemtable } from './kernel-merge.js'
import type { Random } from './random.js'
import { fileSystemWith, writeTable } from './tables.js'
import { randomKeys, randomVersions } from './versions.js'

const FILTERS: readonly FilterShape[] = [
  { bits: 0, format: 'v5', isPartitioned: false },
  { bits: 8, format: 'v5', isPartitioned: false },
  { bits: 8, format: 'v5', isPartitioned: true },
  { bits: 8, format: 'varve', isPartitioned: false },
  { bits: 8, format: 'varve', isPartitioned: true },
  // So weak that false positives are the rule.
  { bits: 1, format: 'varve', isPartitioned: false },
]

/** Seqnos that one source spans; the next newer one begins above them. */
const SPAN = 16

export interface TestState {
  readonly keys: readonly Uint8Array[]
  readonly plain: ReferenceState
  readonly memtables: readonly number[]
  readonly runs: readonly ViewRun[]
  /** Address of the STATE structure. */
  readonly address: number
  /** Above every seqno. */
  readonly seqnoEnd: number
}

export class TestStates {
  readonly loader: BlockLoader
  readonly #workspace: Workspace
  readonly #random: Random
  readonly #pieces: number[] = []
  readonly #tables: ResidentTable[] = []
  #owners = 1
  #ranges: ReferenceRange[] = []
  #rangeShare = 0

  constructor(workspace: Workspace, random: Random) {
    this.#workspace = workspace
    this.#random = random
    this.loader = new BlockLoader(workspace)
  }

  /** Sources from old to new; seqnos rise with them, but for the L0 runs, which share theirs. */
  random(): TestState {
    const random = this.#random
    const keys = randomKeys(random, 1 + random.below(random.pick([2, 20, 120])))
    const some = (share: number): Uint8Array[] => keys.filter(() => random.chance(share))
    const runs: [ViewRun, ReferenceRun][] = []
    this.#ranges = []
    this.#rangeShare = random.pick([0, 0.5, 3])
    let seqno = 0
    for (const level of [6, 3, 3, 1].filter(() => random.chance(0.6))) {
      runs.unshift(this.#randomRun(level, some(0.7), seqno))
      // Two runs of one level may hold versions of the same seqnos.
      if (level !== 3) seqno += SPAN
    }
    seqno += SPAN
    for (let i = random.below(4); i > 0; i--) runs.unshift(this.#randomRun(0, some(0.5), seqno))
    const plain: Version[][] = []
    for (let i = random.below(4); i > 0; i--) {
      seqno += SPAN
      const shape = { seqnoMin: seqno, seqnoMax: seqno + SPAN - 1, versionsMax: 3 }
      plain.unshift(randomVersions(random, some(0.2), shape))
    }
    const seqnoEnd = seqno + SPAN + 1
    const memtables = plain.map((versions) => {
      const bounds = keys.length < 2 ? [] : keys
      return this.#memtable(versions, this.#someRanges(bounds, 0, seqnoEnd, 8))
    })
    const open = runs.map(([run]) => run)
    return {
      keys,
      plain: { memtables: plain, runs: runs.map(([, run]) => run), ranges: this.#ranges },
      memtables,
      runs: open,
      address: this.publish(memtables, open),
      seqnoEnd,
    }
  }

  /** An open table of `versions`, whose seqnos are effective ones. */
  table(
    versions: readonly Version[],
    shape: Partial<TableShape> = {},
    globalSeqno = 0,
    restriction?: Uint8Array,
    rangeTombstones: readonly ReferenceRange[] = [],
  ): ResidentTable {
    const id = this.#owners++
    const local = versions.map((version) => ({ ...version, seqno: version.seqno - globalSeqno }))
    const { bytes } = writeTable(this.#workspace, id, local, shape, { rangeTombstones })
    const file = fileSystemWith(`/${id}`, bytes).openRead(`/${id}`)
    const table = TableFile.open(this.#workspace, this.loader, file, { id })
    const placement = { owner: id, globalSeqno, restriction }
    const resident = new ResidentTable(this.#workspace, this.loader, table, placement)
    this.#tables.push(resident)
    return resident
  }

  /** The STATE structure over memtables and runs. */
  publish(memtables: readonly number[], runs: readonly ViewRun[]): number {
    const state = publishState(this.#workspace, memtables, runs)
    this.#pieces.push(state)
    return state
  }

  /** Gives back the memory of everything made so far. */
  release(): void {
    for (const table of this.#tables.splice(0)) table.dispose()
    for (const piece of this.#pieces.splice(0)) this.#workspace.heap.free(piece)
  }

  #memtable(versions: readonly Version[], ranges: readonly ReferenceRange[]): number {
    const memtable = buildMemtable(this.#workspace, versions)
    const { kernel, bytes } = this.#workspace.shared
    this.#pieces.push(memtable)
    for (const { start, end, seqno } of ranges) {
      const address = kernel.memtable_reserve(memtable, start.length, end.length)
      if (address === 0) throw new Error('the memtable is too small')
      bytes.set(start, address)
      bytes.set(end, address + start.length)
      kernel.memtable_commit_range(memtable, start.length, end.length, seqno)
      kernel.memtable_settle_ranges(memtable)
    }
    return memtable
  }

  /** Ranges between `bounds`, noted as the state's; mostly few, sometimes so many that memtables make sets of them. */
  #someRanges(
    bounds: readonly Uint8Array[],
    seqnoMin: number,
    seqnoEnd: number,
    factor: number,
  ): ReferenceRange[] {
    const random = this.#random
    const ranges: ReferenceRange[] = []
    if (bounds.length < 2) return ranges
    for (let i = random.below(1 + Math.ceil(this.#rangeShare * factor * 10)); i > 0; i--) {
      const pair = [random.pick(bounds), random.pick(bounds)].sort(compareBytes)
      const [start, end] = pair as [Uint8Array, Uint8Array]
      if (compareBytes(start, end) === 0) continue
      ranges.push({ start, end, seqno: seqnoMin + random.below(seqnoEnd - seqnoMin) })
    }
    this.#ranges.push(...ranges)
    return ranges
  }

  /** A run of tables over disjoint pieces of the keys, as it is and as the twins see it. */
  #randomRun(
    level: number,
    keys: readonly Uint8Array[],
    seqnoMin: number,
  ): [ViewRun, ReferenceRun] {
    const random = this.#random
    const tables: ResidentTable[] = []
    const plain: ReferenceTable[] = []
    for (let at = 0; at < keys.length; ) {
      const count = 1 + random.below(keys.length)
      const part = keys.slice(at, at + count)
      at += count
      const versionsMax = random.pick([1, 3, 12])
      const shape = { seqnoMin, seqnoMax: seqnoMin + SPAN - 1, versionsMax }
      const versions = randomVersions(random, part, shape)
      if (versions.length === 0) continue
      const restriction = random.chance(0.2) ? random.pick(part) : undefined
      const globalSeqno = random.chance(0.3) ? seqnoMin : 0
      const bounds = versions.map(({ key }) => key)
      const ranges = this.#someRanges(bounds, 0, seqnoMin + 2 * SPAN, 0.5)
      tables.push(this.table(versions, this.#randomShape(), globalSeqno, restriction, ranges))
      plain.push({ versions, restriction })
    }
    return [
      { level, tables },
      { level, tables: plain },
    ]
  }

  #randomShape(): Partial<TableShape> {
    const random = this.#random
    return {
      blockSize: random.pick([1, 60, 500, 4096]),
      restartInterval: random.pick([1, 4, 16]),
      filter: random.pick(FILTERS),
      indexSpillBytes: random.pick([0, 4 << 20]),
      compression: { kind: random.pick(['none', 'lz4'] as const) },
    }
  }
}
