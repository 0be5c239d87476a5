/**
 * The same work on varve and on its peers, in turns in one run, medians of several rounds. Run: `npm install --prefix
 * bench/peers`, then `npm run bench:peers -- [--num=1000000] [--rounds=3] [--cache-mb=256]`.
 *
 * A peer that is not installed is left out. Nothing is synced on a write, each has the same cache, and what is read goes
 * into a checksum that must be the same for all. Writes go one by one into varve; the others get them in batches or
 * transactions of 1000, which favours them. The native db_bench of rocksdb-tools runs at the end of each round where it is
 * installed.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CONTENDERS, type Contender } from './macro/contenders.js'
import { KeySpace, Random } from './macro/key-space.js'
import { mix } from './macro/meter.js'
import { machine, median } from './macro/report.js'

const SEEK_STEPS = 10

export interface PeerOptions {
  readonly num: number
  readonly rounds: number
  readonly cacheBytes: number
  readonly seed: number
}

/** Nanoseconds an operation, by engine and workload; in rounds. */
type Figures = Map<string, Map<string, number[]>>

type Note = (workload: string, nanoseconds: number, checksum: number) => void

class PeerRound {
  readonly #options: PeerOptions
  readonly #space: KeySpace
  readonly #note: Note

  constructor(options: PeerOptions, note: Note) {
    this.#options = options
    this.#space = new KeySpace(16, 100, options.seed)
    this.#note = note
  }

  async run(store: Contender): Promise<void> {
    const { num } = this.#options
    const reads = Math.min(num, 200_000)
    await this.#time('fillrandom', num, async () => {
      await this.#fill(store)
      return num
    })
    await this.#time('+settled', num, async () => {
      await store.settle()
      return num
    })
    this.#read(store, reads, 0)
    await this.#time('readrandom', reads, async () => this.#read(store, reads, 0))
    await this.#time('readmissing', reads, async () => this.#read(store, reads, num))
    await this.#time('readseq', num, () => this.#scan(store, false))
    await this.#time('readreverse', num, () => this.#scan(store, true))
    const seeks = Math.max(1, reads / SEEK_STEPS)
    await this.#time('seekrandom', seeks, () => this.#seek(store, seeks))
  }

  async #time(workload: string, operations: number, work: () => Promise<number>): Promise<void> {
    const start = performance.now()
    const checksum = await work()
    this.#note(workload, ((performance.now() - start) * 1e6) / operations, checksum)
  }

  async #fill(store: Contender): Promise<void> {
    const { num } = this.#options
    for (let i = 0; i < num; i++) {
      const wait = store.put(this.#space.keyCopy(i, 'random'), this.#space.value(i))
      if (wait !== undefined) await wait
    }
  }

  #read(store: Contender, reads: number, from: number): number {
    const { num, seed } = this.#options
    const random = new Random(seed)
    let checksum = 0
    for (let i = 0; i < reads; i++) {
      const value = store.get(this.#space.key(from + random.below(num), 'random'))
      checksum = mix(checksum, value === undefined ? -1 : (value[50] as number))
    }
    return checksum
  }

  async #scan(store: Contender, isReverse: boolean): Promise<number> {
    let checksum = 0
    const rows = store.rows(undefined, isReverse)
    // Awaiting each row of a synchronous iterator would time the promises.
    if (Symbol.iterator in rows) {
      for (const [key, value] of rows) checksum = mix(checksum, taste(key, value))
    } else {
      for await (const [key, value] of rows) checksum = mix(checksum, taste(key, value))
    }
    return checksum
  }

  async #seek(store: Contender, seeks: number): Promise<number> {
    const random = new Random(this.#options.seed + 3)
    let checksum = 0
    for (let i = 0; i < seeks; i++) {
      const rows = store.rows(this.#space.keyCopy(random.below(this.#options.num), 'random'), false)
      let left = SEEK_STEPS
      if (Symbol.iterator in rows) {
        for (const [key, value] of rows) {
          checksum = mix(checksum, taste(key, value))
          if (--left === 0) break
        }
      } else {
        for await (const [key, value] of rows) {
          checksum = mix(checksum, taste(key, value))
          if (--left === 0) break
        }
      }
    }
    return checksum
  }
}

function taste(key: Uint8Array, value: Uint8Array): number {
  return (key[1] as number) + (value[50] as number)
}

/** db_bench's names for the workloads; it fills in one run and reads in the next, from one folder. */
const NATIVE_RUNS: readonly (readonly string[])[] = [
  ['fillrandom', 'compact'],
  ['readrandom', 'readrandom', 'readmissing', 'readseq', 'readreverse', 'seekrandom'],
]

