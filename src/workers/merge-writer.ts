/**
 * Runs the compaction stream from sources to output tables: the loop that flush and compaction share. The kernel merges,
 * drops and encodes; this side hands over blocks, seals them and cuts tables. The thread of the actor.
 */
import type { CompactionFilterFactory } from '../shared/base/compaction-filter.js'
import { KEY_BYTES_MAX } from '../shared/base/limits.js'
import type { MergeOperator } from '../shared/base/merge-operator.js'
import type { RunCursor } from '../shared/iterator/run-cursor.js'
import type { JobRanges, JobResult, KeySlice, OutputPlan } from '../shared/jobs/jobs.js'
import {
  EVENT_BLOCK_FULL,
  EVENT_DONE,
  EVENT_HASHES_FULL,
  EVENT_NO_SPACE,
  EVENT_ROTATE,
  EVENT_WANTS_BLOCK,
  MEMTABLE_CURSOR_BYTES,
  MERGE_BYTES,
  MERGE_HEAP,
  MERGE_HEAP_COUNT,
  MERGE_SOURCE_COUNT,
  MERGE_SOURCES,
  MERGE_WANTED,
  SOURCE_BYTES,
  SOURCE_CURSOR,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_RANK,
  SOURCE_TYPE,
  SOURCE_TYPE_MEMTABLE,
  SOURCE_VALUE_LENGTH,
} from '../shared/kernel/layout.js'
import {
  COMPACTION_APPLIES,
  COMPACTION_BLOCK_SIZE,
  COMPACTION_BYTES,
  COMPACTION_EMIT_BYTES,
  COMPACTION_ENTRIES_DROPPED,
  COMPACTION_ENTRIES_IN,
  COMPACTION_EVICT,
  COMPACTION_EXACT,
  COMPACTION_KEY,
  COMPACTION_MERGE,
  COMPACTION_RANGES,
  COMPACTION_ROTATE,
  COMPACTION_SUMS,
  COMPACTION_UNSURE_RANGES,
  COMPACTION_UPPER,
  COMPACTION_UPPER_LENGTH,
  COMPACTION_WATERMARK,
  COMPACTION_WRITER,
  EVENT_FILTER,
  EVENT_FOLD,
  EVENT_FOLD_SPACE,
} from '../shared/kernel/layout-compaction.js'
import type { Workspace } from '../shared/memory/workspace.js'
import { RangeList } from '../shared/table/range-set.js'
import type { ActorContext } from './actor-context.js'
import { EntryFilter } from './entry-filter.js'
import { OperandFolder } from './operand-folder.js'
import type { OutputTables } from './output-tables.js'

/** Hands blocks to a source: a cursor over a run, or over what else lies in blocks. */
export type BlockCursor = Pick<RunCursor, 'open' | 'feed'>

/** A source of a merge, newest first: a memtable's address, or a cursor over blocks. */
export type MergeInput = number | BlockCursor

export interface MergeRules {
  readonly watermark: number
  readonly isExact: boolean
  /** True in the last level: tombstones that nothing lies below go, and range tombstones are applied. */
  readonly isLastLevel?: boolean
  readonly ranges?: JobRanges
  /** The keys that are merged; all of them where it is missing. */
  readonly slice?: KeySlice
  /** Range tombstones of the inputs that are not written again. */
  readonly rangesDropped?: number
  readonly mergeOperator?: MergeOperator | undefined
  readonly compactionFilter?: CompactionFilterFactory | undefined
}

/**
 * A job under way: it may be left between two steps, and its result is what it returns. Each step tells for how many
 * milliseconds the thread is to stand still before the next one, mostly 0; or what to wait for, which never rejects.
 */
export type JobSteps = Generator<number | Promise<void>, JobResult, undefined>

/** Blocks that are dealt with between two steps: a fraction of a millisecond, and many times what a step costs. */
const QUICK_EVENTS_PER_STEP = 16

