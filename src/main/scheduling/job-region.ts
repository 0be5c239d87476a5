/**
 * Gives jobs their part of the shared memory, with control words, and takes it back. Main thread.
 *
 * A region is large because a job cannot ask for more: it must hold a few times the longest value, a filter being built,
 * and the index of a table. Only what is used of it is ever touched.
 */

import { VarveError } from '../../shared/base/errors.js'
import type { JobRegion } from '../../shared/jobs/jobs.js'
import { JOB_CONTROL_BYTES } from '../../shared/kernel/layout.js'
import type { Environment } from '../environment.js'

const MIB = 1024 * 1024

/** Sizes to try, largest first. */
const REGION_BYTES_TRIED = [192 * MIB, 128 * MIB, 96 * MIB] as const

export interface JobMemory {
  readonly region: JobRegion
  readonly control: number
}

/** Runs `work` with a region of its own. @throws VARVE_OUT_OF_MEMORY */
export async function withJobMemory<T>(
  { heap, shared }: Environment,
  work: (memory: JobMemory) => Promise<T>,
): Promise<T> {
  const control = heap.allocate(JOB_CONTROL_BYTES)
  shared.bytes.fill(0, control, control + JOB_CONTROL_BYTES)
  let start: number
  try {
    start = allocateRegion(heap)
  } catch (error) {
    heap.free(control)
    throw error
  }
  try {
    return await work({ region: { start, end: start + heap.sizeOf(start) }, control })
  } finally {
    heap.free(start)
    heap.free(control)
  }
}

function allocateRegion(heap: Environment['heap']): number {
  let failure: unknown
  for (const bytes of REGION_BYTES_TRIED) {
    try {
      return heap.allocate(bytes)
    } catch (error) {
      if (!VarveError.is(error, 'VARVE_OUT_OF_MEMORY')) throw error
      failure = error
    }
  }
  throw failure
}
