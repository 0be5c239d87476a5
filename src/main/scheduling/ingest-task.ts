/**
 * Builds the jobs of a bulk ingestion and installs what they wrote (semantics.md 9). Main thread.
 *
 *     jobs: buffers → tables, any number of them, while the tree is read and written
 *     install:  rotate, draw seqno g ─→ flush what was sealed ─→ tables at g, in front of L0
 *
 * I1: every entry in memory at the moment when g is drawn is flushed before the tables are installed, and everything
 *     written later has a higher seqno: newer data never lies below older data.
 * I2: reads that were made before the install answer the same after it: where others drew seqnos meanwhile, a snapshot
 *     above g keeps the super version from before.
 * I3: what `clear` overtook is not installed.
 */
import type { IngestJob, OutputPlan } from '../../shared/jobs/jobs.js'
import type { TableProposal } from '../../shared/table/table-proposal.js'
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'
import { runFlushTask } from './flush-task.js'
import type { JobExecutor } from './job-executor.js'
import { outputPlan, tableShape } from './output-plan.js'
import { abandonTables } from './proposed-tables.js'

/** Size at which ingested tables are cut (semantics.md 9). */
const INGEST_TABLE_BYTES = 64 * 1024 * 1024

/** Tables of ingestions are written by the policies of this level, whatever level they go to. */
const POLICY_LEVEL = 1

/** How tables of ingestions are written, by a job that reads about `bytes`. */
export function ingestPlan(core: TreeCore, bytes: number): OutputPlan {
  const level = { destination: 0, canonical: POLICY_LEVEL }
  const output = outputPlan(core, level, INGEST_TABLE_BYTES, bytes)
  const { filter } = tableShape(core, POLICY_LEVEL, POLICY_LEVEL)
  const bits = core.settings.expectPointReadHits ? 0 : filter.bits
  return { ...output, shape: { ...output.shape, filter: { ...filter, bits } } }
}

/** A job that reads entries, without its memory. */
export type EntriesJob = Omit<IngestJob, 'region' | 'control'>

/** The job that makes tables of the entries of `source`, which are about `bytes`. */
export function ingestJob(
  core: TreeCore,
  source: IngestJob['source'],
  bytes: number,
  output: OutputPlan = ingestPlan(core, bytes),
): EntriesJob {
  const { references } = core.code
  return { kind: 'ingest', code: references, watermark: 0, isExact: false, source, output }
}

/** Thrown away where the tree was cleared meanwhile; otherwise in place, all at one seqno. */
export interface IngestInstall {
  readonly seqno: number
  readonly isInstalled: boolean
}

/** Installs the tables of an ingestion. REQUIRES: no flush of the tree runs or starts meanwhile. */
export async function installIngested(
  core: TreeCore,
  executor: JobExecutor,
  proposals: readonly TableProposal[],
): Promise<IngestInstall> {
  core.requireInstallable()
  const { active } = core.latest
  if (active !== undefined && !active.isEmpty) core.rotate()
  const seqno = core.seqno.next()
  const clearCount = core.clearCount
  await runFlushTask(core, executor, { seqno: 0, isExact: true })
  if (core.clearCount !== clearCount) return { seqno, isInstalled: false }
  const tables = openAt(core, proposals, seqno)
  const isQuiet = core.seqno.get() === seqno + 1 && core.visibleSeqno.get() <= seqno
  const last = isQuiet ? seqno : core.seqno.next()
  try {
    const next = core.latest.version.withFlushed(tables)
    core.install(next, new Set(), isQuiet ? 0 : last + 1, 0)
  } catch (error) {
    abandonTables(tables)
    throw error
  }
  core.visibleSeqno.fetchMax(last + 1)
  return { seqno, isInstalled: true }
}

/** Opens the tables, whose entries all count from `globalSeqno`; all of them or none. */
function openAt(core: TreeCore, proposals: readonly TableProposal[], globalSeqno: number): Table[] {
  const tables: Table[] = []
  try {
    for (const { id, checksum } of proposals)
      tables.push(core.openTable({ id, checksum, globalSeqno }))
    return tables
  } catch (error) {
    abandonTables(tables)
    throw error
  }
}
