/**
 * Reads of a small tree whose blocks are all cached: one memtable, two runs in L0 and one below, with filters. Point reads,
 * walks of a run's cursor, scans and seeks; the kernels and their twins, which look at everything.
 */
import { noOperands, RangeScan } from '../../../src/shared/iterator/range-scan.js'
import type { ReadView } from '../../../src/shared/iterator/read-view.js'
import { CursorBuffers, feedSource } from '../../../src/shared/iterator/run-cursor.js'
import {
  READ_BYTES,
  READ_CACHE,
  READ_FOUND_SEQNO,
  READ_KEY,
  READ_KEY_LENGTH,
  READ_PRESENT,
  READ_SEQNO,
  READ_STATE,
  READ_WANTS_BLOCK,
  RESIDENT_COUNT,
  SOURCE_BLOCK,
  SOURCE_BYTES,
  SOURCE_CURSOR,
  SOURCE_ENDED,
  SOURCE_STATE,
  SOURCE_WANTS_BLOCK,
} from '../../../src/shared/kernel/layout.js'
import {
  RUN_CURSOR_BYTES,
  RUN_CURSOR_CACHE,
  RUN_CURSOR_TABLE_COUNT,
  RUN_CURSOR_TABLES,
} from '../../../src/shared/kernel/layout-cursor.js'
import { type ReferenceState, readPoint } from '../../../src/shared/kernel/reference/point-read.js'
import { runVersions } from '../../../src/shared/kernel/reference/run-cursor.js'
import { scanVersions } from '../../../src/shared/kernel/reference/scan.js'
import type { Workspace } from '../../../src/shared/memory/workspace.js'
import { BlockProvider } from '../../../src/shared/table/block-provider.js'
import { buildMemtable } from '../../../test/support/kernel-merge.js'
import { Random } from '../../../test/support/random.js'
import { TestStates } from '../../../test/support/states.js'
import { place, testCache, testWorkspace } from '../../../test/support/workspace.js'
import { entriesOf, keyOf } from '../entries.js'
import { type Effort, mix, operationsFor, type Row, race } from '../race.js'

const SEQNO_END = 2 ** 40
const RANGE_ROWS = 10

/** The tree, in the shared memory and as plain lists. */
interface SmallTree {
  readonly workspace: Workspace
  readonly view: ReadView
  readonly provider: BlockProvider
  readonly plain: ReferenceState
  readonly entryCount: number
}

function smallTree(scale: number): SmallTree {
  const workspace = testWorkspace(96)
  const states = new TestStates(workspace, new Random(1))
  const count = Math.max(400, Math.ceil(20_000 * scale))
  const filter = { bits: 10, format: 'varve', isPartitioned: false } as const
  // Every fifth key is in memory, every fifth in each run of L0, the rest below.
  const lists = [0, 1, 2].map((i) => entriesOf(i, count / 5, 5, 3 * count - i * count))
  const below = [...entriesOf(3, count / 5, 5, 0), ...entriesOf(4, count / 5, 5, 0)]
  below.sort((a, b) => Buffer.compare(a.key, b.key))
  const [inMemory = [], ...levels] = [...lists, below]
  const runs = levels.map((versions, i) => {
    return { level: i < 2 ? 0 : 6, tables: [states.table(versions, { filter })] }
  })
  const memtables = [buildMemtable(workspace, inMemory)]
  const cache = testCache(workspace, 16 << 20)
  return {
    workspace,
    view: { stateAddress: states.publish(memtables, runs), memtables, runs },
    provider: new BlockProvider(workspace, states.loader, cache.view),
    plain: {
      memtables: [inMemory],
      runs: levels.map((versions, i) => {
        return { level: i < 2 ? 0 : 6, tables: [{ versions, restriction: undefined }] }
      }),
      ranges: [],
    },
    entryCount: count,
  }
}

/** Rows of a scan from `first` on, at most `limit`, as a digest. */
function scanned(tree: SmallTree, first: Uint8Array | undefined, limit: number): number {
  const { workspace, provider, view } = tree
  const lower = first === undefined ? undefined : { key: first, isInclusive: true }
  const range = { lower, upper: undefined, seqno: SEQNO_END, isReverse: false, flags: 0 }
  const wanted = limit === Infinity ? {} : { rowsWanted: limit }
  const scan = new RangeScan(workspace, provider, view, { ...range, ...wanted }, noOperands)
  const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
  let digest = 0
  for (let rows = 0; rows < limit && scan.next(row); rows++) {
    digest = mix(digest, row.valueLength + (workspace.shared.bytes[row.keyAddress] as number))
  }
  scan.dispose()
  return digest
}

function scannedPlainly({ plain }: SmallTree, first: Uint8Array | undefined, limit: number) {
  const sources = [
    ...plain.memtables,
    ...plain.runs.flatMap(({ tables }) => tables.map(({ versions }) => versions)),
  ]
  const lower = first === undefined ? undefined : { key: first, isInclusive: true }
  const rules = { lower, upper: undefined, seqno: SEQNO_END, isReverse: false }
  let digest = 0
  for (const { key, value } of scanVersions(sources, { ...rules, everyVersion: false }).slice(
    ...[0, limit],
  )) {
    digest = mix(digest, value.length + (key[0] as number))
  }
  return digest
}

