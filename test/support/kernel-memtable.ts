/**
 * A memtable kernel behind byte arrays and objects: what kernel tests insert into and compare with
 * its twin.
 */
import type { Kernel } from '../../src/shared/kernel/kernel.js'
import {
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_KIND,
  ENTRY_SEQNO,
  ENTRY_VALUE_LENGTH,
  MEMTABLE_CURSOR_BYTES,
  MEMTABLE_REUSES_NODES,
} from '../../src/shared/kernel/layout.js'
import type { TestMemory } from './memory.js'

/** An entry read out of the shared memory. */
export interface KernelEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly kind: number
  readonly seqno: number
}

export class KernelMemtable {
  readonly base: number
  readonly kernel: Kernel
  readonly #memory: TestMemory
  readonly #keyAddress: number

  constructor(memory: TestMemory, bytes: number, shared?: { base: number; kernel: Kernel }) {
    this.#memory = memory
    this.#keyAddress = memory.allocate(65_536)
    this.kernel = shared?.kernel ?? memory.kernel
    this.base = shared?.base ?? memory.allocate(bytes)
    if (shared !== undefined) return
    // Garbage, as an earlier memtable would have left it.
    memory.bytes.fill(0xa5, this.base, this.base + bytes)
    this.kernel.memtable_init(this.base, bytes)
  }

  /** Whether nodes that its tree does not lead to any more are used again: as its owner says while nobody else reads. */
  reuseNodes(isReusing: boolean): void {
    this.#memory.view.setUint32(this.base + MEMTABLE_REUSES_NODES, isReusing ? 1 : 0, true)
  }

  /** The same memtable through another kernel instance, as another thread has it. */
  through(kernel: Kernel): KernelMemtable {
    return new KernelMemtable(this.#memory, 0, { base: this.base, kernel })
  }

  /** False if the memtable is full. */
  insert(key: Uint8Array, value: Uint8Array, kind: number, seqno: number): boolean {
    const address = this.kernel.memtable_reserve(this.base, key.length, value.length)
    if (address === 0) return false
    this.#memory.bytes.set(key, address)
    this.#memory.bytes.set(value, address + key.length)
    this.kernel.memtable_commit(this.base, key.length, value.length, kind, seqno)
    return true
  }

  get(key: Uint8Array, seqno: number): KernelEntry | undefined {
    this.#memory.bytes.set(key, this.#keyAddress)
    return this.entry(this.kernel.memtable_get(this.base, this.#keyAddress, key.length, seqno))
  }

  cursor(): KernelCursor {
    const address = this.#memory.allocate(MEMTABLE_CURSOR_BYTES)
    this.kernel.memtable_cursor_init(address, this.base)
    return new KernelCursor(this, address)
  }

  /** Puts a key where kernels can read it. */
  placeKey(key: Uint8Array): number {
    this.#memory.bytes.set(key, this.#keyAddress)
    return this.#keyAddress
  }

  entry(address: number): KernelEntry | undefined {
    if (address === 0) return undefined
    const { view } = this.#memory
    const keyLength = view.getUint16(address + ENTRY_KEY_LENGTH, true)
    const valueLength = view.getUint32(address + ENTRY_VALUE_LENGTH, true)
    const valueAddress = address + ENTRY_KEY + keyLength
    return {
      key: this.#memory.copy(address + ENTRY_KEY, keyLength),
      value: this.#memory.copy(valueAddress, valueLength),
      kind: view.getUint8(address + ENTRY_KIND),
      seqno: Number(view.getBigUint64(address + ENTRY_SEQNO, true)),
    }
  }

  /** A u32 field of the header. */
  field(offset: number): number {
    return this.#memory.view.getUint32(this.base + offset, true)
  }

  /** A u64 field of the header. */
  wideField(offset: number): bigint {
    return this.#memory.view.getBigUint64(this.base + offset, true)
  }
}

export class KernelCursor {
  readonly #memtable: KernelMemtable
  readonly address: number

  constructor(memtable: KernelMemtable, address: number) {
    this.#memtable = memtable
    this.address = address
  }

  seek(key: Uint8Array): KernelEntry | undefined {
    const at = this.#memtable.placeKey(key)
    return this.#entry(this.#memtable.kernel.memtable_cursor_seek(this.address, at, key.length))
  }

  seekBefore(key: Uint8Array): KernelEntry | undefined {
    const at = this.#memtable.placeKey(key)
    return this.#entry(
      this.#memtable.kernel.memtable_cursor_seek_before(this.address, at, key.length),
    )
  }

  seekBehind(key: Uint8Array): KernelEntry | undefined {
    const at = this.#memtable.placeKey(key)
    return this.#entry(
      this.#memtable.kernel.memtable_cursor_seek_behind(this.address, at, key.length),
    )
  }

  seekUpto(key: Uint8Array): KernelEntry | undefined {
    const at = this.#memtable.placeKey(key)
    return this.#entry(
      this.#memtable.kernel.memtable_cursor_seek_upto(this.address, at, key.length),
    )
  }

  /** Entries from where the cursor stands up to a key, and moves there. */
  countUpto(key: Uint8Array, isInclusive: boolean, seqno: number): number {
    const { kernel } = this.#memtable
    const at = this.#memtable.placeKey(key)
    return kernel.memtable_count_upto(this.address, at, key.length, isInclusive ? 1 : 0, seqno)
  }

  first(): KernelEntry | undefined {
    return this.#entry(this.#memtable.kernel.memtable_cursor_first(this.address))
  }

  last(): KernelEntry | undefined {
    return this.#entry(this.#memtable.kernel.memtable_cursor_last(this.address))
  }

  next(): KernelEntry | undefined {
    return this.#entry(this.#memtable.kernel.memtable_cursor_next(this.address))
  }

  prev(): KernelEntry | undefined {
    return this.#entry(this.#memtable.kernel.memtable_cursor_prev(this.address))
  }

  #entry(address: number): KernelEntry | undefined {
    return this.#memtable.entry(address)
  }
}
