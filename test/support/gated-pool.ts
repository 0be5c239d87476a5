/**
 * A pool of maintenance threads whose jobs a test holds back, counts, or makes fail.
 */
import type { MaintenancePool } from '../../src/main/index.js'
import type { JobPlace } from '../../src/main/scheduling/job-line.js'
import type { Job, JobResult } from '../../src/shared/jobs/jobs.js'

/** Decides over a job that has run: what it waits for, or what it fails with. */
export type Gate = (job: Job, number: number) => Promise<void> | undefined

export class GatedPool {
  readonly threads: number
  readonly parallelism: number
  /** What ran, in the order in which it began. */
  readonly begun: Job['kind'][] = []
  readonly #pool: MaintenancePool
  readonly #gate: Gate

  /** @param gate asked when a job has run, before its tree hears of it; `number` counts from 1 */
  constructor(pool: MaintenancePool, gate: Gate) {
    this.#pool = pool
    this.#gate = gate
    this.threads = pool.threads
    this.parallelism = pool.parallelism
  }

  /** As the option `pool` takes it. */
  get option(): MaintenancePool {
    return this as unknown as MaintenancePool
  }

  async run(job: Job, place?: JobPlace): Promise<JobResult> {
    const number = this.begun.push(job.kind)
    const result = await this.#pool.run(job, place)
    await this.#gate(job, number)
    return result
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }
}

/** A promise, and who resolves it. */
export interface Latch {
  readonly opened: Promise<void>
  open(): void
}

export function latch(): Latch {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
