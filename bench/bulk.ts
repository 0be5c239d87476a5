/**
 * Bulk ingestion: entries in random order and in order, as pairs and as packed chunks, by one worker and by two, in turns,
 * beside native RocksDB's fillseq where it is installed. Run: `npm run bench:bulk -- [--num=5000000] [--rounds=3] [--only=packed]`. Every
 * tree is looked through afterwards; exit code 1 where an entry is missing.
 *
 * Beside the rates it tells what main and the workers used of the processors, and what others did meanwhile: two workers
 * can only be faster than one where there are two processors for them.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type BulkItem, MaintenancePool, open, packEntries } from '../src/main/index.js'
import type { BulkModelReport } from './macro/bulk-model.js'
import { runNative } from './macro/bulk-native.js'
import { KeySpace } from './macro/key-space.js'
import { machine, median } from './macro/report.js'
import { type CpuUse, measureCpu } from './macro/thread-cpu.js'

const MIB = 2 ** 20

/** What a job takes beside its entries: what it writes, indexes, and memory that the collector has not taken back yet. */
const JOB_BYTES = 64 * MIB

export interface BulkBenchOptions {
  readonly num: number
  readonly keyBytes: number
  readonly valueBytes: number
  readonly rounds: number
  /** Only the ways whose names have it. Default: all. */
  readonly only?: string
  /** Told of each figure as it comes. */
  readonly onFigure?: (figure: BulkFigure) => void
}

/** One way of bringing entries in. */
interface Way {
  readonly name: string
  readonly isSorted: boolean
  readonly isPacked: boolean
  readonly threads: number
}

export interface BulkFigure {
  readonly name: string
  readonly entriesPerSecond: number
  readonly cpu: CpuUse
  readonly found: number
}

const WAYS: readonly Way[] = [
  { name: 'random, pairs, 1 worker', isSorted: false, isPacked: false, threads: 1 },
  { name: 'random, pairs, 2 workers', isSorted: false, isPacked: false, threads: 2 },
  { name: 'random, packed, 1 worker', isSorted: false, isPacked: true, threads: 1 },
  { name: 'random, packed, 2 workers', isSorted: false, isPacked: true, threads: 2 },
  { name: 'in order, pairs, 1 worker', isSorted: true, isPacked: false, threads: 1 },
  { name: 'in order, pairs, 2 workers', isSorted: true, isPacked: false, threads: 2 },
  { name: 'in order, packed, 1 worker', isSorted: true, isPacked: true, threads: 1 },
  { name: 'in order, packed, 2 workers', isSorted: true, isPacked: true, threads: 2 },
]

function* pairs(space: KeySpace, num: number, isSorted: boolean): Generator<[Buffer, Buffer]> {
  const order = isSorted ? 'sequential' : 'random'
  // The value's memory is the packer's to read before the next one comes: no copy.
  for (let i = 0; i < num; i++) yield [space.key(i, order), space.value(i)]
}

