/**
 * The worker threads of maintenance, shared by all trees of the process: started with the first job, unref'd while
 * idle, so that they never keep a process alive. Which job goes first is the line's to say (job-line.ts). The only
 * importer of piscina. Main thread.
 *
 * I1: an error of a job keeps its code on the way back; a lost worker is VARVE_IO and costs that job only.
 * I2: the memory of a job is its caller's again only when the thread has ended: a lost worker is told of only then.
 */
import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import {
  decodeError,
  type EncodedError,
  rangeError,
  typeError,
  VarveError,
} from '../../shared/base/errors.js'
import type { Job, JobResult } from '../../shared/jobs/jobs.js'
import { processEnvironment } from '../environment.js'
import type { JobExecutor } from './job-executor.js'
import { JobLine, type JobPlace } from './job-line.js'

/** An idle worker goes after so long; starting one takes 50 ms. */
const IDLE_TIMEOUT_MS = 10_000

/** A worker's short-lived objects are block handles; V8 would let them take 48 MiB before it looks. */
const YOUNG_GENERATION_MIB = 4

/** What the worker's entry answers. */
type WorkerAnswer = { readonly result: JobResult } | { readonly error: EncodedError }

export class MaintenancePool implements JobExecutor {
  readonly threads: number
  /** Where jobs wait for a thread. */
  readonly line: JobLine
  #pool: Piscina | undefined
  /** The ends of threads, by their ids; and of those that were told to end. */
  readonly #ends = new Map<number, Promise<void>>()
  readonly #ending = new Set<Promise<void>>()

  /**
   * @param options.threads worker threads at most, at least 1; from 2 on merges leave one of them to flushes. Default: one
   *   more than there are processors
   */
  constructor(options: { readonly threads?: number } = {}) {
    this.threads = options.threads ?? availableParallelism() + 1
    if (!Number.isInteger(this.threads) || this.threads < 1) {
      throw rangeError(`a maintenance pool has 1 thread or more, not ${this.threads}`)
    }
    this.line = new JobLine(this.threads)
  }

  get parallelism(): number {
    return this.line.mergesMax
  }

  /** @param place its place in the line; the last, where it gives none */
  async run(job: Job, place?: JobPlace): Promise<JobResult> {
    return this.line.run(place, () => this.#run(job))
  }

  async #run(job: Job): Promise<JobResult> {
    const { memory } = processEnvironment().shared
    let answer: WorkerAnswer
    try {
      const moved = { transferList: transfersOf(job) }
      answer = (await this.#start().run({ memory, job }, moved)) as WorkerAnswer
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'DataCloneError') {
        throw typeError(
          `the memory of a packed chunk cannot be moved to another thread (${cause.message}); yield a copy of it`,
        )
      }
      await Promise.all(this.#ending)
      throw new VarveError(
        'VARVE_IO',
        `the worker of a ${job.kind} job was lost, and what it wrote with it; automatic maintenance will try again`,
        {
          details: { operation: job.kind, errno: null, isWorkerLost: true },
          cause,
        },
      )
    }
    if ('error' in answer) throw decodeError(answer.error)
    return answer.result
  }

  /** Ends the threads; the next job starts new ones. */
  async close(): Promise<void> {
    const pool = this.#pool
    this.#pool = undefined
    await pool?.destroy()
  }

  #start(): Piscina {
    if (this.#pool !== undefined) return this.#pool
    const pool = new Piscina({
      filename: new URL('../../workers/entry.js', import.meta.url).href,
      minThreads: 0,
      maxThreads: this.threads,
      idleTimeout: IDLE_TIMEOUT_MS,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    })
    this.#pool = pool
    pool.on('workerCreate', ({ id }: { readonly id: number }) => {
      const worker = pool.threads.find(({ threadId }) => threadId === id)
      const end = new Promise<void>((resolve) => worker?.once('exit', () => resolve()))
      if (worker !== undefined) this.#ends.set(id, end)
      void end.then(() => {
        this.#ends.delete(id)
        this.#ending.delete(end)
      })
    })
    // One that has ended already has no id any more, and is not waited for.
    pool.on('workerDestroy', ({ id }: { readonly id: number }) => {
      const end = this.#ends.get(id)
      if (end !== undefined) this.#ending.add(end)
    })
    return pool
  }
}

/** The memory that a job takes with it. */
function transfersOf(job: Job): ArrayBuffer[] {
  if (job.kind !== 'ingest' || job.source.kind !== 'chunks') return []
  return job.source.chunks
    .map(({ buffer }) => buffer)
    .filter((buffer) => buffer instanceof ArrayBuffer)
}

let processPool: MaintenancePool | undefined

/** The pool that trees of this process share where they are not given one. */
export function sharedPool(): MaintenancePool {
  processPool ??= new MaintenancePool()
  return processPool
}
