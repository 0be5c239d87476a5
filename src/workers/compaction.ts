/**
 * The compaction actor: merges tables into tables of one level (semantics.md 16.6). It reads its inputs front to back,
 * past the block cache, so that a merge does not push out what readers need.
 */
import { type KeyOrder, successor } from '../shared/base/key-order.js'
import { normalizeRangeTombstones, type RangeTombstone } from '../shared/format/range-tombstone.js'
import { RunCursor } from '../shared/iterator/run-cursor.js'
import type { JobCode } from '../shared/jobs/job-code.js'
import type { CompactionJob, KeySlice, TableInput } from '../shared/jobs/jobs.js'
import { BlockLoader } from '../shared/table/block-loader.js'
import { ResidentTable } from '../shared/table/resident-table.js'
import { TableFile } from '../shared/table/table-file.js'
import type { ActorContext } from './actor-context.js'
import { type JobSteps, writeMerged } from './merge-writer.js'
import { OutputTables } from './output-tables.js'

/** Opens the job's inputs, and closes all of them whatever happens. */
class InputTables {
  readonly #context: ActorContext
  readonly #loader: BlockLoader
  readonly #job: CompactionJob
  readonly #open: ResidentTable[] = []

  constructor(context: ActorContext, job: CompactionJob) {
    this.#context = context
    this.#job = job
    this.#loader = new BlockLoader(context.workspace)
  }

  get rangeTombstones(): RangeTombstone[] {
    return this.#open.flatMap((table) => [...table.rangeTombstones])
  }

  openRuns(): RunCursor[] {
    const { workspace } = this.#context
    return this.#job.runs.map((run) => {
      const tables = run.map((input) => this.#openTable(input))
      return new RunCursor(workspace, this.#loader, tables, (bytes) => {
        this.#context.countRead(bytes)
      })
    })
  }

  close(): void {
    for (const table of this.#open) table.table.file.close()
  }

  #openTable(input: TableInput): ResidentTable {
    const { workspace, fs } = this.#context
    const file = fs.openRead(input.path)
    try {
      const options = { id: input.id, dictionary: this.#job.dictionary }
      const table = TableFile.open(workspace, this.#loader, file, options)
      const { globalSeqno, restriction } = input
      const placement = { owner: 0, globalSeqno, restriction }
      const resident = new ResidentTable(workspace, this.#loader, table, placement, 'index only')
      this.#open.push(resident)
      return resident
    } catch (error) {
      file.close()
      throw error
    }
  }
}

/**
 * The inputs' range tombstones that must go on living. One may go once it has been applied: in the last level, below the
 * watermark, where neither a table outside nor a write buffer can hold what it hides (semantics.md 21.6.3).
 */
function keptRanges(
  tombstones: readonly RangeTombstone[],
  { compare }: KeyOrder,
  { isLastLevel, watermark, outside, lowestUnflushed }: CompactionJob,
): RangeTombstone[] {
  if (!isLastLevel) return [...tombstones]
  return tombstones.filter(({ start, end, seqno }) => {
    if (seqno >= watermark || seqno > lowestUnflushed) return true
    return outside.some(
      ({ min, max, lowestSeqno }) =>
        lowestSeqno < seqno && compare(min, end) < 0 && compare(start, max) <= 0,
    )
  })
}

/**
 * The parts of range tombstones inside the slice. Cut right behind its last key: in the order of bytes nothing lies
 * between that and the next slice. In other orders a slice ends inside none of them.
 */
function clipToSlice(
  tombstones: readonly RangeTombstone[],
  { after, upTo }: KeySlice,
  { compare, isBytes }: KeyOrder,
): RangeTombstone[] {
  if (!isBytes) {
    return tombstones.filter(
      ({ start }) =>
        (after === undefined || compare(start, after) > 0) &&
        (upTo === undefined || compare(start, upTo) <= 0),
    )
  }
  const from = after === undefined ? undefined : successor(after)
  const until = upTo === undefined ? undefined : successor(upTo)
  return tombstones
    .map(({ start, end, seqno }) => ({
      start: from !== undefined && compare(start, from) < 0 ? from : start,
      end: until !== undefined && compare(end, until) > 0 ? until : end,
      seqno,
    }))
    .filter(({ start, end }) => compare(start, end) < 0)
}

export function* runCompaction(
  context: ActorContext,
  job: CompactionJob,
  { mergeOperator, compactionFilter }: JobCode,
): JobSteps {
  const inputs = new InputTables(context, job)
  try {
    const cursors = inputs.openRuns()
    const { order } = context.workspace
    const { watermark, isExact, isLastLevel, ranges, slice } = job
    const isWhole = slice.after === undefined && slice.upTo === undefined
    const all = normalizeRangeTombstones(inputs.rangeTombstones, order.compare)
    const tombstones = isWhole ? all : clipToSlice(all, slice, order)
    const kept = keptRanges(tombstones, order, job)
    const output = new OutputTables(context, job.output, kept, 'clipped', slice.upTo)
    const rangesDropped = tombstones.length - kept.length
    const code = {
      mergeOperator,
      compactionFilter: job.isFiltering ? compactionFilter : undefined,
    }
    const rules = { watermark, isExact, isLastLevel, ranges, slice, rangesDropped, ...code }
    return yield* writeMerged(context, cursors, output, rules, job.output)
  } finally {
    inputs.close()
  }
}
