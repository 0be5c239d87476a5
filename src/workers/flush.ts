/**
 * The flush actor: sealed memtables become tables of L0 (semantics.md 8.2). Reads the memtables where they lie.
 */
import { readRangeRecords } from '../shared/iterator/range-records.js'
import type { FlushJob, JobResult } from '../shared/jobs/jobs.js'
import type { ActorContext } from './actor-context.js'
import { writeMerged } from './merge-writer.js'
import { OutputTables } from './output-tables.js'

export function runFlush(context: ActorContext, job: FlushJob): JobResult {
  const { shared } = context.workspace
  const tombstones = job.memtables.flatMap((memtable) => readRangeRecords(shared, memtable))
  const output = new OutputTables(context, job.output, tombstones, 'all in each')
  const rules = { watermark: job.watermark, isExact: job.isExact, evictsTombstones: false }
  return writeMerged(context, job.memtables, output, rules, job.output)
}
