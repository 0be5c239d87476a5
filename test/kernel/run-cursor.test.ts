/**
 * The run-cursor kernel against its twin: random runs walked from random places in both directions, over caches that hold
 * everything, evict all the time or hold nothing, placed again before they came to an end.
 */
import t from 'tap'
import type { ViewRun } from '../../src/shared/iterator/read-view.js'
import { CursorBuffers, feedSource } from '../../src/shared/iterator/run-cursor.js'
import {
  RESIDENT_BYTES,
  SOURCE_BLOCK,
  SOURCE_BYTES,
  SOURCE_CURSOR,
  SOURCE_ENDED,
  SOURCE_FIRST,
  SOURCE_INDEX,
  SOURCE_STATE,
  SOURCE_WANTS_BLOCK,
} from '../../src/shared/kernel/layout.js'
import {
  RUN_CURSOR_BYTES,
  RUN_CURSOR_CACHE,
  RUN_CURSOR_END,
  RUN_CURSOR_END_LENGTH,
  RUN_CURSOR_REVERSE,
  RUN_CURSOR_TABLE,
  RUN_CURSOR_TABLE_COUNT,
  RUN_CURSOR_TABLES,
} from '../../src/shared/kernel/layout-cursor.js'
import type { ReferenceRun } from '../../src/shared/kernel/reference/point-read.js'
import { decodeResidentBlock } from '../../src/shared/kernel/reference/resident-block.js'
import { type RunPlace, runVersions } from '../../src/shared/kernel/reference/run-cursor.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { BlockProvider } from '../../src/shared/table/block-provider.js'
import { Random, runSeed } from '../support/random.js'
import { TestStates } from '../support/states.js'
import { difference } from '../support/versions.js'
import { testCache, testWorkspace } from '../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(256)
const { shared, heap } = workspace
const { kernel } = shared
const states = new TestStates(workspace, random)

/** Segments that were pinned at a time. */
let pinnedMost = 0

/** One cursor with a source of its own. */
class Walk {
  readonly #run: ViewRun
  readonly #provider: BlockProvider
  readonly #isReverse: boolean
  readonly #buffers = new CursorBuffers(heap)
  readonly #cursor = heap.allocate(RUN_CURSOR_BYTES)
  readonly #source = heap.allocate(SOURCE_BYTES)
  readonly #key = heap.allocate(65_536)
  readonly #end = heap.allocate(65_536)
  readonly #list: number

