/**
 * Ways to read the same keys, in turns over one tree: 100 gets against one multiGet of 100, pinned values, seeks by ranges
 * and by one cursor; with everything cached, and with a cache of a quarter of the data. Run: `npm run bench:reads --
 * [--num=500000] [--rounds=5] [--json]`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Cache, open, type Tree } from '../src/main/index.js'
import { KeySpace, Random } from './macro/key-space.js'

const BATCH = 100
const SEEK_STEPS = 10

export interface ReadFigure {
  readonly cache: string
  readonly name: string
  /** For one key (or one seek), in nanoseconds: median of the wall clock, least of the processor time. */
  readonly wallNs: number
  readonly cpuNs: number
  readonly checksum: number
}

type Way = (tree: Tree, keys: readonly Buffer[]) => number | Promise<number>

const size = (value: Buffer | undefined): number => value?.length ?? -1
const sum = (values: readonly (Buffer | undefined)[]): number =>
  values.reduce((total, value) => total + size(value), 0)

/** Each reads a batch of keys and says how many bytes it saw; a seek stands for ten keys. */
const WAYS: Readonly<Record<string, Way>> = {
  'get, one by one': (tree, keys) => keys.reduce((total, key) => total + size(tree.get(key)), 0),
  multiGet: (tree, keys) => sum(tree.multiGet(keys)),
  multiGetAsync: async (tree, keys) => sum(await tree.multiGetAsync(keys)),
  'getAsync, at once': async (tree, keys) =>
    sum(await Promise.all(keys.map((key) => tree.getAsync(key)))),
  getPinned: (tree, keys) =>
    keys.reduce((total, key) => {
      const slice = tree.getPinned(key)
      const length = slice?.length ?? -1
      slice?.[Symbol.dispose]()
      return total + length
    }, 0),
}

const SEEKS: Readonly<Record<string, Way>> = {
  'range, seek and read ten': (tree, keys) =>
    keys.reduce((total, key) => {
      const entries = tree.range({ gte: key })
      let bytes = 0
      for (let i = 0; i < SEEK_STEPS; i++) bytes += entries.next().value?.[1].length ?? 0
      entries.return()
      return total + bytes
    }, 0),
  'seekable, seek and read ten': (tree, keys) => {
    const cursor = tree.seekable()
    let bytes = 0
    for (const key of keys) {
      cursor.seekTo(key)
      for (let i = 0; i < SEEK_STEPS; i++) bytes += cursor.next().value?.[1].length ?? 0
    }
    cursor.return()
    return bytes
  },
}

function batches(space: KeySpace, num: number, count: number, isNear: boolean): Buffer[][] {
  const random = new Random(7)
  return Array.from({ length: count }, () => {
    const start = random.below(num)
    return Array.from({ length: BATCH }, () => {
      // Near ones lie in a stretch of ten times as many keys.
      const number = isNear ? (start + random.below(10 * BATCH)) % num : random.below(num)
      return space.keyCopy(number, 'sequential')
    })
  })
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number
}

async function measure(
  tree: Tree,
  cache: string,
  ways: Readonly<Record<string, Way>>,
  keys: readonly (readonly Buffer[])[],
  rounds: number,
): Promise<ReadFigure[]> {
  const found = new Map<string, { wall: number[]; cpu: number[]; checksum: number }>()
  for (let round = 0; round <= rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const cpu = process.cpuUsage()
      const start = performance.now()
      let checksum = 0
      for (const batch of keys) checksum += await way(tree, batch)
      const wallMs = performance.now() - start
      const { user, system } = process.cpuUsage(cpu)
      const row = found.get(name) ?? { wall: [], cpu: [], checksum }
      if (row.checksum !== checksum) throw new Error(`${name} reads other values than before`)
      found.set(name, row)
      // The first round warms code and cache.
      if (round === 0) continue
      row.wall.push((wallMs * 1e6) / (keys.length * BATCH))
      row.cpu.push(((user + system) * 1e3) / (keys.length * BATCH))
    }
  }
  return Array.from(found, ([name, { wall, cpu, checksum }]) => {
    return { cache, name, wallNs: median(wall), cpuNs: Math.min(...cpu), checksum }
  })
}

export async function runReads(options: {
  readonly num: number
  readonly rounds: number
  readonly batches: number
}): Promise<ReadFigure[]> {
  const { num, rounds } = options
  const folder = mkdtempSync(join(tmpdir(), 'varve-reads-'))
  try {
    const space = new KeySpace(16, 100, 1)
    await fill(join(folder, 'tree'), space, num)
    const figures: ReadFigure[] = []
    for (const [name, share] of [
      ['all of it', 2],
      ['a quarter', 1 / 4],
    ] as const) {
      const cache = new Cache({ capacityBytes: Math.ceil(Math.max(2 ** 18, 116 * num * share)) })
      const tree = await open(join(folder, 'tree'), { cache, maintenance: 'manual' })
      const far = batches(space, num, options.batches, false)
      const near = batches(space, num, options.batches, true)
      figures.push(...(await measure(tree, `${name}, keys anywhere`, WAYS, far, rounds)))
      figures.push(...(await measure(tree, `${name}, keys near`, WAYS, near, rounds)))
      figures.push(...(await measure(tree, `${name}, keys anywhere`, SEEKS, far, rounds)))
      await tree.close()
      cache[Symbol.dispose]()
    }
    return figures
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function fill(path: string, space: KeySpace, num: number): Promise<void> {
  const tree = await open(path)
  for (let i = 0; i < num; i++) {
    const isWelcome = tree.insert(space.key(i, 'sequential'), space.value(i))
    if (!isWelcome) await tree.drained()
  }
  await tree.flush()
  await tree.majorCompact()
  await tree.close()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      num: { type: 'string', default: '500000' },
      rounds: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  })
  const num = Number(values.num)
  const figures = await runReads({ num, rounds: Number(values.rounds), batches: 300 })
  if (values.json) {
    for (const figure of figures) console.log(JSON.stringify(figure))
  } else {
    console.log(`${num} entries of 16 + 100 bytes; nanoseconds a key, or a seek`)
    for (const { cache, name, wallNs, cpuNs } of figures) {
      const [wall, cpu] = [wallNs, cpuNs].map((ns) => ns.toFixed(0).padStart(8))
      console.log(`${cache.padEnd(26)}${name.padEnd(30)}${wall} wall${cpu} cpu`)
    }
  }
}
