/**
 * Gives jobs their part of the shared memory, with control words, and takes it back. Main thread.
 *
 * A job cannot ask for more while it runs, so one that runs out is run again with twice as much: what it needs is a few
 * times its longest value, which nobody knows before. Only what is used of a region is ever touched.
 */
import { VarveError } from '../../shared/base/errors.js'
import type { JobRegion } from '../../shared/jobs/jobs.js'
import { JOB_CONTROL_BYTES } from '../../shared/kernel/layout-jobs.js'
import type { Environment } from '../environment.js'

/** First size of a region: enough for values of some megabytes, and for index and filter of the largest table. */
const REGION_BYTES_FIRST = 96 * 1024 * 1024

/** Last size that is tried: most of the memory. */
const REGION_BYTES_LAST = 12 * REGION_BYTES_FIRST

export interface JobMemory {
  readonly region: JobRegion
  readonly control: number
}

/**
 * Runs `work` with a region of its own, again with a larger one as long as it runs out.
 * @throws VARVE_OUT_OF_MEMORY
 */
export async function withJobMemory<T>(
  environment: Environment,
  work: (memory: JobMemory) => Promise<T>,
): Promise<T> {
  let bytes = REGION_BYTES_FIRST
  for (;;) {
    try {
      return await withRegion(environment, bytes, work)
    } catch (error) {
      if (!VarveError.is(error, 'VARVE_OUT_OF_MEMORY') || bytes * 2 > REGION_BYTES_LAST) throw error
      bytes *= 2
    }
  }
}

async function withRegion<T>(
  { heap, shared }: Environment,
  bytes: number,
  work: (memory: JobMemory) => Promise<T>,
): Promise<T> {
  // From the top: write buffers come and go at the bottom.
  const start = heap.allocate(JOB_CONTROL_BYTES + bytes, 'top')
  shared.bytes.fill(0, start, start + JOB_CONTROL_BYTES)
  try {
    const region = { start: start + JOB_CONTROL_BYTES, end: start + JOB_CONTROL_BYTES + bytes }
    return await work({ region, control: start })
  } finally {
    heap.free(start)
  }
}
