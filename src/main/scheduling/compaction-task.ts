/**
 * Carries out what a strategy chose: moves and drops at once, merges by a job (semantics.md 16). Main thread.
 *
 * I1: tables of a running merge are hidden from other choices, and shown again however it ends.
 * I2: a merge installs all outputs and removes all inputs in one step, or nothing; nothing where `clear` took an input.
 */
import { LEVEL_COUNT } from '../../shared/base/limits.js'
import type { CompactionJob, JobResult, KeySlice, TableInput } from '../../shared/jobs/jobs.js'
import { givenDictionary } from '../options.js'
import type { CompactionInput, CompactionStrategy } from '../strategies/strategy.js'
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'
import type { Version } from '../version/version.js'
import {
  abandonTables,
  collectedBelow,
  discardTables,
  exactFrom,
  openProposals,
  reportFoldFailure,
  type Watermark,
} from './flush-task.js'
import type { JobExecutor } from './job-executor.js'
import { HeldRanges, lowestUnflushed, spansOutside } from './job-ranges.js'
import { MergeControl, type MergeOptions } from './merge-control.js'
import { outputPlan } from './output-plan.js'
import { chooseSlices, runSlices } from './subcompactions.js'

/** What one compaction did. */
export interface CompactionResult {
  readonly action: 'nothing' | 'merged' | 'moved' | 'dropped'
  /** Absent for `nothing` and `dropped`. */
  readonly destination?: number
  readonly tablesIn: number
  readonly tablesOut: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

const NOTHING: CompactionResult = {
  action: 'nothing',
  tablesIn: 0,
  tablesOut: 0,
  bytesRead: 0,
  bytesWritten: 0,
}

/** Ids of tables that a job is reading. */
export type HiddenSet = Set<number>

/** Makes at most one decision of `strategy` and carries it out. */
export async function runCompactionTask(
  core: TreeCore,
  executor: JobExecutor,
  hidden: HiddenSet,
  strategy: CompactionStrategy,
  watermark: Watermark,
  options: MergeOptions = {},
): Promise<CompactionResult> {
  const choice = strategy.choose(core.latest.version, { hidden, nowMs: core.settings.clock() })
  if (choice.kind === 'nothing') return NOTHING
  core.requireInstallable()
  const ids = new Set(choice.kind === 'drop' ? choice.tableIds : choice.input.tableIds)
  const tables = findTables(core, ids)
  // A choice that names a table twice hidden or gone is stale: decline it.
  if (tables.length !== ids.size || tables.some((table) => hidden.has(table.id))) return NOTHING
  if (choice.kind === 'drop') return drop(core, ids, tables, watermark)
  if (choice.kind === 'move') return move(core, ids, choice.input)
  for (const id of ids) hidden.add(id)
  try {
    return await merge(core, executor, choice.input, tables, watermark, options)
  } finally {
    for (const id of ids) hidden.delete(id)
  }
}

function findTables(core: TreeCore, ids: ReadonlySet<number>): Table[] {
  return [...core.latest.version.tables()]
    .filter(({ table }) => ids.has(table.id))
    .map(({ table }) => table)
}

function drop(
  core: TreeCore,
  ids: ReadonlySet<number>,
  tables: readonly Table[],
  watermark: Watermark,
): CompactionResult {
  const install = core.seqno.next()
  core.install(core.latest.version.withDropped(ids), new Set(), install + 1)
  core.visibleSeqno.fetchMax(install + 1)
  for (const table of tables) table.markObsolete()
  // The older version serves snapshots, and nobody else where the caller promised nothing.
  core.history.collect(watermark.isExact ? core.automaticWatermark() : watermark.seqno)
  return { ...NOTHING, action: 'dropped', tablesIn: ids.size }
}

function move(core: TreeCore, ids: ReadonlySet<number>, input: CompactionInput): CompactionResult {
  core.install(core.latest.version.withMoved(ids, input.destination), new Set(), 0)
  // The tables are the same in both versions: the older one serves nobody.
  core.history.collect(core.automaticWatermark())
  const { destination } = input
  return { ...NOTHING, action: 'moved', destination, tablesIn: ids.size, tablesOut: ids.size }
}

async function merge(
  core: TreeCore,
  executor: JobExecutor,
  input: CompactionInput,
  tables: readonly Table[],
  watermark: Watermark,
  options: MergeOptions,
): Promise<CompactionResult> {
  const bytesRead = tables.reduce((sum, table) => sum + table.fileBytes, 0)
  // The files stay while the job reads them, whatever is installed meanwhile; memtables need not.
  for (const table of tables) table.acquire()
  const ranges = new HeldRanges(core, [], watermark.seqno)
  using control = new MergeControl(core, bytesRead, options)
  try {
    const slices = chooseSlices(core, executor, tables)
    const jobOf = (slice: KeySlice, bytes: number): Omit<CompactionJob, 'region' | 'control'> => ({
      ...compactionJob(core, input, tables, bytes, watermark),
      runs: inputRuns(core, new Set(input.tableIds), slice),
      ranges: ranges.plain,
      slice,
    })
    const result = await runSlices(core, executor, slices, bytesRead, jobOf, control)
    const outputs = openProposals(core, result)
    try {
      control.requireWanted()
    } catch (error) {
      discardTables(outputs)
      throw error
    }
    const ids = new Set(input.tableIds)
    // The inputs were cleared meanwhile: their merge must not bring them back.
    if (findTables(core, ids).length !== ids.size) {
      discardTables(outputs)
      return { ...NOTHING, bytesRead, bytesWritten: result.bytesWritten }
    }
    try {
      const next = core.latest.version.withMerged(ids, outputs, input.destination)
      installMerged(core, next, tables, result, watermark)
    } catch (error) {
      abandonTables(outputs)
      throw error
    }
    for (const table of tables) table.markObsolete()
    // What a filter removed moved the visible seqno on: what is older serves snapshots only.
    const isMoved = result.isFiltered && watermark.isExact
    core.history.collect(isMoved ? core.automaticWatermark() : watermark.seqno)
    reportFoldFailure(core, result)
    control.complete()
    return {
      action: 'merged',
      destination: input.destination,
      tablesIn: tables.length,
      tablesOut: outputs.length,
      bytesRead,
      bytesWritten: result.bytesWritten,
    }
  } finally {
    ranges[Symbol.dispose]()
    for (const table of tables) table.release()
  }
}

/**
 * Makes `next` the latest version. What a filter changed is changed at a seqno of its own, whatever the watermark: readers
 * from before it stay with the version before (semantics.md 19).
 */
function installMerged(
  core: TreeCore,
  next: Version,
  tables: readonly Table[],
  result: JobResult,
  watermark: Watermark,
): void {
  if (result.isFiltered) {
    const install = core.seqno.next()
    core.install(next, new Set(), install + 1, install + 1)
    core.visibleSeqno.fetchMax(install + 1)
    return
  }
  const highest = tables.reduce((most, table) => Math.max(most, table.highestSeqno), 0)
  core.install(
    next,
    new Set(),
    exactFrom(result, watermark, highest),
    collectedBelow(result, watermark, highest),
  )
}

/** The chosen tables that reach into a slice, as sources, newest first: each run of the version gives one. */
function inputRuns(
  core: TreeCore,
  ids: ReadonlySet<number>,
  { after, upTo }: KeySlice,
): TableInput[][] {
  const { restrictions } = core.latest.version.extras
  const { compare } = core.order
  const reaches = ({ keyMin, keyMax }: Table): boolean =>
    (after === undefined || compare(keyMax, after) > 0) &&
    (upTo === undefined || compare(keyMin, upTo) <= 0)
  const runs: TableInput[][] = []
  for (const level of core.latest.version.levels) {
    for (const run of level) {
      const chosen = run.filter((table) => ids.has(table.id) && reaches(table))
      if (chosen.length === 0) continue
      runs.push(
        chosen.map(({ id, path, record }) => ({
          id,
          path,
          globalSeqno: record.globalSeqno,
          restriction: restrictions.get(id),
        })),
      )
    }
  }
  return runs
}

function compactionJob(
  core: TreeCore,
  input: CompactionInput,
  tables: readonly Table[],
  inputBytes: number,
  watermark: Watermark,
): Omit<CompactionJob, 'region' | 'control' | 'ranges' | 'runs' | 'slice'> {
  const level = { destination: input.destination, canonical: input.canonicalLevel }
  const isLastLevel = input.destination === LEVEL_COUNT - 1
  return {
    kind: 'compaction',
    pace: core.pace.address,
    code: core.code.references,
    watermark: watermark.seqno,
    isExact: watermark.isExact,
    isLastLevel,
    outside: isLastLevel ? spansOutside(core, tables) : [],
    lowestUnflushed: lowestUnflushed(core),
    dictionary: givenDictionary(core.settings),
    output: outputPlan(core, level, input.targetBytes, inputBytes),
  }
}
