/**
 * Runs jobs: in the worker pool, or in process for what cannot leave the main thread (a file system in memory, user
 * objects, simulations). Both run the same actors. Main thread.
 */
import type { FileSystem } from '../../shared/fs/file-system.js'
import type { JobCode } from '../../shared/jobs/job-code.js'
import type { Job, JobResult } from '../../shared/jobs/jobs.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'

export interface JobExecutor {
  /** Runs `job` to its end. Rejects with the actor's error, code and details included. */
  run(job: Job): Promise<JobResult>
}

/** The actors' module, loaded when the first job runs in process: main imports nothing of the workers' plane. */
type Actors = {
  runJob(shared: SharedMemory, fs: FileSystem, job: Job, code: JobCode): JobResult
}
let actors: Promise<Actors> | undefined

/** Runs jobs on the calling thread, one after the other, each in a turn of the event loop of its own. */
export class InProcessExecutor implements JobExecutor {
  readonly #shared: SharedMemory
  readonly #fs: FileSystem
  readonly #code: JobCode

  /** @param code what the tree's jobs run of the user's, as this thread has it */
  constructor(shared: SharedMemory, fs: FileSystem, code: JobCode) {
    this.#shared = shared
    this.#fs = fs
    this.#code = code
  }

  async run(job: Job): Promise<JobResult> {
    actors ??= import(new URL('../../workers/actors.js', import.meta.url).href) as Promise<Actors>
    const { runJob } = await actors
    await new Promise((resolve) => setImmediate(resolve))
    return runJob(this.#shared, this.#fs, job, this.#code)
  }
}
