/**
 * Builds a table's filter from the hashes that the kernels gather: one filter over all keys, or one for each partition
 * of the key space (format-filter-ecc-crypto.md 1). The thread of the actor.
 *
 * `varve` filters are our own compact kind in sections of their own names, which other readers pass over; `v5` filters
 * are the crate's kind. A table that outgrows {@link FULL_KEYS_MAX} keys is cut into partitions whatever was asked, so
 * that memory stays bounded.
 */

import type { Section } from '../format/archive.js'
import type { Compression } from '../format/compression.js'
import { BLOCK_TYPE_FILTER } from '../kernel/layout.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'
import type { BlockSealer } from './block-sealer.js'
import { IndexBuilder, type KeyPlace } from './index-builder.js'

/** Keys of one filter at most, about those of a default write buffer: 3 MiB of hashes, 12 MiB while it is built. */
const FULL_KEYS_MAX = 384 * 1024

/** Size that a partition is cut at, by the crate's own estimate. */
const PARTITION_BYTES = 4096

/** Section names by filter format. */
export const FILTER_SECTIONS = {
  varve: { filter: 'varve_filter', index: 'varve_filter_tli' },
  v5: { filter: 'filter', index: 'filter_tli' },
} as const

export type FilterFormat = keyof typeof FILTER_SECTIONS

export interface FilterShape {
  /** Bits of a fingerprint, 1 to 32; 0 for no filter. */
  readonly bits: number
  readonly format: FilterFormat
  readonly isPartitioned: boolean
}

/** Keys after which the crate cuts a partition; every step is rounded to f32, as it does. */
export function partitionKeys(bits: number): number {
  const f = Math.fround
  const estimate = (n: number): number => Math.trunc(f(f(f(f(n) * bits) * f(1.05)) / 8))
  let low = 1
  let high = 1 << 20
  while (low < high) {
    const middle = (low + high) >>> 1
    if (estimate(middle) >= PARTITION_BYTES) high = middle
    else low = middle + 1
  }
  return low
}

interface Partition {
  readonly payload: Uint8Array
  readonly endKey: Uint8Array
}

export class FilterBuilder {
  /** Address of the hash array for the kernels, or 0 where no filter is built. */
  readonly hashes: number
  /** Hashes that it holds: when it is full, {@link cut} empties it. */
  readonly capacity: number
  readonly #workspace: Workspace
  readonly #shape: FilterShape
  #partitions: Partition[] = []
  #bytes = 0
  /** Even a single filter is written as a partition. */
  #isForcedApart = false

  constructor(workspace: Workspace, shape: FilterShape) {
    this.#workspace = workspace
    this.#shape = shape
    this.capacity = shape.isPartitioned ? partitionKeys(shape.bits) : FULL_KEYS_MAX
    this.hashes = shape.bits === 0 ? 0 : workspace.heap.allocate(8 * this.capacity)
  }

  /** Bytes that finished partitions take in memory. */
  get byteLength(): number {
    return this.#bytes
  }

  reset(): void {
    this.#partitions = []
    this.#bytes = 0
    this.#isForcedApart = false
  }

