/**
 * The macro bench: db_bench's workloads on a fresh folder, in medians of several rounds. Run: `npm run bench -- [--num=N]
 * [--key-size=16] [--value-size=100] [--cache-mb=256] [--reads=N] [--workloads=a,b] [--seed=1] [--rounds=3] [--json]`.
 *
 * Nothing is synced on a write; everything else is as a user gets it. A checksum of the results is printed with each
 * workload and must be the same in all rounds.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Cache, type OpenOptions, open, type Tree } from '../src/main/index.js'
import { type KeyOrder, KeySpace } from './macro/key-space.js'
import { type Measurement, Meter } from './macro/meter.js'
import { formatTable, machine, medians, memoryUse } from './macro/report.js'
import * as workload from './macro/workloads.js'

export interface BenchOptions {
  /** Entries. */
  readonly num: number
  readonly keySize: number
  readonly valueSize: number
  /** Block cache of the workloads that are to find everything cached. */
  readonly cacheMb: number
  /** Operations of the read workloads. */
  readonly reads: number
  readonly seed: number
  readonly rounds: number
  /** Names of workloads to print; empty for all. Those that others need run all the same. */
  readonly workloads: readonly string[]
}

/** Entries that one write buffer holds with room to spare. */
const MEMTABLE_ENTRIES_MAX = 200_000

/** The small cache holds this part of the data. */
const SMALL_CACHE_SHARE = 1 / 4

type Groups = 'memtable' | 'sequential' | 'random'

/** Which workloads each group of them runs. */
const GROUPS: Readonly<Record<Groups, readonly string[]>> = {
  memtable: ['memtable-insert', 'memtable-get', 'memtable-missing', 'memtable-scan', 'flush'],
  sequential: ['fillseq', 'fillseq+idle'],
  random: [
    ...['fillrandom', 'fillrandom+idle', 'overwrite', 'overwrite+idle', 'compact', 'open'],
    ...['readrandom', 'readmissing', 'readseq', 'readreverse', 'seekrandom', 'multiget'],
    'readrandom-small-cache',
  ],
}

class Round {
  readonly #options: BenchOptions
  readonly #space: KeySpace
  readonly #folder: string
  readonly #rows: Measurement[]

  constructor(options: BenchOptions, folder: string, rows: Measurement[]) {
    this.#options = options
    this.#folder = folder
    this.#rows = rows
    this.#space = new KeySpace(options.keySize, options.valueSize, options.seed)
  }

  async run(): Promise<void> {
    if (this.#wants('memtable')) await this.#memtable()
    if (this.#wants('sequential')) await this.#sequential()
    if (this.#wants('random')) await this.#random()
  }

  /** One write buffer, nothing in tables; then its flush. */
  async #memtable(): Promise<void> {
    const num = Math.min(this.#options.num, MEMTABLE_ENTRIES_MAX)
    await using tree = await this.#open('memtable', { maintenance: 'manual' })
    const bench = this.#bench(tree, num, 'random')
    this.#add(await workload.fill('memtable-insert', bench))
    this.#add(workload.readRandom('memtable-get', bench))
    this.#add(workload.readMissing('memtable-missing', bench))
    this.#add(await workload.readAll('memtable-scan', bench, false))
    this.#add(await workload.flush('flush', bench))
  }

  async #sequential(): Promise<void> {
    await using tree = await this.#open('sequential')
    const bench = this.#bench(tree, this.#options.num, 'sequential')
    await this.#fillToIdle('fillseq', tree, () => workload.fill('fillseq', bench))
  }

  async #random(): Promise<void> {
    const { num, cacheMb } = this.#options
    using cache = new Cache({ capacityBytes: cacheMb * 2 ** 20 })
    {
      await using tree = await this.#open('random', { cache })
      const bench = this.#bench(tree, num, 'random')
      await this.#fillToIdle('fillrandom', tree, () => workload.fill('fillrandom', bench))
      await this.#fillToIdle('overwrite', tree, () => workload.overwrite('overwrite', bench))
      await tree.flush()
      await tree.idle()
      this.#add(await workload.compact('compact', bench))
    }
    this.#add(
      await Meter.whole('open', async () => {
        await using tree = await this.#open('random', { cache })
        return { operations: 1, checksum: tree.tableCount() > 0 ? 1 : 0 }
      }),
    )
    {
      await using tree = await this.#open('random', { cache })
      const bench = this.#bench(tree, num, 'random')
      // Fills the cache, so that what follows finds everything there.
      workload.readRandom('warm', bench)
      this.#add(workload.readRandom('readrandom', bench))
      this.#add(workload.readMissing('readmissing', bench))
      this.#add(await workload.readAll('readseq', bench, false))
      this.#add(await workload.readAll('readreverse', bench, true))
      this.#add(workload.seekRandom('seekrandom', bench))
      this.#add(await workload.multiGet('multiget', bench))
    }
    const bytes = num * (this.#options.keySize + this.#options.valueSize)
    const capacityBytes = Math.ceil(Math.max(2 ** 20, bytes * SMALL_CACHE_SHARE))
    using small = new Cache({ capacityBytes })
    await using tree = await this.#open('random', { cache: small })
    const bench = this.#bench(tree, num, 'random')
    workload.readRandom('warm', bench)
    this.#add(workload.readRandom('readrandom-small-cache', bench))
  }

  /** Times a fill alone, and again with the maintenance that it leaves behind. */
  async #fillToIdle(name: string, tree: Tree, fill: () => Promise<Measurement>): Promise<void> {
    const whole = await Meter.whole(`${name}+idle`, async () => {
      const alone = await fill()
      this.#add(alone)
      await tree.idle()
      return { operations: alone.operations, checksum: alone.checksum }
    })
    this.#add(whole)
  }

