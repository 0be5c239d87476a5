/**
 * What an actor works with, the same in a worker thread and in process: a file system, a workspace over the job's
 * region, and the word that says stop.
 */
import { VarveError } from '../shared/base/errors.js'
import type { FileSystem } from '../shared/fs/file-system.js'
import type { JobCode } from '../shared/jobs/job-code.js'
import type { Job } from '../shared/jobs/jobs.js'
import { JOB_CANCEL } from '../shared/kernel/layout.js'
import { Heap } from '../shared/memory/heap.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import { Workspace } from '../shared/memory/workspace.js'

export class ActorContext {
  readonly workspace: Workspace
  readonly fs: FileSystem
  /** What of the user's the job runs. */
  readonly code: JobCode
  readonly #control: number

  constructor(shared: SharedMemory, fs: FileSystem, job: Job, code: JobCode) {
    this.fs = fs
    this.code = code
    this.workspace = new Workspace(
      shared.inOrder(code.order),
      new Heap(job.region.start, job.region.end),
    )
    this.#control = job.control
  }

  /** Called between blocks. @throws VARVE_ABORTED where main asked the job to stop */
  checkCancelled(): void {
    if (this.workspace.shared.isSet(this.#control + JOB_CANCEL)) {
      throw new VarveError('VARVE_ABORTED', 'the job was cancelled; nothing of it was installed')
    }
  }
}
