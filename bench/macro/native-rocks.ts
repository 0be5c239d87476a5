/**
 * RocksDB's side of the peer bench: each workload as a run of `db_bench` on one folder, with the same keys, the same sizes
 * and the same cache as the others. Where it reads, an untimed round of reads fills the cache first, as for all.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Contestant } from './contestant.js'
import {
  bytesWrittenIn,
  type DbBenchLine,
  type DbBenchRun,
  eventsOf,
  runDbBench,
  tableBytes,
} from './db-bench.js'
import { filterFigures, type Measurement } from './meter.js'
import type { StageOptions } from './stage.js'
import { FLUSH_ENTRIES_MAX } from './workloads/maintenance.js'
import { SEEK_STEPS } from './workloads/scans.js'

const MULTIGET_KEYS = 100
/** Distinct keys among as many as there are, drawn with repetition. */
const DISTINCT_SHARE = 1 - Math.exp(-1)

/** db_bench's name of a workload that reads, and the flags that belong to it. */
const READS: Readonly<Record<string, readonly [benchmark: string, ...flags: string[]]>> = {
  readrandom: ['readrandom'],
  'readrandom-small-cache': ['readrandom'],
  readmissing: ['readmissing'],
  readseq: ['readseq'],
  readreverse: ['readreverse'],
  seekrandom: ['seekrandom', `--seek_nexts=${SEEK_STEPS}`],
  multiget: ['multireadrandom', '--multiread_batched', `--batch_size=${MULTIGET_KEYS}`],
  readwhilewriting: ['readwhilewriting'],
  readrandomwriterandom: ['readrandomwriterandom', '--readwritepercent=50'],
}

export class NativeRocks implements Contestant {
  readonly name: string
  readonly #folder: string
  readonly #options: StageOptions
  #isLoaded = false

  constructor(name: string, folder: string, options: StageOptions) {
    this.name = name
    this.#folder = folder
    this.#options = options
  }

  async run(workload: string, withLatencies: boolean): Promise<readonly Measurement[] | undefined> {
    mkdirSync(this.#folder, { recursive: true })
    if (workload === 'fillseq') return this.#fillseq(withLatencies)
    if (workload === 'fillrandom') return this.#fillrandom(withLatencies)
    if (workload === 'overwrite') return this.#overwrite(withLatencies)
    if (workload === 'flush') return this.#flush()
    if (workload === 'compact') return this.#compact()
    return workload in READS ? this.#read(workload, withLatencies) : undefined
  }

  async close(): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #run(
    benchmarks: readonly string[],
    flags: readonly string[] = [],
    num = this.#options.num,
  ): Promise<DbBenchRun | undefined> {
    const { keySize, valueSize, cacheBytes } = this.#options
    return runDbBench([
      ...[`--benchmarks=${benchmarks.join(',')}`, `--num=${num}`],
      ...[`--key_size=${keySize}`, `--value_size=${valueSize}`, `--cache_size=${cacheBytes}`],
      ...['--disable_wal=1', '--compression_type=none', '--bloom_bits=10', '--threads=1'],
      ...flags,
    ])
  }

  /** Runs in a folder of its own, which goes afterwards. */
  async #fresh<T>(work: (db: string) => Promise<T>): Promise<T> {
    const db = join(this.#folder, 'fresh')
    rmSync(db, { recursive: true, force: true })
    try {
      return await work(db)
    } finally {
      rmSync(db, { recursive: true, force: true })
    }
  }

