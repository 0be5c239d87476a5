/**
 * What each strategy costs on real files: fillrandom with maintenance on until nothing is left to do, then random point
 * reads; beside RocksDB on the same work, where Debian's `rocksdb-tools` is installed. Run: `npm run bench:amplification --
 * [--num=5000000] [--reads=200000] [--memtable-mb=64] [--policies=leveled]… [--no-rocksdb]`.
 *
 * Keys are drawn with repetition, as `db_bench` does; entries are 16 + 100 bytes, nothing is compressed. None of these
 * figures depends on time.
 *
 * - write: bytes of all tables written, by flushes and merges, per byte given to `insert`
 * - space: bytes of all tables when the tree is idle, per byte of the newest entries; and the most at any install
 * - tables: filters asked per point read; blocks: data blocks read per point read, from the cache or from disk
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  Cache,
  type CompactionStrategy,
  fifo,
  leveled,
  open,
  sizeTiered,
} from '../src/main/index.js'
import { KeySpace, Random } from './macro/key-space.js'
import { machine } from './macro/report.js'
import { type RocksWork, runRocks } from './macro/rocksdb.js'

const MIB = 2 ** 20
const KEY_BYTES = 16
const VALUE_BYTES = 100
const CACHE_BYTES = 64 * MIB
/** Operations between two turns of the event loop. */
const TURN = 1000

export interface AmplificationOptions {
  readonly num: number
  readonly reads: number
  readonly memtableBytes: number
  /** Names of policies to run, RocksDB's among them; empty for all. */
  readonly policies: readonly string[]
  readonly withRocks: boolean
}

export interface AmplificationRow {
  readonly policy: string
  readonly write: number
  readonly space: number
  readonly spaceMax: number | undefined
  readonly tables: number
  readonly blocks: number
  /** Tables of each level at the end. */
  readonly levels: readonly number[]
}

interface Policy {
  readonly name: string
  readonly strategy: CompactionStrategy
  /** Ends with a major compaction. */
  readonly isMajor?: boolean
}

const KEEP_ALL = fifo({ limit: Number.MAX_SAFE_INTEGER })

const POLICIES: readonly Policy[] = [
  { name: 'leveled', strategy: leveled() },
  { name: 'leveled, eager L0', strategy: leveled({ eagerL0: true }) },
  { name: 'leveled, dynamic', strategy: leveled({ dynamicLevelBytes: true }) },
  { name: 'leveled, multi-level', strategy: leveled({ multiLevel: true }) },
  { name: 'size-tiered', strategy: sizeTiered() },
  { name: 'fifo', strategy: KEEP_ALL },
  { name: 'fifo, major at the end', strategy: KEEP_ALL, isMajor: true },
]

/**
 * RocksDB's write buffer holds more entries of this size than ours: 461 k in 64 MiB, ours 433 k. With so much of it, flushes
 * are as large as ours: 12 in 5 M entries.
 */
const EQUAL_FLUSHES = 0.94

const ROCKS = [
  { name: 'RocksDB leveled', isUniversal: false, bufferShare: 1 },
  { name: 'RocksDB, equal flushes', isUniversal: false, bufferShare: EQUAL_FLUSHES },
  { name: 'RocksDB universal', isUniversal: true, bufferShare: 1 },
] as const

const SEED = 1

/** The work of one policy in `folder`, which must not exist. */
async function runPolicy(
  folder: string,
  policy: Policy,
  options: AmplificationOptions,
): Promise<AmplificationRow> {
  const { num, reads, memtableBytes } = options
  const space = new KeySpace(KEY_BYTES, VALUE_BYTES, SEED)
  using cache = new Cache({ capacityBytes: CACHE_BYTES })
  await using tree = await open(folder, {
    cache,
    compression: 'none',
    strategy: policy.strategy,
    runtime: { memtableBytes },
  })
  let bytesWritten = 0
  let bytesMax = 0
  const count = (result: { readonly bytesWritten: number }): void => {
    bytesWritten += result.bytesWritten
    bytesMax = Math.max(bytesMax, tree.diskSpace())
  }
  tree.on('flush', count)
  tree.on('compaction', count)
  tree.on('error', (error) => {
    throw error
  })
  const random = new Random(SEED)
  const isWritten = new Uint8Array(num)
  for (let i = 0; i < num; i++) {
    const key = random.below(num)
    isWritten[key] = 1
    if (!tree.insert(space.key(key, 'sequential'), space.value(key, i))) await tree.drained()
    if (i % TURN === 0) await turn()
  }
  await tree.flush()
  await tree.idle()
  if (policy.isMajor === true) await tree.majorCompact()
  const liveBytes = isWritten.reduce((sum, one) => sum + one, 0) * (KEY_BYTES + VALUE_BYTES)
  const before = tree.metrics()
  let found = 0
  const readKeys = new Random(SEED + 1)
  for (let i = 0; i < reads; i++) {
    const key = readKeys.below(num)
    const isFound = tree.getInto(space.key(key, 'sequential'), VALUE) >= 0
    if (isFound !== (isWritten[key] === 1))
      throw new Error(`${policy.name}: key ${key} reads wrong`)
    if (isFound) found++
    if (i % TURN === 0) await turn()
  }
  if (reads > 0 && found === 0) throw new Error(`${policy.name}: no read found anything`)
  const after = tree.metrics()
  const blocksOf = ({ dataBlocks }: typeof after): number =>
    dataBlocks.loads + dataBlocks.cachedLoads
  return {
    policy: policy.name,
    write: bytesWritten / (num * (KEY_BYTES + VALUE_BYTES)),
    space: tree.diskSpace() / liveBytes,
    spaceMax: bytesMax / liveBytes,
    tables: (after.filterQueries - before.filterQueries) / reads,
    blocks: (blocksOf(after) - blocksOf(before)) / reads,
    levels: tree.levelSegmentStats().map(({ segmentCount }) => segmentCount),
  }
}

