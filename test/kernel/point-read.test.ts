/**
 * The point-read kernel against its twin over random states: memtables, overlapping L0 runs, deeper runs,
 * tables with filters of both kinds, partitioned or not, one- and two-level indexes, global seqnos and
 * restrictions. Blocks come from the cache, or are loaded for the read alone.
 */
import t from 'tap'
import {
  READ_ABSENT,
  READ_BYTES,
  READ_CACHE,
  READ_FOUND,
  READ_FOUND_KIND,
  READ_FOUND_SEQNO,
  READ_FOUND_VALUE,
  READ_FOUND_VALUE_LENGTH,
  READ_KEY,
  READ_KEY_LENGTH,
  READ_LOADED,
  READ_LOADED_BYTES,
  READ_LOADED_COUNT,
  READ_PRESENT,
  READ_SEQNO,
  READ_STATE,
  READ_WANTED_KIND,
  READ_WANTED_OFFSET,
  READ_WANTED_SIZE,
  READ_WANTED_TABLE,
  READ_WANTS_BLOCK,
  RUN_BYTES,
  RUN_LEVEL,
  RUN_TABLE_COUNT,
  RUN_TABLES,
  STATE_BYTES,
  STATE_MEMTABLE_COUNT,
  STATE_MEMTABLES,
  STATE_RUN_COUNT,
  STATE_RUNS,
} from '../../src/shared/kernel/layout.js'
import {
  type ReferenceRun,
  type ReferenceState,
  type ReferenceTable,
  readPoint,
} from '../../src/shared/kernel/reference/point-read.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { BlockCache } from '../../src/shared/memory/block-cache.js'
import { BlockLoader } from '../../src/shared/table/block-loader.js'
import { BlockProvider } from '../../src/shared/table/block-provider.js'
import type { FilterShape } from '../../src/shared/table/filter-builder.js'
import { ResidentTable } from '../../src/shared/table/resident-table.js'
import { TableFile } from '../../src/shared/table/table-file.js'
import { buildMemtable } from '../support/kernel-merge.js'
import { Random, runSeed } from '../support/random.js'
import { fileSystemWith, writeTable } from '../support/tables.js'
import { randomKeys, randomVersions, show } from '../support/versions.js'
import { testWorkspace } from '../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(256)
const { shared, heap } = workspace
const loader = new BlockLoader(workspace)
let owners = 1
let wanted = 0

const FILTERS: readonly FilterShape[] = [
  { bits: 0, format: 'v5', isPartitioned: false },
  { bits: 8, format: 'v5', isPartitioned: false },
  { bits: 8, format: 'v5', isPartitioned: true },
  { bits: 8, format: 'varve', isPartitioned: false },
  { bits: 8, format: 'varve', isPartitioned: true },
  // So weak that false positives are the rule.
  { bits: 1, format: 'varve', isPartitioned: false },
]

interface OpenRun {
  readonly level: number
  readonly tables: readonly ResidentTable[]
}

/** A table of `versions` as the reader sees it, their seqnos effective. */
function openTable(versions: readonly Version[], globalSeqno: number, restriction?: Uint8Array) {
  const id = owners++
  const local = versions.map((version) => ({ ...version, seqno: version.seqno - globalSeqno }))
  const { bytes } = writeTable(workspace, id, local, {
    blockSize: random.pick([1, 60, 500, 4096]),
    restartInterval: random.pick([1, 4, 16]),
    filter: random.pick(FILTERS),
    indexSpillBytes: random.pick([0, 4 << 20]),
    compression: { kind: random.pick(['none', 'lz4'] as const) },
  })
  const file = fileSystemWith(`/${id}`, bytes).openRead(`/${id}`)
  const table = TableFile.open(workspace, loader, file, { id })
  return new ResidentTable(workspace, loader, table, { owner: id, globalSeqno, restriction })
}

/** A run of up to four tables over disjoint pieces of the key space. */
function randomRun(
  level: number,
  keys: readonly Uint8Array[],
  seqnos: readonly [number, number],
): [OpenRun, ReferenceRun] {
  const tables: ResidentTable[] = []
  const plain: ReferenceTable[] = []
  for (let at = 0; at < keys.length; ) {
    const count = 1 + random.below(keys.length)
    const part = keys.slice(at, at + count)
    at += count
    const globalSeqno = random.chance(0.3) ? seqnos[0] : 0
    const shape = { seqnoMin: seqnos[0], seqnoMax: seqnos[1], versionsMax: random.pick([1, 3, 12]) }
    const versions = randomVersions(random, part, shape)
    if (versions.length === 0) continue
    const restriction = random.chance(0.2) ? random.pick(part) : undefined
    tables.push(openTable(versions, globalSeqno, restriction))
    plain.push({ versions, restriction })
  }
  return [
    { level, tables },
    { level, tables: plain },
  ]
}

