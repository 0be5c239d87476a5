/**
 * The load test: many entries in random order with maintenance on, then a major compaction, a reopen, and a look at every
 * entry. Run: `npm run bench:load -- [--num=5000000] [--cache-mb=64]`. Exit code 1 where memory or an entry is not as it
 * must be.
 *
 * Memory must stay what was configured, however much was written: write buffers (the active one and as many sealed ones
 * as may wait) and cache, and {@link RSS_SLACK_BYTES} for everything else; the JavaScript heap takes no data at all.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Cache, open, type Tree } from '../src/main/index.js'
import { KeySpace } from './macro/key-space.js'
import { machine } from './macro/report.js'

const MIB = 2 ** 20
const HEAP_BYTES_MAX = 100 * MIB
/** For Node itself, its worker threads, and the memory of the jobs that run in them. */
const RSS_SLACK_BYTES = 150 * MIB
const LEVELS_SHOWN = 7
/** Inserts between two turns of the event loop. */
const TURN_ENTRIES = 1000
/** Entries between two looks at the memory. */
const WATCH_ENTRIES = 100_000

export interface LoadOptions {
  readonly num: number
  readonly keyBytes: number
  readonly valueBytes: number
  readonly cacheBytes: number
  readonly memtableBytes: number
}

/** What a load came to. */
export interface LoadReport {
  readonly seconds: Readonly<Record<'load' | 'idle' | 'compact' | 'reopen' | 'verify', number>>
  readonly delayP999Ms: number
  readonly heapMaxBytes: number
  readonly rssMaxBytes: number
  readonly rssAllowedBytes: number
  readonly writeAmplification: number
  readonly spaceAmplification: number
  /** Tables of each level when the load was over, before the major compaction. */
  readonly levels: readonly number[]
  /** What is not as it must be; empty where all is well. */
  readonly failures: readonly string[]
}

/** The most that this process has used since it was made. */
class MemoryWatch {
  heapMax = 0
  rssMax = 0

