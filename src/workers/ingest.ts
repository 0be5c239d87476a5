/**
 * The ingest actor: entries of a bulk ingestion become tables (semantics.md 9). What main laid out itself is read where it
 * lies; whoever filled it keeps it until the job has ended. Packed chunks are read into a buffer of the job's own:
 *
 *     sorted:    chunks ─→ buffer, again and again ─→ tables
 *     unsorted:  chunks ─→ buffer ─ full, or no more ─→ sorted in place ─→ a run; and so on
 *
 * I1: a run that is written later is younger: of entries with the same key the one in the youngest run counts.
 */
import { combineResults } from '../shared/jobs/combined-results.js'
import type { IngestChunks, IngestJob, JobResult, OutputPlan } from '../shared/jobs/jobs.js'
import {
  RESIDENT_BYTES,
  RESIDENT_SLOT_BYTES,
  RESIDENT_SLOTS,
  SOURCE_BLOCK,
  SOURCE_CURSOR,
  SOURCE_ENDED,
  SOURCE_FIRST,
  SOURCE_GIVEN,
  SOURCE_GLOBAL_SEQNO,
  SOURCE_INDEX,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_BLOCK,
} from '../shared/kernel/layout.js'
import { INGEST_TOP } from '../shared/kernel/layout-ingest.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import type { ActorContext } from './actor-context.js'
import { type Blocks, ChunkBuffer } from './chunk-buffer.js'
import { type BlockCursor, type JobSteps, writeMerged } from './merge-writer.js'
import { OutputTables } from './output-tables.js'

/** Hands blocks to a merge, one behind the other, and asks for more when they are used up. */
class IngestCursor implements BlockCursor {
  readonly #shared: SharedMemory
  readonly #more: () => Blocks | undefined
  #block = 0
  #blocksLeft = 0

  /** @param more the next blocks; what it gave before is not read any more */
  constructor(shared: SharedMemory, more: () => Blocks | undefined) {
    this.#shared = shared
    this.#more = more
  }

  open(source: number): void {
    const shared = this.#shared
    shared.setU32(source + SOURCE_CURSOR, 0)
    shared.setI32(source + SOURCE_FIRST, 0)
    shared.setU32(source + SOURCE_TYPE, SOURCE_TYPE_BLOCK)
    shared.setU64(source + SOURCE_GLOBAL_SEQNO, 0)
    this.feed(source)
  }

  feed(source: number): void {
    const shared = this.#shared
    if (this.#blocksLeft === 0) {
      const blocks = this.#more()
      if (blocks === undefined) {
        shared.setU32(source + SOURCE_STATE, SOURCE_ENDED)
        return
      }
      this.#block = blocks.first
      this.#blocksLeft = blocks.count
    }
    this.#blocksLeft--
    shared.setU32(source + SOURCE_BLOCK, this.#block)
    shared.setI32(source + SOURCE_INDEX, 0)
    shared.setU32(source + SOURCE_STATE, SOURCE_GIVEN)
    this.#block += (shared.getU32(this.#block + RESIDENT_BYTES) + 7) & ~7
  }
}

/** What gives `blocks`, and nothing behind them. */
function once(blocks: Blocks): () => Blocks | undefined {
  let left: Blocks | undefined = blocks
  return () => {
    const given = left
    left = undefined
    return given
  }
}

function* writeBlocks(
  context: ActorContext,
  { watermark, isExact }: IngestJob,
  plan: OutputPlan,
  more: () => Blocks | undefined,
): JobSteps {
  const output = new OutputTables(context, plan, [], 'clipped')
  const cursor = new IngestCursor(context.workspace.shared, more)
  const result = yield* writeMerged(context, [cursor], output, { watermark, isExact }, plan)
  output.dispose()
  return result
}

/** One block that names the buffer's entries in order, behind them in the buffer, which kept the room. */
function sortedBlock({ workspace: { shared } }: ActorContext, buffer: ChunkBuffer): Blocks {
  const { first, count } = buffer.blocks
  const { entryCount } = buffer
  const target = (shared.getU32(buffer.address + INGEST_TOP) + 7) & ~7
  const records = (target + RESIDENT_SLOTS + RESIDENT_SLOT_BYTES * entryCount + 7) & ~7
  shared.kernel.ingest_sort(first, count, entryCount, target, records)
  return { first: target, count: 1 }
}

/** A run of each buffer that the chunks fill. */
function* writeRuns(context: ActorContext, job: IngestJob, source: IngestChunks): JobSteps {
  const { output } = job
  const buffer = new ChunkBuffer(context, source)
  const results: JobResult[] = []
  let tableCount = 0
  try {
    while (buffer.fill()) {
      const plan = {
        ...output,
        firstTableId: output.firstTableId + tableCount,
        tableIdCount: output.tableIdCount - tableCount,
      }
      const result = yield* writeBlocks(context, job, plan, once(sortedBlock(context, buffer)))
      results.push(result)
      tableCount += result.tables.length
    }
  } catch (error) {
    // The run at hand is gone already; main never hears of those before.
    for (const { id } of results.flatMap(({ tables }) => tables)) removeTable(context, output, id)
    throw error
  }
  return combineResults(results)
}

function removeTable({ fs }: ActorContext, { folder }: OutputPlan, id: number): void {
  try {
    fs.remove(`${folder}/${id}`)
  } catch {
    // The error that made the job fail is the one to report; the next open removes the file.
  }
}

export function* runIngest(context: ActorContext, job: IngestJob): JobSteps {
  const { source, output } = job
  if (source.kind === 'blocks') {
    const blocks = { first: source.firstBlock, count: source.blockCount }
    return yield* writeBlocks(context, job, output, once(blocks))
  }
  if (!source.isSorted) return yield* writeRuns(context, job, source)
  const buffer = new ChunkBuffer(context, source)
  return yield* writeBlocks(context, job, output, () => (buffer.fill() ? buffer.blocks : undefined))
}