const pieces: number[] = []

function take(bytes: number): number {
  const address = heap.allocate(Math.max(8, bytes))
  shared.bytes.fill(0, address, address + bytes)
  pieces.push(address)
  return address
}

/** The STATE structure over memtables and runs. */
function publish(memtables: readonly number[], runs: readonly OpenRun[]): number {
  const state = take(STATE_BYTES)
  const list = (addresses: readonly number[]): number => {
    const at = take(4 * addresses.length)
    addresses.forEach((address, i) => {
      shared.setU32(at + 4 * i, address)
    })
    return at
  }
  const records = take(RUN_BYTES * runs.length)
  runs.forEach(({ level, tables }, i) => {
    const run = records + RUN_BYTES * i
    shared.setU32(run + RUN_LEVEL, level)
    shared.setU32(run + RUN_TABLE_COUNT, tables.length)
    shared.setU32(run + RUN_TABLES, list(tables.map(({ address }) => address)))
  })
  shared.setU32(state + STATE_MEMTABLE_COUNT, memtables.length)
  shared.setU32(state + STATE_MEMTABLES, list(memtables))
  shared.setU32(state + STATE_RUN_COUNT, runs.length)
  shared.setU32(state + STATE_RUNS, records)
  return state
}

/** Sources from old to new; seqnos rise with them, but for L0 runs, which overlap in any order. */
function randomState() {
  const keys = randomKeys(random, 1 + random.below(random.pick([2, 20, 120])))
  const some = (share: number): Uint8Array[] => keys.filter(() => random.chance(share))
  const deeper = [6, 3, 3, 1].filter(() => random.chance(0.6))
  const runs: [OpenRun, ReferenceRun][] = []
  let seqno = 0
  for (const level of deeper) {
    runs.unshift(randomRun(level, some(0.7), [seqno, seqno + 15]))
    if (level !== 3) seqno += 16
  }
  seqno += 16
  for (let i = random.below(4); i > 0; i--) {
    runs.unshift(randomRun(0, some(0.5), [seqno, seqno + 15]))
  }
  const memtables: Version[][] = []
  for (let i = random.below(4); i > 0; i--) {
    seqno += 16
    const shape = { seqnoMin: seqno, seqnoMax: seqno + 15, versionsMax: 3 }
    memtables.unshift(randomVersions(random, some(0.2), shape))
  }
  const plain: ReferenceState = { memtables, runs: runs.map(([, run]) => run) }
  const open = runs.map(([run]) => run)
  const addresses = memtables.map((versions) => {
    const memtable = buildMemtable(workspace, versions)
    pieces.push(memtable)
    return memtable
  })
  return { keys, plain, open, address: publish(addresses, open), seqnoMax: seqno + 17 }
}

/** Reads one key by the kernel, loading what it wants. */
class Reader {
  readonly #provider: BlockProvider
  readonly #cache: BlockCache
  readonly #tables: ReadonlyMap<number, ResidentTable>
  readonly #read = take(READ_BYTES)
  readonly #loaded = take(READ_LOADED_BYTES * 64)
  readonly #key = take(65_535)
  readonly #state: number

  constructor(capacityBytes: number, runs: readonly OpenRun[], state: number) {
    this.#cache = new BlockCache(shared, heap, capacityBytes)
    this.#provider = new BlockProvider(workspace, loader, this.#cache)
    const tables = runs.flatMap((run) => run.tables)
    this.#tables = new Map(tables.map((table) => [table.address, table]))
    this.#state = state
  }

