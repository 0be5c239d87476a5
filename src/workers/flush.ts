/**
 * The flush actor: sealed memtables become tables of L0 (semantics.md 8.2). Reads the memtables where they lie.
 */
import { readRangeRecords } from '../shared/iterator/range-records.js'
import type { JobCode } from '../shared/jobs/job-code.js'
import type { FlushJob } from '../shared/jobs/jobs.js'
import type { ActorContext } from './actor-context.js'
import { type JobSteps, writeMerged } from './merge-writer.js'
import { OutputTables } from './output-tables.js'

export function runFlush(
  context: ActorContext,
  job: FlushJob,
  { mergeOperator }: JobCode,
): JobSteps {
  const { shared } = context.workspace
  const tombstones = job.memtables.flatMap((memtable) => readRangeRecords(shared, memtable))
  const output = new OutputTables(context, job.output, tombstones, 'all in each')
  const { watermark, isExact, ranges } = job
  const rules = { watermark, isExact, ranges, mergeOperator }
  return writeMerged(context, job.memtables, output, rules, job.output)
}
