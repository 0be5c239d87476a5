/**
 * Reads a file through a window, for readers that go through it front to back: many small reads become few large ones.
 * The thread that reads.
 */
import type { ReadableFile } from './file-system.js'

/** Bytes read ahead at once: a quarter of a second-level cache, and enough to hide the call. */
const WINDOW_BYTES = 256 * 1024

export class SequentialFile implements ReadableFile {
  readonly #file: ReadableFile
  readonly #window = new Uint8Array(WINDOW_BYTES)
  #start = 0
  #length = 0

  constructor(file: ReadableFile) {
    this.#file = file
  }

  get path(): string {
    return this.#file.path
  }

  size(): number {
    return this.#file.size()
  }

  read(target: Uint8Array, offset: number): number {
    if (target.length > WINDOW_BYTES) return this.#file.read(target, offset)
    if (offset < this.#start || offset + target.length > this.#start + this.#length) {
      this.#length = this.#file.read(this.#window, offset)
      this.#start = offset
    }
    const from = offset - this.#start
    const piece = this.#window.subarray(from, Math.min(from + target.length, this.#length))
    target.set(piece)
    return piece.length
  }

  close(): void {
    this.#file.close()
  }
}
