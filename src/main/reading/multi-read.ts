/**
 * Point reads of many keys at once: one kernel call takes all of them as far as memory goes; the blocks that are missing
 * are told together, so that those close to each other come in one read, and are given one by one. Main thread.
 *
 * Whoever uses it reads the blocks, at once or later:
 *
 *     start ──→ ranges ──→ (read) ──→ give, for each ──→ ranges … until there are none ──→ values
 *
 * I1: a value is copied out before another block is loaded: what it lies in may go then.
 * I2: a read goes on with the block that it wanted, and wants none twice.
 */
import type { ReadView } from '../../shared/iterator/read-view.js'
import {
  READ_ABSENT,
  READ_BYTES,
  READ_FOUND_VALUE,
  READ_FOUND_VALUE_LENGTH,
  READ_KEY,
  READ_KEY_LENGTH,
  READ_OUTCOME,
  READ_PRESENT,
  READ_WANTS_BLOCK,
  WANTED_DATA,
} from '../../shared/kernel/layout.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import {
  type BlockRange,
  blockBytes,
  coalesce,
  type WantedBlock,
} from '../../shared/table/block-fetch.js'
import type { ProvidedBlock } from '../../shared/table/block-provider.js'
import type { ViewTable } from '../../shared/table/view-table.js'
import { requireKeyLength } from '../options.js'
import type { BytesLike } from '../writing/write-batch.js'
import { byteLengthOf, placeBytes } from '../writing/writer.js'
import type { PointReader } from './point-reader.js'

/** Keys that are read together: more are read in several goes. */
export const MULTI_READ_KEYS_MAX = 1024

/** Values that memory holds come out in one copy of this size at most; what one of them keeps in memory is all of it. */
const COPY_BYTES_MAX = 32 * 1024

/** A block that some of the reads wait for, by their numbers. */
interface SharedBlock extends WantedBlock {
  readonly reads: number[]
}

export class MultiRead implements Disposable {
  /** What was found so far, by the number of the key. */
  readonly values: (Buffer | undefined)[]
  /** Numbers of the keys whose newest version is a merge operand: the caller resolves them at the end. */
  readonly operands: number[] = []
  readonly #workspace: Workspace
  readonly #points: PointReader
  readonly #view: ReadView
  readonly #reads: number
  readonly #keys: number
  /** Saved candidates of reads, by their numbers: pieces of the heap. */
  readonly #saved = new Map<number, number>()
  /** Blocks that reads wait for, by their offset in each table. */
  #wanted = new Map<ViewTable, Map<number, SharedBlock>>()

  /** REQUIRES: 1 to MULTI_READ_KEYS_MAX keys; the view stays until the reads are over. @throws TypeError, RangeError */
  constructor(
    workspace: Workspace,
    points: PointReader,
    view: ReadView,
    keys: readonly BytesLike[],
    seqno: number,
  ) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    this.#points = points
    this.#view = view
    this.values = new Array<Buffer | undefined>(keys.length).fill(undefined)
    let bytes = 0
    const lengths: number[] = []
    for (let i = 0; i < keys.length; i++) {
      const length = byteLengthOf(keys[i] as BytesLike, 'key')
      requireKeyLength(length)
      lengths.push(length)
      bytes += length
    }
    this.#reads = heap.allocate(READ_BYTES * keys.length)
    this.#keys = heap.allocate(bytes + 8)
    let at = this.#keys
    let read = this.#reads
    for (let i = 0; i < keys.length; i++) {
      const length = lengths[i] as number
      placeBytes(shared, keys[i] as BytesLike, at, length)
      shared.setU32(read + READ_KEY, at)
      shared.setU32(read + READ_KEY_LENGTH, length)
      at += length
      read += READ_BYTES
    }
    try {
      this.#start(keys.length, seqno)
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** A copy of a key, by its number. */
  key(number: number): Buffer {
    const { shared } = this.#workspace
    const read = this.#reads + number * READ_BYTES
    return shared.copy(shared.getU32(read + READ_KEY), shared.getU32(read + READ_KEY_LENGTH))
  }

  /** What to read next, each block once; nothing where the reads are over. */
  ranges(): BlockRange<SharedBlock>[] {
    const blocks: SharedBlock[] = []
    for (const wanted of this.#wanted.values())
      for (const block of wanted.values()) blocks.push(block)
    this.#wanted.clear()
    return coalesce(blocks)
  }

  /**
   * The bytes of a range have come, or are to be read now where there are none: lets the reads that wait for its blocks go
   * on. @throws the codes of damage
   */
  give(range: BlockRange<SharedBlock>, bytes: Uint8Array | undefined): void {
    for (const block of range.blocks) {
      this.#goOn(block, this.#provide(block, bytes && blockBytes(range, bytes, block)))
    }
    this.#takeRaw()
  }

  /** The reads that wait for a block go on with it. */
  #goOn({ reads }: SharedBlock, given: ProvidedBlock): void {
    const { kernel } = this.#workspace.shared
    for (const number of reads) {
      const read = this.#reads + number * READ_BYTES
      this.#points.give(read, given)
      this.#conclude(number, kernel.point_read(read))
    }
  }

  /** What the cache holds raw need not be read: kernels do not look there. */
  #takeRaw(): void {
    const { provider } = this.#points
    for (const [table, blocks] of this.#wanted) {
      // Blocks that are wanted meanwhile come behind, and are looked at too.
      for (const [offset, block] of blocks) {
        if (block.kind !== WANTED_DATA || !provider.holdsRaw(table, offset)) continue
        const found = provider.find(table, WANTED_DATA, offset)
        if (found === undefined) continue
        blocks.delete(offset)
        this.#goOn(block, found)
      }
    }
  }

