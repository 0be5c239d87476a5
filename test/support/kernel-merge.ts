/**
 * A MERGE structure of the kernels over memtables and runs of resident blocks, for tests of what
 * runs over it. A block that was used up is overwritten before the next one is given, so that
 * nothing can go on reading it.
 */
import {
  MEMTABLE_CURSOR_BYTES,
  MERGE_BYTES,
  MERGE_HEAP,
  MERGE_REVERSE,
  MERGE_SOURCE_COUNT,
  MERGE_SOURCES,
  MERGE_WANTED,
  SOURCE_BLOCK,
  SOURCE_BYTES,
  SOURCE_CURSOR,
  SOURCE_ENDED,
  SOURCE_FIRST,
  SOURCE_GIVEN,
  SOURCE_GLOBAL_SEQNO,
  SOURCE_INDEX,
  SOURCE_RANK,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_BLOCK,
  SOURCE_TYPE_MEMTABLE,
} from '../../src/shared/kernel/layout.js'
import { encodeResidentBlock } from '../../src/shared/kernel/reference/resident-block.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import type { Workspace } from '../../src/shared/memory/workspace.js'

const MANGLED = 0xcc

export interface MergeSource {
  readonly type: 'memtable' | 'blocks'
  /** In internal order, with effective seqnos. */
  readonly versions: readonly Version[]
  /** Entries of each block. */
  readonly blockEntries: number
  /** What the block's seqnos lack. */
  readonly globalSeqno: number
}

/**
 * A memtable that holds `versions`; of equal (key, seqno) the first one is inserted last, and wins.
 */
export function buildMemtable(workspace: Workspace, versions: readonly Version[]): number {
  const { shared, heap } = workspace
  const { kernel, bytes } = shared
  const content = versions.reduce((sum, { key, value }) => sum + key.length + value.length + 200, 0)
  const size = Math.max(64 * 1024, 2 ** Math.ceil(Math.log2(content * 2)))
  const memtable = heap.allocate(size)
  kernel.memtable_init(memtable, size)
  for (const { key, seqno, kind, value } of [...versions].reverse()) {
    const address = kernel.memtable_reserve(memtable, key.length, value.length)
    if (address === 0) throw new Error('the memtable is too small')
    bytes.set(key, address)
    bytes.set(value, address + key.length)
    kernel.memtable_commit(memtable, key.length, value.length, kind, seqno)
  }
  return memtable
}

export class KernelMerge {
  readonly address: number
  readonly #workspace: Workspace
  readonly #sources: number
  readonly #pieces: number[] = []
  /** Of each source: blocks still to be given, in the direction of the merge. */
  readonly #waiting: Uint8Array[][]
  readonly #blocks: number[]
  readonly #isReverse: boolean

  constructor(workspace: Workspace, sources: readonly MergeSource[], isReverse: boolean) {
    this.#workspace = workspace
    this.#isReverse = isReverse
    const { shared } = workspace
    this.address = this.#take(MERGE_BYTES)
    this.#sources = this.#take(SOURCE_BYTES * sources.length + 8)
    shared.setU32(this.address + MERGE_REVERSE, isReverse ? 1 : 0)
    shared.setU32(this.address + MERGE_SOURCES, this.#sources)
    shared.setU32(this.address + MERGE_SOURCE_COUNT, sources.length)
    shared.setU32(this.address + MERGE_HEAP, this.#take(4 * sources.length + 8))
    this.#waiting = sources.map((source) => (source.type === 'blocks' ? this.#cut(source) : []))
    this.#blocks = this.#waiting.map((blocks) => {
      const largest = blocks.reduce((most, { length }) => Math.max(most, length), 8)
      return blocks.length === 0 ? 0 : this.#take(largest)
    })
    sources.forEach((source, number) => {
      const address = this.#sources + number * SOURCE_BYTES
      shared.setU32(address + SOURCE_RANK, number)
      shared.setU64(address + SOURCE_GLOBAL_SEQNO, source.globalSeqno)
      if (source.type === 'memtable') this.#openMemtable(address, source)
      else this.give(number)
    })
    shared.kernel.merge_build(this.address)
  }

  /** EVENT_WANTS_BLOCK: gives the wanted source its next block, or ends it. */
  giveWanted(): void {
    this.give(this.#workspace.shared.getU32(this.address + MERGE_WANTED))
  }

  give(number: number): void {
    const { shared } = this.#workspace
    const address = this.#sources + number * SOURCE_BYTES
    const block = this.#waiting[number]!.shift()
    const target = this.#blocks[number]!
    shared.setU32(address + SOURCE_TYPE, SOURCE_TYPE_BLOCK)
    shared.setU32(address + SOURCE_CURSOR, 0)
    shared.setU32(address + SOURCE_FIRST, 0)
    if (target !== 0) {
      const end = target + this.#workspace.heap.sizeOf(target)
      shared.bytes.fill(MANGLED, target, end)
    }
    if (block === undefined) {
      shared.setU32(address + SOURCE_STATE, SOURCE_ENDED)
      return
    }
    shared.bytes.set(block, target)
    shared.setU32(address + SOURCE_BLOCK, target)
    shared.setI32(address + SOURCE_INDEX, this.#isReverse ? shared.getU32(target) - 1 : 0)
    shared.setU32(address + SOURCE_STATE, SOURCE_GIVEN)
  }

  dispose(): void {
    for (const piece of this.#pieces.splice(0)) this.#workspace.heap.free(piece)
  }

  #take(bytes: number): number {
    const address = this.#workspace.heap.allocate(bytes)
    this.#pieces.push(address)
    return address
  }

  #cut({ versions, blockEntries, globalSeqno }: MergeSource): Uint8Array[] {
    const blocks: Uint8Array[] = []
    for (let at = 0; at < versions.length; at += blockEntries) {
      const chunk = versions.slice(at, at + blockEntries)
      const local = chunk.map((version) => ({ ...version, seqno: version.seqno - globalSeqno }))
      blocks.push(encodeResidentBlock(local))
    }
    return this.#isReverse ? blocks.reverse() : blocks
  }

  #openMemtable(source: number, { versions }: MergeSource): void {
    const { shared } = this.#workspace
    const { kernel } = shared
    const memtable = buildMemtable(this.#workspace, versions)
    this.#pieces.push(memtable)
    const cursor = this.#take(MEMTABLE_CURSOR_BYTES)
    kernel.memtable_cursor_init(cursor, memtable)
    shared.setU32(source + SOURCE_TYPE, SOURCE_TYPE_MEMTABLE)
    shared.setU32(source + SOURCE_CURSOR, cursor)
    const entry = this.#isReverse
      ? kernel.memtable_cursor_last(cursor)
      : kernel.memtable_cursor_first(cursor)
    kernel.source_set_entry(source, entry)
  }
}