/** Calls that walk one run by its cursor, block by block: how many entries there were. */
function runWalk({ workspace, provider, view }: SmallTree): () => number {
  const { shared, heap } = workspace
  const { kernel } = shared
  const run = view.runs[2]
  if (run === undefined) throw new RangeError('the tree has three runs')
  const buffers = new CursorBuffers(heap)
  const cursor = heap.allocate(RUN_CURSOR_BYTES)
  const source = heap.allocate(SOURCE_BYTES)
  const list = heap.allocate(8)
  shared.bytes.fill(0, cursor, cursor + RUN_CURSOR_BYTES)
  shared.bytes.fill(0, source, source + SOURCE_BYTES)
  shared.setU32(list, run.tables[0]?.address ?? 0)
  shared.setU32(source + SOURCE_CURSOR, cursor)
  shared.setU32(cursor + RUN_CURSOR_TABLES, list)
  shared.setU32(cursor + RUN_CURSOR_TABLE_COUNT, 1)
  shared.setU32(cursor + RUN_CURSOR_CACHE, provider.cacheAddress)
  return () => {
    let count = 0
    kernel.run_cursor_seek(cursor, source, 0, 0, 0)
    for (;;) {
      while (shared.getU32(source + SOURCE_STATE) === SOURCE_WANTS_BLOCK) {
        feedSource(workspace, provider, source, run.tables, buffers)
      }
      if (shared.getU32(source + SOURCE_STATE) === SOURCE_ENDED) break
      count += shared.getU32(shared.getU32(source + SOURCE_BLOCK) + RESIDENT_COUNT)
      kernel.run_cursor_advance(cursor, source)
    }
    kernel.run_cursor_release(cursor)
    return count
  }
}

/** A call that reads the key at an address: the seqno of what it finds, or -1. */
function pointRead({
  workspace,
  provider,
  view,
}: SmallTree): (key: number, length: number) => number {
  const { shared, heap } = workspace
  const { kernel } = shared
  const read = heap.allocate(READ_BYTES)
  return (key, length) => {
    shared.bytes.fill(0, read, read + READ_BYTES)
    shared.setU32(read + READ_STATE, view.stateAddress)
    shared.setU32(read + READ_CACHE, provider.cacheAddress)
    shared.setU32(read + READ_KEY, key)
    shared.setU32(read + READ_KEY_LENGTH, length)
    shared.setU64(read + READ_SEQNO, SEQNO_END)
    const outcome = kernel.point_read(read)
    if (outcome === READ_WANTS_BLOCK) throw new RangeError('every block is cached')
    return outcome === READ_PRESENT ? shared.getU64(read + READ_FOUND_SEQNO) : -1
  }
}

export function reads(effort: Effort): Row[] {
  const { scale, rounds } = effort
  const tree = smallTree(scale)
  const { entryCount, workspace, plain } = tree
  const walk = runWalk(tree)
  // Fills the cache.
  scanned(tree, undefined, Infinity)
  const read = pointRead(tree)
  const sought = Array.from({ length: 1024 }, (_, i) => keyOf((i * 7919) % entryCount))
  const absent = Array.from({ length: 1024 }, (_, i) => keyOf(entryCount + i))
  const gets = (keys: readonly Buffer[]) => {
    const places = keys.map((key) => place(workspace, key))
    return [
      {
        ...{ name: 'kernel', operations: operationsFor(500, effort) },
        operation: (i: number) => read(places[i & 1023] as number, 16),
      },
      {
        ...{ name: 'twin', operations: operationsFor(1_000_000, effort) },
        operation: (i: number) =>
          readPoint(plain, keys[i & 1023] as Uint8Array, SEQNO_END)?.seqno ?? -1,
      },
    ]
  }
  const family = 'reads'
  const runEntries = Math.floor((entryCount / 5) * 2)
  const once = (cost: number) => operationsFor(cost * entryCount, effort)
  const [lowest] = plain.runs.slice(-1)
  if (lowest === undefined) throw new RangeError('the tree has runs')
  const seek = (i: number) => sought[i & 1023] as Uint8Array
  return [
    ...race({ family, name: 'point read, there' }, gets(sought), rounds),
    ...race({ family, name: 'point read, not there' }, gets(absent), rounds),
    ...race(
      { family, name: 'run cursor, an entry', items: runEntries },
      [
        { name: 'kernel', operations: once(5), operation: walk },
        {
          ...{ name: 'twin', operations: once(200) },
          operation: () => runVersions(lowest, false, undefined, undefined).length,
        },
      ],
      rounds,
    ),
    ...race(
      { family, name: 'scan, a row', items: entryCount, bytes: 116 },
      [
        {
          ...{ name: 'kernel', operations: once(60) },
          operation: () => scanned(tree, undefined, Infinity),
        },
        {
          ...{ name: 'twin', operations: once(1000) },
          operation: () => scannedPlainly(tree, undefined, Infinity),
        },
      ],
      rounds,
    ),
    ...race(
      { family, name: 'seek and ten rows' },
      [
        {
          ...{ name: 'kernel', operations: operationsFor(3000, effort) },
          operation: (i) => scanned(tree, seek(i), RANGE_ROWS),
        },
        {
          ...{ name: 'twin', operations: operationsFor(20_000_000, effort) },
          operation: (i) => scannedPlainly(tree, seek(i), RANGE_ROWS),
        },
      ],
      rounds,
    ),
  ]
}
