/**
 * The ingest actor: a buffer of sorted entries becomes tables (semantics.md 9). Reads the buffer where it lies; whoever
 * filled it keeps it until the job has ended.
 */
import type { IngestJob } from '../shared/jobs/jobs.js'
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
import { SORT_BYTES_AN_ENTRY } from '../shared/kernel/layout-ingest.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import type { ActorContext } from './actor-context.js'
import { type BlockCursor, type JobSteps, writeMerged } from './merge-writer.js'
import { OutputTables } from './output-tables.js'

/** Blocks that ascend by key. */
interface Blocks {
  readonly first: number
  readonly count: number
}

/** Hands the blocks of a buffer to a merge, one behind the other. */
class IngestCursor implements BlockCursor {
  readonly #shared: SharedMemory
  #block: number
  #blocksLeft: number

  constructor(shared: SharedMemory, { first, count }: Blocks) {
    this.#shared = shared
    this.#block = first
    this.#blocksLeft = count
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
      shared.setU32(source + SOURCE_STATE, SOURCE_ENDED)
      return
    }
    this.#blocksLeft--
    shared.setU32(source + SOURCE_BLOCK, this.#block)
    shared.setI32(source + SOURCE_INDEX, 0)
    shared.setU32(source + SOURCE_STATE, SOURCE_GIVEN)
    this.#block += (shared.getU32(this.#block + RESIDENT_BYTES) + 7) & ~7
  }
}

/** The buffer's blocks where it is sorted; else one block, in the region, that names its entries in order. */
function sortedBlocks({ workspace }: ActorContext, job: IngestJob): Blocks {
  const { firstBlock, blockCount, entryCount, isSorted } = job
  if (isSorted) return { first: firstBlock, count: blockCount }
  const { shared, heap } = workspace
  const target = heap.allocate(RESIDENT_SLOTS + RESIDENT_SLOT_BYTES * entryCount)
  const records = heap.allocate(SORT_BYTES_AN_ENTRY * entryCount)
  shared.kernel.ingest_sort(firstBlock, blockCount, entryCount, target, records)
  heap.free(records)
  return { first: target, count: 1 }
}

export function runIngest(context: ActorContext, job: IngestJob): JobSteps {
  const output = new OutputTables(context, job.output, [], 'clipped')
  const rules = { watermark: job.watermark, isExact: job.isExact }
  const cursor = new IngestCursor(context.workspace.shared, sortedBlocks(context, job))
  return writeMerged(context, [cursor], output, rules, job.output)
}
