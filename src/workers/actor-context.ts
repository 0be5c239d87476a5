/**
 * What an actor works with, the same in a worker thread and in process: a file system, a workspace over the job's
 * region, and the words by which main stops or slows it down, and hears how far it is.
 */
import { VarveError } from '../shared/base/errors.js'
import type { FileSystem } from '../shared/fs/file-system.js'
import type { JobCode } from '../shared/jobs/job-code.js'
import type { Job } from '../shared/jobs/jobs.js'
import {
  JOB_BYTES_READ,
  JOB_BYTES_WRITTEN,
  JOB_CANCEL,
  JOB_ENTRIES,
} from '../shared/kernel/layout-jobs.js'
import { Heap } from '../shared/memory/heap.js'
import { Pace } from '../shared/memory/pace.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import { Workspace } from '../shared/memory/workspace.js'

export class ActorContext {
  readonly workspace: Workspace
  readonly fs: FileSystem
  /** What of the user's the job runs. */
  readonly code: JobCode
  readonly #control: number
  readonly #pace: Pace | undefined
  #bytesRead = 0
  #bytesWritten = 0

  constructor(shared: SharedMemory, fs: FileSystem, job: Job, code: JobCode) {
    this.fs = fs
    this.code = code
    this.workspace = new Workspace(
      shared.inOrder(code.order),
      new Heap(job.region.start, job.region.end),
    )
    this.#control = job.control
    this.#pace = paceOf(shared, job)
  }

  /** Called between blocks. @throws VARVE_ABORTED where main asked the job to stop */
  checkCancelled(): void {
    if (this.workspace.shared.isSet(this.#control + JOB_CANCEL)) {
      throw new VarveError('VARVE_ABORTED', 'the job was cancelled; nothing of it was installed')
    }
  }

  /** How long to stand still before the next block; 0 to go on. See `Pace.waitMs`. */
  get waitMs(): number {
    return this.#pace?.waitMs ?? 0
  }

  /** A block of an input was read. */
  countRead(bytes: number): void {
    this.#bytesRead += bytes
    this.workspace.shared.setF64(this.#control + JOB_BYTES_READ, this.#bytesRead)
  }

  /** So many entries were taken in so far, and so many bytes of keys and values written since the last call. */
  countWritten(entries: number, bytes: number): void {
    this.#bytesWritten += bytes
    const { shared } = this.workspace
    shared.setF64(this.#control + JOB_ENTRIES, entries)
    shared.setF64(this.#control + JOB_BYTES_WRITTEN, this.#bytesWritten)
    this.#pace?.charge(bytes)
  }
}

/** The pace that a job keeps; only merges of maintenance have one. */
export function paceOf(shared: SharedMemory, job: Job): Pace | undefined {
  return job.kind === 'compaction' && job.pace !== 0 ? new Pace(shared, job.pace) : undefined
}
