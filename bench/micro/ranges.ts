/**
 * What live range tombstones cost reads: get, scan and short ranges of a tree without any and of the same tree with many,
 * in memory and in a table, the trees in turns. Run: `node build/bench/micro/ranges.js [entries] [tombstones] [rounds]`.
 */
import { fileURLToPath } from 'node:url'
import { Cache, open, type Tree } from '../../src/main/index.js'

/** How the tombstones lie: each over one stretch of keys, or one above the other, the newest on top. */
type Shape =
  | 'none, in memory'
  | 'apart, in memory'
  | 'stacked, in memory'
  | 'none, in a table'
  | 'apart, in a table'

const SHAPES: readonly Shape[] = [
  'none, in memory',
  'apart, in memory',
  'stacked, in memory',
  'none, in a table',
  'apart, in a table',
]

/** Nanoseconds per operation. */
export interface Figures {
  get: number
  miss: number
  scan: number
  reverse: number
  seek: number
  removeRange: number
  /** What the reads found, so that nothing is left out. */
  found: number
}

const textOf = (number: number): string => `key${String(number).padStart(9, '0')}`

/** The keys of a tree: stretches of keys, with stretches as long between them that hold none and are deleted. */
class Keys {
  readonly entries: number
  readonly stretch: number

  constructor(entries: number, tombstones: number) {
    this.entries = entries
    this.stretch = Math.max(1, Math.floor(entries / tombstones))
  }

  /** Key number `i`, any number. */
  at(i: number): string {
    const number = i % this.entries
    const { stretch } = this
    return textOf((2 * Math.floor(number / stretch) + 1) * stretch + (number % stretch))
  }

  /** Deletes the stretch before the keys of stretch `i`. */
  removeBefore(tree: Tree, i: number): void {
    tree.removeRange(textOf(2 * i * this.stretch), textOf((2 * i + 1) * this.stretch))
  }
}

/**
 * A tree with `keys`. Tombstones that lie apart are newer than all values, so that each read has to look for them; those
 * over one another are older, and would hide all.
 */
async function makeTree(shape: Shape, keys: Keys, tombstones: number): Promise<[Tree, number]> {
  const tree = await open('db', {
    fs: 'memory',
    maintenance: 'manual',
    cache: new Cache({ capacityBytes: 64 << 20 }),
    runtime: { memtableBytes: 96 << 20 },
  })
  const write = (): void => {
    for (let i = 0; i < keys.entries; i++) tree.insert(keys.at(i * 7919), 'v'.repeat(100))
  }
  if (shape !== 'stacked, in memory') write()
  const began = performance.now()
  for (let i = 0; i < tombstones && !shape.startsWith('none'); i++) {
    if (shape === 'stacked, in memory') tree.removeRange(keys.at(i), keys.at(keys.entries - 1 - i))
    else keys.removeBefore(tree, i)
  }
  const written = ((performance.now() - began) * 1e6) / tombstones
  if (shape === 'stacked, in memory') write()
  if (shape === 'apart, in a table' || shape === 'none, in a table') {
    await tree.flush({ gcWatermark: 0 })
  }
  return [tree, written]
}

function timed(count: number, work: () => number): [nanoseconds: number, found: number] {
  const began = performance.now()
  const found = work()
  return [((performance.now() - began) * 1e6) / count, found]
}

function measure(tree: Tree, keys: Keys): Omit<Figures, 'removeRange'> {
  const { entries } = keys
  const reads = Math.min(entries, 200_000)
  let found = 0
  const run = (count: number, work: () => number): number => {
    const [nanoseconds, sum] = timed(count, work)
    found += sum
    return nanoseconds
  }
  const count = (rows: Iterable<unknown>): number => {
    let sum = 0
    for (const _ of rows) sum++
    return sum
  }
  const target = Buffer.alloc(200)
  return {
    get: run(reads, () => {
      let sum = 0
      for (let i = 0; i < reads; i++) sum += tree.getInto(keys.at(i * 104_729), target)
      return sum
    }),
    miss: run(reads, () => {
      let sum = 0
      for (let i = 0; i < reads; i++) sum += tree.getInto(`${keys.at(i)}x`, target)
      return sum
    }),
    scan: run(entries, () => count(tree.range())),
    reverse: run(entries, () => count(tree.range({ reverse: true }))),
    seek: run(20_000, () => {
      let sum = 0
      for (let i = 0; i < 20_000; i++) {
        sum += count(tree.range({ gte: keys.at(i * 104_729), limit: 10 }))
      }
      return sum
    }),
    found,
  }
}

/** The best of `rounds` for each shape, all of them in turns. */
export async function compareRanges(
  entries: number,
  tombstones: number,
  rounds: number,
): Promise<Map<Shape, Figures>> {
  const keys = new Keys(entries, tombstones)
  const trees = new Map<Shape, [Tree, number]>()
  for (const shape of SHAPES) trees.set(shape, await makeTree(shape, keys, tombstones))
  const best = new Map<Shape, Figures>()
  for (let round = 0; round < rounds; round++) {
    for (const [shape, [tree, removeRange]] of trees) {
      const figures = { ...measure(tree, keys), removeRange }
      const before = best.get(shape) ?? figures
      const least = Object.entries(figures).map(([name, value]) => [
        name,
        name === 'found' ? value : Math.min(value, before[name as keyof Figures]),
      ])
      best.set(shape, Object.fromEntries(least) as unknown as Figures)
    }
  }
  for (const [tree] of trees.values()) await tree.close({ flush: 'discard' })
  return best
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [entries = 200_000, tombstones = 10_000, rounds = 5] = process.argv.slice(2).map(Number)
  console.log(
    `${entries} entries of 12 + 100 bytes, ${tombstones} range tombstones, ${rounds} rounds`,
  )
  for (const [shape, figures] of await compareRanges(entries, tombstones, rounds)) {
    const { get, miss, scan, reverse, seek, removeRange } = figures
    const line = { get, miss, scan, reverse, seek, removeRange }
    const text = Object.entries(line).map(([name, value]) => `${name} ${Math.round(value)}`)
    console.log(`${shape.padEnd(20)} ${text.join('  ')}`)
  }
}