  #provide(
    { table, kind, offset, size, reads }: SharedBlock,
    bytes: Uint8Array | undefined,
  ): ProvidedBlock {
    const { provider } = this.#points
    const [only] = reads
    // Another read may have been faster.
    const isNew = kind === WANTED_DATA && !provider.holds(table, offset)
    if (isNew && only !== undefined && reads.length === 1) {
      const read = this.#reads + only * READ_BYTES
      return this.#points.provide(read, table, kind, offset, size, bytes)
    }
    return provider.find(table, kind, offset) ?? provider.put(table, kind, offset, size, bytes)
  }

  [Symbol.dispose](): void {
    const { heap } = this.#workspace
    for (const piece of this.#saved.values()) heap.free(piece)
    heap.free(this.#reads)
    heap.free(this.#keys)
  }

  #start(count: number, seqno: number): void {
    const { shared, heap } = this.#workspace
    const { provider } = this.#points
    const { stateAddress } = this.#view
    const out = heap.allocate(COPY_BYTES_MAX)
    try {
      const cache = provider.cacheAddress
      const copied = shared.kernel.point_read_batch(
        this.#reads,
        count,
        stateAddress,
        cache,
        provider.countersAddress,
        seqno,
        out,
        COPY_BYTES_MAX,
      )
      this.#takeCopied(count, out, copied)
      this.#takeRaw()
    } finally {
      heap.free(out)
    }
  }

  /** Takes what the first go found: values in the copy, and all others one by one. */
  #takeCopied(count: number, out: number, copied: number): void {
    const { shared } = this.#workspace
    const copy = shared.copy(out, copied)
    let read = this.#reads
    for (let i = 0; i < count; i++) {
      const outcome = shared.getU32(read + READ_OUTCOME)
      const at = shared.getU32(read + READ_FOUND_VALUE) - out
      if (outcome === READ_ABSENT) {
        // Nothing to take.
      } else if (outcome === READ_PRESENT && at >= 0 && at < copied) {
        this.values[i] = copy.subarray(at, at + shared.getU32(read + READ_FOUND_VALUE_LENGTH))
      } else {
        this.#conclude(i, outcome)
      }
      read += READ_BYTES
    }
  }

  /** Takes the result of a read, or notes what it waits for. */
  #conclude(number: number, outcome: number): void {
    const read = this.#reads + number * READ_BYTES
    if (outcome === READ_WANTS_BLOCK) {
      this.#wait(number, read)
      return
    }
    const verdict = this.#points.judge(read, outcome)
    if (verdict === 'value') this.values[number] = this.#points.copyValue()
    else if (verdict === 'operand') this.operands.push(number)
  }

  #wait(number: number, read: number): void {
    const saved = this.#saved.get(number) ?? 0
    const copy = this.#points.save(read, saved)
    if (copy !== 0) {
      if (saved !== 0) this.#workspace.heap.free(saved)
      this.#saved.set(number, copy)
    }
    const { table, kind, offset, size } = this.#points.wanted(read, this.#view)
    let blocks = this.#wanted.get(table)
    if (blocks === undefined) {
      blocks = new Map()
      this.#wanted.set(table, blocks)
    }
    const other = blocks.get(offset)
    if (other === undefined) blocks.set(offset, { table, kind, offset, size, reads: [number] })
    else other.reads.push(number)
  }
}

/** Bytes that a batch reads at a time, where the cache is large. */
const WINDOW_BYTES_MAX = 1024 * 1024

/** Ranges in groups whose bytes are in memory at the same time: at most half of the cache, unless one is larger. */
export function windowsOf<T extends WantedBlock>(
  ranges: readonly BlockRange<T>[],
  cacheBytes: number,
): BlockRange<T>[][] {
  const limit = Math.min(WINDOW_BYTES_MAX, Math.floor(cacheBytes / 2))
  const windows: BlockRange<T>[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const range of ranges) {
    if (bytes + range.length > limit) {
      windows.push([])
      bytes = 0
    }
    windows.at(-1)?.push(range)
    bytes += range.length
  }
  return windows
}
