/**
 * A pool that loses a worker after so many steps of a job: what the job wrote until then stays as it is, nothing of it is
 * closed or removed, and nobody hears of its end. Its jobs run on the calling thread, so that it is always the same step.
 */
import type { MaintenancePool } from '../../src/main/index.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { StdFileSystem } from '../../src/shared/fs/std-file-system.js'
import { loadJobCode } from '../../src/shared/jobs/job-code.js'
import type { Job, JobResult } from '../../src/shared/jobs/jobs.js'
import type { SharedMemory } from '../../src/shared/memory/shared-memory.js'
import { jobSteps } from '../../src/workers/actors.js'

export class LosingPool {
  readonly parallelism = 1
  readonly threads = 1
  /** Steps that the next jobs take together before the worker is lost. */
  stepsLeft = Number.POSITIVE_INFINITY
  lostCount = 0
  readonly #shared: SharedMemory
  readonly #fs = new StdFileSystem()

  constructor(shared: SharedMemory) {
    this.#shared = shared
  }

  /** As `open` takes it. */
  get asPool(): MaintenancePool {
    return this as unknown as MaintenancePool
  }

  async run(job: Job): Promise<JobResult> {
    const steps = jobSteps(this.#shared, this.#fs, job, await loadJobCode(job.code))
    for (;;) {
      if (this.stepsLeft-- <= 0) throw this.#loss(job)
      const step = steps.next()
      if (step.done !== true) {
        if (typeof step.value !== 'number') await step.value
        continue
      }
      // All is written, and the answer does not arrive.
      if (this.stepsLeft-- <= 0) throw this.#loss(job)
      return step.value
    }
  }

  async close(): Promise<void> {}

  #loss(job: Job): VarveError {
    this.lostCount++
    this.stepsLeft = Number.POSITIVE_INFINITY
    return new VarveError('VARVE_IO', `the worker of a ${job.kind} job was lost`, {
      details: { operation: job.kind, errno: null, isWorkerLost: true },
    })
  }
}
