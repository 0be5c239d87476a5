/**
 * Reads the packed chunks of a job into a buffer in its region, laid out as resident blocks, as often as it takes. The
 * thread of the actor.
 *
 *     chunk ─→ window in shared memory ─→ buffer
 *
 * The window is small, so that what is copied twice is in the second-level cache the second time. Chunks may be shared with
 * threads that go on writing into them: only what was copied is looked at.
 *
 * I1: what is no entry ends the job with an error that names chunk and offset; no length is believed before that many bytes
 *     are there.
 */
import { assert, VarveError } from '../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../shared/base/limits.js'
import { ingestOrderError } from '../shared/jobs/ingest-order.js'
import type { IngestChunks } from '../shared/jobs/jobs.js'
import {
  INGEST_BLOCK_COUNT,
  INGEST_ENTRY_COUNT,
  INGEST_HEADER_BYTES,
  INGEST_LAST_KEY,
  INGEST_LAST_KEY_LENGTH,
  INGEST_OUTCOME,
  PACKED_CUT,
  PACKED_DONE,
  PACKED_FULL,
  PACKED_KEY,
  PACKED_NOT_ASCENDING,
  SORT_BYTES,
  SORT_BYTES_AN_ENTRY,
} from '../shared/kernel/layout-ingest.js'
import { GrowingBuffer } from '../shared/memory/workspace.js'
import type { ActorContext } from './actor-context.js'

/** Bytes of a chunk that are copied at a time, as long as entries are smaller. */
const WINDOW_BYTES = 256 * 1024

/** Blocks that ascend by key, or are to be sorted. */
export interface Blocks {
  readonly first: number
  readonly count: number
}

export class ChunkBuffer {
  readonly address: number
  readonly #context: ActorContext
  readonly #source: IngestChunks
  /** Each is let go of when it has been read: the collector may have its memory. */
  readonly #chunks: (Uint8Array | undefined)[]
  readonly #window: GrowingBuffer
  /** A copy of the last key of the filling before. */
  readonly #lastKey: number
  #lastKeyLength = 0
  #fillCount = 0
  /** The chunk at hand, and where in it the next entry begins. */
  #index = 0
  #offset = 0
  /** What the window holds of the chunk from there on: where it lies. */
  #from = 0
  #end = 0

  constructor(context: ActorContext, source: IngestChunks) {
    const { heap } = context.workspace
    this.#context = context
    this.#source = source
    this.#chunks = [...source.chunks]
    this.#window = new GrowingBuffer(heap, WINDOW_BYTES)
    this.address = heap.allocate(source.bufferBytes)
    this.#lastKey = heap.allocate(KEY_BYTES_MAX + 8)
  }

  get entryCount(): number {
    return this.#context.workspace.shared.getU32(this.address + INGEST_ENTRY_COUNT)
  }

  /** What was filled last. */
  get blocks(): Blocks {
    const { shared } = this.#context.workspace
    return {
      first: (this.address + INGEST_HEADER_BYTES + 7) & ~7,
      count: shared.getU32(this.address + INGEST_BLOCK_COUNT),
    }
  }

  /**
   * Empties the buffer and fills it with what comes next; false where nothing is left.
   * @throws VARVE_INVALID_ARGUMENT for a malformed chunk, VARVE_INGEST_ORDER
   */
  fill(): boolean {
    const { shared } = this.#context.workspace
    const isSorted = this.#source.isSorted ? 1 : 0
    this.#begin()
    for (let chunk = this.#next(); chunk !== undefined; chunk = this.#next()) {
      const at = shared.kernel.ingest_add_packed(this.address, this.#from, this.#end, isSorted)
      const outcome = shared.getU32(this.address + INGEST_OUTCOME)
      const isProgress = at > this.#from
      this.#offset += at - this.#from
      this.#from = at
      if (outcome === PACKED_DONE) continue
      if (outcome === PACKED_FULL) {
        assert(this.entryCount > 0, 'an entry of a chunk fits the buffer')
        return true
      }
      if (outcome === PACKED_NOT_ASCENDING) throw this.#orderError()
      const bytesHeld = this.#end - at
      const isWhole = this.#offset + bytesHeld === chunk.length
      if (outcome !== PACKED_CUT || isWhole) throw this.#malformed(chunk)
      this.#load(chunk, isProgress ? WINDOW_BYTES : bytesHeld * 2)
    }
    return this.entryCount > 0
  }

  #begin(): void {
    const { shared } = this.#context.workspace
    const { isSorted, bufferBytes } = this.#source
    if (isSorted && this.#fillCount++ > 0) {
      const lastKey = shared.getU32(this.address + INGEST_LAST_KEY)
      this.#lastKeyLength = shared.getU32(this.address + INGEST_LAST_KEY_LENGTH)
      shared.bytes.copyWithin(this.#lastKey, lastKey, lastKey + this.#lastKeyLength)
    }
    const extra = isSorted ? 0 : SORT_BYTES_AN_ENTRY
    const bytes = isSorted ? bufferBytes : bufferBytes - SORT_BYTES
    shared.kernel.ingest_init(this.address, bytes, this.#lastKey, this.#lastKeyLength, extra)
  }

  /** The chunk at hand, the window holding something of it that was not taken yet; undefined where none is left. */
  #next(): Uint8Array | undefined {
    for (;;) {
      const chunk = this.#chunks[this.#index]
      if (chunk === undefined) return undefined
      if (this.#from < this.#end) return chunk
      if (this.#offset < chunk.length) {
        this.#load(chunk, WINDOW_BYTES)
        return chunk
      }
      this.#chunks[this.#index++] = undefined
      this.#offset = 0
    }
  }

  /** Copies what comes next of the chunk into the window, at most `bytes`. */
  #load(chunk: Uint8Array, bytes: number): void {
    const length = Math.min(bytes, chunk.length - this.#offset)
    this.#window.reserve(length)
    this.#from = this.#window.address
    this.#end = this.#from + length
    this.#context.workspace.shared.bytes.set(
      chunk.subarray(this.#offset, this.#offset + length),
      this.#from,
    )
  }

  #place(): { readonly chunk: number; readonly offset: number } {
    return { chunk: this.#source.numbers[this.#index] ?? -1, offset: this.#offset }
  }

  #malformed({ length }: Uint8Array): VarveError {
    const { chunk, offset } = this.#place()
    return new VarveError(
      'VARVE_INVALID_ARGUMENT',
      `packed chunk ${chunk} is malformed at byte ${offset} of ${length}: an entry is { key length u16, ` +
        'value length u32, key, value }, little-endian, whole in its chunk, and its key is not empty',
      { details: { chunk, offset, length } },
    )
  }

  #orderError(): VarveError {
    const { shared } = this.#context.workspace
    const keyLength = shared.copy(this.#from, PACKED_KEY).readUInt16LE()
    const key = shared.copy(this.#from + PACKED_KEY, keyLength)
    const place = this.#place()
    return ingestOrderError(key, place.chunk < 0 ? {} : place)
  }
}
