/**
 * The STATE structure that point reads and merges walk: memtables and runs in the shared memory. Main thread makes and
 * frees it.
 */
import {
  RUN_BYTES,
  RUN_HAS_RANGES,
  RUN_LEVEL,
  RUN_TABLE_COUNT,
  RUN_TABLES,
  STATE_BYTES,
  STATE_HAS_RANGES,
  STATE_MEMTABLE_COUNT,
  STATE_MEMTABLES,
  STATE_NUMBER,
  STATE_RUN_COUNT,
  STATE_RUNS,
} from '../kernel/layout.js'
import type { Workspace } from '../memory/workspace.js'
import type { ReadView, ViewRun } from './read-view.js'

/**
 * Writes STATE, memtable list, run records and table lists into one piece, the caller's to free: its address.
 * @param number what other threads know it by, where they see it
 */
export function publishState(
  { shared, heap }: Workspace,
  memtables: readonly number[],
  runs: readonly ViewRun[],
  number = 0,
): number {
  const tableCount = runs.reduce((sum, run) => sum + run.tables.length, 0)
  const bytes = STATE_BYTES + 8 * memtables.length + RUN_BYTES * runs.length + 4 * tableCount
  const state = heap.allocate(bytes)
  const memtableList = state + STATE_BYTES
  const runRecords = memtableList + 8 * memtables.length
  let tables = runRecords + RUN_BYTES * runs.length
  let hasRanges = 0
  shared.setU32(state + STATE_MEMTABLE_COUNT, memtables.length)
  shared.setU32(state + STATE_RUN_COUNT, runs.length)
  shared.setU32(state + STATE_MEMTABLES, memtableList)
  shared.setU32(state + STATE_RUNS, runRecords)
  memtables.forEach((address, i) => {
    shared.setU32(memtableList + 4 * i, address)
  })
  runs.forEach((run, i) => {
    const record = runRecords + RUN_BYTES * i
    shared.setU32(record + RUN_LEVEL, run.level)
    shared.setU32(record + RUN_TABLE_COUNT, run.tables.length)
    shared.setU32(record + RUN_TABLES, tables)
    const runHasRanges = run.tables.some((table) => table.hasRangeTombstones) ? 1 : 0
    shared.setU32(record + RUN_HAS_RANGES, runHasRanges)
    hasRanges |= runHasRanges
    for (const table of run.tables) {
      shared.setU32(tables, table.address)
      tables += 4
    }
  })
  shared.setU32(state + STATE_HAS_RANGES, hasRanges)
  shared.setU32(state + STATE_NUMBER, number)
  return state
}

/** A part of what a super version holds, as something to scan: whoever makes one sees to the memory of its sources. */
export class PartialView implements ReadView, Disposable {
  readonly stateAddress: number
  readonly memtables: readonly number[]
  readonly runs: readonly ViewRun[]
  readonly #workspace: Workspace

  constructor(workspace: Workspace, memtables: readonly number[], runs: readonly ViewRun[]) {
    this.#workspace = workspace
    this.memtables = memtables
    this.runs = runs
    this.stateAddress = publishState(workspace, memtables, runs)
  }

  [Symbol.dispose](): void {
    this.#workspace.heap.free(this.stateAddress)
  }
}
