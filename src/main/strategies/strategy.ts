/**
 * What a compaction strategy is: a pure decision over the shape of a tree (semantics.md 16.2). The
 * decision lives here, its execution elsewhere, the keep-or-drop rules of a merge in a third place.
 * Main thread; no I/O, no clock, no state: the same shape gives the same choice.
 *
 * A strategy sees a tree as levels of runs of tables. `Version` and `Table` have that form; plain
 * objects do too, which is how strategies are tested.
 *
 * I1: a choice names only tables of the version it was asked about, each once, none hidden.
 * I2: carrying out a choice never puts data below older data of the same keys; `moveDown` and
 *     `pullDown` leave that promise to their caller.
 */
import type { CompareKeys } from '../../shared/base/key-order.js'

/** What a strategy sees of a table. */
export interface StrategyTable {
  readonly id: number
  /** Smallest and largest key that the table may answer for, both inclusive. */
  readonly keyMin: Uint8Array
  readonly keyMax: Uint8Array
  /** Length of the file. */
  readonly fileBytes: number
  /** When the file was written, in milliseconds since 1970. */
  readonly createdAtMs: number
  /** Lowest and highest effective seqno, range tombstones included. */
  readonly lowestSeqno: number
  readonly highestSeqno: number
  /** Bytes, as stored, of the blobs that it refers to; none where absent. */
  readonly linkedBlobBytes?: number
}

/** Tables ascending by key, without overlap. */
export type StrategyRun = readonly StrategyTable[]

/** Runs of one level: newest first in L1 and deeper, in no reliable order in L0. */
export type StrategyRuns = readonly StrategyRun[]

/** What a strategy sees of a version. */
export interface StrategyVersion {
  readonly levels: readonly StrategyRuns[]
  /** The order of the tree's keys; that of their bytes where absent. */
  readonly compareKeys?: CompareKeys
  /** Bytes of all blob files; none where absent. */
  readonly blobBytes?: number
}

/** What a move or a merge works on. */
export interface CompactionInput {
  readonly tableIds: readonly number[]
  /** The level that the tables, or what a merge makes of them, go to. */
  readonly destination: number
  /** The level whose per-level settings count: that which `destination` would be in a full tree. */
  readonly canonicalLevel: number
  /** Length at which a merge starts the next output table. */
  readonly targetBytes: number
}

/** One decision. A move renames the level of tables without touching their files. */
export type CompactionChoice =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'move' | 'merge'; readonly input: CompactionInput }
  | { readonly kind: 'drop'; readonly tableIds: readonly number[] }

/** What a decision depends on beside the version. */
export interface StrategyState {
  /** Ids of the tables that running compactions work on. */
  readonly hidden: ReadonlySet<number>
  /** Milliseconds since 1970; 0 where the clock cannot be trusted. */
  readonly nowMs: number
}

/** Decides what to compact next. */
export interface CompactionStrategy {
  /** For logs and statistics. */
  readonly name: string
  /** The next step, at most one. */
  choose(version: StrategyVersion, state: StrategyState): CompactionChoice
  /** Bytes that wait to be compacted: the compaction debt. */
  pendingBytes(version: StrategyVersion): number
}

export const NOTHING: CompactionChoice = { kind: 'nothing' }

/** All tables of a level, run by run. */
export function tablesIn(runs: StrategyRuns): StrategyTable[] {
  return runs.flat()
}

/** The runs of a level; none where the version has no such level. */
export function runsOf(version: StrategyVersion, level: number): StrategyRuns {
  return version.levels[level] ?? []
}

export function idsOf(tables: Iterable<StrategyTable>): number[] {
  return Array.from(tables, ({ id }) => id)
}

export function bytesOf(tables: Iterable<StrategyTable>): number {
  let bytes = 0
  for (const { fileBytes } of tables) bytes += fileBytes
  return bytes
}

/** True where a running compaction works on one of the tables. */
export function isBusy(tables: Iterable<StrategyTable>, hidden: ReadonlySet<number>): boolean {
  if (hidden.size === 0) return false
  for (const { id } of tables) if (hidden.has(id)) return true
  return false
}
