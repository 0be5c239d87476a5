/**
 * Carries out what a strategy chose: moves and drops at once, merges by a job (semantics.md 16). Main thread.
 *
 * I1: tables of a running merge are hidden from other choices, and shown again however it ends.
 * I2: a merge installs all outputs and removes all inputs in one step, or nothing; nothing where `clear` took an input.
 */
import type { CompactionInput, CompactionStrategy } from '../strategies/strategy.js'
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'
import { type CompactionResult, NOTHING } from './compaction-result.js'
import type { Watermark } from './flush-task.js'
import type { JobExecutor } from './job-executor.js'
import { MergeControl, type MergeOptions } from './merge-control.js'
import { findTables, installMerged, retireInputs, runMerge } from './merge-job.js'
import { discardTables, giveUpTables } from './proposed-tables.js'
import { admitMerge } from './space-gate.js'
import { chooseSlices } from './subcompactions.js'
import { canCut, mergeInTightSpace } from './tight-space.js'

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
  chosen: CompactionInput,
  chosenTables: readonly Table[],
  watermark: Watermark,
  options: MergeOptions,
): Promise<CompactionResult> {
  const admitted = admitMerge(core, chosenTables)
  if (admitted === undefined) {
    if (!core.runtime.tightSpaceCompaction || !canCut(core, chosenTables)) return NOTHING
    return mergeInTightSpace(core, executor, chosen, watermark, options)
  }
  const tables = admitted
  const input = { ...chosen, tableIds: tables.map(({ id }) => id) }
  const bytesRead = tables.reduce((sum, { liveBytes }) => sum + liveBytes, 0)
  using control = new MergeControl(core, bytesRead, options)
  const slices = chooseSlices(core, executor, tables)
  const merged = await runMerge(core, executor, { input, tables, slices, watermark }, control)
  const { result, outputs } = merged
  const ids = new Set(input.tableIds)
  // The inputs were cleared meanwhile: their merge must not bring them back.
  if (outputs === undefined) return { ...NOTHING, bytesRead, bytesWritten: result.bytesWritten }
  // Also where that happened since the merge looked, while its promise was settled.
  if (findTables(core, ids).length !== ids.size) {
    discardTables(outputs)
    return { ...NOTHING, bytesRead, bytesWritten: result.bytesWritten }
  }
  try {
    const next = core.latest.version.withMerged(ids, outputs, input.destination)
    installMerged(core, next, merged, watermark)
  } catch (error) {
    giveUpTables(core, outputs)
    throw error
  }
  retireInputs(core, tables, result, watermark)
  control.complete()
  return {
    action: 'merged',
    destination: input.destination,
    tablesIn: tables.length,
    tablesOut: outputs.length,
    bytesRead,
    bytesWritten: result.bytesWritten,
  }
}
