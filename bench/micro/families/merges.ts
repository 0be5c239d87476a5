/**
 * The inner loop of a compaction: four sources of resident blocks merged, entries kept or dropped, written into blocks. The
 * kernel, with nothing around it but the giving of blocks, and the plain twin.
 */
import {
  EVENT_BLOCK_FULL,
  EVENT_DONE,
  EVENT_WANTS_BLOCK,
  MERGE_BYTES,
  MERGE_HEAP,
  MERGE_SOURCE_COUNT,
  MERGE_SOURCES,
  MERGE_WANTED,
  SOURCE_BLOCK,
  SOURCE_BYTES,
  SOURCE_ENDED,
  SOURCE_GIVEN,
  SOURCE_INDEX,
  SOURCE_RANK,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_BLOCK,
} from '../../../src/shared/kernel/layout.js'
import {
  COMPACTION_BLOCK_SIZE,
  COMPACTION_BYTES,
  COMPACTION_ENTRIES_DROPPED,
  COMPACTION_ENTRIES_IN,
  COMPACTION_EVICT,
  COMPACTION_KEY,
  COMPACTION_MERGE,
  COMPACTION_SUMS,
  COMPACTION_WATERMARK,
  COMPACTION_WRITER,
} from '../../../src/shared/kernel/layout-compaction.js'
import { TABLE_SUMS_BYTES, TABLE_SUMS_LAST_KEY } from '../../../src/shared/kernel/layout-sums.js'
import { encodeDataBody } from '../../../src/shared/kernel/reference/block-writer.js'
import { compactVersions } from '../../../src/shared/kernel/reference/compaction-stream.js'
import { mergeVersions } from '../../../src/shared/kernel/reference/merge.js'
import { encodeResidentBlock } from '../../../src/shared/kernel/reference/resident-block.js'
import { decodeDataBody } from '../../../src/shared/kernel/reference/restart-block.js'
import type { Version } from '../../../src/shared/kernel/reference/version.js'
import type { Workspace } from '../../../src/shared/memory/workspace.js'
import { BlockBuilder } from '../../../src/shared/table/block-builder.js'
import { place, testWorkspace } from '../../../test/support/workspace.js'
import { digestOfVersions, entriesOf, KEY_BYTES, VALUE_BYTES } from '../entries.js'
import { type Effort, operationsFor, type Row, race } from '../race.js'

const SOURCES = 4
const BLOCK_ENTRIES = 35
const BLOCK_SIZE = 4096
const RESTART_INTERVAL = 16
const KEY_ROOM = 65_600
const RULES = { watermark: 2 ** 40, evicts: true }

/** One merge that can be run over and over: its blocks lie ready in the shared memory. */
class Merge {
  readonly #workspace: Workspace
  readonly #builder: BlockBuilder
  readonly #merge: number
  readonly #sources: number
  readonly #compaction: number
  readonly #sums: number
  readonly #blocks: readonly (readonly number[])[]
  readonly #next: number[] = []

