/**
 * How reads scale with the threads that read one open tree: gets of keys in memory, in cached tables, with a cache of a
 * quarter of the data, seeks, and gets while the owner writes. Run: `npm run bench:threads -- [--num=300000]
 * [--threads=1,2,4] [--seconds=1] [--rounds=7] [--json]`.
 *
 * Numbers of threads take turns, round by round. Rates go by the wall clock, so they need as many idle processors as there
 * are threads; the processor time of one read tells what threads cost each other even where others use the machine.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Cache, open, type Tree } from '../src/main/index.js'
import { AttachedThread } from './macro/attached-thread.js'
import { KeySpace } from './macro/key-space.js'
import type { ReadWay, ThreadResult } from './macro/thread-reader.js'

const ENTRY_BYTES = 116
const MIB = 2 ** 20

export interface ThreadsOptions {
  readonly num: number
  readonly threads: readonly number[]
  /** About how long one thread reads in a round. */
  readonly seconds: number
  readonly rounds: number
}

export interface ThreadsFigure {
  readonly name: string
  readonly threads: number
  /** Reads of all threads together in a second: the median and the best round. */
  readonly rate: number
  readonly bestRate: number
  /** Processor time of one read, in nanoseconds: the median round. Of the whole process: the writer's is in it, too. */
  readonly cpuNs: number
  /** Median rate, best rate, and processor time, against those of one thread. */
  readonly scaling: number
  readonly bestScaling: number
  readonly cpuScaling: number
  readonly checksum: number
}

/** Where the entries lie, and how they are read. */
interface Scene {
  readonly name: string
  readonly way: ReadWay
  readonly place: 'memtable' | 'tables'
  /** Of the bytes of the data. */
  readonly cacheShare: number
  readonly isWritten: boolean
}

const SCENES: readonly Scene[] = [
  { name: 'get, memtable', way: 'get', place: 'memtable', cacheShare: 1, isWritten: false },
  { name: 'get, cached tables', way: 'get', place: 'tables', cacheShare: 3, isWritten: false },
  {
    name: 'get, a quarter cached',
    way: 'get',
    place: 'tables',
    cacheShare: 0.25,
    isWritten: false,
  },
  { name: 'seek + 10', way: 'seek', place: 'tables', cacheShare: 3, isWritten: false },
  { name: 'get while writing', way: 'get', place: 'tables', cacheShare: 3, isWritten: true },
]

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number

async function openScene(folder: string, { place, cacheShare }: Scene, num: number): Promise<Tree> {
  const bytes = num * ENTRY_BYTES
  const tree = await open(folder, {
    cache: new Cache({ capacityBytes: Math.ceil(Math.max(MIB, bytes * cacheShare)) }),
    runtime: { memtableBytes: place === 'memtable' ? Math.max(MIB, 3 * bytes) : 16 * MIB },
  })
  const space = new KeySpace(16, 100, 1)
  for (let i = 0; i < num; i++) {
    if (!tree.insert(space.key(i, 'random'), space.value(i))) await tree.drained()
  }
  if (place === 'memtable') return tree
  await tree.flush()
  await tree.majorCompact()
  await tree.idle()
  return tree
}

/** Writes until it is told to stop, in turns with everything else that the owner does. */
async function write(tree: Tree, num: number, signal: AbortSignal): Promise<number> {
  const space = new KeySpace(16, 100, 2)
  let count = 0
  while (!signal.aborted) {
    // Keys that nobody reads: what the readers find stays the same.
    for (let i = 0; i < 500; i++) {
      const key = Buffer.concat([Buffer.from('~'), space.key(count++ % num, 'random')])
      if (!tree.insert(key, space.value(count))) await tree.drained()
    }
    await setImmediate()
  }
  return count
}

interface Round {
  readonly rate: number
  readonly cpuNs: number
  readonly checksum: number
}

async function runRound(
  threads: readonly AttachedThread[],
  way: ReadWay,
  operations: number,
): Promise<Round> {
  const cpu = process.cpuUsage()
  const results = await Promise.all(
    threads.map((thread) => thread.obey({ kind: 'read', way, operations })),
  )
  const { user, system } = process.cpuUsage(cpu)
  const found = results as ThreadResult[]
  const start = found.reduce(
    (least, { startNs }) => (startNs < least ? startNs : least),
    found[0]!.startNs,
  )
  const end = found.reduce((most, { endNs }) => (endNs > most ? endNs : most), found[0]!.endNs)
  const total = operations * threads.length
  return {
    rate: (total * 1e9) / Number(end - start),
    cpuNs: ((user + system) * 1000) / total,
    checksum: found.reduce((sum, { checksum }) => sum + checksum, 0),
  }
}

