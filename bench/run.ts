/**
 * The macro bench: the workloads that people know from db_bench and YCSB, on a fresh folder, in medians of several rounds.
 * `npm run bench -- --help`, or `npx varve bench --help`, tells the options.
 *
 * Nothing is synced on a write; everything else is as a user gets it. Each workload's results are held against what they
 * must be, and a checksum of them is printed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Measurement, samplingCostNs } from './macro/meter.js'
import { toCount, toList } from './macro/options.js'
import { Progress } from './macro/progress.js'
import { formatTable, machine, medians, memoryUse } from './macro/report.js'
import { Stage, type StageOptions } from './macro/stage.js'
import { varve } from './macro/stores/varve.js'
import { WORKLOADS, workloadNamed } from './macro/workloads/index.js'
import type { Workload } from './macro/workloads/workload.js'

export interface BenchOptions extends StageOptions {
  readonly rounds: number
  /** Names of workloads; empty for all. */
  readonly workloads: readonly string[]
  /** Numbers of reader threads; the usual ones where left out. */
  readonly threads?: readonly number[] | undefined
}

const USAGE = 2

/** Bytes of keys and values where no number of entries is given and they are larger than usual. */
const DATA_BYTES = 128 * 2 ** 20
const NUM = 1_000_000
const NUM_MIN = 200
const READS_MAX = 500_000

function chosenWorkloads({ workloads, threads }: BenchOptions): readonly Workload[] {
  const chosen = workloads.length === 0 ? WORKLOADS : workloads.map(workloadNamed)
  if (threads === undefined) return chosen
  const others = chosen.filter(({ name }) => !name.startsWith('threads-'))
  // Without names of workloads they take the place of the usual ones.
  const asked = threads.map((count) => workloadNamed(`threads-${count}`))
  const at = chosen.findIndex(({ name }) => name.startsWith('threads-'))
  return at < 0 ? [...others, ...asked] : [...chosen.slice(0, at), ...asked, ...others.slice(at)]
}

/** Runs all rounds: the medians. @throws where a workload came to wrong results */
export async function runBench(
  options: BenchOptions,
  onStep: (done: number, all: number, what: string) => void = () => undefined,
): Promise<Measurement[]> {
  const chosen = chosenWorkloads(options)
  const rows: Measurement[] = []
  let done = 0
  for (let round = 0; round < options.rounds; round++) {
    const folder = mkdtempSync(join(tmpdir(), 'varve-bench-'))
    const stage = new Stage(varve, folder, options)
    try {
      for (const workload of chosen) {
        onStep(done++, options.rounds * chosen.length, workload.name)
        rows.push(...((await stage.run(workload)) ?? []))
      }
    } finally {
      await stage.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return medians(rows)
}

const HELP = `varve bench: measures the engine on this machine

  --num=N            entries (default 1,000,000; fewer where values are large); k and m may follow a number
  --key-size=16      bytes of a key, at least 8
  --value-size=100   bytes of a value; several sizes, with commas between, are run one after another
  --cache-mb=256     block cache
  --compression=C    none, lz4, zstd, zstd:LEVEL (default: as a user gets it)
  --reads=N          operations of workloads that read (default: as many as entries, 500,000 at most)
  --threads=1,2,4    numbers of threads that read at once, one after another
  --rounds=3         each figure is the median of so many
  --seed=1           of all that is random
  --workloads=a,b    some of those below (default: all)
  --json             a line of JSON for each workload

${WORKLOADS.map(({ name, summary }) => `  ${name.padEnd(24)}${summary}`).join('\n')}
`

interface CommandLine {
  readonly sizes: readonly BenchOptions[]
  readonly isJson: boolean
}

/** Reads the command line; undefined where only help is wanted. @throws RangeError, TypeError for what cannot be */
function parseOptions(args: readonly string[]): CommandLine | undefined {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ num: text, 'key-size': text, 'value-size': text, 'cache-mb': text, reads: text },
      ...{ workloads: text, seed: text, rounds: text, compression: text, threads: text },
      ...{ json: flag, help: flag },
    },
  })
  if (values.help === true) return undefined
  const workloads = toList(values.workloads)
  for (const name of workloads) workloadNamed(name)
  if (values.compression !== undefined && !/^(none|lz4|zstd(:\d+)?)$/.test(values.compression))
    throw new RangeError(`no compression ${values.compression}`)
  const threads =
    values.threads === undefined
      ? undefined
      : toList(values.threads).map((count) => toCount(count, 1))
  for (const count of threads ?? []) workloadNamed(`threads-${count}`)
  const keySize = toCount(values['key-size'], 16)
  if (keySize < 8) throw new RangeError('--key-size is 8 at least')
  const sizes = toList(values['value-size'] ?? '100').map((given) => {
    const valueSize = toCount(given, 100)
    const fitting = Math.floor(DATA_BYTES / (keySize + valueSize))
    const num = toCount(values.num, Math.max(NUM_MIN, Math.min(NUM, fitting)))
    return {
      ...{ num, keySize, valueSize, workloads, threads, compression: values.compression },
      cacheBytes: toCount(values['cache-mb'], 256) * 2 ** 20,
      reads: toCount(values.reads, Math.min(num, READS_MAX)),
      seed: toCount(values.seed, 1),
      rounds: toCount(values.rounds, 3),
    }
  })
  return { sizes, isJson: values.json === true }
}

/** The command: its exit code. 1 where results were wrong, 2 where the command line was. */
export async function benchCommand(args: readonly string[]): Promise<number> {
  let command: CommandLine | undefined
  try {
    command = parseOptions(args)
  } catch (error) {
    console.error(`varve bench: ${(error as Error).message}\n--help tells what there is`)
    return USAGE
  }
  if (command === undefined) {
    console.log(HELP)
    return 0
  }
  const progress = new Progress()
  const cost = samplingCostNs().toFixed(1)
  if (!command.isJson)
    console.log(
      `${machine()}\nnanoseconds; latencies are sampled, which adds ${cost} ns an operation`,
    )
  for (const options of command.sizes) {
    try {
      const rows = await runBench(options, (done, all, what) => progress.show(done, all, what))
      progress.clear()
      print(rows, options, command.isJson)
    } catch (error) {
      progress.clear()
      console.error(`varve bench: ${(error as Error).message}`)
      return 1
    }
  }
  return 0
}

function print(rows: readonly Measurement[], options: BenchOptions, isJson: boolean): void {
  const { num, keySize, valueSize, cacheBytes, rounds } = options
  if (isJson) {
    for (const row of rows) console.log(JSON.stringify({ ...row, num, keySize, valueSize }))
    return
  }
  const memory = memoryUse()
  console.log(
    `\n${num} entries of ${keySize} + ${valueSize} bytes, cache ${cacheBytes / 2 ** 20} MiB, ${rounds} rounds`,
  )
  console.log(formatTable(rows))
  console.log(`RSS ${memory.rssMib} MiB, JavaScript heap ${memory.heapMib} MiB`)
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = await benchCommand(process.argv.slice(2))