  /** The percentiles come from a run apart: taking them slows db_bench. */
  async #latencies(
    isWanted: boolean,
    benchmark: string,
    run: (flags: readonly string[]) => Promise<DbBenchRun | undefined>,
  ): Promise<Partial<Measurement>> {
    if (!isWanted) return {}
    const line = (await run(['--histogram=1']))?.lines.get(benchmark)
    if (line === undefined) return {}
    const { p50Ns, p99Ns, p999Ns, maxNs } = line
    return { p50Ns, p99Ns, p999Ns, maxNs }
  }

  async #fillseq(withLatencies: boolean): Promise<Measurement[] | undefined> {
    const fill = (flags: readonly string[]) =>
      this.#fresh((db) => this.#run(['fillseq'], [`--db=${db}`, ...flags]))
    const run = await fill([])
    if (run === undefined) return undefined
    const latencies = await this.#latencies(withLatencies, 'fillseq', fill)
    return [{ ...measured('fillseq', run, 'fillseq'), ...latencies }]
  }

  /** With what follows until nothing is left to do, whose end its LOG tells: db_bench itself waits in long steps. */
  async #fillrandom(withLatencies: boolean): Promise<Measurement[] | undefined> {
    const { num, keySize, valueSize, seed } = this.#options
    const seeded = `--seed=${seed}`
    const rows = await this.#fresh(async (db): Promise<Measurement[] | undefined> => {
      const benchmarks = ['fillrandom', 'flush', 'waitforcompaction']
      const run = await this.#run(benchmarks, [`--db=${db}`, seeded])
      if (run === undefined) return undefined
      const fill = measured('fillrandom', run, 'fillrandom')
      const events = eventsOf(db)
      const asked = events.find(({ flush_reason }) => flush_reason === 'Manual Flush')
      const last = events.filter(({ event }) => event.endsWith('_finished')).at(-1)
      const restNs = ((last?.time_micros ?? 0) - (asked?.time_micros ?? 0)) * 1000
      const bytesWritten = bytesWrittenIn(events)
      const entryBytes = keySize + valueSize
      const settled: Measurement = {
        ...fill,
        name: 'fillrandom+idle',
        wallNs: fill.wallNs + Math.max(0, restNs) / num,
        bytesWritten,
        writeAmplification: bytesWritten / (num * entryBytes),
        spaceAmplification: tableBytes(db) / (num * DISTINCT_SHARE * entryBytes),
      }
      return [fill, settled]
    })
    if (rows === undefined) return undefined
    const [fill, settled] = rows as [Measurement, Measurement]
    const latencies = await this.#latencies(withLatencies, 'fillrandom', (flags) =>
      this.#fresh((db) => this.#run(['fillrandom'], [`--db=${db}`, seeded, ...flags])),
    )
    return [{ ...fill, ...latencies }, settled]
  }

  /** Every key once, merged. False where there is no db_bench. */
  async #load(): Promise<boolean> {
    const db = this.#loadedFolder
    if (this.#isLoaded && existsSync(db)) return true
    rmSync(db, { recursive: true, force: true })
    const run = await this.#run(['filluniquerandom', 'compact'], [`--db=${db}`])
    this.#isLoaded = run !== undefined
    return this.#isLoaded
  }

  get #loadedFolder(): string {
    return join(this.#folder, 'loaded')
  }

  async #read(workload: string, withLatencies: boolean): Promise<Measurement[] | undefined> {
    if (!(await this.#load())) return undefined
    const [benchmark, ...flags] = READS[workload] as readonly [string, ...string[]]
    const { num, keySize, valueSize, reads } = this.#options
    const isScan = benchmark === 'readseq' || benchmark === 'readreverse'
    const isSmall = workload === 'readrandom-small-cache'
    const cacheBytes = Math.max(2 ** 20, Math.ceil((num * (keySize + valueSize)) / 4))
    // Warming takes --reads as well, and gets cover the cache better than seeks do.
    const count = isScan
      ? num
      : benchmark === 'seekrandom'
        ? Math.max(1, reads / SEEK_STEPS)
        : reads
    const warm = benchmark === 'seekrandom' ? Array(SEEK_STEPS).fill('readrandom') : ['readrandom']
    const run = (more: readonly string[]) =>
      this.#run(
        [...warm, benchmark],
        [
          ...[`--db=${this.#loadedFolder}`, '--use_existing_db=1', ...flags, ...more],
          ...(isScan ? [] : [`--reads=${Math.ceil(count)}`]),
          ...(isSmall ? [`--cache_size=${cacheBytes}`] : []),
        ],
      )
    const plain = await run([])
    if (plain === undefined) return undefined
    const isMissing = workload === 'readmissing'
    const told = withLatencies
      ? await run(isMissing ? ['--histogram=1', '--statistics=1'] : ['--histogram=1'])
      : undefined
    const { p50Ns, p99Ns, p999Ns, maxNs } =
      told?.lines.get(benchmark) ?? ({} as Partial<DbBenchLine>)
    return [
      {
        ...measured(workload, plain, benchmark),
        ...(told === undefined ? {} : { p50Ns, p99Ns, p999Ns, maxNs }),
        ...(isMissing && told !== undefined ? this.#filterFigures(told) : {}),
      },
    ]
  }

  #filterFigures(run: DbBenchRun): Partial<Measurement> {
    const kept = run.counter('bloom.filter.useful')
    const passed =
      run.counter('bloom.filter.full.positive') - run.counter('bloom.filter.full.true.positive')
    const tables = eventsOf(this.#loadedFolder).flatMap(
      ({ table_properties }) => table_properties ?? [],
    )
    const bytes = tables.reduce((sum, { filter_size }) => sum + (filter_size ?? 0), 0)
    const keys = tables.reduce((sum, { num_entries }) => sum + (num_entries ?? 0), 0)
    const bits = keys === 0 ? undefined : (bytes * 8) / keys
    return filterFigures(bits, passed, kept)
  }

  async #overwrite(withLatencies: boolean): Promise<Measurement[] | undefined> {
    if (!(await this.#load())) return undefined
    const run = (flags: readonly string[]) =>
      this.#run(['overwrite'], [`--db=${this.#loadedFolder}`, '--use_existing_db=1', ...flags])
    const plain = await run([])
    if (plain === undefined) return undefined
    const latencies = await this.#latencies(withLatencies, 'overwrite', run)
    this.#isLoaded = false
    return [{ ...measured('overwrite', plain, 'overwrite'), ...latencies }]
  }

  /** The flush of a second full buffer in one process, by its LOG: db_bench does not time it. */
  #flush(): Promise<Measurement[] | undefined> {
    const { keySize, valueSize } = this.#options
    const num = Math.min(FLUSH_ENTRIES_MAX, this.#options.num)
    return this.#fresh(async (db) => {
      const work = ['filluniquerandom', 'flush']
      const run = await this.#run([...work, ...work], [`--db=${db}`], num)
      if (run === undefined) return undefined
      const events = eventsOf(db)
      const began = events.findLast(({ event }) => event === 'flush_started')
      const ended = events.findLast(
        ({ event, job }) => event === 'flush_finished' && job === began?.job,
      )
      if (began === undefined || ended === undefined) return undefined
      const seconds = (ended.time_micros - began.time_micros) / 1e6
      const bytes = num * (keySize + valueSize)
      return [
        {
          ...{ name: 'flush', operations: num, wallNs: (seconds * 1e9) / num },
          bytesPerSecond: bytes / seconds,
        },
      ]
    })
  }

  /** The merge of everything that was flushed, by its LOG. */
  #compact(): Promise<Measurement[] | undefined> {
    const { num } = this.#options
    return this.#fresh(async (db) => {
      const flags = [`--db=${db}`, '--disable_auto_compactions=1']
      const filled = await this.#run(['filluniquerandom', 'flush'], flags)
      if (filled === undefined) return undefined
      await this.#run(['compact'], [...flags, '--use_existing_db=1'])
      const events = eventsOf(db)
      const sum = (of: (event: (typeof events)[number]) => number | undefined): number =>
        events.reduce((total, event) => total + (of(event) ?? 0), 0)
      const seconds = sum((event) => event.compaction_time_micros) / 1e6
      const bytes = sum((event) =>
        event.event === 'compaction_started' ? event.input_data_size : 0,
      )
      return [
        {
          ...{ name: 'compact', operations: num, wallNs: (seconds * 1e9) / num },
          bytesPerSecond: bytes / seconds,
        },
      ]
    })
  }
}

function measured(name: string, run: DbBenchRun, benchmark: string): Measurement {
  const line = run.lines.get(benchmark)
  if (line === undefined) throw new Error(`db_bench says nothing of ${benchmark}`)
  const { nanoseconds, operations } = line
  return { name, operations, wallNs: nanoseconds, rssBytes: run.rssBytes }
}
