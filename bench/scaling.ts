/**
 * How costs grow with the number of entries, beside how they are expected to grow. Run: `npm run bench:scaling --
 * [--from=10k] [--to=10m] [--out=docs/benchmarks] [--seed=1]`.
 *
 * Entries of 16 + 100 bytes in random order, with the maintenance that a user gets, then until idle; a cache that holds
 * all of it (1 GiB at most), so that reads tell of the tree and not of the disk; flushes and the compaction on one thread,
 * over the same entries. Beside each curve stands its order: the exponent of the cost over the last decade is 0 for what is
 * constant and 1 for what is linear.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Cache, fifo, MaintenancePool, open, type Tree } from '../src/main/index.js'
import { draw, lineChart, type Point } from './macro/charts.js'
import { KeySpace, Random, shuffled } from './macro/key-space.js'
import { taste } from './macro/ledger.js'
import { Meter, TURN, turn } from './macro/meter.js'
import { commandLine, toCount } from './macro/options.js'
import { Progress } from './macro/progress.js'
import { align, machine, markdown } from './macro/report.js'

const KEY_BYTES = 16
const VALUE_BYTES = 100
const MIB = 2 ** 20
const READS = 200_000
const SEEKS = 20_000
const SEEK_STEPS = 10
/** The cache takes more than the data: blocks in memory have indexes of their own. */
const CACHE_SHARE = 2
const CACHE_BYTES_MIN = 16 * MIB
/** More a cache cannot have: of 10 M entries some blocks are read again. */
const CACHE_BYTES_MAX = 1024 * MIB
const OPENS = 5

export interface ScalingOptions {
  /** Numbers of entries, ascending. */
  readonly sizes: readonly number[]
  readonly seed: number
}

/** What one size came to. */
export interface ScalingRow {
  readonly num: number
  /** Nanoseconds an operation. */
  readonly insert: number
  readonly get: number
  readonly missing: number
  readonly seek: number
  /** Nanoseconds an entry. */
  readonly scan: number
  readonly flush: number
  readonly compaction: number
  readonly openMs: number
  readonly tables: number
  /** Sorted runs that a get may have to ask. */
  readonly runs: number
  readonly rssMib: number
}

type Curve = Exclude<keyof ScalingRow, 'num' | 'tables' | 'runs'>

/** How each is expected to grow, and the unit it is told in. */
export const CURVES: Readonly<Record<Curve, { readonly order: string; readonly unit: string }>> = {
  insert: { order: 'O(log n) of the memtable, which is bounded: flat', unit: 'ns' },
  get: { order: 'O(levels), and cache misses of the processor', unit: 'ns' },
  missing: { order: 'O(levels), by filters', unit: 'ns' },
  seek: { order: 'O(runs)', unit: 'ns' },
  scan: { order: 'linear: flat an entry', unit: 'ns an entry' },
  flush: { order: 'linear: flat an entry', unit: 'ns an entry' },
  compaction: { order: 'linear: flat an entry', unit: 'ns an entry' },
  openMs: { order: 'O(tables)', unit: 'ms' },
  rssMib: { order: 'write buffers, then the cache as given', unit: 'MiB' },
}

async function measure(folder: string, num: number, seed: number): Promise<ScalingRow> {
  const space = new KeySpace(KEY_BYTES, VALUE_BYTES, seed)
  const dataBytes = num * (KEY_BYTES + VALUE_BYTES)
  const wanted = Math.max(CACHE_BYTES_MIN, dataBytes * CACHE_SHARE)
  const capacityBytes = Math.min(CACHE_BYTES_MAX, wanted)
  using cache = new Cache({ capacityBytes })
  let tree = await open(join(folder, 'tree'), { cache })
  const order = shuffled(num, seed)
  const insert = await Meter.each('insert', num, (i) => {
    const number = order[i] as number
    const isWelcome = tree.insert(space.key(number, 'sequential'), space.value(number))
    return isWelcome ? 1 : tree.drained().then(() => 1)
  })
  await tree.flush()
  await tree.idle()
  const runs = runsOf(tree)
  readAll(tree)
  const scan = readAll(tree)
  if (scan.rows !== num) throw new Error(`${scan.rows} rows are there, not ${num}`)
  const get = await gets(tree, space, num, seed, false)
  const missing = await gets(tree, space, num, seed, true)
  const seek = await seeks(tree, space, num, seed)
  const tables = tree.tableCount()
  const rssMib = process.memoryUsage.rss() / MIB
  let openMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < OPENS; i++) {
    await tree.close()
    const began = performance.now()
    tree = await open(join(folder, 'tree'), { cache })
    openMs = Math.min(openMs, performance.now() - began)
  }
  await tree.close()
  const merged = await maintenance(join(folder, 'merged'), space, order)
  return {
    ...{ num, insert: insert.wallNs, get, missing, seek, scan: scan.ns, openMs, tables, runs },
    flush: (merged.flushSeconds * 1e9) / num,
    compaction: (merged.compactionSeconds * 1e9) / num,
    rssMib,
  }
}