/** Builds the MERGE structure over `inputs`, each on its first entry of the slice; its address. */
function buildMerge(
  { workspace }: ActorContext,
  inputs: readonly MergeInput[],
  slice: KeySlice | undefined,
): number {
  const { shared, heap } = workspace
  const { kernel } = shared
  const merge = heap.allocate(MERGE_BYTES)
  const sources = heap.allocate(SOURCE_BYTES * inputs.length + 4 * inputs.length)
  shared.bytes.fill(0, merge, merge + MERGE_BYTES)
  shared.setU32(merge + MERGE_SOURCES, sources)
  shared.setU32(merge + MERGE_SOURCE_COUNT, inputs.length)
  shared.setU32(merge + MERGE_HEAP, sources + SOURCE_BYTES * inputs.length)
  inputs.forEach((input, rank) => {
    const source = sources + rank * SOURCE_BYTES
    shared.setU32(source + SOURCE_RANK, rank)
    if (typeof input !== 'number') {
      input.open(source, slice?.after === undefined ? undefined : place(workspace, slice.after))
      return
    }
    const cursor = heap.allocate(MEMTABLE_CURSOR_BYTES)
    kernel.memtable_cursor_init(cursor, input)
    shared.setU32(source + SOURCE_TYPE, SOURCE_TYPE_MEMTABLE)
    shared.setU32(source + SOURCE_CURSOR, cursor)
    kernel.source_set_entry(source, kernel.memtable_cursor_first(cursor))
  })
  kernel.merge_build(merge)
  return merge
}

/** Copies a key into the region. */
function place(
  { shared, heap }: Workspace,
  key: Uint8Array,
): { readonly address: number; readonly length: number } {
  const address = heap.allocate(key.length)
  shared.bytes.set(key, address)
  return { address, length: key.length }
}

/** Builds the COMPACTION structure; its address. */
function buildCompaction(
  { workspace }: ActorContext,
  merge: number,
  output: OutputTables,
  rules: MergeRules,
  plan: OutputPlan,
): number {
  const { shared, heap } = workspace
  const compaction = heap.allocate(COMPACTION_BYTES)
  shared.bytes.fill(0, compaction, compaction + COMPACTION_BYTES)
  shared.setU32(compaction + COMPACTION_MERGE, merge)
  shared.setU32(compaction + COMPACTION_WRITER, output.writer.writerAddress)
  shared.setU32(compaction + COMPACTION_SUMS, output.writer.sumsAddress)
  shared.setU32(compaction + COMPACTION_EVICT, rules.isLastLevel ? 1 : 0)
  shared.setU64(compaction + COMPACTION_WATERMARK, rules.watermark)
  shared.setU32(compaction + COMPACTION_EXACT, rules.isExact ? 1 : 0)
  shared.setU32(compaction + COMPACTION_BLOCK_SIZE, plan.shape.blockSize)
  shared.setU32(compaction + COMPACTION_KEY, heap.allocate(KEY_BYTES_MAX + 8))
  const upTo = rules.slice?.upTo
  if (upTo !== undefined) {
    const { address, length } = place(workspace, upTo)
    shared.setU32(compaction + COMPACTION_UPPER, address)
    shared.setU32(compaction + COMPACTION_UPPER_LENGTH, length)
  }
  return compaction
}

/** Key and value bytes of the entry that is next. */
function topEntryBytes({ workspace: { shared } }: ActorContext, merge: number): number {
  const source = shared.getU32(shared.getU32(merge + MERGE_HEAP))
  return shared.getU32(source + SOURCE_KEY_LENGTH) + shared.getU32(source + SOURCE_VALUE_LENGTH)
}

/** The key of the entry that is next; undefined where all sources have ended. */
function topKey({ workspace: { shared } }: ActorContext, merge: number): Buffer | undefined {
  if (shared.getU32(merge + MERGE_HEAP_COUNT) === 0) return undefined
  const source = shared.getU32(shared.getU32(merge + MERGE_HEAP))
  return shared.copy(shared.getU32(source + SOURCE_KEY), shared.getU32(source + SOURCE_KEY_LENGTH))
}

/** What a job does beside merging. */
interface MergeParts {
  readonly folder: OperandFolder | undefined
  readonly filter: EntryFilter | undefined
}

