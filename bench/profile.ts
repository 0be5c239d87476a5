/**
 * CPU profiles of a workload of the macro bench: of the main thread and of every worker, kernels by their names. Run:
 * `npm run profile -- <workload> [--num=1m] [--key-size=16] [--value-size=100] [--cache-mb=256] [--compression=C]
 * [--reads=N] [--seed=1] [--interval-us=200] [--out=profiles]`.
 *
 * What is profiled is the workload alone, not what brings the store into the state that it wants. Written are one
 * `.cpuprofile` a thread, for Chrome's developer tools or speedscope, and one flame graph of all threads.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Measurement } from './macro/meter.js'
import { toCount } from './macro/options.js'
import { machine } from './macro/report.js'
import { Stage, type StageOptions } from './macro/stage.js'
import { varve } from './macro/stores/varve.js'
import { workloadNamed } from './macro/workloads/index.js'
import { type Frame, flameGraph, frameTree, hottest } from './profile/flame-graph.js'
import { withKernelNames } from './profile/kernel-names.js'
import { type ThreadProfile, ThreadProfiler } from './profile/thread-profiler.js'

export interface ProfileOptions extends StageOptions {
  readonly workload: string
  /** Microseconds between two samples. */
  readonly intervalUs: number
}

export interface Profiled {
  readonly rows: readonly Measurement[]
  readonly threads: readonly ThreadProfile[]
}

/** Functions that the summary of a thread names. */
const HOTTEST = 12
/** A thread that was met at work less often than this is not worth a graph. */
const SAMPLES_MIN = 20

/** Runs a workload with all threads watched. @throws where the workload's results are wrong */
export async function profileWorkload(options: ProfileOptions): Promise<Profiled> {
  const workload = workloadNamed(options.workload)
  const folder = mkdtempSync(join(tmpdir(), 'varve-profile-'))
  const stage = new Stage(varve, folder, options)
  let threads: readonly ThreadProfile[] = []
  try {
    const rows = await stage.run({
      ...workload,
      // A warmed workload runs twice: the second run replaces the first one's profile.
      run: async (job) => {
        const profiler = new ThreadProfiler(options.intervalUs)
        await profiler.start()
        try {
          return await workload.run(job)
        } finally {
          threads = await profiler.stop()
        }
      },
    })
    const named = threads.map(({ thread, profile }) => {
      return { thread, profile: withKernelNames(profile) }
    })
    return { rows: rows ?? [], threads: named }
  } finally {
    await stage.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The frames of threads that did something. */
export function framesOf({ threads }: Profiled): Frame[] {
  return threads
    .map(({ thread, profile }) => frameTree(profile, thread))
    .filter(({ total }) => total >= SAMPLES_MIN)
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ num: text, 'key-size': text, 'value-size': text, 'cache-mb': text, reads: text },
      ...{ seed: text, compression: text, 'interval-us': text, out: text },
    },
  })
  const [workload = ''] = positionals
  const num = toCount(values.num, 1_000_000)
  const profiled = await profileWorkload({
    ...{ workload, num, compression: values.compression },
    keySize: toCount(values['key-size'], 16),
    valueSize: toCount(values['value-size'], 100),
    cacheBytes: toCount(values['cache-mb'], 256) * 2 ** 20,
    reads: toCount(values.reads, Math.min(num, 500_000)),
    seed: toCount(values.seed, 1),
    intervalUs: toCount(values['interval-us'], 200),
  })
  const out = values.out ?? 'profiles'
  mkdirSync(out, { recursive: true })
  for (const { thread, profile } of profiled.threads) {
    const name = `${workload}-${thread.replace(' ', '-')}.cpuprofile`
    writeFileSync(join(out, name), JSON.stringify(profile))
  }
  const title = `${workload}, ${num} entries; ${machine()}`
  writeFileSync(join(out, `${workload}.svg`), flameGraph(framesOf(profiled), title))
  console.log(title)
  for (const { name, wallNs } of profiled.rows) {
    console.log(`${name}: ${wallNs.toFixed(0)} ns an operation, profiled`)
  }
  for (const frames of framesOf(profiled)) {
    console.log(`\n${frames.name}: ${frames.total} samples at work`)
    for (const { name, source, share } of hottest(frames, HOTTEST)) {
      console.log(`${(100 * share).toFixed(1).padStart(6)} %  ${name}  ${source}`)
    }
  }
  console.log(`\n${out}/${workload}.svg, ${out}/${workload}-*.cpuprofile`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
