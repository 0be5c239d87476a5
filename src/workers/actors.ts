/**
 * Runs one job on the calling thread: the same in a worker of the pool and in process. Stateless between jobs.
 */
import type { FileSystem } from '../shared/fs/file-system.js'
import type { JobCode } from '../shared/jobs/job-code.js'
import type { Job, JobResult } from '../shared/jobs/jobs.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import { ActorContext, paceOf } from './actor-context.js'
import { runCompaction } from './compaction.js'
import { runFlush } from './flush.js'
import { runIngest } from './ingest.js'
import type { JobSteps } from './merge-writer.js'

/** A job in steps, none of them long but for what the user's code takes; nothing is done before the first one. */
export function* jobSteps(shared: SharedMemory, fs: FileSystem, job: Job, code: JobCode): JobSteps {
  const context = new ActorContext(shared, fs, job, code)
  if (job.kind === 'flush') return yield* runFlush(context, job, code)
  if (job.kind === 'ingest') return yield* runIngest(context, job)
  return yield* runCompaction(context, job, code)
}

/** A job from beginning to end. The thread stands still where the job's pace asks for it: never on main. */
export async function runJob(
  shared: SharedMemory,
  fs: FileSystem,
  job: Job,
  code: JobCode,
): Promise<JobResult> {
  const pace = paceOf(shared, job)
  const steps = jobSteps(shared, fs, job, code)
  for (;;) {
    // Before the step: a change after the step has looked must not be slept through.
    const changes = pace?.changes ?? 0
    const step = steps.next()
    if (step.done === true) return step.value
    if (typeof step.value !== 'number') await step.value
    else if (step.value > 0) pace?.wait(step.value, changes)
  }
}
