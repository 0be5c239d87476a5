/**
 * Packed chunks on their way into a job of a bulk ingestion. Main thread; what they hold is for the worker to read.
 *
 * I1: no memory that holds something else is moved to another thread: such a chunk is copied before.
 * I2: memory that was given away is not taken again: a source that goes on using it is told.
 */
import { typeError } from '../../shared/base/errors.js'
import { owned } from './packed-entries.js'

/** The chunks of a job. */
export interface GatheredChunks {
  readonly chunks: readonly Uint8Array[]
  /** The number of each in the source; -1 for what was packed here. */
  readonly numbers: readonly number[]
  readonly bytes: number
  /** Bytes of the largest. */
  readonly longest: number
}

export class ChunkBatch {
  readonly #bytesWanted: number
  #chunks: Uint8Array[] = []
  #numbers: number[] = []
  #buffers = new Set<ArrayBufferLike>()
  #bytes = 0

  /** @param bytesWanted what a job gets at least; the last chunk goes beyond it */
  constructor(bytesWanted: number) {
    this.#bytesWanted = bytesWanted
  }

  get isEmpty(): boolean {
    return this.#bytes === 0
  }

  /** True where what was gathered is enough for a job. */
  get isFull(): boolean {
    return this.#bytes >= this.#bytesWanted
  }

  /** Takes a chunk that was packed here. */
  addOwn(chunk: Uint8Array): void {
    this.#push(chunk, -1)
  }

  /**
   * Takes the chunk `number` of the source, and with it its memory, unless that is shared, or holds more than the chunk.
   * @throws TypeError where its memory was given away before
   */
  add(chunk: Uint8Array, number: number): void {
    const { buffer } = chunk
    if (this.#buffers.has(buffer) || isDetached(chunk)) {
      throw typeError(
        `packed chunk ${number} lies in memory that was given away before: a chunk that was yielded is not the source's ` +
          'any more',
      )
    }
    if (chunk.length === 0) return
    const isWhole = chunk.length === buffer.byteLength && buffer instanceof ArrayBuffer
    if (isWhole) this.#buffers.add(buffer)
    this.#push(isWhole || isShared(chunk) ? chunk : owned(chunk), number)
  }

  /** What was gathered; the batch is empty then. */
  take(): GatheredChunks {
    const chunks = this.#chunks
    const longest = chunks.reduce((most, { length }) => Math.max(most, length), 0)
    const gathered = { chunks, numbers: this.#numbers, bytes: this.#bytes, longest }
    this.#chunks = []
    this.#numbers = []
    this.#buffers = new Set()
    this.#bytes = 0
    return gathered
  }

  #push(chunk: Uint8Array, number: number): void {
    this.#chunks.push(chunk)
    this.#numbers.push(number)
    this.#bytes += chunk.length
  }
}

const isShared = ({ buffer }: Uint8Array): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer

/** True where the memory of an array is in another thread's hands. */
function isDetached({ length, buffer }: Uint8Array): boolean {
  if (length > 0) return false
  try {
    new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}
