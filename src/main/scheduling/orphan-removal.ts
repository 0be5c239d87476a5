/**
 * Removes the tables of a job whose worker was lost: nobody else would before the next open. Main thread.
 *
 * I1: files go only once the thread is surely gone, and only those whose ids were the job's.
 */
import { VarveError } from '../../shared/base/errors.js'
import type { FileSystem } from '../../shared/fs/file-system.js'
import type { Job, JobResult } from '../../shared/jobs/jobs.js'
import type { JobExecutor } from './job-executor.js'

export class OrphanRemoval implements JobExecutor {
  readonly #executor: JobExecutor
  readonly #fs: FileSystem

  /** @param executor one that rejects with `details.isWorkerLost` once the lost worker is gone */
  constructor(executor: JobExecutor, fs: FileSystem) {
    this.#executor = executor
    this.#fs = fs
  }

  get parallelism(): number {
    return this.#executor.parallelism
  }

  get threads(): number {
    return this.#executor.threads
  }

  async run(job: Job): Promise<JobResult> {
    try {
      return await this.#executor.run(job)
    } catch (error) {
      if (VarveError.is(error) && error.details['isWorkerLost'] === true) this.#remove(job)
      throw error
    }
  }

  #remove({ output: { folder, firstTableId, tableIdCount } }: Job): void {
    try {
      for (const { name } of this.#fs.list(folder)) {
        const id = Number(name)
        if (id >= firstTableId && id < firstTableId + tableIdCount) {
          this.#fs.remove(`${folder}/${name}`)
        }
      }
    } catch {
      // The loss of the worker is the failure to report; the next open removes what is left.
    }
  }
}
