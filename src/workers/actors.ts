/**
 * Runs one job on the calling thread: the same in a worker of the pool and in process. Synchronous, and stateless between
 * jobs.
 */
import type { FileSystem } from '../shared/fs/file-system.js'
import type { Job, JobResult } from '../shared/jobs/jobs.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import { ActorContext } from './actor-context.js'
import { runCompaction } from './compaction.js'
import { runFlush } from './flush.js'

export function runJob(shared: SharedMemory, fs: FileSystem, job: Job): JobResult {
  const context = new ActorContext(shared, fs, job)
  return job.kind === 'flush' ? runFlush(context, job) : runCompaction(context, job)
}
