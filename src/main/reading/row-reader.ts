/**
 * Rows of one scan as the caller's own Buffers. Rows are copied out of the shared memory a batch at a time; the Buffers
 * handed out are pieces of that copy, which is at most 32 KiB unless a row alone is larger. Main thread.
 *
 * I1: what is handed out stays as it is, whatever becomes of the scan.
 */
import { VarveError } from '../../shared/base/errors.js'
import { isSameKey, type KeyBound } from '../../shared/base/key-order.js'
import {
  type OperandResolver,
  RangeScan,
  type ScanRange,
} from '../../shared/iterator/range-scan.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import type { BlockGiver } from '../../shared/iterator/run-cursor.js'
import { ROW_BYTES, ROW_KEY, ROW_KEY_LENGTH, ROW_VALUE_LENGTH } from '../../shared/kernel/layout.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import { Piece } from './piece.js'

/** Batches up to this size, those of short reads, share slabs: an allocation costs as much as a seek. */
const SLAB_BATCH_BYTES_MAX = 4 * 1024

/** As much as a large batch: what a Buffer that is kept keeps in memory at most, either way. */
const SLAB_BYTES = 32 * 1024

const NOTHING: ArrayBufferLike = new ArrayBuffer(0)

/** The slab in use, what it is a Buffer of, which takes long to ask it for, and how much of it is taken. */
let slab = Buffer.alloc(0)
let slabMemory = NOTHING
let slabTop = SLAB_BYTES

/** What rows are read through. */
export interface RowSource {
  readonly workspace: Workspace
  readonly giver: BlockGiver
  readonly view: ReadView
  /** Lets go of the view. */
  release(): void
  resolve(key: Uint8Array): ReturnType<OperandResolver>
}

export class RowReader {
  /** The last key that was handed out, for who reads from two ends. */
  lastKey: Buffer | undefined
  readonly #source: RowSource
  readonly #range: ScanRange
  readonly #prefix: Uint8Array | undefined
  readonly #words: Uint32Array
  #scan: RangeScan | undefined
  /** Addresses of the row at hand, of the next one, and of the end of the batch. */
  #row = 0
  #next = 0
  #end = 0
  /** A copy of the batch, made when the first of its rows is wanted, and what leads from its addresses to places there. */
  #isCopied = false
  #memory = NOTHING
  #shift = 0

  /** The scan is started when the first row is asked for. With a `prefix`, only keys that start with it come. */
  constructor(source: RowSource, range: ScanRange, prefix?: Uint8Array) {
    this.#source = source
    this.#range = range
    this.#prefix = prefix
    this.#words = source.workspace.shared.u32
  }

  /** Steps to the next row; false at the end. */
  next(): boolean {
    const isThere = this.tryNext()
    if (isThere !== undefined) return isThere
    throw new VarveError('VARVE_ASSERTION', 'rows that cannot be waited for were waited for')
  }

  /** As {@link next}; undefined where a block has to be waited for. */
  tryNext(): boolean | undefined {
    if (this.#prefix === undefined) return this.#step()
    for (;;) {
      const isThere = this.#step()
      if (isThere !== true || this.#hasPrefix(this.#prefix)) return isThere
    }
  }

  /** Starts anew at `start`, in the same direction; see {@link RangeScan.seek}. */
  seek(start: KeyBound | undefined): void {
    this.#next = this.#end
    this.#scan ??= this.#start()
    this.#scan.seek(start)
  }

  /** Starts anew on other bounds; see {@link RangeScan.move}. */
  move(lower: KeyBound | undefined, upper: KeyBound | undefined): void {
    this.#next = this.#end
    this.#scan ??= this.#start()
    this.#scan.move(lower, upper)
  }

  /** True where the row is the last one of what was read in one go. */
  get isAtBatchEnd(): boolean {
    return this.#next >= this.#end
  }

  /** The caller's own copy of the row's key. */
  key(): Buffer {
    if (!this.#isCopied) this.#copyBatch()
    const row = this.#row
    return new Piece(this.#memory, row + ROW_KEY + this.#shift, this.#word(row + ROW_KEY_LENGTH))
  }

  /** The same of its value. */
  value(): Buffer {
    if (!this.#isCopied) this.#copyBatch()
    const row = this.#row
    const at = row + ROW_KEY + this.#word(row + ROW_KEY_LENGTH)
    return new Piece(this.#memory, at + this.#shift, this.#word(row + ROW_VALUE_LENGTH))
  }

  /** Both of them. */
  entry(): [Buffer, Buffer] {
    if (!this.#isCopied) this.#copyBatch()
    const row = this.#row
    const keyLength = this.#word(row + ROW_KEY_LENGTH)
    const at = row + ROW_KEY + this.#shift
    return [
      new Piece(this.#memory, at, keyLength),
      new Piece(this.#memory, at + keyLength, this.#word(row + ROW_VALUE_LENGTH)),
    ]
  }

  /** Bytes of the value, also where keys alone are read. */
  get valueLength(): number {
    return this.#word(this.#row + ROW_VALUE_LENGTH)
  }

  dispose(): void {
    this.#scan?.dispose()
    this.#scan = undefined
    this.#next = this.#end
  }

  #word(address: number): number {
    return this.#words[address >>> 2] as number
  }

  #step(): boolean | undefined {
    const row = this.#next
    if (row >= this.#end) return this.#nextBatch()
    this.#row = row
    this.#next = row + this.#word(row + ROW_BYTES)
    return true
  }

  #nextBatch(): boolean | undefined {
    this.#scan ??= this.#start()
    const scan = this.#scan
    const isThere = scan.nextBatch()
    if (isThere !== true) return isThere
    const row = scan.batchAddress
    this.#row = row
    this.#next = row + this.#word(row + ROW_BYTES)
    this.#end = row + scan.batchLength
    this.#isCopied = false
    return true
  }

  #hasPrefix(prefix: Uint8Array): boolean {
    if (this.#word(this.#row + ROW_KEY_LENGTH) < prefix.length) return false
    const { shared } = this.#source.workspace
    return isSameKey(shared.view(this.#row + ROW_KEY, prefix.length), prefix)
  }

  #copyBatch(): void {
    const { batchAddress, batchLength } = this.#scan as RangeScan
    const { shared } = this.#source.workspace
    this.#isCopied = true
    if (batchLength > SLAB_BATCH_BYTES_MAX) {
      const copy = Buffer.allocUnsafeSlow(batchLength)
      shared.copyTo(copy, 0, batchAddress, batchLength)
      this.#memory = copy.buffer
      this.#shift = -batchAddress
      return
    }
    if (slabTop + batchLength > SLAB_BYTES) {
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      slabMemory = slab.buffer
      slabTop = 0
    }
    shared.copyTo(slab, slabTop, batchAddress, batchLength)
    this.#memory = slabMemory
    this.#shift = slabTop - batchAddress
    slabTop += batchLength
  }

  #start(): RangeScan {
    const source = this.#source
    const { workspace, giver, view } = source
    return new RangeScan(workspace, giver, view, this.#range, (key) => source.resolve(key))
  }
}
