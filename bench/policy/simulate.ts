/**
 * Compaction policies compared without any I/O: each strategy serves the same synthetic fillrandom
 * (uniform keys, every entry of the same size) over a simulated tree, one compaction at a time until
 * nothing is left to do after each flush.
 *
 *     node build/bench/policy/simulate.js
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
import { fileURLToPath } from 'node:url'
import { leveled } from '../../src/main/strategies/leveled.js'
import { sizeTiered } from '../../src/main/strategies/size-tiered.js'
import type { CompactionStrategy } from '../../src/main/strategies/strategy.js'
import { Random } from '../../test/support/random.js'
import { SimulatedTree } from '../../test/support/simulated-tree.js'

export interface Workload {
  readonly flushes: number
  /** Entries a memtable holds. */
  readonly entriesPerFlush: number
  /** Different keys. */
  readonly keySpace: number
  readonly seed: number
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
}

const ENTRY_BYTES = 100

const FULL: Workload = { flushes: 400, entriesPerFlush: 500, keySpace: 200_000, seed: 1 }
const TINY: Workload = { flushes: 40, entriesPerFlush: 50, keySpace: 2_000, seed: 1 }

/** The policies of the table; a table's target size is that of a memtable. */
export function policies(targetBytes: number): [name: string, strategy: CompactionStrategy][] {
  return [
    ['leveled', leveled({ targetBytes })],
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
  let runsSum = 0
  let runsMax = 0
  let space = 0
  let spaceMax = 0
  let largestMerge = 0
  for (let i = 0; i < workload.flushes; i++) {
    const keys = Array.from({ length: workload.entriesPerFlush }, () =>
      random.below(workload.keySpace),
    )
    tree.flush(keys)
    largestMerge = Math.max(largestMerge, compactAll(tree, strategy))
    const runs = tree.version.levels.reduce((sum, level) => sum + level.length, 0)
    runsSum += runs
    runsMax = Math.max(runsMax, runs)
    const bytes = tree.tables.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
    space = bytes / (tree.keyCount * ENTRY_BYTES)
    spaceMax = Math.max(spaceMax, space)
  }
  tree.audit()
  return {
    policy,
    writeAmplification: (tree.flushedBytes + tree.mergedBytes) / tree.flushedBytes,
    spaceAmplification: space,
    spaceAmplificationMax: spaceMax,
    runs: runsSum / workload.flushes,
    runsMax,
    merges: tree.merges,
    moves: tree.moves,
    rewrite: largestMerge / (workload.entriesPerFlush * ENTRY_BYTES),
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { flushes, entriesPerFlush, keySpace, seed } = FULL
  console.log(`fillrandom: ${flushes} flushes of ${entriesPerFlush} entries over ${keySpace} keys,`)
  console.log(`seed ${seed}; target size of tables: one memtable`)
  console.log(formatRows(compare(FULL)))
}
