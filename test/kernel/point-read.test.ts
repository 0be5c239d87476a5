/**
 * The point-read kernel against its twin over random states: memtables, overlapping L0 runs, deeper
 * runs, tables with filters of both kinds, partitioned or not, one- and two-level indexes, global
 * seqnos and restrictions. Blocks come from the cache, or are loaded for the read alone.
 */
import t from 'tap'
import type { ViewRun } from '../../src/shared/iterator/read-view.js'
import {
  GIVEN_RAW,
  GIVEN_RESIDENT,
  INDEX_COUNT,
  INDEX_HEADS,
  INDEX_RECORD_BYTES,
  INDEX_RECORD_SEEN,
  READ_ABSENT,
  READ_BYTES,
  READ_CACHE,
  READ_FOUND,
  READ_FOUND_KIND,
  READ_FOUND_SEQNO,
  READ_FOUND_VALUE,
  READ_FOUND_VALUE_LENGTH,
  READ_GIVEN,
  READ_GIVEN_FORM,
  READ_KEY,
  READ_KEY_LENGTH,
  READ_OUTCOME,
  READ_PRESENT,
  READ_SEQNO,
  READ_STATE,
  READ_WANTED_KIND,
  READ_WANTED_OFFSET,
  READ_WANTED_SIZE,
  READ_WANTED_TABLE,
  READ_WANTS_BLOCK,
  TABLE_FLAGS,
  TABLE_INDEX,
  TABLE_TWO_LEVEL,
  WANTED_DATA,
} from '../../src/shared/kernel/layout.js'
import { readPoint } from '../../src/shared/kernel/reference/point-read.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import type { BlockCache } from '../../src/shared/memory/block-cache.js'
import { BlockProvider } from '../../src/shared/table/block-provider.js'
import type { ViewTable } from '../../src/shared/table/view-table.js'
import { Random, runSeed } from '../support/random.js'
import { TestStates } from '../support/states.js'
import { show } from '../support/versions.js'
import { testCache, testWorkspace } from '../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(256)
const { shared, heap } = workspace
const states = new TestStates(workspace, random)
let wanted = 0
let raws = 0

/** Reads one key by the kernel, loading what it wants. */
class Reader {
  readonly #provider: BlockProvider
  readonly #cache: BlockCache
  readonly #tables: ReadonlyMap<number, ViewTable>
  readonly #read = heap.allocate(READ_BYTES)
  readonly #key = heap.allocate(65_535)
  readonly #state: number

  constructor(capacityBytes: number, runs: readonly ViewRun[], state: number) {
    this.#cache = testCache(workspace, capacityBytes)
    this.#provider = new BlockProvider(workspace, states.loader, this.#cache.view)
    const tables = runs.flatMap((run) => run.tables)
    this.#tables = new Map(tables.map((table) => [table.address, table]))
    this.#state = state
  }

