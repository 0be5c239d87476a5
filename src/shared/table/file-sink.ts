/**
 * Writes a table file front to back through one buffer in shared memory, hashing every byte on its way out.
 *
 * The thread of the actor. The buffer serves one file after the other.
 */
import { DIGEST_BYTES } from '../base/checksum.js'
import { assert } from '../base/errors.js'
import type { WritableFile } from '../fs/file-system.js'
import { XXH3_STATE_BYTES } from '../kernel/layout.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'

/** Bytes gathered before a write: large enough that the system call is lost in it. */
const BUFFER_BYTES = 1024 * 1024

export class FileSink {
  readonly #workspace: Workspace
  readonly #buffer: GrowingBuffer
  readonly #state: number
  #file: WritableFile | undefined
  #filled = 0
  #written = 0

  constructor(workspace: Workspace) {
    this.#workspace = workspace
    this.#buffer = new GrowingBuffer(workspace.heap, BUFFER_BYTES)
    this.#state = workspace.heap.allocate(XXH3_STATE_BYTES + DIGEST_BYTES)
  }

  /** Starts a file. */
  open(file: WritableFile): void {
    this.#file = file
    this.#filled = 0
    this.#written = 0
    this.#workspace.shared.kernel.xxh3_128_reset(this.#state)
  }

  /** Where the next byte goes. */
  get offset(): number {
    return this.#written + this.#filled
  }

  /** Room for `bytes` more: its address. What was reserved before and not committed is void. */
  reserve(bytes: number): number {
    if (this.#filled + bytes > this.#buffer.capacity) {
      this.flush()
      this.#buffer.reserve(bytes)
    }
    return this.#buffer.address + this.#filled
  }

  /** The first `bytes` of what was reserved belong to the file. */
  commit(bytes: number): void {
    this.#filled += bytes
    assert(this.#filled <= this.#buffer.capacity, 'a sink commits what it reserved')
  }

  append(bytes: Uint8Array): void {
    const address = this.reserve(bytes.length)
    this.#workspace.shared.bytes.set(bytes, address)
    this.commit(bytes.length)
  }

  /** Hands what the buffer holds to the file. */
  flush(): void {
    if (this.#filled === 0) return
    const { shared } = this.#workspace
    shared.kernel.xxh3_128_update(this.#state, this.#buffer.address, this.#filled)
    this.#file?.write(shared.view(this.#buffer.address, this.#filled))
    this.#written += this.#filled
    this.#filled = 0
  }

  /** Writes the rest; XXH3-128 of the whole file. */
  finish(): Uint8Array {
    this.flush()
    const { shared } = this.#workspace
    const out = this.#state + XXH3_STATE_BYTES
    shared.kernel.xxh3_128_digest(this.#state, out)
    return Uint8Array.from(shared.view(out, DIGEST_BYTES))
  }

  dispose(): void {
    this.#buffer.dispose()
    this.#workspace.heap.free(this.#state)
  }
}
