/**
 * The entry of a pool worker: takes a job with the shared memory, runs it, and answers with its result or its encoded
 * error (the pool itself would drop an error's code).
 */
import { type EncodedError, encodeError } from '../shared/base/errors.js'
import { StdFileSystem } from '../shared/fs/std-file-system.js'
import { loadJobCode } from '../shared/jobs/job-code.js'
import type { Job, JobResult } from '../shared/jobs/jobs.js'
import { SharedMemory } from '../shared/memory/shared-memory.js'
import { runJob } from './actors.js'

/** What the pool sends. */
export interface WorkerTask {
  readonly memory: WebAssembly.Memory
  readonly job: Job
}

/** What comes back. */
export type WorkerAnswer = { readonly result: JobResult } | { readonly error: EncodedError }

const fs = new StdFileSystem()

export default async function run({ memory, job }: WorkerTask): Promise<WorkerAnswer> {
  try {
    const code = await loadJobCode(job.code)
    return { result: await runJob(new SharedMemory(memory), fs, job, code) }
  } catch (error) {
    return { error: encodeError(error) }
  }
}
