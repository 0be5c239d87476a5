/**
 * Bulk ingestion: entries in random order and in order, as pairs and as packed chunks, by one worker and by two, in turns,
 * beside ordinary writes. Run: `npm run bench:bulk -- [--num=5000000] [--rounds=2]`. Every tree is looked through
 * afterwards; exit code 1 where an entry is missing. Compare with `db_bench --benchmarks=fillseq`, which writes in order.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type BulkItem, MaintenancePool, open, packEntries } from '../src/main/index.js'
import { KeySpace } from './macro/key-space.js'
import { machine } from './macro/report.js'

const MIB = 2 ** 20

export interface BulkBenchOptions {
  readonly num: number
  readonly keyBytes: number
  readonly valueBytes: number
  readonly rounds: number
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
  readonly rssMaxBytes: number
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
  for (let i = 0; i < num; i++)
    yield [Buffer.from(space.key(i, order)), Buffer.from(space.value(i))]
}

async function measure(
  way: Way,
  options: BulkBenchOptions,
  chunks: readonly BulkItem[] | undefined,
): Promise<BulkFigure> {
  const { num, keyBytes, valueBytes } = options
  const folder = mkdtempSync(join(tmpdir(), 'varve-bulk-'))
  const pool = new MaintenancePool({ threads: way.threads })
  const space = new KeySpace(keyBytes, valueBytes, 1)
  let rssMaxBytes = 0
  const tree = await open(folder, { pool, maintenance: 'manual' })
  try {
    const source = chunks ?? pairs(space, num, way.isSorted)
    const began = performance.now()
    await tree.bulkIngest(source, {
      sorted: way.isSorted,
      onProgress: () => {
        rssMaxBytes = Math.max(rssMaxBytes, process.memoryUsage.rss())
      },
    })
    const seconds = (performance.now() - began) / 1000
    return { name: way.name, entriesPerSecond: num / seconds, rssMaxBytes, found: tree.len() }
  } finally {
    await tree.close()
    await pool.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Every way, in turns; the best of its rounds. */
export async function runBulk(options: BulkBenchOptions): Promise<readonly BulkFigure[]> {
  const best = new Map<string, BulkFigure>()
  for (let round = 0; round < options.rounds; round++) {
    for (const isSorted of [false, true]) {
      const { keyBytes, valueBytes, num } = options
      const space = new KeySpace(keyBytes, valueBytes, 1)
      const chunks = [...packEntries(pairs(space, num, isSorted))]
      for (const way of WAYS.filter((one) => one.isSorted === isSorted)) {
        const figure = await measure(way, options, way.isPacked ? chunks : undefined)
        const before = best.get(way.name)
        if (before === undefined || before.entriesPerSecond < figure.entriesPerSecond)
          best.set(way.name, figure)
      }
    }
  }
  return [...best.values()]
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      num: { type: 'string', default: '5000000' },
      rounds: { type: 'string', default: '2' },
    },
  })
  const options = {
    num: Number(values.num),
    rounds: Number(values.rounds),
    keyBytes: 16,
    valueBytes: 100,
  }
  console.log(machine())
  const figures = await runBulk(options)
  for (const { name, entriesPerSecond, rssMaxBytes, found } of figures) {
    const isWhole = found === options.num
    if (!isWhole) process.exitCode = 1
    const rate = Math.round(entriesPerSecond).toLocaleString('en')
    console.log(
      `${name.padEnd(28)} ${rate.padStart(12)}/s  rss ${Math.round(rssMaxBytes / MIB)} MiB  ` +
        `${isWhole ? 'every entry there' : `${found} of ${options.num} entries`}`,
    )
  }
  const rate = (name: string): number =>
    figures.find((one) => one.name === name)?.entriesPerSecond ?? 0
  for (const kind of ['random, pairs', 'random, packed', 'in order, pairs', 'in order, packed']) {
    const ratio = rate(`${kind}, 2 workers`) / rate(`${kind}, 1 worker`)
    console.log(`${kind}: two workers ${ratio.toFixed(2)} times one`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
