/**
 * What a bulk ingestion of unsorted entries keeps on disk until it is complete: a sorted run for each batch of chunks,
 * merged in the end into the tables that are installed. Main thread; workers sort and merge.
 *
 *     chunks ─→ runs, the oldest first ─→ (groups of runs, while there are too many) ─→ tables, in slices at once
 *
 * I1: of entries with the same key the one of the youngest run counts: the last one of the source.
 * I2: runs are files that no manifest names: they go when they were merged, when the ingestion fails, or at the next open.
 */
import type { CompactionJob, JobResult, KeySlice, OutputPlan } from '../../shared/jobs/jobs.js'
import type { TableProposal } from '../../shared/table/table-proposal.js'
import type { TableShape } from '../../shared/table/table-writer.js'
import { ingestPlan } from '../scheduling/ingest-task.js'
import type { JobExecutor } from '../scheduling/job-executor.js'
import { type KeySample, sliceKeys } from '../scheduling/key-slices.js'
import { MergeControl, type MergeOptions } from '../scheduling/merge-control.js'
import { abandonTables, removeTables } from '../scheduling/proposed-tables.js'
import { runSlices, samplesOf } from '../scheduling/subcompactions.js'
import type { TreeCore } from '../tree-core.js'

/** How many jobs merge at once, and what each gets of the shared memory beside what all jobs get. */
export interface MergeBudget {
  readonly parallelism: number
  readonly regionBytes: number
}

/** One run: its tables ascending by key. */
export type SortedRun = readonly TableProposal[]

/** Runs that are merged at a time: each takes a block and an index in the memory of every job. */
const MERGE_WIDTH_MAX = 32

/** A run is one table, however large. */
const RUN_TABLE_BYTES = 1024 * 1024 * 1024

/** Runs have large blocks, each of which costs its reader and its writer a call; they are read front to back only. */
const RUN_BLOCK_BYTES = 64 * 1024

/**
 * Bytes of runs that a merging job reads at most, more or less: jobs are many and short, so that whatever else wants the
 * thread waits for a fraction of a second.
 */
const SLICE_BYTES = 48 * 1024 * 1024

/** A merge below this size is not cut: opening all runs once more would cost more than it brings. */
const CUT_BYTES_MIN = 4 * 1024 * 1024

/** The plan for files that are read once: nothing that costs time to write, or to make durable. */
export function runPlan(core: TreeCore, bytes: number): OutputPlan {
  const plan = ingestPlan(core, bytes)
  const none = { kind: 'none' } as const
  const shape: TableShape = {
    ...plan.shape,
    compression: none,
    indexCompression: none,
    filter: { ...plan.shape.filter, bits: 0 },
    hashRatio: 0,
    blockSize: Math.max(RUN_BLOCK_BYTES, plan.shape.blockSize),
    syncMode: 'none',
    hasZoneMap: false,
    hasSeqnoBounds: false,
  }
  return { ...plan, targetBytes: RUN_TABLE_BYTES, shape }
}

/**
 * Merges runs, the oldest first, into tables that are ready to be installed; the runs are gone afterwards. So many
 * jobs run at once as the budget says.
 */
export async function mergeRuns(
  core: TreeCore,
  executor: JobExecutor,
  runs: readonly SortedRun[],
  budget: MergeBudget,
  options: MergeOptions,
): Promise<{ readonly tables: SortedRun; readonly bytesWritten: number }> {
  let left = runs.filter((run) => run.length > 0)
  let bytesWritten = 0
  try {
    while (left.length > MERGE_WIDTH_MAX) {
      // Neighbours in age, so that what comes of them has an age as well.
      const group = left.slice(0, MERGE_WIDTH_MAX)
      const bytes = bytesOf(group)
      const result = await mergeGroup(core, executor, group, {
        budget,
        options,
        plan: (share) => runPlan(core, bytes * share),
      })
      removeTables(core, group.flat())
      left = [result.tables, ...left.slice(MERGE_WIDTH_MAX)]
      bytesWritten += result.bytesWritten
    }
    const bytes = bytesOf(left)
    const plan = (share: number): OutputPlan => ingestPlan(core, bytes * share)
    const result = await mergeGroup(core, executor, left, { budget, options, plan })
    return { tables: result.tables, bytesWritten: bytesWritten + result.bytesWritten }
  } finally {
    removeTables(core, left.flat())
  }
}

interface GroupMerge {
  readonly budget: MergeBudget
  readonly options: MergeOptions
  /** The plan for a job that has this share of the keys. */
  readonly plan: (share: number) => OutputPlan
}

function bytesOf(runs: readonly SortedRun[]): number {
  return runs.flat().reduce((sum, { fileBytes }) => sum + fileBytes, 0)
}

async function mergeGroup(
  core: TreeCore,
  executor: JobExecutor,
  runs: readonly SortedRun[],
  { budget, options, plan }: GroupMerge,
): Promise<JobResult> {
  const bytes = bytesOf(runs)
  using control = new MergeControl(core, bytes, options)
  const { parallelism, regionBytes } = budget
  const parts = bytes < CUT_BYTES_MIN ? 1 : Math.max(parallelism, Math.ceil(bytes / SLICE_BYTES))
  const slices = sliceKeys(samplesOfRuns(core, runs.flat()), parts, core.order.compare)
  const newestFirst = [...runs].reverse()
  const jobOf = (slice: KeySlice): Omit<CompactionJob, 'region' | 'control'> => ({
    kind: 'compaction',
    isFiltering: false,
    isIngestion: true,
    pace: 0,
    code: core.code.references,
    watermark: 0,
    isExact: false,
    isLastLevel: false,
    ranges: { state: 0, unsure: [] },
    outside: [],
    lowestUnflushed: Number.MAX_SAFE_INTEGER,
    dictionary: undefined,
    slice,
    runs: newestFirst.map((run) =>
      run.map(({ id }) => ({
        id,
        path: `${core.tablesFolder()}/${id}`,
        globalSeqno: 0,
        restriction: undefined,
      })),
    ),
    output: plan(1 / slices.length),
  })
  return runSlices(core, executor, slices, bytes, jobOf, control, {
    parallelism,
    extraBytes: regionBytes,
  })
}

/** Keys of the runs, evenly spread. */
function samplesOfRuns(core: TreeCore, tables: readonly TableProposal[]): KeySample[] {
  return tables.flatMap(({ id, checksum }): KeySample[] => {
    const table = core.openTable({ id, checksum, globalSeqno: 0 })
    try {
      return samplesOf(core, table)
    } finally {
      abandonTables([table])
    }
  })
}
