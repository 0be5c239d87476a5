/**
 * Writes a table file front to back through buffers in shared memory, hashing every byte on its way out. While one buffer
 * is being filled, the others are on their way to the disk.
 *
 * The thread of the actor. The buffers serve one file after the other.
 *
 * I1: a buffer is filled again only when the write of what it held has ended.
 */
import { DIGEST_BYTES } from '../base/checksum.js'
import { assert } from '../base/errors.js'
import type { OutgoingFile } from '../fs/outgoing-file.js'
import { XXH3_STATE_BYTES } from '../kernel/layout.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'

/** Bytes gathered before a write: large enough that the system call is lost in it. */
const BUFFER_BYTES = 1024 * 1024

/** Bytes hashed at once: while they are still in a near cache. */
const HASH_BYTES = 32 * 1024

/** A buffer that has grown beyond it is not handed over: others would have to grow as well. */
const BUFFER_BYTES_MAX = 2 * BUFFER_BYTES

/** One that is filled, and two that are written: the thread looks for ended writes once a buffer. */
const BUFFER_COUNT = 3

export class FileSink {
  readonly #workspace: Workspace
  #buffer: GrowingBuffer
  /** Buffers that hold nothing. Those that are neither here nor at hand are being written. */
  readonly #spares: GrowingBuffer[] = []
  readonly #state: number
  #file: OutgoingFile | undefined
  #filled = 0
  /** How much of what is filled was hashed. */
  #hashed = 0
  #written = 0
  #hasHandedOver = false
  #bufferCount = 1

  constructor(workspace: Workspace) {
    this.#workspace = workspace
    this.#buffer = new GrowingBuffer(workspace.heap, BUFFER_BYTES)
    this.#state = workspace.heap.allocate(XXH3_STATE_BYTES + DIGEST_BYTES)
  }

  /** Starts a file. */
  open(file: OutgoingFile): void {
    this.#file = file
    this.#filled = 0
    this.#hashed = 0
    this.#written = 0
    this.#workspace.shared.kernel.xxh3_128_reset(this.#state)
  }

  /** Where the next byte goes. */
  get offset(): number {
    return this.#written + this.#filled
  }

  /** True once after each buffer that was full: a turn of the event loop lets ended writes and syncs be noticed. */
  takeHandOver(): boolean {
    const has = this.#hasHandedOver
    this.#hasHandedOver = false
    return has
  }

  /** Room for `bytes` more: its address. What was reserved before and not committed is void. */
  reserve(bytes: number): number {
    if (this.#filled + bytes > this.#buffer.capacity) {
      this.#handOver()
      // One huge piece makes it larger for a while, and no piece makes it smaller than it began.
      this.#buffer.reserve(Math.max(bytes, BUFFER_BYTES))
    }
    return this.#buffer.address + this.#filled
  }

  /** The first `bytes` of what was reserved belong to the file. */
  commit(bytes: number): void {
    this.#filled += bytes
    assert(this.#filled <= this.#buffer.capacity, 'a sink commits what it reserved')
    if (this.#filled - this.#hashed >= HASH_BYTES) this.#hash()
  }

  append(bytes: Uint8Array): void {
    const address = this.reserve(bytes.length)
    this.#workspace.shared.bytes.set(bytes, address)
    this.commit(bytes.length)
  }

  /** Writes what the buffer holds. */
  flush(): void {
    const bytes = this.#take()
    if (bytes !== undefined) this.#file?.write(bytes)
  }

  /** Writes the rest; XXH3-128 of the whole file. */
  finish(): Uint8Array {
    this.flush()
    const { shared } = this.#workspace
    const out = this.#state + XXH3_STATE_BYTES
    shared.kernel.xxh3_128_digest(this.#state, out)
    return Uint8Array.from(shared.view(out, DIGEST_BYTES))
  }

  /** REQUIRES: nothing of its files is under way. */
  dispose(): void {
    this.#buffer.dispose()
    for (const buffer of this.#spares.splice(0)) buffer.dispose()
    this.#workspace.heap.free(this.#state)
  }

  /** Has what the buffer holds written, off the thread where another buffer can be filled meanwhile. */
  #handOver(): void {
    const next = this.#nextBuffer()
    // Also where all buffers are being written: it takes a turn to notice that one is not any more. Without it, everything
    // would be written here from then on.
    this.#hasHandedOver = this.#file?.canWriteLater === true
    if (next === undefined) {
      this.flush()
      return
    }
    const bytes = this.#take()
    const full = this.#buffer
    this.#buffer = next
    if (bytes === undefined) {
      this.#spares.push(full)
      return
    }
    this.#file?.writeLater(bytes, () => this.#spares.push(full))
  }

  /** Undefined where all are being written, and for a buffer that one huge entry made large: there is one of those. */
  #nextBuffer(): GrowingBuffer | undefined {
    if (this.#file?.canWriteLater !== true || this.#buffer.capacity > BUFFER_BYTES_MAX)
      return undefined
    if (this.#spares.length === 0 && this.#bufferCount < BUFFER_COUNT) {
      this.#bufferCount++
      return new GrowingBuffer(this.#workspace.heap, BUFFER_BYTES)
    }
    return this.#spares.pop()
  }

  #hash(): void {
    const { kernel } = this.#workspace.shared
    const from = this.#buffer.address + this.#hashed
    kernel.xxh3_128_update(this.#state, from, this.#filled - this.#hashed)
    this.#hashed = this.#filled
  }

  /** What the buffer holds, which is empty then; undefined for nothing. */
  #take(): Uint8Array | undefined {
    if (this.#filled === 0) return undefined
    const { shared } = this.#workspace
    const bytes = shared.view(this.#buffer.address, this.#filled)
    this.#hash()
    this.#written += this.#filled
    this.#filled = 0
    this.#hashed = 0
    return bytes
  }
}
