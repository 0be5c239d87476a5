/**
 * Compaction policies compared without any I/O: each strategy serves the same synthetic fillrandom
 * (uniform keys, every entry of the same size) over a simulated tree, one compaction at a time until
 * nothing is left to do after each flush.
 *
 *     node build/bench/policy/simulate.js [folder for plots]
 *
 * - write amplification: bytes of all tables written, flushes included, per byte flushed
 * - space amplification: bytes of all tables per byte of the newest entries, after the last flush
 *   and at its worst after any
 * - runs: how many sorted runs a read of a missing key would ask without filters, on average over
 *   the flushes and at its worst
 * - rewrite: the largest single merge, in memtables: what one job may take
 *
 * Sizes are scaled down: only their ratios to the memtable count.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { leveled } from '../../src/main/strategies/leveled.js'
import { sizeTiered } from '../../src/main/strategies/size-tiered.js'
import type { CompactionStrategy } from '../../src/main/strategies/strategy.js'
import { Random } from '../../test/support/random.js'
import { SimulatedTree } from '../../test/support/simulated-tree.js'
import { plot } from './plot.js'

export interface Workload {
  readonly flushes: number
  /** Entries a memtable holds. */
  readonly entriesPerFlush: number
  /** Different keys. */
  readonly keySpace: number
  readonly seed: number
}

/** A tree after one of its flushes, with nothing left to compact. */
export interface PolicyPoint {
  /** Flushes so far. */
  readonly flushes: number
  readonly write: number
  readonly space: number
  /** Sorted runs. */
  readonly read: number
}

export interface PolicyRow {
  readonly policy: string
  readonly writeAmplification: number
  readonly spaceAmplification: number
  readonly spaceAmplificationMax: number
  readonly runs: number
  readonly runsMax: number
  readonly merges: number
  readonly moves: number
  /** Largest single merge, in memtables. */
  readonly rewrite: number
  /** What it was after each flush. */
  readonly points: readonly PolicyPoint[]
}

const ENTRY_BYTES = 100

export const FULL: Workload = { flushes: 400, entriesPerFlush: 500, keySpace: 200_000, seed: 1 }
const TINY: Workload = { flushes: 40, entriesPerFlush: 50, keySpace: 2_000, seed: 1 }

/** The policies of the table; a table's target size is that of a memtable. */
export function policies(targetBytes: number): [name: string, strategy: CompactionStrategy][] {
  return [
    ['leveled', leveled({ targetBytes })],
    ['leveled, eager L0', leveled({ targetBytes, eagerL0: true })],
    ['leveled, L0 of 8', leveled({ targetBytes, l0Threshold: 8 })],
    ['leveled, ratio 4', leveled({ targetBytes, levelRatios: [4] })],
    ['leveled, dynamic', leveled({ targetBytes, dynamicLevelBytes: true })],
    ['leveled, multi-level', leveled({ targetBytes, multiLevel: true })],
    ['size-tiered', sizeTiered({ targetBytes })],
    ['size-tiered, space 50 %', sizeTiered({ targetBytes, maxSpaceAmplificationPercent: 50 })],
  ]
}

/** Serves one workload under one policy. */
export function simulate(
  policy: string,
  strategy: CompactionStrategy,
  workload: Workload,
): PolicyRow {
  const random = new Random(workload.seed)
  const tree = new SimulatedTree(ENTRY_BYTES)
  const points: PolicyPoint[] = []
  let largestMerge = 0
  for (let i = 0; i < workload.flushes; i++) {
    const keys = Array.from({ length: workload.entriesPerFlush }, () =>
      random.below(workload.keySpace),
    )
    tree.flush(keys)
    largestMerge = Math.max(largestMerge, compactAll(tree, strategy))
    const bytes = tree.tables.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
    points.push({
      flushes: i + 1,
      write: (tree.flushedBytes + tree.mergedBytes) / tree.flushedBytes,
      space: bytes / (tree.keyCount * ENTRY_BYTES),
      read: tree.version.levels.reduce((sum, level) => sum + level.length, 0),
    })
  }
  tree.audit()
  const last = points[points.length - 1] as PolicyPoint
  return {
    policy,
    writeAmplification: last.write,
    spaceAmplification: last.space,
    spaceAmplificationMax: Math.max(...points.map(({ space }) => space)),
    runs: points.reduce((sum, { read }) => sum + read, 0) / points.length,
    runsMax: Math.max(...points.map(({ read }) => read)),
    merges: tree.merges,
    moves: tree.moves,
    rewrite: largestMerge / (workload.entriesPerFlush * ENTRY_BYTES),
    points,
  }
}

/** Follows the strategy until it is content; returns the bytes of the largest merge. */
function compactAll(tree: SimulatedTree, strategy: CompactionStrategy): number {
  const state = { hidden: new Set<number>(), nowMs: 0 }
  let largest = 0
  for (;;) {
    const choice = strategy.choose(tree.version, state)
    if (choice.kind === 'nothing' || choice.kind === 'drop') return largest
    if (choice.kind === 'move') {
      tree.move(choice.input)
      continue
    }
    const before = tree.mergedBytes
    tree.merge(choice.input)
    largest = Math.max(largest, tree.mergedBytes - before)
  }
}

/** All policies over one workload. */
export function compare(workload: Workload): PolicyRow[] {
  return policies(workload.entriesPerFlush * ENTRY_BYTES).map(([name, strategy]) =>
    simulate(name, strategy, workload),
  )
}

export function runTiny(): PolicyRow[] {
  return compare(TINY)
}

/** The rows as a table of text. */
export function formatRows(rows: readonly PolicyRow[]): string {
  const head = ['policy', 'write', 'space', 'worst', 'runs', 'worst', 'merges', 'moves', 'rewrite']
  const cells = rows.map((row) => [
    row.policy,
    row.writeAmplification.toFixed(2),
    row.spaceAmplification.toFixed(2),
    row.spaceAmplificationMax.toFixed(2),
    row.runs.toFixed(1),
    String(row.runsMax),
    String(row.merges),
    String(row.moves),
    row.rewrite.toFixed(0),
  ])
  const lines = [head, ...cells]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
        )
        .join('  '),
    )
    .join('\n')
}

async function main(): Promise<void> {
  const { flushes, entriesPerFlush, keySpace, seed } = FULL
  console.log(`fillrandom: ${flushes} flushes of ${entriesPerFlush} entries over ${keySpace} keys,`)
  console.log(`seed ${seed}; target size of tables: one memtable`)
  const rows = compare(FULL)
  console.log(formatRows(rows))
  const [, , folder] = process.argv
  if (folder === undefined) return
  for (const [name, svg] of await plot(rows)) writeFileSync(join(folder, `policy-${name}.svg`), svg)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