  get(key: Uint8Array, seqno: number): Version | undefined {
    const read = this.#read
    shared.bytes.fill(0, read, read + READ_BYTES)
    shared.bytes.set(key, this.#key)
    shared.setU32(read + READ_STATE, this.#state)
    shared.setU32(read + READ_CACHE, this.#cache.view.address)
    shared.setU32(read + READ_KEY, this.#key)
    shared.setU32(read + READ_KEY_LENGTH, key.length)
    shared.setU64(read + READ_SEQNO, seqno)
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

  /** Starts reads of many keys in one call: of each the version, undefined for none, or that it wants a block. */
  batch(
    keys: readonly Uint8Array[],
    seqno: number,
    copyBytes: number,
  ): (Version | 'wants' | undefined)[] {
    const reads = heap.allocate(READ_BYTES * keys.length)
    const out = heap.allocate(copyBytes + 8)
    const places = keys.map((key) => heap.allocate(key.length))
    keys.forEach((key, i) => {
      shared.bytes.set(key, places[i])
      shared.setU32(reads + i * READ_BYTES + READ_KEY, places[i]!)
      shared.setU32(reads + i * READ_BYTES + READ_KEY_LENGTH, key.length)
    })
    const cache = this.#cache.view.address
    const { kernel } = shared
    const copied = kernel.point_read_batch(
      ...([reads, keys.length, this.#state, cache, 0, seqno, out, copyBytes] as const),
    )
    if (copied > copyBytes) throw new Error('more was copied than there is room for')
    const found = keys.map((key, i) => {
      const read = reads + i * READ_BYTES
      const outcome = shared.getU32(read + READ_OUTCOME)
      return outcome === READ_WANTS_BLOCK ? 'wants' : this.#result(outcome, key, read)
    })
    for (const piece of [reads, out, ...places]) heap.free(piece)
    return found
  }

  /** Has the indexes tell that their blocks were seen wherever in the memory. */
  misleadIndexes(): void {
    for (const table of this.#tables.keys()) {
      if ((shared.getU32(table + TABLE_FLAGS) & TABLE_TWO_LEVEL) !== 0) continue
      const index = shared.getU32(table + TABLE_INDEX)
      const count = shared.getU32(index + INDEX_COUNT)
      const records = index + INDEX_HEADS + 8 * count
      for (let i = 0; i < count; i++) {
        const seen = 1024 + 8 * random.below((shared.bytes.length - 2048) / 8)
        shared.setU32(records + i * INDEX_RECORD_BYTES + INDEX_RECORD_SEEN, seen)
      }
    }
  }

  dispose(): void {
    this.#provider.dispose()
    this.#cache.dispose()
    for (const piece of [this.#read, this.#key]) heap.free(piece)
  }

  #result(result: number, key: Uint8Array, read = this.#read): Version | undefined {
    if (result === READ_ABSENT) return undefined
    if (result !== READ_PRESENT) throw new Error(`result ${result}`)
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

  /** Loads the wanted block; the read gets a copy of it, so that what the cache holds does not matter. */
  #load(read: number, own: number[]): void {
    wanted++
    this.#keepValue(read, own)
    const table = this.#tables.get(shared.getU32(read + READ_WANTED_TABLE))!
    const kind = shared.getU32(read + READ_WANTED_KIND)
    const offset = shared.getU64(read + READ_WANTED_OFFSET)
    const size = shared.getU32(read + READ_WANTED_SIZE)
    const block =
      kind === WANTED_DATA && random.chance(0.7)
        ? this.#provider.point(table, offset, size)
        : { ...this.#provider.get(table, kind, offset, size), isRaw: false }
    if (block.isRaw) raws++
    if (own.length > 100) throw new Error('the read wants blocks without end')
    const copy = heap.allocate(block.length)
    own.push(copy)
    shared.bytes.copyWithin(copy, block.address, block.address + block.length)
    shared.setU32(read + READ_GIVEN, copy)
    shared.setU32(read + READ_GIVEN_FORM, block.isRaw ? GIVEN_RAW : GIVEN_RESIDENT)
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
    raws = 0
    let answered = 0
    for (let round = 0; round < 40; round++) {
      const { keys, plain, runs, address, seqnoEnd } = states.random()
      const reader = new Reader(capacityBytes, runs, address)
      const others = [random.bytes(3), Uint8Array.from([...random.pick(keys), 0])]
      for (const key of [...keys, ...others]) {
        if (round % 2 === 0) reader.misleadIndexes()
        for (const seqno of [0, seqnoEnd, random.below(seqnoEnd), random.below(seqnoEnd)]) {
          const found = reader.get(key, seqno)
          const expected = readPoint(plain, key, seqno)
          const [one, other] = [found, expected].map((version) => version && show(version))
          if (one !== other) wrong.push(`at ${seqno}: found ${one}, expected ${other}`)
        }
      }
      for (const seqno of [0, seqnoEnd, random.below(seqnoEnd)]) {
        const some = Array.from({ length: 1 + random.below(30) }, () => random.pick(keys))
        if (round % 2 === 0) reader.misleadIndexes()
        reader.batch(some, seqno, random.pick([0, 50, 10_000])).forEach((found, i) => {
          if (found === 'wants') return
          answered++
          const expected = readPoint(plain, some[i]!, seqno)
          const [one, other] = [found, expected].map((version) => version && show(version))
          if (one !== other) wrong.push(`together at ${seqno}: found ${one}, expected ${other}`)
        })
      }
      reader.dispose()
      states.release()
    }
    t.strictSame(wrong.slice(0, 5), [])
    t.ok(answered > 100, `${answered} of a batch were answered by memory alone`)
    t.ok(wanted > 100, `${wanted} blocks were wanted`)
    t.ok(raws > 50, `${raws} were given raw`)
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
    const resident = states.table(versions, { blockSize: 10, indexSpillBytes })
    const open = [{ level: 1, tables: [resident] }]
    const plain = {
      ranges: [],
      memtables: [],
      runs: [{ level: 1, tables: [{ versions, restriction: undefined }] }],
    }
    const reader = new Reader(1 << 20, open, states.publish([], open))
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
    states.release()
  }
})