  constructor(
    run: ViewRun,
    provider: BlockProvider,
    isReverse: boolean,
    end: Uint8Array | undefined,
  ) {
    this.#run = run
    this.#provider = provider
    this.#isReverse = isReverse
    this.#list = heap.allocate(4 * run.tables.length + 4)
    run.tables.forEach(({ address }, i) => {
      shared.setU32(this.#list + 4 * i, address)
    })
    const cursor = this.#cursor
    shared.bytes.fill(0, cursor, cursor + RUN_CURSOR_BYTES)
    shared.bytes.fill(0, this.#source, this.#source + SOURCE_BYTES)
    shared.setU32(this.#source + SOURCE_CURSOR, cursor)
    shared.setU32(cursor + RUN_CURSOR_TABLES, this.#list)
    shared.setU32(cursor + RUN_CURSOR_TABLE_COUNT, run.tables.length)
    shared.setU32(cursor + RUN_CURSOR_REVERSE, isReverse ? 1 : 0)
    shared.setU32(cursor + RUN_CURSOR_CACHE, provider.cacheAddress)
    if (end === undefined) return
    shared.bytes.set(end, this.#end)
    shared.setU32(cursor + RUN_CURSOR_END, this.#end)
    shared.setU32(cursor + RUN_CURSOR_END_LENGTH, end.length)
  }

  /** The versions from a place on, at most `limit`. */
  read(place: RunPlace | undefined, limit: number): Version[] {
    const versions: Version[] = []
    if (place !== undefined) shared.bytes.set(place.key, this.#key)
    const key = place === undefined ? 0 : this.#key
    const isBehind = place?.isBehind === true ? 1 : 0
    kernel.run_cursor_seek(this.#cursor, this.#source, key, place?.key.length ?? 0, isBehind)
    while (versions.length < limit) {
      while (shared.getU32(this.#source + SOURCE_STATE) === SOURCE_WANTS_BLOCK) this.#feed()
      if (shared.getU32(this.#source + SOURCE_STATE) === SOURCE_ENDED) break
      // The key is the cursor's only until the source stands.
      shared.bytes.fill(0xcc, this.#key, this.#key + 100)
      versions.push(...this.#entries())
      pinnedMost = Math.max(pinnedMost, this.#provider.cache.pinnedSegmentCount)
      kernel.run_cursor_advance(this.#cursor, this.#source)
    }
    return versions.slice(0, limit)
  }

  dispose(): void {
    kernel.run_cursor_release(this.#cursor)
    this.#buffers.dispose()
    for (const piece of [this.#cursor, this.#source, this.#key, this.#end, this.#list]) {
      heap.free(piece)
    }
  }

  #feed(): void {
    if (!feedSource(workspace, this.#provider, this.#source, this.#run.tables, this.#buffers)) {
      throw new Error('a provider has every block')
    }
  }

  /** What the source has of its block, in the direction of the walk. */
  #entries(): Version[] {
    const block = shared.getU32(this.#source + SOURCE_BLOCK)
    const index = shared.getI32(this.#source + SOURCE_INDEX)
    const first = shared.getI32(this.#source + SOURCE_FIRST)
    const table = this.#run.tables[shared.getI32(this.#cursor + RUN_CURSOR_TABLE)]!
    const { globalSeqno } = table
    const all = decodeResidentBlock(shared.view(block, shared.getU32(block + RESIDENT_BYTES))).map(
      (version) => ({
        ...version,
        seqno: version.seqno + globalSeqno,
      }),
    )
    return this.#isReverse ? all.slice(first, index + 1).reverse() : all.slice(index)
  }
}

function somePlace(keys: readonly Uint8Array[]): RunPlace | undefined {
  if (random.chance(0.2)) return undefined
  const near = random.pick(keys)
  const key = random.pick([
    near,
    near,
    Uint8Array.from([...near, 0]),
    random.bytes(1 + random.below(3)),
  ])
  return { key, isBehind: random.chance(0.5) }
}

for (const [name, capacityBytes] of [
  ['nothing cached', 0],
  ['everything cached', 8 << 20],
  ['a cache that evicts all the time, with one pin', 128 << 10],
] as const) {
  t.test(`random runs, ${name}`, async (t) => {
    const wrong: string[] = []
    let rows = 0
    for (let round = 0; round < 40; round++) {
      const state = states.random()
      const cache = testCache(workspace, capacityBytes)
      const provider = new BlockProvider(workspace, states.loader, cache.view)
      const usedBytes = heap.usedBytes
      state.runs.forEach((run, number) => {
        const plain = state.plain.runs[number] as ReferenceRun
        for (let i = 0; i < 8; i++) {
          const isReverse = random.chance(0.5)
          const end = random.chance(0.4) ? somePlace(state.keys)?.key : undefined
          const walk = new Walk(run, provider, isReverse, end)
          for (let seek = 0; seek < 4; seek++) {
            const place = somePlace(state.keys)
            const limit = random.pick([1, 5, 10_000])
            const found = walk.read(place, limit)
            const expected = runVersions(plain, isReverse, place, end).slice(0, limit)
            rows += found.length
            const problem = difference(found, expected)
            if (problem !== undefined)
              wrong.push(
                `${isReverse ? 'reverse' : 'forward'} from ${place === undefined ? 'the near end' : show(place)} to ${end === undefined ? 'the far end' : Buffer.from(end).toString('hex')}, seek ${seek}: ${problem}`,
              )
          }
          walk.dispose()
        }
      })
      if (cache.view.pinnedSegmentCount > 0) wrong.push('a walk that ended pins segments')
      if (heap.usedBytes > usedBytes) wrong.push('memory was not given back')
      provider.dispose()
      cache.dispose()
      states.release()
    }
    t.strictSame(wrong.slice(0, 5), [])
    t.ok(rows > 5000, `${rows} entries`)
  })
}

t.test(
  'blocks are read in place where they can be pinned, and copied where they cannot',
  async (t) => {
    const versions = Array.from({ length: 400 }, (_, i): Version => {
      return { key: Uint8Array.of(i >> 8, i & 255), seqno: 1, kind: 0, value: random.bytes(900) }
    })
    const table = states.table(versions, { blockSize: 4000 })
    const run = { level: 1, tables: [table] }
    // Four segments: one of them may be pinned.
    const cache = testCache(workspace, 128 << 10)
    const provider = new BlockProvider(workspace, states.loader, cache.view)
    const walks = Array.from({ length: 6 }, () => new Walk(run, provider, false, undefined))
    pinnedMost = 0
    for (let i = 0; i < 100; i++) {
      for (const walk of walks) {
        const key = Uint8Array.of(0, i)
        const found = walk.read({ key, isBehind: false }, 3)
        t.equal(difference(found, versions.slice(i, i + 3)), undefined)
      }
    }
    t.equal(pinnedMost, 1)
    for (const walk of walks) walk.dispose()
    t.equal(cache.view.pinnedSegmentCount, 0)
    provider.dispose()
    cache.dispose()
    states.release()
  },
)

function show({ key, isBehind }: RunPlace): string {
  return `${Buffer.from(key).toString('hex')} ${isBehind ? 'behind' : 'before'}`
}