/** Level 0 holds runs of its own; each other level is one. */
function runsOf(tree: Tree): number {
  const levels = tree.levelSegmentStats().map(({ segmentCount }) => segmentCount)
  return tree.l0RunCount() + levels.slice(1).filter((count) => count > 0).length
}

function readAll(tree: Tree): { readonly rows: number; readonly ns: number } {
  let rows = 0
  const began = performance.now()
  for (const [key, value] of tree.range({})) rows += key.length + value.length > 0 ? 1 : 0
  return { rows, ns: ((performance.now() - began) * 1e6) / Math.max(1, rows) }
}

async function gets(
  tree: Tree,
  space: KeySpace,
  num: number,
  seed: number,
  isMissing: boolean,
): Promise<number> {
  let wallNs = 0
  // The first round warms.
  for (let round = 0; round < 2; round++) {
    const random = new Random(seed + 1)
    const row = await Meter.each('get', Math.min(num, READS), () => {
      const number = random.below(num)
      const key = isMissing ? space.missingKey(number) : space.key(number, 'sequential')
      const value = tree.get(key)
      if ((value === undefined) !== isMissing) throw new Error(`key ${number} reads wrong`)
      return taste(value)
    })
    wallNs = row.wallNs
  }
  return wallNs
}

async function seeks(tree: Tree, space: KeySpace, num: number, seed: number): Promise<number> {
  const random = new Random(seed + 3)
  const row = await Meter.each('seek', Math.min(num, SEEKS), () => {
    let bytes = 0
    const from = space.key(random.below(num), 'sequential')
    for (const [, value] of tree.range({ gte: from, limit: SEEK_STEPS })) bytes += value.length
    return bytes
  })
  return row.wallNs
}

/** Flushes and then merges the same entries, on one thread, one after another. */
async function maintenance(
  folder: string,
  space: KeySpace,
  order: Uint32Array,
): Promise<{ readonly flushSeconds: number; readonly compactionSeconds: number }> {
  const pool = new MaintenancePool({ threads: 1 })
  const tree = await open(folder, {
    ...{ pool, compression: 'none', maintenance: 'manual' },
    strategy: fifo({ limit: Number.MAX_SAFE_INTEGER }),
  })
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now()
    await work()
    return (performance.now() - began) / 1000
  }
  let flushSeconds = 0
  // Brings the worker up, which is no part of a flush.
  tree.insert(space.key(0, 'sequential'), space.value(0))
  await tree.flush()
  for (const [i, number] of order.entries()) {
    if (!tree.insert(space.key(number, 'sequential'), space.value(number)))
      flushSeconds += await seconds(() => tree.flush())
    if (i % TURN === 0) await turn()
  }
  flushSeconds += await seconds(() => tree.flush())
  const compactionSeconds = await seconds(() => tree.majorCompact())
  await tree.close()
  await pool.close()
  return { flushSeconds, compactionSeconds }
}

/** Entries of the round before, whose figures nobody sees: code is compiled and threads are up after it. */
const WARM_ENTRIES = 20_000

