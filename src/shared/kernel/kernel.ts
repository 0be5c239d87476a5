/**
 * The typed contract of the WebAssembly kernel module, and its loader. One instance per thread over the one shared
 * memory; instances keep no state of their own, so any number of them may run side by side.
 *
 * I1: a kernel takes addresses and lengths and returns integers; the caller has checked that they lie in memory.
 */
import { readFileSync } from 'node:fs'
import type { BlockKernel } from './block-kernel.js'
import type { CodecKernel } from './codec-kernel.js'
import type { EpochKernel } from './epoch-kernel.js'
import type { FilterKernel } from './filter-kernel.js'
import type { HashKernel } from './hash-kernel.js'
import type { IngestKernel } from './ingest-kernel.js'
import type { MemtableKernel } from './memtable-kernel.js'
import type { OrderKernel } from './order-kernel.js'
import type { RangeKernel } from './range-kernel.js'

/** Every function that the module exports. */
export interface Kernel
  extends BlockKernel,
    CodecKernel,
    EpochKernel,
    FilterKernel,
    HashKernel,
    IngestKernel,
    MemtableKernel,
    OrderKernel,
    RangeKernel {}

/** The two builds: for the order of bytes, and for the orders that an instance is given (`assembly/key-order.ts`). */
type ModuleName = 'kernel' | 'ordered-kernel'

const compiled = new Map<ModuleName, WebAssembly.Module>()

/** A compiled module, compiled once per thread. */
export function kernelModule(name: ModuleName): WebAssembly.Module {
  const known = compiled.get(name)
  if (known !== undefined) return known
  const module = new WebAssembly.Module(readFileSync(new URL(`./${name}.wasm`, import.meta.url)))
  compiled.set(name, module)
  return module
}

/** A kernel instance over `memory`, for the calling thread. About 0.2 ms. */
export function instantiateKernel(memory: WebAssembly.Memory): Kernel {
  const instance = new WebAssembly.Instance(kernelModule('kernel'), { env: { memory } })
  return instance.exports as unknown as Kernel
}
