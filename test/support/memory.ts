/**
 * A kernel over a small shared memory of its own, with a bump allocator: what kernel tests and benches stand on.
 */

import { instantiateKernel, type Kernel } from '../../src/shared/kernel/kernel.js'
import { REGIONS_ADDRESS } from '../../src/shared/kernel/layout.js'

export class TestMemory {
  readonly memory: WebAssembly.Memory
  readonly kernel: Kernel
  readonly bytes: Uint8Array
  readonly view: DataView
  #top = REGIONS_ADDRESS

  constructor(mebibytes = 16) {
    const pages = mebibytes * 16
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    this.kernel = instantiateKernel(this.memory)
    this.kernel.constants_init()
    this.bytes = new Uint8Array(this.memory.buffer)
    this.view = new DataView(this.memory.buffer)
  }

  /** A zeroed piece of `length` bytes on a 64-byte boundary; never freed. */
  allocate(length: number): number {
    const address = this.#top
    this.#top = (address + length + 63) & ~63
    if (this.#top > this.bytes.length) throw new RangeError('the test memory is full')
    return address
  }

  /** Allocates a piece and copies `content` into it. */
  place(content: Uint8Array): number {
    const address = this.allocate(content.length)
    this.bytes.set(content, address)
    return address
  }

  /** A private copy of a piece of the memory. */
  copy(address: number, length: number): Uint8Array {
    return Uint8Array.from(this.bytes.subarray(address, address + length))
  }
}
