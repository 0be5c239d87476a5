/**
 * Kernel instances for orders other than that of bytes: the second build of the kernel module, bound to the comparison that
 * it calls. One per tree and thread.
 *
 *     an order of ours      a function of the first module: WebAssembly calls WebAssembly
 *     a user's order        JavaScript over the shared memory
 *
 * I1: nothing that a user's comparator throws passes through a kernel: it is kept, the kernel goes on by the order of
 *     bytes to its end, and the call that it was made by throws it then. What the kernel was building is well-formed.
 * I2: an entry that was linked in doubt is the last one: later writes fail, and the memtable is never written out, for the
 *     merge that would is checked key by key.
 * I3: a comparator that calls back into the kernels of its own tree is stopped before it can disturb anything.
 */
import { checkedResult, comparatorError, thrown } from '../base/comparator.js'
import { VarveError } from '../base/errors.js'
import type { KeyOrder } from '../base/key-order.js'
import { instantiateKernel, type Kernel, kernelModule } from './kernel.js'

/** A kernel instance over `memory` that compares keys by `order`. REQUIRES: not the order of bytes. */
export function instantiateOrderedKernel(memory: WebAssembly.Memory, order: KeyOrder): Kernel {
  if (order.kernelCompare !== undefined) {
    const compare = instantiateKernel(memory)[order.kernelCompare]
    return instantiate(memory, { compare, broken: () => undefined })
  }
  const callback = new ComparatorCallback(memory, order)
  const exports = instantiate(memory, {
    compare: (a: number, aLength: number, b: number, bLength: number) =>
      callback.compare(a, aLength, b, bLength),
    broken: () => callback.fail(comparatorError(order.name, 'contradicts itself')),
  })
  // All of them: which ones compare keys may change, and the guard costs nothing beside a comparator.
  const kernel: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value === 'function') kernel[name] = callback.guard(value)
  }
  kernel['memtable_commit'] = callback.guardCommit(exports.memtable_commit)
  kernel['memtable_reserve'] = callback.guardReserve(exports.memtable_reserve)
  return kernel as unknown as Kernel
}

function instantiate(memory: WebAssembly.Memory, order: Record<string, unknown>): Kernel {
  const instance = new WebAssembly.Instance(kernelModule('ordered-kernel'), {
    env: { memory },
    order,
  })
  return instance.exports as unknown as Kernel
}

/** What a kernel calls to have two keys compared by a user's comparator. */
class ComparatorCallback {
  readonly #order: KeyOrder
  readonly #bytes: Buffer
  #failure: VarveError | undefined
  #isActive = false
  /** What went wrong while an entry was linked. */
  #writeFailure: VarveError | undefined
  /** The last views: a search compares one key with many. */
  #a: Buffer
  #b: Buffer

  constructor(memory: WebAssembly.Memory, order: KeyOrder) {
    this.#order = order
    this.#bytes = Buffer.from(memory.buffer)
    this.#a = this.#bytes.subarray(0, 0)
    this.#b = this.#a
  }

  compare(a: number, aLength: number, b: number, bLength: number): number {
    if (this.#failure === undefined) {
      try {
        return this.#ask(a, aLength, b, bLength)
      } catch (error) {
        this.fail(error)
      }
    }
    return Buffer.compare(
      this.#bytes.subarray(a, a + aLength),
      this.#bytes.subarray(b, b + bLength),
    )
  }

  /** Keeps the first failure. */
  fail(error: unknown): void {
    this.#failure ??= VarveError.is(error) ? error : thrown(this.#order.name, error)
  }

  /** A kernel function that throws what the comparator did wrong, once it has ended. */
  guard(kernel: (...values: number[]) => unknown): (...values: number[]) => unknown {
    return (...values) => {
      if (this.#isActive) {
        throw comparatorError(this.#order.name, 'used the tree that it orders')
      }
      this.#isActive = true
      const result = kernel(...values)
      this.#isActive = false
      const failure = this.#failure
      if (failure === undefined) return result
      this.#failure = undefined
      throw failure
    }
  }

  /** Of `memtable_commit`. */
  guardCommit(commit: Kernel['memtable_commit']): Kernel['memtable_commit'] {
    const guarded = this.guard(commit as (...values: number[]) => unknown)
    return (...values) => {
      try {
        guarded(...values)
      } catch (error) {
        this.#writeFailure = error as VarveError
        throw error
      }
    }
  }

  /** Of `memtable_reserve`, which every write starts with. */
  guardReserve(reserve: Kernel['memtable_reserve']): Kernel['memtable_reserve'] {
    return (base, keyLength, valueLength) => {
      if (this.#writeFailure !== undefined) throw this.#writeFailure
      return reserve(base, keyLength, valueLength)
    }
  }

  #ask(a: number, aLength: number, b: number, bLength: number): number {
    const { compareAt, name } = this.#order
    let result: number
    if (compareAt === undefined) {
      this.#a = this.#view(this.#a, a, aLength)
      this.#b = this.#view(this.#b, b, bLength)
      result = this.#order.compare(this.#a, this.#b)
    } else {
      const bytes = this.#bytes
      result = compareAt(bytes, a, aLength, b, bLength)
      if (typeof result !== 'number' || !(result < 0 || result > 0)) {
        checkedResult(name, result, bytes.subarray(a, a + aLength), bytes.subarray(b, b + bLength))
      }
    }
    // Not the number itself: as an i32 a half would be 0, and a large one anything.
    return result < 0 ? -1 : result > 0 ? 1 : 0
  }

  #view(last: Buffer, start: number, length: number): Buffer {
    if (last.byteOffset === start && last.length === length) return last
    return this.#bytes.subarray(start, start + length)
  }
}