/** Names range tombstones, merge operator and filter in the COMPACTION structure. */
function equip({ workspace }: ActorContext, compaction: number, rules: MergeRules): MergeParts {
  const { shared } = workspace
  const { ranges, mergeOperator, compactionFilter, isLastLevel = false } = rules
  const unsure = new RangeList(workspace, ranges?.unsure ?? [])
  shared.setU32(compaction + COMPACTION_RANGES, ranges?.state ?? 0)
  shared.setU32(compaction + COMPACTION_UNSURE_RANGES, unsure.address)
  shared.setU32(compaction + COMPACTION_APPLIES, isLastLevel ? 1 : 0)
  return {
    folder:
      mergeOperator === undefined
        ? undefined
        : new OperandFolder(workspace, mergeOperator, compaction),
    filter:
      compactionFilter === undefined
        ? undefined
        : new EntryFilter(workspace, compactionFilter, isLastLevel, compaction),
  }
}

/**
 * Merges `inputs` into `output` until they are used up, a step at a time: between two of them the thread may do other
 * things. On failure the output is discarded.
 */
export function* writeMerged(
  context: ActorContext,
  inputs: readonly MergeInput[],
  output: OutputTables,
  rules: MergeRules,
  plan: OutputPlan,
): JobSteps {
  const { shared } = context.workspace
  try {
    const merge = buildMerge(context, inputs, rules.slice)
    const compaction = buildCompaction(context, merge, output, rules, plan)
    const { folder, filter } = equip(context, compaction, rules)
    const sources = shared.getU32(merge + MERGE_SOURCES)
    let quickCount = 0
    let counted = 0
    const count = (): void => {
      const { entryBytes } = output.writer
      context.countWritten(shared.getU64(compaction + COMPACTION_ENTRIES_IN), entryBytes - counted)
      counted = entryBytes
    }
    for (;;) {
      const event = shared.kernel.compaction_run(compaction)
      if (event === EVENT_DONE) break
      if (event === EVENT_WANTS_BLOCK) {
        const number = shared.getU32(merge + MERGE_WANTED)
        const input = inputs[number]
        if (typeof input === 'object') input.feed(sources + number * SOURCE_BYTES)
      } else if (event === EVENT_FILTER) {
        filter?.judge(merge)
      } else if (event === EVENT_FOLD) {
        folder?.fold()
      } else if (event === EVENT_FOLD_SPACE) {
        folder?.grow(topEntryBytes(context, merge))
      } else if (event === EVENT_BLOCK_FULL) {
        output.writer.sealBlock()
        count()
        if (output.isFull) shared.setU32(compaction + COMPACTION_ROTATE, 1)
      } else if (event === EVENT_ROTATE) {
        count()
        output.rotate()
        // A table that has just begun counts from nothing.
        counted = output.writer.entryBytes
        shared.setU32(compaction + COMPACTION_ROTATE, 0)
      } else if (event === EVENT_NO_SPACE) {
        output.writer.growBlock(shared.getU32(compaction + COMPACTION_EMIT_BYTES))
      } else if (event === EVENT_HASHES_FULL) {
        output.writer.cutFilter()
      }
      const wait = output.takeWait()
      if (wait !== undefined) yield wait
      // Between two blocks: the one moment at which a job can be stopped, and stands still.
      context.checkCancelled()
      let waitMs = context.waitMs
      const isQuick = event === EVENT_WANTS_BLOCK || event === EVENT_BLOCK_FULL
      if (waitMs === 0 && isQuick && ++quickCount % QUICK_EVENTS_PER_STEP !== 0) continue
      do {
        yield waitMs
        context.checkCancelled()
        waitMs = context.waitMs
      } while (waitMs > 0)
    }
    count()
    const nextKey = topKey(context, merge)
    filter?.finish()
    const tables = yield* output.finish()
    const entriesDropped = shared.getU64(compaction + COMPACTION_ENTRIES_DROPPED)
    return {
      tables,
      entriesIn: shared.getU64(compaction + COMPACTION_ENTRIES_IN),
      entriesDropped: entriesDropped + (rules.rangesDropped ?? 0),
      bytesWritten: tables.reduce((sum, table) => sum + table.fileBytes, 0),
      isFiltered: filter !== undefined && filter.changes > 0,
      nextKey,
      foldFailure: folder?.failure,
    }
  } catch (error) {
    yield output.settled()
    output.discard()
    throw error
  }
}
