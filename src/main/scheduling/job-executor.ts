/**
 * Runs jobs: in the worker pool, or in process for what cannot leave the main thread (a file system in memory, user
 * objects, simulations). Both run the same actors. Main thread.
 */
import { setTimeout } from 'node:timers/promises'
import type { FileSystem } from '../../shared/fs/file-system.js'
import type { JobCode } from '../../shared/jobs/job-code.js'
import type { Job, JobResult } from '../../shared/jobs/jobs.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'
import type { JobPlace } from './job-line.js'

export interface JobExecutor {
  /** Merges that can run at once: one is not cut into more parts. */
  readonly parallelism: number
  /** Jobs of any kind that can run at once. */
  readonly threads: number
  /**
   * Runs `job` to its end. Rejects with the actor's error, code and details included.
   * @param place where in the line of a shared executor; what runs for one tree gives its own
   */
  run(job: Job, place?: JobPlace): Promise<JobResult>
}

/** The actors' module, loaded when the first job runs in process: main imports nothing of the workers' plane. */
type Actors = {
  jobSteps(
    shared: SharedMemory,
    fs: FileSystem,
    job: Job,
    code: JobCode,
  ): Generator<number | Promise<void>, JobResult, undefined>
}
let actors: Promise<Actors> | undefined

/** How long a job that runs the user's own objects keeps the event loop at a time; it must not be felt. */
const SLICE_MS = 4

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export interface InProcessOptions {
  /** True: jobs give way to the event loop every few milliseconds. False: each runs in one turn. */
  readonly isSliced: boolean
  /** Called for each job. */
  readonly onJob: () => void
}

/** Runs jobs on the calling thread, each in turns of the event loop of its own. */
export class InProcessExecutor implements JobExecutor {
  readonly parallelism = 1
  readonly threads = 1
  readonly #shared: SharedMemory
  readonly #fs: FileSystem
  readonly #code: JobCode
  readonly #options: InProcessOptions

  /** @param code what the tree's jobs run of the user's, as this thread has it */
  constructor(shared: SharedMemory, fs: FileSystem, code: JobCode, options: InProcessOptions) {
    this.#shared = shared
    this.#fs = fs
    this.#code = code
    this.#options = options
  }

  async run(job: Job): Promise<JobResult> {
    actors ??= import(new URL('../../workers/actors.js', import.meta.url).href) as Promise<Actors>
    const { jobSteps } = await actors
    this.#options.onJob()
    const steps = jobSteps(this.#shared, this.#fs, job, this.#code)
    for (;;) {
      await nextTurn()
      const until = this.#options.isSliced ? performance.now() + SLICE_MS : Number.POSITIVE_INFINITY
      do {
        const step = steps.next()
        if (step.done === true) return step.value
        if (typeof step.value !== 'number') {
          await step.value
        } else if (step.value > 0) {
          // The pace of its tree holds it up; it looks again whether it is to stop.
          await setTimeout(step.value)
          break
        }
      } while (performance.now() < until)
    }
  }
}
