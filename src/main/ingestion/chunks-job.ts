/**
 * How much memory a bulk ingestion takes, and what that makes of its jobs. Main thread.
 *
 *     gathered │ waiting │ on its way to job 1 │ buffer of job 1 │ on its way to job 2 │ buffer of job 2 │ …
 *
 * A job that sorts has a buffer of twice the bytes of its chunks: beside the entries, sorting takes 48 bytes for each. One
 * that is full early makes two runs. A job whose chunks are sorted reads them through a small buffer.
 */

import { availableParallelism } from 'node:os'
import { rangeError } from '../../shared/base/errors.js'
import type { OutputPlan } from '../../shared/jobs/jobs.js'
import { ingestJob, ingestPlan } from '../scheduling/ingest-task.js'
import type { JobMemoryOptions } from '../scheduling/job-region.js'
import type { TreeCore } from '../tree-core.js'
import type { GatheredChunks } from './chunk-batch.js'
import type { IngestJobSource } from './ingest-jobs.js'
import { CHUNK_BYTES_DEFAULT } from './packed-entries.js'
import { runPlan } from './sorted-runs.js'

const MEMORY_BYTES_MIN = 256 * 1024
const MEMORY_BYTES_MAX = 1024 * 1024 * 1024

/** Bytes of a sorting job's buffer for each byte of its chunks. */
const SORT_FACTOR = 2

/** What a job counts for whose chunks are sorted: the collector takes them back one job later. */
const SORTED_SHARES = 2

/** Room that a buffer leaves beside its largest entry: its header, a block's head, and lengths. */
const OVERHEAD_BYTES = 16 * 1024

/** The smallest buffer of a job whose chunks are sorted. */
const SORTED_BUFFER_BYTES = 512 * 1024

/** Regions have room for values of this size; larger ones need some more for each byte. */
const VALUE_BYTES_COMMON = 4 * 1024 * 1024
const REGION_BYTES_A_VALUE_BYTE = 6

/** What of `BulkIngestOptions` says how much is done at once. */
export interface IngestLimits {
  readonly parallelism?: number
  readonly memoryBytes?: number
  readonly sorted?: boolean
}

export class IngestBudget {
  /** Jobs at once. */
  readonly parallelism: number
  /** Bytes of chunks that a job gets at most, more or less. */
  readonly batchBytes: number
  readonly isSorted: boolean
  /**
   * What jobs of this ingestion get of the shared memory beside what all jobs get: as much for each, so that one goes on in
   * the pages of the one before.
   */
  readonly regionBytes: number

  /** @throws RangeError for limits that are none */
  constructor(limits: IngestLimits, threads: number, memtableBytes: number) {
    const { parallelism = availableParallelism(), sorted = false } = limits
    if (!Number.isInteger(parallelism) || parallelism < 1) {
      throw rangeError(`parallelism must be an integer of 1 or more, not ${parallelism}`)
    }
    const jobs = Math.min(parallelism, threads)
    const { memoryBytes = defaultBytes(jobs, memtableBytes) } = limits
    if (
      !Number.isInteger(memoryBytes) ||
      memoryBytes < MEMORY_BYTES_MIN ||
      memoryBytes > MEMORY_BYTES_MAX
    ) {
      throw rangeError(
        `memoryBytes must be an integer from ${MEMORY_BYTES_MIN} to ${MEMORY_BYTES_MAX}, not ${memoryBytes}`,
      )
    }
    this.parallelism = jobs
    this.isSorted = sorted
    const shares = 2 + jobs * (sorted ? SORTED_SHARES : 1 + SORT_FACTOR)
    this.batchBytes = Math.floor(memoryBytes / shares)
    const factor = sorted ? 0 : SORT_FACTOR
    this.regionBytes = OVERHEAD_BYTES + factor * (this.batchBytes + CHUNK_BYTES_DEFAULT)
  }
}

function defaultBytes(jobs: number, memtableBytes: number): number {
  return Math.min(Math.max((jobs + 1) * memtableBytes, MEMORY_BYTES_MIN), MEMORY_BYTES_MAX)
}

/** The job that reads what was gathered, and the memory for it. */
export function chunksJob(
  core: TreeCore,
  { chunks, numbers, bytes, longest }: GatheredChunks,
  { isSorted, regionBytes }: IngestBudget,
): { readonly jobOf: IngestJobSource; readonly memory: JobMemoryOptions } {
  const bufferBytes =
    OVERHEAD_BYTES + (isSorted ? Math.max(longest, SORTED_BUFFER_BYTES) : bytes * SORT_FACTOR)
  const source = { kind: 'chunks', chunks, numbers, bufferBytes, isSorted } as const
  const planOf = (): OutputPlan => (isSorted ? ingestPlan(core, bytes) : runPlan(core, bytes))
  const extraBytes =
    Math.max(bufferBytes, regionBytes) +
    REGION_BYTES_A_VALUE_BYTE * Math.max(0, longest - VALUE_BYTES_COMMON)
  return {
    jobOf: () => ingestJob(core, source, bytes, planOf()),
    // The chunks are in the job's hands, and gone when it fails.
    memory: { extraBytes, isRepeatable: false },
  }
}