/** Every size in turn, each in a folder that goes again. */
export async function runScaling(
  { sizes, seed }: ScalingOptions,
  onRow: (row: ScalingRow) => void = () => undefined,
): Promise<ScalingRow[]> {
  const rows: ScalingRow[] = []
  for (const [turn, num] of [Math.min(WARM_ENTRIES, Math.max(...sizes)), ...sizes].entries()) {
    const folder = mkdtempSync(join(tmpdir(), 'varve-scaling-'))
    try {
      const row = await measure(folder, num, seed)
      if (turn === 0) continue
      rows.push(row)
      onRow(row)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return rows
}

/** The power of n that a cost grew with from one size to another. */
function exponent(from: ScalingRow, to: ScalingRow, curve: Curve): number {
  return Math.log(to[curve] / from[curve]) / Math.log(to.num / from.num)
}

export function scalingLines(rows: readonly ScalingRow[]): string[][] {
  const figure = (value: number): string =>
    value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1)
  const last = rows.at(-1)
  const decade = rows.findLast(({ num }) => last !== undefined && num <= last.num / 10) ?? rows[0]
  const lines = [
    ['', ...rows.map(({ num }) => num.toLocaleString('en-US')), 'grows by n^', 'expected'],
  ]
  for (const [name, { order, unit }] of Object.entries(CURVES)) {
    const curve = name as Curve
    const grown =
      decade === undefined || last === undefined || decade === last
        ? '-'
        : exponent(decade, last, curve).toFixed(2)
    const label = `${curve.replace(/Ms$|Mib$/, '')}, ${unit}`
    lines.push([label, ...rows.map((row) => figure(row[curve])), grown, order])
  }
  lines.push(['tables', ...rows.map(({ tables }) => String(tables)), '', ''])
  lines.push(['sorted runs', ...rows.map(({ runs }) => String(runs)), '', ''])
  return lines
}

const PICTURES = ['scaling-operations', 'scaling-entries', 'scaling-open', 'scaling-memory']

/** Pictures by file name. */
export async function plotScaling(
  rows: readonly ScalingRow[],
  subtitle: readonly string[],
): Promise<[name: string, svg: string][]> {
  const points = (curves: readonly Curve[]): Point[] =>
    curves.flatMap((curve) =>
      rows.map((row) => ({
        series: `${curve.replace(/Ms$|Mib$/, '')}: ${CURVES[curve].order}`,
        x: row.num,
        y: row[curve],
      })),
    )
  const chart = (title: string, y: string, curves: readonly Curve[]): Promise<string> =>
    draw(lineChart({ title, subtitle }, { x: 'entries', y }, points(curves)))
  const entry: Curve[] = ['insert', 'get', 'missing', 'seek']
  const bulk: Curve[] = ['scan', 'flush', 'compaction']
  const charts = [
    await chart('cost of an operation', 'nanoseconds', entry),
    await chart('cost of an entry', 'nanoseconds an entry', bulk),
    await chart('opening', 'milliseconds', ['openMs']),
    await chart('resident memory', 'MiB', ['rssMib']),
  ]
  return PICTURES.map((name, i) => [`${name}.svg`, charts[i] as string])
}

/** From one number to another, three to a decade. */
export function sizesBetween(from: number, to: number): number[] {
  const sizes: number[] = []
  for (let decade = from; decade <= to; decade *= 10) {
    sizes.push(decade)
    if (decade * 3 <= to) sizes.push(decade * 3)
  }
  return sizes
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const args = process.argv.slice(2)
  const { values } = parseArgs({ args, options: { from: text, to: text, out: text, seed: text } })
  const sizes = sizesBetween(toCount(values.from, 10_000), toCount(values.to, 10_000_000))
  const about = {
    command: commandLine('bench:scaling', args),
    machine: machine(),
    date: new Date().toISOString().slice(0, 10),
  }
  const progress = new Progress()
  let done = 0
  const { out } = values
  const write = (line: object): void => {
    if (out !== undefined) appendFileSync(join(out, 'scaling.jsonl'), `${JSON.stringify(line)}\n`)
  }
  if (out !== undefined) {
    mkdirSync(out, { recursive: true })
    writeFileSync(join(out, 'scaling.jsonl'), '')
  }
  write({ about })
  progress.show(done, sizes.length, `${sizes[0]} entries`)
  const rows = await runScaling({ sizes, seed: toCount(values.seed, 1) }, (row) => {
    write(row)
    progress.show(++done, sizes.length, `${sizes[done] ?? ''} entries`)
  })
  progress.clear()
  console.log(`${about.machine}\n${about.command}, ${about.date}\n\n${align(scalingLines(rows))}`)
  if (out === undefined) return
  writeFileSync(
    join(out, 'scaling.md'),
    `# How costs grow\n\n\`${about.command}\`, ${about.machine}, ${about.date}. The exponent is that of the last decade.\n\n` +
      `${markdown(scalingLines(rows))}\n\n${PICTURES.map((name) => `![${name}](${name}.svg)`).join('\n')}\n`,
  )
  const subtitle = [about.command, `${about.machine}, ${about.date}`]
  for (const [name, svg] of await plotScaling(rows, subtitle)) writeFileSync(join(out, name), svg)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
