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

/** Joins batches and cuts them into so many of about the same size at most, chunks left whole. */
export function cutEvenly(batches: readonly GatheredChunks[], count: number): GatheredChunks[] {
  const chunks = batches.flatMap((batch) => batch.chunks)
  const numbers = batches.flatMap((batch) => batch.numbers)
  const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0)
  const pieces: GatheredChunks[] = []
  let from = 0
  let done = 0
  for (let i = 0; i < chunks.length; i++) {
    done += (chunks[i] as Uint8Array).length
    if (done * count < bytes * (pieces.length + 1) && i < chunks.length - 1) continue
    pieces.push(gathered(chunks.slice(from, i + 1), numbers.slice(from, i + 1)))
    from = i + 1
  }
  return pieces
}

function gathered(chunks: readonly Uint8Array[], numbers: readonly number[]): GatheredChunks {
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
  const longest = chunks.reduce((most, { length }) => Math.max(most, length), 0)
  return { chunks, numbers, bytes, longest }
}

export class ChunkBatch {
  #chunks: Uint8Array[] = []
  #numbers: number[] = []
  #buffers = new Set<ArrayBufferLike>()
  #bytes = 0

  /** Bytes of the chunks that were gathered. */
  get bytes(): number {
    return this.#bytes
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
    const taken = gathered(this.#chunks, this.#numbers)
    this.#chunks = []
    this.#numbers = []
    this.#buffers = new Set()
    this.#bytes = 0
    return taken
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
