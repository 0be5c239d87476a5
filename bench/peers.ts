/**
 * The same work on varve and on its peers, in turns in one run, and how far the targets are reached. Run: `npm install
 * --prefix bench/peers`, then `npm run bench:peers -- [--num=1m] [--num-steady=5m] [--rounds=3] [--cache-mb=256]
 * [--engines=a,b] [--workloads=a,b] [--compression=none] [--out=docs/benchmarks] [--seed=1] [--json]`.
 *
 * A round takes one workload after the other, and each engine's turn in it, so that what slows the machine for a while slows
 * all of them. Each has the same cache, nothing is synced on a write, and what is read is held against what was written. An
 * engine that is not installed is left out. `--from=docs/benchmarks/peers.jsonl` measures nothing: it draws the tables and the
 * page of an earlier run anew. Writes go one by one into varve and RocksDB; the others get them in batches or
 * transactions of a thousand, which favours them.
 *
 * - main: `--num` entries, every engine
 * - merge: flush and major compaction, of twice as many, varve and RocksDB
 * - steady: `--num-steady` entries until nothing is left to do, varve and RocksDB
 */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Contestant } from './macro/contestant.js'
import { contestant, ENGINES, NATIVE } from './macro/contestants.js'
import { type Measurement, samplingCostNs } from './macro/meter.js'
import { commandLine, toCount, toList } from './macro/options.js'
import { detailLines, peerLines, verdictLines } from './macro/peer-tables.js'
import { type About, peersPage } from './macro/peers-page.js'
import { Progress } from './macro/progress.js'
import { align, machine } from './macro/report.js'
import { judge, OWN, type Verdict } from './targets.js'

export interface PeerOptions {
  readonly num: number
  readonly numSteady: number
  readonly rounds: number
  readonly cacheBytes: number
  readonly seed: number
  readonly compression?: string | undefined
  /** Empty for all. */
  readonly engines: readonly string[]
  readonly workloads: readonly string[]
}

/** One figure of one round. */
export interface PeerRow extends Measurement {
  readonly part: string
  readonly round: number
  readonly engine: string
}

interface Part {
  readonly name: string
  readonly num: (options: PeerOptions) => number
  readonly engines: readonly string[]
  readonly workloads: readonly string[]
}

const READS_MAX = 200_000

/** Every figure of every round, below the folder of the results. */
const RAW_NAME = 'peers.jsonl'

/** Reads come before what changes the same store. */
const PARTS: readonly Part[] = [
  {
    name: 'main',
    num: ({ num }) => num,
    engines: ENGINES,
    workloads: [
      ...['fillseq', 'fillrandom', 'bulkingest-1', 'bulkingest-2'],
      ...['bulkingest-pairs-1', 'bulkingest-pairs-2'],
      ...['readrandom', 'readmissing', 'multiget', 'readseq', 'readreverse', 'seekrandom', 'open'],
      ...['threads-1', 'threads-2', 'readrandom-small-cache'],
      ...['readrandomwriterandom', 'readwhilewriting', 'overwrite'],
    ],
  },
  {
    name: 'merge',
    num: ({ num }) => 2 * num,
    engines: [OWN, NATIVE],
    workloads: ['flush', 'compact'],
  },
  {
    name: 'steady',
    num: ({ numSteady }) => numSteady,
    engines: [OWN, NATIVE],
    workloads: ['fillrandom', 'fillrandom-plain'],
  },
]

/** Who hears of what is going on. A failure of one turn leaves the others theirs. */
export interface Listener {
  add(row: PeerRow): void
  onStep(what: string): void
  onFailure(error: Error): void
}

async function turnOf(
  one: Contestant,
  workload: string,
  round: number,
  onFailure: (error: Error) => void,
): Promise<readonly Measurement[]> {
  try {
    return (await one.run(workload, round === 0)) ?? []
  } catch (error) {
    onFailure(error as Error)
    return []
  }
}

