/**
 * Flushes sealed memtables: builds the job, has it run, installs the proposal (semantics.md 8.2). Main thread.
 *
 * I1: flushes of a tree may write their tables at once; they install in the order of their memtables (flush-line.ts).
 * I2: a failed flush changes nothing: the memtables stay sealed, readable, and are flushed again.
 * I3: what `clear` dropped while the job ran is not installed.
 * I4: `beforeFlush` has ended before the manifest names what was flushed, and 'flush' is emitted before anything else
 *     can happen to it: no compaction has touched a table that an external log has not heard of.
 */
import { decodeError } from '../../shared/base/errors.js'
import type { FlushJob, JobResult } from '../../shared/jobs/jobs.js'
import type { TreeCore } from '../tree-core.js'
import type { Memtable } from '../version/memtable.js'
import type { FlushPart } from './flush-line.js'
import type { JobExecutor } from './job-executor.js'
import { HeldRanges } from './job-ranges.js'
import { withJobMemory } from './job-region.js'
import { outputPlan } from './output-plan.js'
import { discardTables, giveUpTables, openProposals } from './proposed-tables.js'

/** Size at which flushed tables are cut (semantics.md 8.2). */
const FLUSH_TABLE_BYTES = 64 * 1024 * 1024

/** What a flush did. */
export interface FlushResult {
  readonly memtableCount: number
  readonly tableCount: number
  readonly bytesWritten: number
  /** The highest seqno among what was flushed: it and everything sealed before it is durable. */
  readonly highestSeqno: number
}

/** How far a job may collect, and by which rule. */
export interface Watermark {
  readonly seqno: number
  /** True: every read at or above stays exact on the latest super version. */
  readonly isExact: boolean
}

/**
 * From which seqno on the result of a job is exact.
 * @param highest seqno that had a say in what was dropped
 */
export function exactFrom(result: JobResult, watermark: Watermark, highest: number): number {
  if (result.entriesDropped === 0 || watermark.seqno === 0) return 0
  return watermark.isExact ? watermark.seqno : highest + 1
}

/**
 * Below which seqno the result of a job may miss what there was: reads cannot tell where only a tombstone went that
 * covered nothing any more, but whoever follows the changes can.
 */
export function collectedBelow(result: JobResult, watermark: Watermark, highest: number): number {
  if (result.entriesDropped === 0) return 0
  return watermark.isExact ? watermark.seqno : highest + 1
}

/** Tells of a merge operator that refused: what it refused was kept, so the job did not fail. */
export function reportFoldFailure(core: TreeCore, { foldFailure }: JobResult): void {
  if (foldFailure === undefined) core.failures.settle('fold')
  else core.reportError(decodeError(foldFailure), 'fold')
}

/** The flush before this one failed: what this one wrote was given up, and its memtables are still sealed. */
export const GIVEN_UP = Symbol('given up')

/**
 * Flushes a part of what is sealed, all of it where none is given; undefined where nothing is, or where it was cleared
 * meanwhile. REQUIRES: without a part, no other flush runs or starts meanwhile.
 */
export async function runFlushTask(
  core: TreeCore,
  executor: JobExecutor,
  watermark: Watermark,
  part?: FlushPart,
): Promise<FlushResult | typeof GIVEN_UP | undefined> {
  const sealed = part?.memtables ?? core.latest.sealed
  if (sealed.length === 0) return undefined
  core.requireInstallable()
  const highest = sealed.reduce((most, memtable) => Math.max(most, memtable.highestSeqno ?? 0), 0)
  // They stay while the job reads them, even where the tree is cleared meanwhile.
  for (const memtable of sealed) memtable.acquire()
  const ranges = new HeldRanges(core, [...sealed].reverse(), watermark.seqno)
  let result: JobResult
  try {
    result = await withJobMemory(core.environment, ({ region, control }) =>
      executor.run(flushJob(core, sealed, { region, control, watermark, ranges: ranges.plain })),
    )
  } finally {
    ranges[Symbol.dispose]()
    for (const memtable of sealed) memtable.release()
  }
  const tables = openProposals(core, result)
  if (part !== undefined && !(await part.turn)) {
    discardTables(tables)
    return GIVEN_UP
  }
  const { beforeFlush } = core.settings
  if (beforeFlush !== undefined) {
    try {
      await beforeFlush(highest)
    } catch (error) {
      discardTables(tables)
      throw error
    }
  }
  // The tree was cleared meanwhile: what was flushed is not part of it any more.
  if (!sealed.every((memtable) => core.latest.sealed.includes(memtable))) {
    discardTables(tables)
    return undefined
  }
  try {
    const { version } = core.latest
    const next = tables.length === 0 ? version : version.withFlushed(tables)
    core.install(
      next,
      new Set(sealed),
      exactFrom(result, watermark, Math.max(highest, ranges.highestSeqno)),
      collectedBelow(result, watermark, Math.max(highest, ranges.highestSeqno)),
    )
  } catch (error) {
    giveUpTables(core, tables)
    throw error
  }
  core.history.collect(watermark.seqno)
  core.failures.settle('flush')
  reportFoldFailure(core, result)
  const flushed = {
    memtableCount: sealed.length,
    tableCount: tables.length,
    bytesWritten: result.bytesWritten,
    highestSeqno: highest,
  }
  core.maintenance.flushes++
  core.maintenance.memtablesFlushed += flushed.memtableCount
  core.maintenance.flushBytesWritten += flushed.bytesWritten
  core.publish('flush', flushed)
  return flushed
}

function flushJob(
  core: TreeCore,
  sealed: readonly Memtable[],
  given: Pick<FlushJob, 'region' | 'control' | 'ranges'> & { readonly watermark: Watermark },
): FlushJob {
  const newestFirst = [...sealed].reverse()
  const bytes = sealed.reduce((sum, memtable) => sum + memtable.usedBytes, 0)
  return {
    kind: 'flush',
    code: core.code.references,
    region: given.region,
    control: given.control,
    ranges: given.ranges,
    watermark: given.watermark.seqno,
    isExact: given.watermark.isExact,
    memtables: newestFirst.map((memtable) => memtable.address),
    output: outputPlan(core, { destination: 0, canonical: 0 }, FLUSH_TABLE_BYTES, bytes),
  }
}
