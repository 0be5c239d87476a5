/**
 * Runs a merge in one job, or in several at once over slices of its keys (semantics.md 16.7). Main thread.
 *
 * I1: all slices succeed and their tables are one result, ascending by key, or the merge fails and none of them is left.
 */
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import { combineResults } from '../../shared/jobs/combined-results.js'
import type { CompactionJob, JobResult, KeySlice } from '../../shared/jobs/jobs.js'
import { sampleKeys } from '../../shared/table/index-samples.js'
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'
import type { JobExecutor } from './job-executor.js'
import { type JobMemory, type JobMemoryOptions, withJobMemory } from './job-region.js'
import { type KeySample, sliceKeys, WHOLE } from './key-slices.js'
import type { MergeControl } from './merge-control.js'
import { removeTables } from './proposed-tables.js'

/** Keys that one table offers to be cut at. */
const SAMPLES_A_TABLE = 64

/** A job without its memory, for one slice, which reads about `bytes`. */
export type SliceJob = (slice: KeySlice, bytes: number) => Omit<CompactionJob, 'region' | 'control'>

/** Keys of a table, evenly spread, as places to cut at. */
export function samplesOf({ shared }: TreeCore, { resident, fileBytes }: Table): KeySample[] {
  const keys = sampleKeys(shared, resident, SAMPLES_A_TABLE)
  return keys.map((key) => ({ key, bytes: fileBytes / keys.length }))
}

/** How a merge of `tables` is cut. */
export function chooseSlices(
  core: TreeCore,
  executor: JobExecutor,
  tables: readonly Table[],
): readonly KeySlice[] {
  const { compactionThreads, subcompactionMinBytes } = core.runtime
  const parts = Math.min(compactionThreads, executor.parallelism)
  const bytes = tables.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
  if (!(parts >= 2) || bytes < subcompactionMinBytes) return [WHOLE]
  // Range deletes cannot be cut where an order has no key right behind another one.
  const hasRanges = tables.some(({ resident }) => resident.rangeTombstones.length > 0)
  if (hasRanges && !core.order.isBytes) return [WHOLE]
  const samples = tables.flatMap((table) => samplesOf(core, table))
  // Behind the longest keys there is no room for the bound of a range delete that is cut there.
  const cuts = hasRanges ? samples.filter(({ key }) => key.length < KEY_BYTES_MAX) : samples
  return sliceKeys(cuts, parts, core.order.compare)
}

export interface SliceOptions extends JobMemoryOptions {
  /** Jobs at once. Default: all. */
  readonly parallelism?: number
}

/** Runs one job for each slice. */
export async function runSlices(
  core: TreeCore,
  executor: JobExecutor,
  slices: readonly KeySlice[],
  bytes: number,
  jobOf: SliceJob,
  merge: MergeControl,
  { parallelism = slices.length, ...memory }: SliceOptions = {},
): Promise<JobResult> {
  const failures: unknown[] = []
  const run = async (slice: KeySlice): Promise<JobResult> => {
    try {
      const work = ({ region, control }: JobMemory): Promise<JobResult> =>
        merge.run(control, () =>
          executor.run({ ...jobOf(slice, bytes / slices.length), region, control }),
        )
      return await withJobMemory(core.environment, work, memory)
    } catch (error) {
      failures.push(merge.explain(error))
      merge.cancel()
      throw error
    }
  }
  const outcomes = await settleAll(slices, parallelism, run)
  const results = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (failures.length === 0) return combineResults(results)
  removeTables(
    core,
    results.flatMap(({ tables }) => tables),
  )
  // The others were told to stop because of the first one.
  throw failures[0]
}

/** As Promise.allSettled, but so many at once. What comes after a failure is not begun. */
async function settleAll<T>(
  slices: readonly KeySlice[],
  parallelism: number,
  run: (slice: KeySlice) => Promise<T>,
): Promise<PromiseSettledResult<T>[]> {
  const outcomes: PromiseSettledResult<T>[] = []
  let next = 0
  let isFailed = false
  const work = async (): Promise<void> => {
    while (next < slices.length && !isFailed) {
      const number = next++
      const [outcome] = await Promise.allSettled([run(slices[number] as KeySlice)])
      outcomes[number] = outcome
      isFailed ||= outcome.status === 'rejected'
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallelism, slices.length) }, work))
  // A slice that was not begun has no outcome.
  return outcomes.filter((outcome) => outcome !== undefined)
}
