/**
 * Rows of one scan as the caller's own Buffers. Rows are copied out of the shared memory a batch at a time; the Buffers
 * handed out are pieces of that copy, which is at most 32 KiB unless a row alone is larger. Main thread.
 *
 * I1: what is handed out stays as it is, whatever becomes of the scan.
 */
import { isSameKey, type KeyBound } from '../../shared/base/key-order.js'
import {
  type OperandResolver,
  RangeScan,
  type ScanRange,
  type WritableRow,
} from '../../shared/iterator/range-scan.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import type { BlockGiver } from '../../shared/iterator/run-cursor.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import { Piece } from './piece.js'

const NOTHING = Buffer.alloc(0)

/** Batches up to this size, those of short reads, share slabs: an allocation costs as much as a seek. */
const SLAB_BATCH_BYTES_MAX = 4 * 1024

/** As much as a large batch: what a Buffer that is kept keeps in memory at most, either way. */
const SLAB_BYTES = 32 * 1024

let slab: Buffer = NOTHING
let slabTop = 0

/** What rows are read through. */
export interface RowSource {
  readonly workspace: Workspace
  readonly giver: BlockGiver
  readonly view: ReadView
  /** Lets go of the view. */
  readonly release: () => void
  readonly resolve: OperandResolver
}

export class RowReader {
  readonly #row: WritableRow = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
  readonly #source: RowSource
  readonly #range: ScanRange
  readonly #prefix: Uint8Array | undefined
  #scan: RangeScan | undefined
  /** A copy of the batch that the row lies in, which one that is, and what leads from its addresses to places there. */
  #copy: ArrayBufferLike = NOTHING.buffer
  #copiedNumber = 0
  #shift = 0

  /** The scan is started when the first row is asked for. With a `prefix`, only keys that start with it come. */
  constructor(source: RowSource, range: ScanRange, prefix?: Uint8Array) {
    this.#source = source
    this.#range = range
    this.#prefix = prefix
  }

  /** Steps to the next row; false at the end. */
  next(): boolean {
    this.#scan ??= this.#start()
    if (this.#prefix === undefined) return this.#scan.next(this.#row)
    while (this.#scan.next(this.#row)) if (this.#hasPrefix(this.#prefix)) return true
    return false
  }

  /** As {@link next}; undefined where a block has to be waited for. */
  tryNext(): boolean | undefined {
    this.#scan ??= this.#start()
    return this.#scan.tryNext(this.#row)
  }

  /** Starts anew at `start`, in the same direction; see {@link RangeScan.seek}. */
  seek(start: KeyBound | undefined): void {
    this.#scan ??= this.#start()
    this.#scan.seek(start)
  }

  /** Starts anew on other bounds; see {@link RangeScan.move}. */
  move(lower: KeyBound | undefined, upper: KeyBound | undefined): void {
    this.#scan ??= this.#start()
    this.#scan.move(lower, upper)
  }

  /** True where the row is the last one of what was read in one go. */
  get isAtBatchEnd(): boolean {
    return this.#scan?.isAtBatchEnd !== false
  }

  /** The caller's own copy of the row's key. */
  key(): Buffer {
    const copy = this.#copied()
    return new Piece(copy, this.#row.keyAddress + this.#shift, this.#row.keyLength)
  }

  /** The same of its value. */
  value(): Buffer {
    const copy = this.#copied()
    return new Piece(copy, this.#row.valueAddress + this.#shift, this.#row.valueLength)
  }

  /** Bytes of the value, also where keys alone are read. */
  get valueLength(): number {
    return this.#row.valueLength
  }

  dispose(): void {
    this.#scan?.dispose()
    this.#scan = undefined
  }

  #hasPrefix(prefix: Uint8Array): boolean {
    const { keyAddress, keyLength } = this.#row
    if (keyLength < prefix.length) return false
    return isSameKey(this.#source.workspace.shared.view(keyAddress, prefix.length), prefix)
  }

  #copied(): ArrayBufferLike {
    const scan = this.#scan as RangeScan
    if (scan.batchNumber === this.#copiedNumber) return this.#copy
    const { batchAddress, batchLength } = scan
    let target: Buffer
    let at = 0
    if (batchLength <= SLAB_BATCH_BYTES_MAX) {
      if (slabTop + batchLength > slab.length) {
        slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
        slabTop = 0
      }
      target = slab
      at = slabTop
      slabTop += batchLength
    } else {
      target = Buffer.allocUnsafeSlow(batchLength)
    }
    const { buffer } = this.#source.workspace.shared
    buffer.copy(target, at, batchAddress, batchAddress + batchLength)
    this.#copy = target.buffer
    this.#shift = target.byteOffset + at - batchAddress
    this.#copiedNumber = scan.batchNumber
    return this.#copy
  }

  #start(): RangeScan {
    const { workspace, giver, view, resolve } = this.#source
    return new RangeScan(workspace, giver, view, this.#range, resolve)
  }
}
