/**
 * The micro benches: every kernel beside its plain twin and beside a native package that does the same, where one is
 * installed. Run: `npm run bench:micro -- [--only=hashes,blocks] [--rounds=5] [--scale=1] [--json]`.
 *
 * Nanoseconds, the fastest of the rounds, contenders in turns; `times kernel` is how much longer it takes than the kernel.
 * The result is a digest that all contenders of a subject have in common (`race.ts`).
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine } from '../macro/report.js'
import { blocks } from './families/blocks.js'
import { cache } from './families/cache.js'
import { lz4, zstd } from './families/compression.js'
import { filters } from './families/filters.js'
import { hashes } from './families/hashes.js'
import { ingest } from './families/ingest.js'
import { memtables } from './families/memtables.js'
import { merges } from './families/merges.js'
import { orders } from './families/orders.js'
import { rangeSets } from './families/range-sets.js'
import { reads } from './families/reads.js'
import { seeks } from './families/seeks.js'
import { type Effort, type Family, formatRows, type Row } from './race.js'

export const FAMILIES: ReadonlyMap<string, Family> = new Map<string, Family>([
  ['hashes', hashes],
  ['lz4', lz4],
  ['zstd', zstd],
  ['filters', filters],
  ['memtables', memtables],
  ['orders', orders],
  ['blocks', blocks],
  ['cache', cache],
  ['reads', reads],
  ['seeks', seeks],
  ['merges', merges],
  ['ingest', ingest],
  ['range-sets', rangeSets],
])

/** Runs families, all of them where none is named; `see` gets the rows of each as they come. */
export async function runMicro(
  effort: Effort,
  only: readonly string[] = [],
  see: (rows: readonly Row[]) => void = () => undefined,
): Promise<Row[]> {
  const unknown = only.find((name) => !FAMILIES.has(name))
  if (unknown !== undefined) {
    throw new RangeError(`no family ${unknown}; there are ${[...FAMILIES.keys()].join(', ')}`)
  }
  const all: Row[] = []
  for (const [name, family] of FAMILIES) {
    if (only.length > 0 && !only.includes(name)) continue
    const rows = await family(effort)
    see(rows)
    all.push(...rows)
  }
  return all
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: { only: text, rounds: text, scale: text, json: { type: 'boolean' } },
  })
  const effort = { rounds: Number(values.rounds ?? 5), scale: Number(values.scale ?? 1) }
  if (!(effort.rounds >= 1 && effort.scale > 0)) throw new RangeError('rounds and scale count up')
  const only = values.only?.split(',') ?? []
  if (values.json === true) {
    const rows = await runMicro(effort, only)
    console.log(JSON.stringify({ machine: machine(), effort, rows }))
    return
  }
  console.log(machine())
  await runMicro(effort, only, (rows) => {
    if (rows.length > 0) console.log(`\n${rows[0]?.family}\n${formatRows(rows)}`)
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