  /** Builds the filter of the first `count` hashes, the last of which belongs to `endKey`. */
  cut(count: number, endKey: KeyPlace): void {
    if (count === 0 || this.#shape.bits === 0) return
    this.#add(this.#build(this.hashes, count), endKey)
  }

  /**
   * As {@link cut} for the table's last keys, of a tree with a prefix extractor. A whole filter of the crate's kind takes
   * the prefixes in, for the crate would pass the table over otherwise; without them it has to be one in partitions, which
   * nobody asks for prefixes (format-table.md 13).
   */
  cutLast(
    count: number,
    endKey: KeyPlace,
    prefixes: { readonly address: number; readonly count: number } | undefined,
  ): void {
    const { format, isPartitioned, bits } = this.#shape
    const takesPrefixes = format === 'v5' && !isPartitioned && bits > 0
    const isWhole = this.#partitions.length === 0 && count > 0
    if (!takesPrefixes || !isWhole || prefixes === undefined) {
      this.#isForcedApart = takesPrefixes
      this.cut(count, endKey)
      return
    }
    const { shared, heap } = this.#workspace
    const all = heap.allocate(8 * (count + prefixes.count))
    shared.bytes.copyWithin(all, this.hashes, this.hashes + 8 * count)
    const { address } = prefixes
    shared.bytes.copyWithin(all + 8 * count, address, address + 8 * prefixes.count)
    this.#add(this.#build(all, count + prefixes.count), endKey)
    heap.free(all)
  }

  get #isInPartitions(): boolean {
    return this.#shape.isPartitioned || this.#isForcedApart || this.#partitions.length > 1
  }

  #add(payload: Uint8Array, endKey: KeyPlace): void {
    const key = Uint8Array.from(this.#workspace.shared.view(endKey.address, endKey.length))
    this.#partitions.push({ payload, endKey: key })
    this.#bytes += payload.length + key.length
  }

  /** Writes the filter sections; returns them. */
  write(sealer: BlockSealer, compression: Compression): Section[] {
    const [first] = this.#partitions
    if (first === undefined) return []
    const names = FILTER_SECTIONS[this.#shape.format]
    if (!this.#isInPartitions) {
      const block = sealer.sealPayload(BLOCK_TYPE_FILTER, first.payload)
      return [{ name: names.filter, offset: block.offset, length: block.size }]
    }
    return this.#writePartitions(sealer, compression, names)
  }

  /** Filter blocks to be noted in the meta block: the crate's kind alone counts there. */
  get blockCount(): number {
    return this.#shape.format === 'v5' ? this.#partitions.length : 0
  }

  dispose(): void {
    if (this.hashes !== 0) this.#workspace.heap.free(this.hashes)
  }

  #build(hashes: number, count: number): Uint8Array {
    const { shared, heap } = this.#workspace
    const { kernel } = shared
    const isOwn = this.#shape.format === 'varve'
    const { bits } = this.#shape
    const capacity = isOwn ? kernel.ribbon_size_max(count, bits) : kernel.burr_size_max(count)
    const scratchBytes = isOwn
      ? kernel.ribbon_scratch_bytes(count)
      : kernel.burr_scratch_bytes(count)
    const out = new GrowingBuffer(heap, capacity)
    const scratch = new GrowingBuffer(heap, scratchBytes)
    const build = isOwn ? kernel.ribbon_build : kernel.burr_build
    const length = build(hashes, count, bits, out.address, capacity, scratch.address, scratchBytes)
    // A filter that cannot be built excludes nothing: an empty block says so (format-table.md 13).
    const payload =
      length < 0 ? new Uint8Array(0) : Uint8Array.from(shared.view(out.address, length))
    out.dispose()
    scratch.dispose()
    return payload
  }

  #writePartitions(
    sealer: BlockSealer,
    compression: Compression,
    names: { readonly filter: string; readonly index: string },
  ): Section[] {
    const { shared, heap } = this.#workspace
    const index = new IndexBuilder(this.#workspace)
    const key = new GrowingBuffer(heap, 256)
    let start = -1
    let end = 0
    for (const { payload, endKey } of this.#partitions) {
      const block = sealer.sealPayload(BLOCK_TYPE_FILTER, payload)
      if (start < 0) start = block.offset
      end = block.offset + block.size
      key.reserve(endKey.length)
      shared.bytes.set(endKey, key.address)
      index.add({ address: key.address, length: endKey.length }, 0, block)
    }
    const top = index.writeSingle(sealer, 1, compression)
    key.dispose()
    index.dispose()
    return [
      { name: names.filter, offset: start, length: end - start },
      { name: names.index, offset: top.offset, length: top.size },
    ]
  }
}