async function runScene(
  folder: string,
  scene: Scene,
  pool: readonly AttachedThread[],
  options: ThreadsOptions,
): Promise<ThreadsFigure[]> {
  const tree = await openScene(folder, scene, options.num)
  const writing = new AbortController()
  try {
    for (const thread of pool) await thread.obey({ kind: 'attach', handle: tree.share() })
    // Warms code and cache, in every thread.
    const warm = Math.max(1000, options.num >> 2)
    for (const thread of pool) await runRound([thread], scene.way, warm)
    const { rate } = await runRound(pool.slice(0, 1), scene.way, warm)
    const operations = Math.max(1000, Math.ceil(rate * options.seconds))
    const writer = scene.isWritten ? write(tree, options.num, writing.signal) : undefined
    const rounds = new Map<number, Round[]>(options.threads.map((count) => [count, []]))
    for (let round = 0; round < options.rounds; round++) {
      for (const [count, done] of rounds) {
        done.push(await runRound(pool.slice(0, count), scene.way, operations))
      }
    }
    writing.abort()
    await writer
    for (const thread of pool) await thread.obey({ kind: 'detach' })
    return figuresOf(scene.name, rounds)
  } finally {
    writing.abort()
    await tree.close({ flush: 'discard' })
    rmSync(folder, { recursive: true, force: true })
  }
}

function figuresOf(name: string, rounds: ReadonlyMap<number, readonly Round[]>): ThreadsFigure[] {
  const figures: ThreadsFigure[] = []
  for (const [threads, done] of rounds) {
    const [first] = done
    if (first === undefined || done.some(({ checksum }) => checksum !== first.checksum)) {
      throw new Error(`${name}, ${threads} threads: reads find other values than before`)
    }
    const rate = median(done.map((one) => one.rate))
    const bestRate = Math.max(...done.map((one) => one.rate))
    const cpuNs = median(done.map((one) => one.cpuNs))
    const base = figures[0] ?? { rate, bestRate, cpuNs, threads }
    figures.push({
      ...{ name, threads, rate, bestRate, cpuNs, checksum: first.checksum },
      scaling: rate / base.rate,
      bestScaling: bestRate / base.bestRate,
      cpuScaling: (threads / base.threads) * (base.cpuNs / cpuNs),
    })
  }
  return figures
}

export async function runThreads(options: ThreadsOptions): Promise<ThreadsFigure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'varve-threads-'))
  const count = Math.max(...options.threads)
  const pool = Array.from(
    { length: count },
    (_, number) =>
      new AttachedThread({
        number,
        num: options.num,
        keySize: 16,
        valueSize: 100,
        seed: 1,
        order: 'random',
      }),
  )
  try {
    const figures: ThreadsFigure[] = []
    for (const [i, scene] of SCENES.entries()) {
      figures.push(...(await runScene(join(folder, String(i)), scene, pool, options)))
    }
    return figures
  } finally {
    for (const thread of pool) await thread.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      num: { type: 'string', default: '300000' },
      threads: { type: 'string', default: '1,2,4' },
      seconds: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '7' },
      json: { type: 'boolean', default: false },
    },
  })
  const figures = await runThreads({
    num: Number(values.num),
    threads: values.threads.split(',').map(Number),
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
  })
  if (values.json) {
    for (const figure of figures) console.log(JSON.stringify(figure))
  } else {
    console.log(
      `${values.num} entries of 16 + 100 bytes; scaling against the first number of threads`,
    )
    console.log(
      '                         threads     reads/s   scaling      best   cpu ns   by cpu   checksum',
    )
    for (const {
      name,
      threads,
      rate,
      scaling,
      bestScaling,
      cpuNs,
      cpuScaling,
      checksum,
    } of figures) {
      const cells = [
        name.padEnd(24),
        String(threads).padStart(8),
        Math.round(rate).toLocaleString('en').padStart(11),
        `x${scaling.toFixed(2)}`.padStart(9),
        `x${bestScaling.toFixed(2)}`.padStart(9),
        Math.round(cpuNs).toString().padStart(8),
        `x${cpuScaling.toFixed(2)}`.padStart(8),
        String(checksum).padStart(10),
      ]
      console.log(cells.join(' '))
    }
  }
}
