/**
 * Runs the jobs of one tree in a pool that it shares with others: gives each its place in the line, by what it is and by
 * the tree's `RuntimeConfig.jobPriorities`. Main thread.
 *
 * I1: when the tree closes, merges that have not begun do not begin any more.
 */
import { VarveError } from '../../shared/base/errors.js'
import type { Job, JobResult } from '../../shared/jobs/jobs.js'
import type { JobPriorities } from '../runtime-config.js'
import type { TreeCore } from '../tree-core.js'
import type { JobExecutor } from './job-executor.js'
import type { JobLine } from './job-line.js'

/** An executor with a line, if it has one: tests and users may bring their own. */
export interface SharedExecutor extends JobExecutor {
  readonly line?: JobLine
}

export class TreeExecutor implements JobExecutor {
  readonly #core: TreeCore
  readonly #pool: SharedExecutor
  readonly #owner: number

  constructor(core: TreeCore, pool: SharedExecutor) {
    this.#core = core
    this.#pool = pool
    this.#owner = core.environment.nextOwner()
  }

  get parallelism(): number {
    return this.#pool.parallelism
  }

  get threads(): number {
    return this.#pool.threads
  }

  run(job: Job): Promise<JobResult> {
    const priority = this.#core.runtime.jobPriorities[this.#kindOf(job)]
    const isMerge = job.kind === 'compaction' && !job.isIngestion
    return this.#pool.run(job, { owner: this.#owner, priority, isMerge })
  }

  /** Merges that wait for a thread fail with VARVE_ABORTED. */
  withdrawMerges(): void {
    const error = new VarveError(
      'VARVE_ABORTED',
      `${this.#core.root} is being closed; the tables stay as they were`,
    )
    this.#pool.line?.withdraw(({ owner, isMerge }) => owner === this.#owner && isMerge, error)
  }

  /** REQUIRES: no job of the tree waits or runs. */
  close(): void {
    this.#pool.line?.forget(this.#owner)
  }

  #kindOf(job: Job): keyof JobPriorities {
    if (job.kind !== 'compaction') return job.kind
    if (job.isIngestion) return 'ingest'
    const inputs = new Set(job.runs.flat().map(({ id }) => id))
    const isOfL0 = this.#core.latest.version
      .level(0)
      .flat()
      .some(({ id }) => inputs.has(id))
    return isOfL0 ? 'l0' : 'levels'
  }
}
