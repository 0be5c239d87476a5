/**
 * Memory for chunks that main packs itself: shared with the thread that reads a chunk, and used again when that has ended.
 * Memory that is moved with each chunk would be made anew for each, page by page, and have the collector run for it. Main
 * thread.
 *
 * I1: a piece has one user: a batch, or the job that reads it.
 */

export class ChunkMemory {
  readonly #chunkBytes: number
  readonly #spares: SharedArrayBuffer[] = []

  /** @param chunkBytes what a piece has */
  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes
  }

  /** The chunk in a piece of its own, which is a larger one where it does not fit the usual. */
  copy(chunk: Uint8Array): Uint8Array<SharedArrayBuffer> {
    const { length } = chunk
    const isCommon = length <= this.#chunkBytes
    const piece = isCommon ? this.#spares.pop() : undefined
    const bytes = Math.max(length, this.#chunkBytes)
    const copy = new Uint8Array(piece ?? new SharedArrayBuffer(bytes), 0, length)
    // At once, from the beginning: V8 copies to shared memory by words where both sides are aligned, else by bytes.
    copy.set(chunk)
    return copy
  }

  /** The chunk has been read. Larger pieces are not kept. */
  give({ buffer }: Uint8Array): void {
    if (buffer instanceof SharedArrayBuffer && buffer.byteLength === this.#chunkBytes)
      this.#spares.push(buffer)
  }
}