  constructor(workspace: Workspace, sources: readonly (readonly Version[])[]) {
    this.#workspace = workspace
    const { shared } = workspace
    this.#builder = new BlockBuilder(workspace, {
      ...{ bytes: 65_536, restartInterval: RESTART_INTERVAL, hashRatio: 0 },
    })
    this.#merge = this.#take(MERGE_BYTES)
    this.#sources = this.#take(SOURCE_BYTES * sources.length)
    this.#compaction = this.#take(COMPACTION_BYTES)
    this.#sums = this.#take(TABLE_SUMS_BYTES)
    this.#blocks = sources.map((versions) => {
      const blocks: number[] = []
      for (let at = 0; at < versions.length; at += BLOCK_ENTRIES) {
        const entries = versions.slice(at, at + BLOCK_ENTRIES)
        blocks.push(place(workspace, encodeResidentBlock(entries)))
      }
      return blocks
    })
    shared.setU32(this.#merge + MERGE_SOURCES, this.#sources)
    shared.setU32(this.#merge + MERGE_SOURCE_COUNT, sources.length)
    shared.setU32(this.#merge + MERGE_HEAP, this.#take(4 * sources.length + 8))
    shared.setU32(this.#sums + TABLE_SUMS_LAST_KEY, this.#take(KEY_ROOM))
    shared.setU32(this.#compaction + COMPACTION_MERGE, this.#merge)
    shared.setU32(this.#compaction + COMPACTION_WRITER, this.#builder.address)
    shared.setU32(this.#compaction + COMPACTION_SUMS, this.#sums)
    shared.setU32(this.#compaction + COMPACTION_EVICT, 1)
    shared.setU64(this.#compaction + COMPACTION_WATERMARK, RULES.watermark)
    shared.setU32(this.#compaction + COMPACTION_BLOCK_SIZE, BLOCK_SIZE)
    shared.setU32(this.#compaction + COMPACTION_KEY, this.#take(KEY_ROOM))
  }

  /** Merges everything; the entries that are left. `see` gets the body of every block. */
  run(see?: (body: Uint8Array) => void): number {
    const { shared } = this.#workspace
    const { kernel } = shared
    shared.setU64(this.#compaction + COMPACTION_ENTRIES_IN, 0)
    shared.setU64(this.#compaction + COMPACTION_ENTRIES_DROPPED, 0)
    kernel.table_sums_reset(this.#sums)
    this.#builder.reset()
    this.#blocks.forEach((_, number) => {
      this.#next[number] = 0
      shared.setU32(this.#sources + number * SOURCE_BYTES + SOURCE_RANK, number)
      this.#give(number)
    })
    kernel.merge_build(this.#merge)
    for (;;) {
      const event = kernel.compaction_run(this.#compaction)
      if (event === EVENT_WANTS_BLOCK) this.#give(shared.getU32(this.#merge + MERGE_WANTED))
      else if (event === EVENT_BLOCK_FULL) this.#finish(see)
      else if (event === EVENT_DONE) break
      else throw new Error(`event ${event}`)
    }
    this.#finish(see)
    const count = (field: number) => shared.getU64(this.#compaction + field)
    return count(COMPACTION_ENTRIES_IN) - count(COMPACTION_ENTRIES_DROPPED)
  }

  #finish(see?: (body: Uint8Array) => void): void {
    if (this.#builder.entryCount === 0) return
    const { shared } = this.#workspace
    const length = shared.kernel.block_writer_finish(this.#builder.address)
    see?.(shared.copy(this.#builder.bodyAddress, length))
    this.#builder.reset()
  }

  #give(number: number): void {
    const { shared } = this.#workspace
    const source = this.#sources + number * SOURCE_BYTES
    const block = this.#blocks[number]?.[this.#next[number] as number]
    this.#next[number] = (this.#next[number] as number) + 1
    shared.setU32(source + SOURCE_TYPE, SOURCE_TYPE_BLOCK)
    if (block === undefined) {
      shared.setU32(source + SOURCE_STATE, SOURCE_ENDED)
      return
    }
    shared.setU32(source + SOURCE_BLOCK, block)
    shared.setI32(source + SOURCE_INDEX, 0)
    shared.setU32(source + SOURCE_STATE, SOURCE_GIVEN)
  }

  #take(bytes: number): number {
    const { shared, heap } = this.#workspace
    const address = heap.allocate(bytes)
    shared.bytes.fill(0, address, address + bytes)
    return address
  }
}

/** The twin's blocks are of equal counts: where it cuts does not matter here. */
function mergePlainly(sources: readonly (readonly Version[])[]): Version[] {
  const versions = compactVersions(mergeVersions(sources), RULES)
  for (let at = 0; at < versions.length; at += BLOCK_ENTRIES) {
    encodeDataBody(versions.slice(at, at + BLOCK_ENTRIES), RESTART_INTERVAL)
  }
  return versions
}

export function merges(effort: Effort): Row[] {
  const { scale, rounds } = effort
  const each = Math.max(200, Math.ceil(10_000 * scale))
  const rows: Row[] = []
  for (const [what, step] of [
    ['apart', SOURCES],
    // The sources hold the same keys: three of four entries go.
    ['overwritten', 0],
  ] as const) {
    const sources = Array.from({ length: SOURCES }, (_, i) =>
      entriesOf(step === 0 ? 0 : i, each, step === 0 ? 1 : step, (SOURCES - i) * each),
    )
    const workspace = testWorkspace(32)
    const merge = new Merge(workspace, sources)
    const subject = {
      ...{ family: 'merges', name: `merge of ${SOURCES} sources, ${what}, an entry` },
      ...{ items: SOURCES * each, bytes: KEY_BYTES + VALUE_BYTES },
    }
    const contenders = [
      {
        ...{ name: 'kernel', operations: operationsFor(100 * SOURCES * each, effort) },
        operation: () => merge.run(),
        result: () => {
          const versions: Version[] = []
          merge.run((body) => versions.push(...(decodeDataBody(body) as Version[])))
          return digestOfVersions(versions)
        },
      },
      {
        ...{ name: 'twin', operations: 1, operation: () => mergePlainly(sources).length },
        result: () => digestOfVersions(mergePlainly(sources)),
      },
    ]
    rows.push(...race(subject, contenders, rounds))
  }
  return rows
}
