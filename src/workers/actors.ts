/**
 * Runs one job on the calling thread: the same in a worker of the pool and in process. Synchronous, and stateless between
 * jobs.
 */
import type { FileSystem } from '../shared/fs/file-system.js'
import type { JobCode } from '../shared/jobs/job-code.js'
import type { Job, JobResult } from '../shared/jobs/jobs.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import { ActorContext } from './actor-context.js'
import { runCompaction } from './compaction.js'
import { runFlush } from './flush.js'
import { runIngest } from './ingest.js'

export function runJob(shared: SharedMemory, fs: FileSystem, job: Job, code: JobCode): JobResult {
  const context = new ActorContext(shared.inOrder(code.order), fs, job)
  if (job.kind === 'flush') return runFlush(context, job)
  return job.kind === 'ingest' ? runIngest(context, job) : runCompaction(context, job)
}