/** A round of one part, from fresh folders. */
async function runPart(
  part: Part,
  round: number,
  options: PeerOptions,
  { add, onStep, onFailure }: Listener,
): Promise<void> {
  const num = part.num(options)
  const { cacheBytes, seed, compression } = options
  const stage = {
    ...{ num, keySize: 16, valueSize: 100, cacheBytes, seed, compression },
    reads: Math.min(num, READS_MAX),
  }
  const folder = mkdtempSync(join(tmpdir(), 'varve-peers-'))
  const contestants: Contestant[] = part.engines
    .filter((name) => options.engines.length === 0 || options.engines.includes(name))
    .map((name) => contestant(name, folder, stage))
  try {
    for (const workload of part.workloads) {
      if (options.workloads.length > 0 && !options.workloads.includes(workload)) continue
      for (const one of contestants) {
        onStep(`${part.name} ${workload} ${one.name}`)
        // Percentiles of RocksDB come from a run apart; one such is enough.
        for (const row of await turnOf(one, workload, round, onFailure))
          add({ part: part.name, round, engine: one.name, ...row })
      }
    }
  } finally {
    for (const one of contestants) await one.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs all rounds. Failures are told to the listener; where it does not throw them, the rest goes on. */
export async function runPeers(options: PeerOptions, listener: Listener): Promise<void> {
  for (let round = 0; round < options.rounds; round++) {
    for (const part of PARTS) {
      await runPart(part, round, options, {
        ...listener,
        onStep: (what) => listener.onStep(`round ${round + 1}: ${what}`),
      })
    }
  }
}

/** What the command line said, and where the result goes. */
interface Command {
  readonly options: PeerOptions
  readonly out: string | undefined
  /** The raw output of an earlier run, whose result is drawn anew. */
  readonly from: string | undefined
  readonly isJson: boolean
}

function parseOptions(args: readonly string[]): Command {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ num: text, 'num-steady': text, rounds: text, 'cache-mb': text, seed: text },
      ...{ engines: text, workloads: text, compression: text, out: text, from: text },
      json: { type: 'boolean' },
    },
  })
  const num = toCount(values.num, 1_000_000)
  const engines = toList(values.engines)
  for (const name of engines) {
    if (!ENGINES.includes(name))
      throw new RangeError(`no engine ${name}; there are ${ENGINES.join(', ')}`)
  }
  return {
    options: {
      ...{ num, engines, workloads: toList(values.workloads), compression: values.compression },
      numSteady: toCount(values['num-steady'], 5 * num),
      rounds: toCount(values.rounds, 3),
      cacheBytes: toCount(values['cache-mb'], 256) * 2 ** 20,
      seed: toCount(values.seed, 1),
    },
    out: values.out,
    from: values.from,
    isJson: values.json === true,
  }
}

/** A run, or what an earlier one wrote down. */
interface Outcome {
  readonly about: About
  readonly rows: readonly PeerRow[]
}

async function measure(
  args: readonly string[],
  { options, out }: Command,
  progress: Progress,
): Promise<Outcome> {
  const about: About = {
    command: commandLine('bench:peers', args),
    machine: machine(),
    date: new Date().toISOString().slice(0, 10),
    samplingNs: samplingCostNs(),
    options,
  }
  const began = performance.now()
  const rows: PeerRow[] = []
  if (out !== undefined) {
    mkdirSync(out, { recursive: true })
    writeFileSync(join(out, RAW_NAME), `${JSON.stringify({ about })}\n`)
  }
  await runPeers(options, {
    add(row) {
      rows.push(row)
      // A run takes long: what was measured shall outlive whatever ends it.
      if (out !== undefined) appendFileSync(join(out, RAW_NAME), `${JSON.stringify(row)}\n`)
    },
    onStep(what) {
      const minutes = ((performance.now() - began) / 60_000).toFixed(1)
      progress.say(`${minutes} min, ${what}`)
    },
    onFailure(error) {
      progress.clear()
      console.error(`FAILED: ${error.message}`)
      process.exitCode = 1
    },
  })
  return { about, rows }
}

/** @throws where the file is not the raw output of this bench */
function earlier(file: string): Outcome {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  const [first, ...rest] = lines.map((line): unknown => JSON.parse(line))
  const { about } = first as { about?: About }
  if (about === undefined)
    throw new TypeError(`${file} is not what --out writes: it begins otherwise`)
  const rows = rest.filter((row) => (row as Partial<PeerRow>).engine !== undefined)
  return { about, rows: rows as PeerRow[] }
}

function print({ about, rows }: Outcome, verdicts: readonly Verdict[]): void {
  console.log(`${about.machine}\n${about.command}, ${about.date}`)
  for (const table of [peerLines(rows), detailLines(rows), verdictLines(verdicts)])
    console.log(`\n${align(table)}`)
  const installed = new Set(rows.map(({ engine }) => engine))
  const missing = ENGINES.filter((name) => !installed.has(name))
  if (missing.length > 0)
    console.log(
      `\nnot installed or not asked for: ${missing.join(', ')}; npm install --prefix bench/peers brings the ` +
        'packages, rocksdb-tools of the system the native db_bench',
    )
}

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const command = parseOptions(args)
  const { out, from, isJson } = command
  const progress = new Progress()
  const outcome = from === undefined ? await measure(args, command, progress) : earlier(from)
  progress.clear()
  const { about, rows } = outcome
  const verdicts = judge((part, engine, workload) =>
    rows.filter((row) => row.part === part && row.engine === engine && row.name === workload),
  )
  const lines = [{ about }, ...rows, ...verdicts.map((verdict) => ({ verdict }))]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('')
  if (isJson) process.stdout.write(lines)
  else print(outcome, verdicts)
  if (out === undefined) return
  writeFileSync(join(out, RAW_NAME), lines)
  for (const [name, content] of await peersPage(about, rows, verdicts))
    writeFileSync(join(out, name), content)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