async function measure(
  way: Way,
  options: BulkBenchOptions,
  chunks: readonly Uint8Array[],
): Promise<BulkFigure> {
  const { num, keyBytes, valueBytes } = options
  const folder = mkdtempSync(join(tmpdir(), 'varve-bulk-'))
  const pool = new MaintenancePool({ threads: way.threads })
  const space = new KeySpace(keyBytes, valueBytes, 1)
  const tree = await open(folder, { pool, maintenance: 'manual' })
  try {
    // The threads run, and have their code.
    await Promise.all([1, 2].map(() => tree.bulkIngest([[space.key(0, 'random'), '']])))
    await tree.clear()
    // Chunks go away with their memory.
    const source: Iterable<BulkItem> = way.isPacked
      ? chunks.map((chunk) => chunk.slice())
      : pairs(space, num, way.isSorted)
    const end = measureCpu()
    const began = performance.now()
    await tree.bulkIngest(source, { sorted: way.isSorted })
    const seconds = (performance.now() - began) / 1000
    const cpu = end()
    return { name: way.name, entriesPerSecond: num / seconds, cpu, found: tree.len() }
  } finally {
    await tree.close()
    await pool.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Every way, in turns: the median of its rounds. */
export async function runBulk(options: BulkBenchOptions): Promise<readonly BulkFigure[]> {
  const figures = new Map<string, BulkFigure[]>()
  for (const isSorted of [false, true]) {
    const { keyBytes, valueBytes, num } = options
    const space = new KeySpace(keyBytes, valueBytes, 1)
    const ways = WAYS.filter(
      ({ isSorted: sorted, name }) => sorted === isSorted && name.includes(options.only ?? ''),
    )
    if (ways.length === 0) continue
    const chunks = [...packEntries(pairs(space, num, isSorted))]
    for (let round = 0; round < options.rounds; round++) {
      for (const way of ways) {
        const figure = await measure(way, options, chunks)
        options.onFigure?.(figure)
        figures.set(way.name, [...(figures.get(way.name) ?? []), figure])
      }
    }
  }
  return [...figures.values()].map(middleOf)
}

/** The round whose rate is the middle one. */
function middleOf(rounds: readonly BulkFigure[]): BulkFigure {
  const sorted = [...rounds].sort((a, b) => a.entriesPerSecond - b.entriesPerSecond)
  const middle = sorted[sorted.length >> 1] as BulkFigure
  return { ...middle, found: Math.min(...rounds.map(({ found }) => found)) }
}

function line({ name, entriesPerSecond, cpu }: BulkFigure, num: number): string {
  const rate = Math.round(entriesPerSecond).toLocaleString('en').padStart(11)
  const own = cpu.main + cpu.others
  const share = own === 0 ? 0 : (100 * cpu.main) / own
  const nanoseconds = (seconds: number): string => `${Math.round((seconds / num) * 1e9)} ns`
  const seconds = num / entriesPerSecond
  return (
    `${name.padEnd(27)} ${rate}/s  main ${nanoseconds(cpu.main)} an entry (${share.toFixed(0)} % of the CPU)  ` +
    `workers ${nanoseconds(cpu.others)}, the busiest ${nanoseconds(cpu.busiest)}  ` +
    `others used ${(cpu.strangers / seconds).toFixed(1)} processors`
  )
}

/** How much faster two workers are, and how much faster they could be where nobody else wants the processors. */
function compare(figures: readonly BulkFigure[], kind: string): string {
  const find = (workers: string): BulkFigure | undefined =>
    figures.find(({ name }) => name === `${kind}, ${workers}`)
  const [one, two] = [find('1 worker'), find('2 workers')]
  if (one === undefined || two === undefined) return ''
  const wall = two.entriesPerSecond / one.entriesPerSecond
  const path = ({ cpu }: BulkFigure): number => Math.max(cpu.main, cpu.busiest)
  const cpu = path(two) === 0 ? 0 : path(one) / path(two)
  // All threads share the processors: collectors, compilers, and those that write files, too.
  const least = (figure: BulkFigure): number =>
    Math.max(path(figure), (figure.cpu.main + figure.cpu.others) / availableParallelism())
  const all = least(two) === 0 ? 0 : least(one) / least(two)
  return (
    `${kind}: two workers ${wall.toFixed(2)} times one; by the CPU time of the busiest thread ${cpu.toFixed(2)}, ` +
    `of all threads on ${availableParallelism()} processors ${all.toFixed(2)}`
  )
}

function printModel(num: number, budgetMib: number): void {
  const script = fileURLToPath(new URL('./macro/bulk-model.js', import.meta.url))
  const text = execFileSync(process.execPath, [script, String(num), String(budgetMib)])
  const { entries, older, budgetBytes, grownBytes, fault } = JSON.parse(
    String(text),
  ) as BulkModelReport
  const count = (n: number): string => n.toLocaleString('en')
  console.log(
    `${count(entries)} shuffled entries and ${count(older)} older ones of their keys: ` +
      `${fault ?? 'equal to the model'}`,
  )
  const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`
  console.log(
    `memory: ${mib(grownBytes)} more at most; the budget for entries is ${mib(budgetBytes)}, and two jobs may take ` +
      `${mib(JOB_BYTES)} each beside it`,
  )
  const isWithin = grownBytes <= budgetBytes + 2 * JOB_BYTES
  if (fault !== undefined || !isWithin) process.exitCode = 1
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      num: { type: 'string', default: '5000000' },
      rounds: { type: 'string', default: '3' },
      budget: { type: 'string', default: '128' },
      only: { type: 'string', default: '' },
    },
  })
  const num = Number(values.num)
  const rounds = Number(values.rounds)
  console.log(machine())
  const onFigure = ({ found, name }: BulkFigure): void => {
    if (found === num) return
    process.exitCode = 1
    console.log(`${name}: ${found} of ${num} entries`)
  }
  const sizes = { keyBytes: 16, valueBytes: 100 }
  const { only } = values
  const figures = await runBulk({ num, rounds, only, ...sizes, onFigure })
  for (const figure of figures) console.log(line(figure, num))
  for (const kind of ['random, pairs', 'random, packed', 'in order, pairs', 'in order, packed']) {
    const line = compare(figures, kind)
    if (line !== '') console.log(line)
  }
  if (only !== '') return
  const rate = median(await runNative(num, rounds))
  if (rate === undefined) console.log('db_bench is not installed: no comparison with RocksDB')
  else {
    console.log(
      `${'native RocksDB, fillseq'.padEnd(27)} ${Math.round(rate).toLocaleString('en').padStart(11)}/s`,
    )
    for (const { name, entriesPerSecond } of figures.filter((one) => one.name.startsWith('in'))) {
      console.log(`${name}: ${(entriesPerSecond / rate).toFixed(2)} times that`)
    }
  }
  printModel(num, Number(values.budget))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
