/**
 * Gives jobs their part of the shared memory, with control words, and takes it back. Main thread.
 *
 * A job cannot ask for more while it runs, so one that runs out is run again with twice as much: what it needs is a few
 * times its longest value, which nobody knows before. Only what is used of a region is ever touched.
 *
 * I1: a job for which there is no room while others have theirs waits until one of them gives its own back: many trees
 *     that are maintained at once fail for nothing. Who has a region waits for no other one's, so some job always ends.
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

/** Regions that are given out, and who waits for one, in order of arrival. */
interface RegionUse {
  count: number
  readonly waiters: (() => void)[]
}

const uses = new WeakMap<Environment, RegionUse>()

function useOf(environment: Environment): RegionUse {
  let use = uses.get(environment)
  if (use === undefined) {
    use = { count: 0, waiters: [] }
    uses.set(environment, use)
  }
  return use
}

export interface JobMemoryOptions {
  /** What the job is known to need beside what all need. */
  readonly extraBytes?: number
  /** False for a job that can be run once only: where it runs out, it fails. */
  readonly isRepeatable?: boolean
}

/**
 * Runs `work` with a region of its own, again with a larger one as long as it runs out.
 * @throws VARVE_OUT_OF_MEMORY
 */
export async function withJobMemory<T>(
  environment: Environment,
  work: (memory: JobMemory) => Promise<T>,
  { extraBytes = 0, isRepeatable = true }: JobMemoryOptions = {},
): Promise<T> {
  let bytes = REGION_BYTES_FIRST + extraBytes
  for (;;) {
    const start = await takeRegion(environment, bytes)
    try {
      return await withRegion(environment, { start, bytes }, work)
    } catch (error) {
      if (!isRepeatable || !VarveError.is(error, 'VARVE_OUT_OF_MEMORY')) throw error
      if (bytes * 2 > REGION_BYTES_LAST) throw error
      bytes *= 2
    }
  }
}

/** A region of `bytes` with control words before it; waits for one where there is none but may be. */
async function takeRegion(environment: Environment, bytes: number): Promise<number> {
  const use = useOf(environment)
  for (;;) {
    try {
      // From the top: write buffers come and go at the bottom.
      const start = environment.heap.allocate(JOB_CONTROL_BYTES + bytes, 'top')
      use.count++
      return start
    } catch (error) {
      if (use.count === 0) throw error
    }
    await new Promise<void>((resolve) => use.waiters.push(resolve))
  }
}

async function withRegion<T>(
  environment: Environment,
  { start, bytes }: { readonly start: number; readonly bytes: number },
  work: (memory: JobMemory) => Promise<T>,
): Promise<T> {
  const { heap, shared } = environment
  shared.bytes.fill(0, start, start + JOB_CONTROL_BYTES)
  try {
    const region = { start: start + JOB_CONTROL_BYTES, end: start + JOB_CONTROL_BYTES + bytes }
    return await work({ region, control: start })
  } finally {
    heap.free(start)
    const use = useOf(environment)
    use.count--
    for (const resolve of use.waiters.splice(0)) resolve()
  }
}
