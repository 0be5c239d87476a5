/**
 * The memory of one restart block being written: the kernels' BLOCK_WRITER and the buffers that it names. Grows on
 * demand, keeping what is in it. The thread of the actor.
 */
import {
  BLOCK_WRITER_BYTES,
  BLOCK_WRITER_CAPACITY,
  BLOCK_WRITER_COUNT,
  BLOCK_WRITER_HASH_RATIO,
  BLOCK_WRITER_HASHES,
  BLOCK_WRITER_HASHES_CAPACITY,
  BLOCK_WRITER_HEAD_KEY,
  BLOCK_WRITER_HEADS,
  BLOCK_WRITER_HEADS_CAPACITY,
  BLOCK_WRITER_HEADS_COUNT,
  BLOCK_WRITER_OUT,
  BLOCK_WRITER_RESTART_INTERVAL,
  BLOCK_WRITER_TOP,
} from '../kernel/layout.js'
import type { Workspace } from '../memory/workspace.js'

/** Entries that a fresh builder has room for; it doubles from there. */
const ENTRIES_FIRST = 512

/** More than an entry's fixed fields and a block's trailer take. */
const SLACK_BYTES = 4096

export interface BlockShape {
  /** Bytes of entries that the first buffer holds. */
  readonly bytes: number
  /** Entries that there is room for from the beginning, where more than the usual ones are known to come. */
  readonly entries?: number
  readonly restartInterval: number
  /** Buckets of the in-block hash index for each entry; 0 for none. */
  readonly hashRatio: number
}

export class BlockBuilder {
  /** The BLOCK_WRITER's address. */
  readonly address: number
  readonly #workspace: Workspace
  readonly #hashRatio: number

  constructor(workspace: Workspace, shape: BlockShape) {
    this.#workspace = workspace
    this.#hashRatio = shape.hashRatio
    const { shared, heap } = workspace
    this.address = heap.allocate(BLOCK_WRITER_BYTES)
    shared.bytes.fill(0, this.address, this.address + BLOCK_WRITER_BYTES)
    shared.setU32(this.address + BLOCK_WRITER_RESTART_INTERVAL, shape.restartInterval)
    shared.setF32(this.address + BLOCK_WRITER_HASH_RATIO, shape.hashRatio)
    this.#place(shape.bytes, Math.max(ENTRIES_FIRST, shape.entries ?? 0))
    shared.kernel.block_writer_reset(this.address)
  }

  get entryCount(): number {
    return this.#get(BLOCK_WRITER_COUNT)
  }

  /** Where the body is being written. */
  get bodyAddress(): number {
    return this.#get(BLOCK_WRITER_OUT)
  }

  /** An upper bound of the finished body's length. */
  get bodyBytesMax(): number {
    const hashed = 1 + Math.ceil(this.entryCount * this.#hashRatio)
    return this.#get(BLOCK_WRITER_TOP) + 4 * this.#get(BLOCK_WRITER_HEADS_COUNT) + 64 + hashed
  }

  reset(): void {
    this.#workspace.shared.kernel.block_writer_reset(this.address)
  }

  /** Twice the room of everything, and room for an entry of `entryBytes` at least; the content is kept. */
  grow(entryBytes = 0): void {
    const { shared, heap } = this.#workspace
    const body = this.#get(BLOCK_WRITER_OUT)
    const bodyBytes = this.#get(BLOCK_WRITER_TOP)
    const capacity = this.#get(BLOCK_WRITER_CAPACITY)
    const heads = this.#get(BLOCK_WRITER_HEADS)
    const entries = this.#get(BLOCK_WRITER_HEADS_CAPACITY)
    const hashes = this.#get(BLOCK_WRITER_HASHES)
    const headKey = this.#get(BLOCK_WRITER_HEAD_KEY)
    const needed = bodyBytes + entryBytes + 8 * entries + SLACK_BYTES
    this.#place(needed > capacity * 2 ? needed : capacity * 2, entries * 2)
    const moved = this.#get(BLOCK_WRITER_OUT)
    shared.bytes.copyWithin(moved, body, body + bodyBytes)
    shared.bytes.copyWithin(this.#get(BLOCK_WRITER_HEADS), heads, heads + 4 * entries)
    this.#set(BLOCK_WRITER_HEAD_KEY, headKey - body + moved)
    heap.free(body)
    heap.free(heads)
    if (this.#hashRatio > 0) {
      shared.bytes.copyWithin(this.#get(BLOCK_WRITER_HASHES), hashes, hashes + 8 * entries)
      heap.free(hashes)
    }
  }

  dispose(): void {
    const { heap } = this.#workspace
    heap.free(this.#get(BLOCK_WRITER_OUT))
    heap.free(this.#get(BLOCK_WRITER_HEADS))
    if (this.#hashRatio > 0) heap.free(this.#get(BLOCK_WRITER_HASHES))
    heap.free(this.address)
  }

  #place(bytes: number, entries: number): void {
    const { heap } = this.#workspace
    const body = heap.allocate(bytes)
    this.#set(BLOCK_WRITER_OUT, body)
    this.#set(BLOCK_WRITER_CAPACITY, heap.sizeOf(body))
    this.#set(BLOCK_WRITER_HEADS, heap.allocate(4 * entries))
    this.#set(BLOCK_WRITER_HEADS_CAPACITY, entries)
    this.#set(BLOCK_WRITER_HASHES, this.#hashRatio > 0 ? heap.allocate(8 * entries) : 0)
    this.#set(BLOCK_WRITER_HASHES_CAPACITY, this.#hashRatio > 0 ? entries : 0)
  }

  #get(field: number): number {
    return this.#workspace.shared.getU32(this.address + field)
  }

  #set(field: number, value: number): void {
    this.#workspace.shared.setU32(this.address + field, value)
  }
}