/** Runs the native db_bench; undefined where it is not installed. */
function runNative(folder: string, options: PeerOptions): Map<string, number> | undefined {
  const figures = new Map<string, number>()
  for (const [number, benchmarks] of NATIVE_RUNS.entries()) {
    const { status, stdout } = spawnSync(
      'db_bench',
      [
        ...[`--db=${folder}`, `--benchmarks=${benchmarks.join(',')}`, `--num=${options.num}`],
        ...['--key_size=16', '--value_size=100', '--disable_wal=1', '--compression_type=none'],
        ...['--bloom_bits=10', '--threads=1', `--cache_size=${options.cacheBytes}`],
        ...[`--seek_nexts=${SEEK_STEPS}`, `--reads=${Math.min(options.num, 200_000)}`],
        ...(number === 0 ? [] : ['--use_existing_db=1']),
      ],
      { encoding: 'utf8' },
    )
    if (status !== 0) return undefined
    // The last run of a name counts: the first one fills the cache.
    for (const [, name, microseconds] of stdout.matchAll(/^(\w+) +: +([\d.]+) micros\/op/gm)) {
      figures.set(name as string, Number(microseconds) * 1000)
    }
  }
  return figures
}

function note(figures: Figures, engine: string, workload: string, nanoseconds: number): void {
  let workloads = figures.get(engine)
  if (workloads === undefined) {
    workloads = new Map()
    figures.set(engine, workloads)
  }
  const rounds = workloads.get(workload)
  if (rounds === undefined) workloads.set(workload, [nanoseconds])
  else rounds.push(nanoseconds)
}

/** Runs all rounds. @throws where two engines read different things */
export async function runPeers(options: PeerOptions, hasNative: boolean): Promise<Figures> {
  const figures: Figures = new Map()
  const checksums = new Map<string, number>()
  const missing = new Set<string>()
  for (let round = 0; round < options.rounds; round++) {
    for (const kind of CONTENDERS) {
      const folder = mkdtempSync(join(tmpdir(), 'varve-peers-'))
      try {
        const store = await kind.open(join(folder, 'store'), options.cacheBytes)
        if (store === undefined) {
          missing.add(kind.name)
          continue
        }
        const one = new PeerRound(options, (workload, nanoseconds, checksum) => {
          note(figures, kind.name, workload, nanoseconds)
          const expected = checksums.get(workload)
          if (expected !== undefined && expected !== checksum)
            throw new Error(`${kind.name} came to a different result in ${workload}`)
          checksums.set(workload, checksum)
        })
        await one.run(store)
        await store.close()
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
    if (!hasNative) continue
    const folder = mkdtempSync(join(tmpdir(), 'varve-peers-'))
    const native = runNative(folder, options)
    rmSync(folder, { recursive: true, force: true })
    if (native === undefined) missing.add('db_bench')
    for (const [workload, nanoseconds] of native ?? [])
      note(figures, 'RocksDB (native)', workload, nanoseconds)
  }
  if (missing.size > 0) {
    console.log(
      `not installed: ${[...missing].join(', ')}; npm install --prefix bench/peers brings the packages, ` +
        'rocksdb-tools of the system the native db_bench',
    )
  }
  return figures
}

function print(figures: Figures): void {
  const workloads = [...(figures.get('varve')?.keys() ?? [])]
  const names = [...figures.keys()]
  const cell = (engine: string, workload: string): string => {
    const middle = median(figures.get(engine)?.get(workload) ?? [])
    const own = median(figures.get('varve')?.get(workload) ?? [])
    if (middle === undefined || own === undefined) return '-'
    return `${Math.round(middle).toLocaleString('en-US')} (${(middle / own).toFixed(2)} x)`
  }
  console.log(['ns/op'.padEnd(14), ...names.map((name) => name.padStart(22))].join(''))
  for (const workload of workloads) {
    console.log(
      [workload.padEnd(14), ...names.map((name) => cell(name, workload).padStart(22))].join(''),
    )
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: { num: text, rounds: text, 'cache-mb': text, seed: text },
  })
  const options = {
    num: Number((values.num ?? '1000000').replaceAll('_', '')),
    rounds: Number(values.rounds ?? 3),
    cacheBytes: Number(values['cache-mb'] ?? 256) * 2 ** 20,
    seed: Number(values.seed ?? 1),
  }
  console.log(machine())
  console.log(`${options.num} entries of 16 + 100 bytes, medians of ${options.rounds} rounds`)
  console.log('in brackets: times the nanoseconds of varve; above 1, varve is faster')
  print(await runPeers(options, true))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
