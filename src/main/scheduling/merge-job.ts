/**
 * The steps that every merge is made of: the job, its outputs, and their installation (semantics.md 16.6). Main thread.
 *
 * I1: files of the inputs, and what a job is told of range tombstones, stay until it has ended, whatever is installed
 *     meanwhile.
 */
import { LEVEL_COUNT } from '../../shared/base/limits.js'
import type { CompactionJob, JobResult, KeySlice, TableInput } from '../../shared/jobs/jobs.js'
import { givenDictionary } from '../options.js'
import { overlapsAny } from '../strategies/key-range.js'
import type { CompactionInput } from '../strategies/strategy.js'
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'
import type { Version } from '../version/version.js'
import { collectedBelow, exactFrom, reportFoldFailure, type Watermark } from './flush-task.js'
import type { JobExecutor } from './job-executor.js'
import { HeldRanges, lowestUnflushed, spansOutside } from './job-ranges.js'
import type { MergeControl } from './merge-control.js'
import { outputPlan } from './output-plan.js'
import { discardTables, openProposals } from './proposed-tables.js'
import { runSlices } from './subcompactions.js'

/** What is merged, and how. */
export interface MergePlan {
  readonly input: CompactionInput
  readonly tables: readonly Table[]
  /** Run at once, one job each. */
  readonly slices: readonly KeySlice[]
  readonly watermark: Watermark
}

/** What jobs made; `outputs` are open, or undefined where the inputs were cleared meanwhile and nothing is left of them. */
export interface MergeOutcome {
  readonly result: JobResult
  readonly outputs: readonly Table[] | undefined
  /** The highest seqno that had a say in what was dropped: of the inputs, or of a range tombstone elsewhere. */
  readonly highestSeqno: number
}

/** The tables of these ids that the latest version has. */
export function findTables(core: TreeCore, ids: ReadonlySet<number>): Table[] {
  return [...core.latest.version.tables()]
    .filter(({ table }) => ids.has(table.id))
    .map(({ table }) => table)
}

/** Runs the jobs of a merge, and opens what they wrote. */
export async function runMerge(
  core: TreeCore,
  executor: JobExecutor,
  { input, tables, slices, watermark }: MergePlan,
  control: MergeControl,
): Promise<MergeOutcome> {
  const ids = new Set(input.tableIds)
  const inputBytes = tables.reduce((sum, { liveBytes }) => sum + liveBytes, 0)
  for (const table of tables) table.acquire()
  const ranges = new HeldRanges(core, [], watermark.seqno)
  try {
    const jobOf = (slice: KeySlice, bytes: number): Omit<CompactionJob, 'region' | 'control'> => ({
      ...compactionJob(core, input, tables, bytes, watermark),
      runs: inputRuns(core, ids, slice),
      ranges: ranges.plain,
      slice,
    })
    const result = await runSlices(core, executor, slices, inputBytes, jobOf, control)
    const outputs = openProposals(core, result)
    try {
      control.requireWanted()
    } catch (error) {
      discardTables(outputs)
      throw error
    }
    const { version } = core.latest
    const highestSeqno = Math.max(ranges.highestSeqno, ...tables.map((one) => one.highestSeqno))
    const isCurrent = tables.every((table) => version.find(table.id)?.table === table)
    if (!isCurrent) discardTables(outputs)
    return { result, outputs: isCurrent ? outputs : undefined, highestSeqno }
  } finally {
    ranges[Symbol.dispose]()
    for (const table of tables) table.release()
  }
}

/** What follows an installation: inputs that are used up go, and older versions that nobody needs. */
export function retireInputs(
  core: TreeCore,
  consumed: readonly Table[],
  result: JobResult,
  watermark: Watermark,
): void {
  for (const table of consumed) table.markObsolete()
  // What a filter removed moved the visible seqno on: what is older serves snapshots only.
  const isMoved = result.isFiltered && watermark.isExact
  core.history.collect(isMoved ? core.automaticWatermark() : watermark.seqno)
  reportFoldFailure(core, result)
}

/**
 * Makes `next` the latest version. What a filter changed is changed at a seqno of its own, whatever the watermark: readers
 * from before it stay with the version before (semantics.md 19).
 */
export function installMerged(
  core: TreeCore,
  next: Version,
  { result, highestSeqno }: MergeOutcome,
  watermark: Watermark,
): void {
  if (result.isFiltered) {
    const install = core.seqno.next()
    core.install(next, new Set(), install + 1, install + 1)
    core.visibleSeqno.fetchMax(install + 1)
    return
  }
  core.install(
    next,
    new Set(),
    exactFrom(result, watermark, highestSeqno),
    collectedBelow(result, watermark, highestSeqno),
  )
}

/** The chosen tables that reach into a slice, as sources, newest first: each run of the version gives one. */
function inputRuns(
  core: TreeCore,
  ids: ReadonlySet<number>,
  { after, upTo }: KeySlice,
): TableInput[][] {
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
        chosen.map(({ id, path, record, restriction }) => ({
          id,
          path,
          globalSeqno: record.globalSeqno,
          restriction,
        })),
      )
    }
  }
  return runs
}

/**
 * True where nothing of the last level lies below the tables but what is merged with them: only then may tombstones go. A
 * move that became a merge leaves out what it lands in front of.
 */
function isWhole(core: TreeCore, tables: readonly Table[]): boolean {
  const { compare } = core.order
  const ids = new Set(tables.map(({ id }) => id))
  const runs = core.latest.version.levels[LEVEL_COUNT - 1] ?? []
  const others = runs.map((run) => run.filter(({ id }) => !ids.has(id)))
  return !tables.some(({ restriction, keyMin, keyMax }) =>
    overlapsAny(others, { min: restriction ?? keyMin, max: keyMax }, compare),
  )
}

function compactionJob(
  core: TreeCore,
  input: CompactionInput,
  tables: readonly Table[],
  inputBytes: number,
  watermark: Watermark,
): Omit<CompactionJob, 'region' | 'control' | 'ranges' | 'runs' | 'slice'> {
  const level = { destination: input.destination, canonical: input.canonicalLevel }
  const isLastLevel = input.destination === LEVEL_COUNT - 1 && isWhole(core, tables)
  return {
    kind: 'compaction',
    isFiltering: true,
    isIngestion: false,
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