const VALUE = Buffer.alloc(VALUE_BYTES)

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** Distinct keys among `num` that were drawn with repetition, as expected. */
function expectedKeys(num: number): number {
  return num * (1 - Math.exp(-1))
}

async function runRocksPolicy(
  folder: string,
  { name, isUniversal, bufferShare }: (typeof ROCKS)[number],
  { num, reads, memtableBytes }: AmplificationOptions,
): Promise<AmplificationRow | undefined> {
  const work: RocksWork = {
    ...{ num, reads, isUniversal, seed: SEED },
    ...{ writeBufferBytes: Math.round(memtableBytes * bufferShare), cacheBytes: CACHE_BYTES },
  }
  const figures = await runRocks(folder, work)
  if (figures === undefined) return undefined
  return {
    policy: name,
    write: figures.bytesWritten / (num * (KEY_BYTES + VALUE_BYTES)),
    space: figures.bytesStored / (expectedKeys(num) * (KEY_BYTES + VALUE_BYTES)),
    spaceMax: undefined,
    tables: figures.tablesAsked,
    blocks: figures.blocksRead,
    levels: [],
  }
}

/** Every policy in turn, each in a fresh folder that is removed again. */
export async function runAmplification(
  options: AmplificationOptions,
  onRow: (row: AmplificationRow) => void = () => undefined,
): Promise<AmplificationRow[]> {
  const isWanted = (name: string): boolean =>
    options.policies.length === 0 || options.policies.includes(name)
  const rows: AmplificationRow[] = []
  const add = (row: AmplificationRow | undefined): void => {
    if (row === undefined) return
    rows.push(row)
    onRow(row)
  }
  const inFolder = async (work: (folder: string) => Promise<AmplificationRow | undefined>) => {
    const folder = mkdtempSync(join(tmpdir(), 'varve-amplification-'))
    try {
      add(await work(join(folder, 'tree')))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  for (const policy of POLICIES) {
    if (isWanted(policy.name)) await inFolder((folder) => runPolicy(folder, policy, options))
  }
  for (const rocks of options.withRocks ? ROCKS : []) {
    if (isWanted(rocks.name)) await inFolder((folder) => runRocksPolicy(folder, rocks, options))
  }
  return rows
}

const COLUMNS = ['write', 'space', 'worst', 'tables', 'blocks']

function formatRow(cells: readonly string[], levels: string): string {
  const [name = '', ...figures] = cells
  return `${name.padEnd(24)}${figures.map((cell) => cell.padStart(8)).join('')}  ${levels}`.trimEnd()
}

function format({
  policy,
  write,
  space,
  spaceMax,
  tables,
  blocks,
  levels,
}: AmplificationRow): string {
  const figures = [write, space, spaceMax, tables, blocks]
  return formatRow([policy, ...figures.map((one) => one?.toFixed(2) ?? '-')], levels.join(' '))
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: {
      ...{ num: text, reads: text, 'memtable-mb': text },
      ...{ policies: { type: 'string', multiple: true }, 'no-rocksdb': { type: 'boolean' } },
    },
  })
  const options: AmplificationOptions = {
    num: Number((values.num ?? '5000000').replaceAll('_', '')),
    reads: Number((values.reads ?? '200000').replaceAll('_', '')),
    memtableBytes: Math.round(Number(values['memtable-mb'] ?? 64) * MIB),
    policies: values.policies ?? [],
    withRocks: values['no-rocksdb'] !== true,
  }
  console.log(machine())
  console.log(`fillrandom: ${options.num} entries of 16 + 100 bytes, then ${options.reads} reads`)
  console.log(formatRow(['policy', ...COLUMNS], 'tables by level'))
  await runAmplification(options, (row) => console.log(format(row)))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