  get(key: Uint8Array, seqno: number): Version | undefined {
    const read = this.#read
    shared.bytes.fill(0, read, read + READ_BYTES)
    shared.bytes.set(key, this.#key)
    shared.setU32(read + READ_STATE, this.#state)
    shared.setU32(read + READ_CACHE, this.#cache.address)
    shared.setU32(read + READ_KEY, this.#key)
    shared.setU32(read + READ_KEY_LENGTH, key.length)
    shared.setU64(read + READ_SEQNO, seqno)
    shared.setU32(read + READ_LOADED, this.#loaded)
    const own: number[] = []
    let result = shared.kernel.point_read(read)
    while (result === READ_WANTS_BLOCK) {
      this.#load(read, own)
      result = shared.kernel.point_read(read)
    }
    const found = this.#result(result, key)
    for (const piece of own) heap.free(piece)
    return found
  }

  dispose(): void {
    this.#provider.dispose()
    this.#cache.dispose()
  }

  #result(result: number, key: Uint8Array): Version | undefined {
    if (result === READ_ABSENT) return undefined
    if (result !== READ_PRESENT) throw new Error(`result ${result}`)
    const read = this.#read
    const at = shared.getU32(read + READ_FOUND_VALUE)
    return {
      key,
      seqno: shared.getU64(read + READ_FOUND_SEQNO),
      kind: shared.getU32(read + READ_FOUND_KIND),
      value: Uint8Array.from(shared.view(at, shared.getU32(read + READ_FOUND_VALUE_LENGTH))),
    }
  }

  /** The value found so far moves out of the cache, which is about to change. */
  #keepValue(read: number, own: number[]): void {
    if (shared.getU32(read + READ_FOUND) === 0) return
    const at = shared.getU32(read + READ_FOUND_VALUE)
    const length = shared.getU32(read + READ_FOUND_VALUE_LENGTH)
    const copy = heap.allocate(Math.max(8, length))
    own.push(copy)
    shared.bytes.copyWithin(copy, at, at + length)
    shared.setU32(read + READ_FOUND_VALUE, copy)
  }

  /** Loads the wanted block; a copy of it is named for the case that the cache drops it. */
  #load(read: number, own: number[]): void {
    wanted++
    this.#keepValue(read, own)
    const table = this.#tables.get(shared.getU32(read + READ_WANTED_TABLE))!
    const block = this.#provider.get(
      table,
      shared.getU32(read + READ_WANTED_KIND),
      shared.getU64(read + READ_WANTED_OFFSET),
      shared.getU32(read + READ_WANTED_SIZE),
    )
    const count = shared.getU32(read + READ_LOADED_COUNT)
    if (count >= 64) throw new Error('the read wants blocks without end')
    const copy = heap.allocate(block.length)
    own.push(copy)
    shared.bytes.copyWithin(copy, block.address, block.address + block.length)
    const record = this.#loaded + READ_LOADED_BYTES * count
    shared.setU32(record, table.address)
    shared.setU32(record + 4, copy)
    shared.setU64(record + 8, shared.getU64(read + READ_WANTED_OFFSET))
    shared.setU32(read + READ_LOADED_COUNT, count + 1)
  }
}

for (const [name, capacityBytes] of [
  ['without a cache', 0],
  ['with a cache', 16 << 20],
  ['with a cache that evicts all the time', 96 << 10],
] as const) {
  t.test(`random states, ${name}`, async (t) => {
    const wrong: string[] = []
    wanted = 0
    for (let round = 0; round < 40; round++) {
      const { keys, plain, open, address, seqnoMax } = randomState()
      const reader = new Reader(capacityBytes, open, address)
      const others = [random.bytes(3), Uint8Array.from([...random.pick(keys), 0])]
      for (const key of [...keys, ...others]) {
        for (const seqno of [0, seqnoMax, random.below(seqnoMax), random.below(seqnoMax)]) {
          const found = reader.get(key, seqno)
          const expected = readPoint(plain, key, seqno)
          const [one, other] = [found, expected].map((version) => version && show(version))
          if (one !== other) wrong.push(`at ${seqno}: found ${one}, expected ${other}`)
        }
      }
      reader.dispose()
      for (const run of open) for (const table of run.tables) table.dispose()
      for (const piece of pieces.splice(0)) heap.free(piece)
    }
    t.strictSame(wrong.slice(0, 5), [])
    t.ok(wanted > 100, `${wanted} blocks were wanted`)
  })
}

t.test('versions of one key over many blocks, at every seqno', async (t) => {
  for (const indexSpillBytes of [0, 4 << 20]) {
    const keys = [Uint8Array.of(1), Uint8Array.of(1, 0), Uint8Array.of(2)]
    const versions = keys.flatMap((key) =>
      Array.from({ length: 300 }, (_, i): Version => {
        return { key, seqno: 600 - 2 * i, kind: 0, value: Uint8Array.of(i & 255) }
      }),
    )
    const { bytes } = writeTable(workspace, 1, versions, { blockSize: 10, indexSpillBytes })
    const file = fileSystemWith('/1', bytes).openRead('/1')
    const table = TableFile.open(workspace, loader, file, { id: 1 })
    const placement = { owner: 1, globalSeqno: 0, restriction: undefined }
    const resident = new ResidentTable(workspace, loader, table, placement)
    const open = [{ level: 1, tables: [resident] }]
    const plain = {
      memtables: [],
      runs: [{ level: 1, tables: [{ versions, restriction: undefined }] }],
    }
    const reader = new Reader(1 << 20, open, publish([], open))
    const wrong: number[] = []
    for (let seqno = 0; seqno <= 602; seqno++) {
      for (const key of keys) {
        const found = reader.get(key, seqno)
        const expected = readPoint(plain, key, seqno)
        if ((found && show(found)) !== (expected && show(expected))) wrong.push(seqno)
      }
    }
    t.strictSame(wrong, [], `index spilled at ${indexSpillBytes} bytes`)
    reader.dispose()
    resident.dispose()
  }
})