  async #open(name: string, options: OpenOptions = {}): Promise<Tree> {
    return open(join(this.#folder, name), options)
  }

  #bench(tree: Tree, count: number, order: KeyOrder): workload.Bench {
    const { seed, reads } = this.#options
    return { tree, space: this.#space, count, order, seed, reads }
  }

  #wants(group: Groups): boolean {
    const { workloads } = this.#options
    return workloads.length === 0 || GROUPS[group].some((name) => workloads.includes(name))
  }

  #add(row: Measurement): void {
    const { workloads } = this.#options
    if (workloads.length === 0 || workloads.includes(row.name)) this.#rows.push(row)
  }
}

/** Runs all rounds: the medians. */
export async function runBench(options: BenchOptions): Promise<Measurement[]> {
  const rows: Measurement[] = []
  for (let round = 0; round < options.rounds; round++) {
    const folder = mkdtempSync(join(tmpdir(), 'varve-bench-'))
    try {
      await new Round(options, folder, rows).run()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return medians(rows)
}

/** Reads the command line. */
function parseOptions(args: string[]): { options: BenchOptions; isJson: boolean } {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      ...{ num: text, 'key-size': text, 'value-size': text, 'cache-mb': text, reads: text },
      ...{ workloads: text, seed: text, rounds: text, json: { type: 'boolean' } as const },
    },
  })
  const number = (given: string | undefined, fallback: number): number => {
    const value = given === undefined ? fallback : Number(given.replaceAll('_', ''))
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`not a count: ${given}`)
    return value
  }
  const num = number(values.num, 1_000_000)
  const workloads = values.workloads?.split(',') ?? []
  const known = Object.values(GROUPS).flat()
  for (const name of workloads) {
    if (!known.includes(name)) throw new RangeError(`no workload ${name}; there are ${known}`)
  }
  const options = {
    num,
    keySize: number(values['key-size'], 16),
    valueSize: number(values['value-size'], 100),
    cacheMb: number(values['cache-mb'], 256),
    reads: number(values.reads, Math.min(num, 500_000)),
    seed: number(values.seed, 1),
    rounds: number(values.rounds, 3),
    workloads,
  }
  return { options, isJson: values.json === true }
}

async function main(): Promise<void> {
  const { options, isJson } = parseOptions(process.argv.slice(2))
  const rows = await runBench(options)
  const memory = memoryUse()
  if (isJson) {
    console.log(JSON.stringify({ machine: machine(), options, memory, rows }))
    return
  }
  const { num, keySize, valueSize, cacheMb, rounds } = options
  console.log(machine())
  console.log(
    `${num} entries of ${keySize} + ${valueSize} bytes, cache ${cacheMb} MiB, ${rounds} rounds`,
  )
  console.log(formatTable(rows))
  console.log(`RSS ${memory.rssMib} MiB, JavaScript heap ${memory.heapMib} MiB`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
