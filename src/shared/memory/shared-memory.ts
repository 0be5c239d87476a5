/**
 * One thread's view of the one shared memory: typed arrays over it, and a kernel instance bound to it. Every thread
 * makes its own from the same `WebAssembly.Memory`.
 *
 * I1: the memory's size is fixed when it is made, so a view never goes stale.
 * I2: addresses are below {@link MEMORY_BYTES_MAX}, so a kernel's i32 result holds any of them.
 */
import { Buffer } from 'node:buffer'
import { VarveError } from '../base/errors.js'
import { BYTE_ORDER, type KeyOrder } from '../base/key-order.js'
import { instantiateKernel, type Kernel } from '../kernel/kernel.js'
import { instantiateOrderedKernel } from '../kernel/ordered-kernel.js'

/** Largest memory: 2 GiB less one page, so that addresses and sizes stay positive as i32. */
export const MEMORY_BYTES_MAX = 32767 * 65536

const TWO_32 = 4_294_967_296

/** Node's own decoders on a Buffer, which its type package leaves out: straight from memory to a string. */
export interface DecodingBuffer extends Buffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}

export class SharedMemory {
  readonly memory: WebAssembly.Memory
  readonly kernel: Kernel
  /** The order in which the kernel compares keys. */
  readonly order: KeyOrder
  readonly bytes: Uint8Array
  /** The same bytes as a Buffer: its `latin1Slice` and `utf8Slice` decode strings without a copy. */
  readonly buffer: DecodingBuffer
  readonly u32: Uint32Array
  readonly i32: Int32Array
  readonly f32: Float32Array
  readonly f64: Float64Array
  /** What the views are of: asking one of them for it takes longer than copying a short value. */
  readonly #buffer: ArrayBufferLike

  constructor(memory: WebAssembly.Memory, order = BYTE_ORDER, kernel = instantiateKernel(memory)) {
    this.memory = memory
    this.order = order
    this.kernel = kernel
    this.#buffer = memory.buffer
    this.bytes = new Uint8Array(memory.buffer)
    this.buffer = Buffer.from(memory.buffer) as DecodingBuffer
    this.u32 = new Uint32Array(memory.buffer)
    this.i32 = new Int32Array(memory.buffer)
    this.f32 = new Float32Array(memory.buffer)
    this.f64 = new Float64Array(memory.buffer)
  }

  /** Reserves `byteLength` bytes of address space; pages are committed only when touched. */
  static create(byteLength: number): SharedMemory {
    const pages = Math.ceil(Math.min(byteLength, MEMORY_BYTES_MAX) / 65536)
    let memory: WebAssembly.Memory
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    } catch (cause) {
      throw new VarveError(
        'VARVE_OUT_OF_MEMORY',
        `could not reserve ${pages * 65536} bytes of shared memory; open with a smaller memory`,
        { details: { bytes: pages * 65536 }, cause },
      )
    }
    const shared = new SharedMemory(memory)
    shared.kernel.constants_init()
    return shared
  }

  /** The same memory for a tree whose keys are in `order`: with the kernel that compares like it. */
  inOrder(order: KeyOrder): SharedMemory {
    if (order === this.order) return this
    const kernel = order.isBytes ? this.kernel : instantiateOrderedKernel(this.memory, order)
    return new SharedMemory(this.memory, order, kernel)
  }

  getU32(address: number): number {
    return this.u32[address >>> 2] as number
  }

  setU32(address: number, value: number): void {
    this.u32[address >>> 2] = value
  }

  getI32(address: number): number {
    return this.i32[address >>> 2] as number
  }

  setI32(address: number, value: number): void {
    this.i32[address >>> 2] = value
  }

  setF32(address: number, value: number): void {
    this.f32[address >>> 2] = value
  }

  /** A u64 known to be a safe integer. */
  getU64(address: number): number {
    const word = address >>> 2
    return (this.u32[word + 1] as number) * TWO_32 + (this.u32[word] as number)
  }

  /** Stores a safe integer as u64. */
  setU64(address: number, value: number): void {
    const word = address >>> 2
    this.u32[word] = value
    // Nearly all fit one word, and a division costs as much as ten stores.
    this.u32[word + 1] = value < TWO_32 ? 0 : value / TWO_32
  }

  getF64(address: number): number {
    return this.f64[address >>> 3] as number
  }

  setF64(address: number, value: number): void {
    this.f64[address >>> 3] = value
  }

  /** Loads a word atomically: pairs with a kernel's atomic store, in whatever thread. */
  loadU32(address: number): number {
    return Atomics.load(this.u32, address >>> 2)
  }

  /** Whether a flag word is set; pairs with {@link raise} in another thread. */
  isSet(address: number): boolean {
    return Atomics.load(this.i32, address >>> 2) !== 0
  }

  /** Sets a flag word; pairs with {@link isSet} in another thread. */
  raise(address: number): void {
    Atomics.store(this.i32, address >>> 2, 1)
  }

  /** A view of a piece of the memory; no copy. */
  view(address: number, length: number): Uint8Array {
    return this.bytes.subarray(address, address + length)
  }

  /** Copies a piece of the memory to offset `at` of `target`. */
  copyTo(target: Uint8Array, at: number, address: number, length: number): void {
    target.set(new Uint8Array(this.#buffer, address, length), at)
  }

  /** A private copy of a piece of the memory. */
  copy(address: number, length: number): Buffer {
    const out = Buffer.allocUnsafe(length)
    out.set(new Uint8Array(this.#buffer, address, length))
    return out
  }
}