  look(): void {
    const { heapUsed, rss } = process.memoryUsage()
    this.heapMax = Math.max(this.heapMax, heapUsed)
    this.rssMax = Math.max(this.rssMax, rss)
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** Seconds that `work` takes. */
async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

async function load(tree: Tree, space: KeySpace, num: number, watch: MemoryWatch): Promise<void> {
  for (let i = 0; i < num; i++) {
    const isWelcome = tree.insert(space.key(i, 'random'), space.value(i))
    if (!isWelcome) await tree.drained()
    if (i % TURN_ENTRIES === 0) await turn()
    if (i % WATCH_ENTRIES === 0) watch.look()
  }
}

/** Looks up every entry, and counts what is wrong. */
async function verify(
  tree: Tree,
  space: KeySpace,
  num: number,
  watch: MemoryWatch,
): Promise<number> {
  let wrong = 0
  for (let i = 0; i < num; i++) {
    const value = tree.get(space.key(i, 'random'))
    if (value === undefined || !value.equals(space.value(i))) wrong++
    if (i % TURN_ENTRIES === 0) await turn()
    if (i % WATCH_ENTRIES === 0) watch.look()
  }
  return wrong
}

/** Runs the whole test in `folder`, which must not exist. */
export async function runLoad(folder: string, options: LoadOptions): Promise<LoadReport> {
  const { num, cacheBytes, memtableBytes } = options
  const space = new KeySpace(options.keyBytes, options.valueBytes, 1)
  using cache = new Cache({ capacityBytes: cacheBytes })
  const settings = { cache, runtime: { memtableBytes } }
  const watch = new MemoryWatch()
  const failures: string[] = []
  const delay = monitorEventLoopDelay({ resolution: 5 })
  let bytesWritten = 0
  const tree = await open(folder, settings)
  tree.on('flush', (result) => {
    bytesWritten += result.bytesWritten
    watch.look()
  })
  tree.on('compaction', (result) => {
    bytesWritten += result.bytesWritten
    watch.look()
  })
  tree.on('error', (error) => failures.push(`maintenance failed: ${error.message}`))
  delay.enable()
  const loadSeconds = await time(() => load(tree, space, num, watch))
  delay.disable()
  const idleSeconds = await time(async () => {
    await tree.flush()
    await tree.idle()
  })
  const givenBytes = num * (options.keyBytes + options.valueBytes)
  const writeAmplification = bytesWritten / givenBytes
  const spaceAmplification = tree.diskSpace() / givenBytes
  const levels = Array.from(
    { length: LEVELS_SHOWN },
    (_, level) => tree.levelTableCount(level) ?? 0,
  )
  const compactSeconds = await time(() => tree.majorCompact())
  watch.look()
  const rssAllowedBytes =
    (1 + tree.runtimeConfig.maxSealedMemtables) * memtableBytes + cacheBytes + RSS_SLACK_BYTES
  let reopened = tree
  const reopenSeconds = await time(async () => {
    await tree.close()
    reopened = await open(folder, settings)
  })
  let wrong = 0
  const verifySeconds = await time(async () => {
    wrong = await verify(reopened, space, num, watch)
  })
  await reopened.close()
  if (wrong > 0) failures.push(`${wrong} entries are missing or wrong`)
  if (watch.heapMax >= HEAP_BYTES_MAX)
    failures.push(
      `the JavaScript heap took ${mib(watch.heapMax)}, more than ${mib(HEAP_BYTES_MAX)}`,
    )
  if (watch.rssMax >= rssAllowedBytes)
    failures.push(`${mib(watch.rssMax)} resident, more than ${mib(rssAllowedBytes)}`)
  return {
    seconds: {
      load: loadSeconds,
      idle: idleSeconds,
      compact: compactSeconds,
      reopen: reopenSeconds,
      verify: verifySeconds,
    },
    delayP999Ms: delay.percentile(99.9) / 1e6,
    heapMaxBytes: watch.heapMax,
    rssMaxBytes: watch.rssMax,
    rssAllowedBytes,
    writeAmplification,
    spaceAmplification,
    levels,
    failures,
  }
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`
}

function print(report: LoadReport, { num }: LoadOptions): void {
  const rate = (seconds: number): string =>
    `${seconds.toFixed(2)} s, ${Math.round(num / seconds).toLocaleString('en-US')}/s`
  const { seconds } = report
  console.log(`load            ${rate(seconds.load)}`)
  console.log(`load until idle ${rate(seconds.load + seconds.idle)}`)
  console.log(`major compaction ${seconds.compact.toFixed(2)} s`)
  console.log(`close and reopen ${(seconds.reopen * 1000).toFixed(0)} ms`)
  console.log(`verify          ${rate(seconds.verify)}`)
  console.log(`event-loop delay p99.9 ${report.delayP999Ms.toFixed(1)} ms while loading`)
  console.log(`tables by level ${report.levels.join(' ')}`)
  console.log(
    `write amplification ${report.writeAmplification.toFixed(2)}, space ${report.spaceAmplification.toFixed(2)}`,
  )
  console.log(
    `JavaScript heap max ${mib(report.heapMaxBytes)}, RSS max ${mib(report.rssMaxBytes)} of ${mib(report.rssAllowedBytes)}`,
  )
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ options: { num: text, 'cache-mb': text, 'memtable-mb': text } })
  const options = {
    num: Number((values.num ?? '5000000').replaceAll('_', '')),
    keyBytes: 16,
    valueBytes: 100,
    cacheBytes: Number(values['cache-mb'] ?? 64) * MIB,
    memtableBytes: Number(values['memtable-mb'] ?? 64) * MIB,
  }
  const folder = mkdtempSync(join(tmpdir(), 'varve-load-'))
  try {
    console.log(machine())
    console.log(`${options.num} entries of 16 + 100 bytes`)
    const report = await runLoad(join(folder, 'tree'), options)
    print(report, options)
    for (const failure of report.failures) console.error(`FAILED: ${failure}`)
    if (report.failures.length > 0) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
