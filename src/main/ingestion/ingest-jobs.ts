/**
 * The jobs of an ingestion: each gets memory and a thread, and what it wrote is kept, in the order of the jobs, until
 * somebody installs it or throws it away. Main thread.
 *
 * I1: what a job reads is let go of when it has ended, however it ended.
 * I2: after the first failure nothing counts any more; it is what every later call throws.
 */
import type { IngestJob } from '../../shared/jobs/jobs.js'
import { JOB_CANCEL } from '../../shared/kernel/layout-jobs.js'
import type { TableProposal } from '../../shared/table/table-proposal.js'
import type { JobExecutor } from '../scheduling/job-executor.js'
import { type JobMemoryOptions, withJobMemory } from '../scheduling/job-region.js'
import { removeTables } from '../scheduling/proposed-tables.js'
import type { TreeCore } from '../tree-core.js'

/** A job without its memory, made anew for each attempt. */
export type IngestJobSource = () => Omit<IngestJob, 'region' | 'control'>

export class IngestJobs {
  readonly #core: TreeCore
  readonly #executor: JobExecutor
  readonly #jobsMax: number
  readonly #running = new Set<Promise<void>>()
  /** Cancel words of running jobs. */
  readonly #controls = new Set<number>()
  #parts: (readonly TableProposal[])[] = []
  #failure: unknown
  #isCancelled = false
  #entryCount = 0
  #bytesWritten = 0

  /** @param jobsMax jobs at once */
  constructor(core: TreeCore, executor: JobExecutor, jobsMax: number) {
    this.#core = core
    this.#executor = executor
    this.#jobsMax = jobsMax
  }

  /** True where another job must wait for one to end. */
  get isBusy(): boolean {
    return this.#running.size >= this.#jobsMax
  }

  /** True until a job fails, or all are cancelled. */
  get isGoingOn(): boolean {
    return this.#failure === undefined && !this.#isCancelled
  }

  /** Entries that jobs have taken in. */
  get entryCount(): number {
    return this.#entryCount
  }

  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /** What each job wrote so far, in the order of the jobs. */
  get parts(): readonly (readonly TableProposal[])[] {
    return this.#parts
  }

  /** REQUIRES: not busy. `release` is called when the job has ended, and another one may be started. */
  start(jobOf: IngestJobSource, memory: JobMemoryOptions, release: () => void): void {
    const number = this.#parts.push([]) - 1
    const job = this.#run(jobOf, memory, number)
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        this.#running.delete(job)
        release()
      })
    this.#running.add(job)
  }

  /** Resolves when another job may start. @throws the first failure */
  async drained(): Promise<void> {
    while (this.isBusy) await Promise.race(this.#running)
    this.requireSound()
  }

  /** Waits for all jobs. @throws the first failure */
  async complete(): Promise<void> {
    await Promise.all(this.#running)
    this.requireSound()
  }

  /** @throws what went wrong with an earlier job */
  requireSound(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Stops all jobs, also those that begin later, and waits for their ends. */
  async cancel(): Promise<void> {
    this.#isCancelled = true
    for (const control of this.#controls) this.#core.shared.raise(control + JOB_CANCEL)
    await Promise.all(this.#running)
  }

  /** Removes what the jobs wrote. What cannot be removed is an orphan, and goes at the next open. */
  discard(): void {
    const parts = this.#parts
    this.#parts = []
    // A manifest whose write failed may name them all the same; the next open knows.
    if (this.#core.isInstallable) removeTables(this.#core, parts.flat())
  }

  async #run(jobOf: IngestJobSource, memory: JobMemoryOptions, number: number): Promise<void> {
    const { environment, shared } = this.#core
    const work = async ({ region, control }: Pick<IngestJob, 'region' | 'control'>) => {
      this.#controls.add(control)
      try {
        if (this.#isCancelled) shared.raise(control + JOB_CANCEL)
        return await this.#executor.run({ ...jobOf(), region, control })
      } finally {
        this.#controls.delete(control)
      }
    }
    const { tables, entriesIn, bytesWritten } = await withJobMemory(environment, work, memory)
    this.#parts[number] = tables
    this.#entryCount += entriesIn
    this.#bytesWritten += bytesWritten
  }
}
