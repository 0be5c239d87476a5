/**
 * Gathers one index entry for each data block, and writes the index when the data is complete: one level, or two where
 * it outgrew the spill threshold (format-table.md 11). The thread of the actor.
 *
 * An entry waits as a record { seqno u64, offset u64, size u32, key length u32, key, padded to 8 } in one growing
 * buffer: about 1 % of the data.
 */
import { assert } from '../base/errors.js'
import type { Compression } from '../format/compression.js'
import { BLOCK_TYPE_INDEX } from '../kernel/layout.js'
import type { Workspace } from '../memory/workspace.js'
import { BlockBuilder } from './block-builder.js'
import type { BlockSealer, SealedBlock } from './block-sealer.js'

const RECORD_FIXED_BYTES = 24

/** What the crate estimates an entry to take beside its key; decides when an index is spilled and cut. */
const ENTRY_ESTIMATE_BYTES = 48

/** Estimated size at which a partition of a two-level index is cut. */
const PARTITION_BYTES = 4096

const BUFFER_BYTES = 64 * 1024

/** Where a key lies in the shared memory. */
export interface KeyPlace {
  /** A multiple of 4. */
  readonly address: number
  readonly length: number
}

export class IndexBuilder {
  readonly #workspace: Workspace
  #buffer: number
  #capacity: number
  #top = 0
  #estimate = 0

  constructor(workspace: Workspace) {
    this.#workspace = workspace
    this.#buffer = workspace.heap.allocate(BUFFER_BYTES)
    this.#capacity = workspace.heap.sizeOf(this.#buffer)
  }

  /** Bytes that the entries so far take in memory. */
  get byteLength(): number {
    return this.#top
  }

  /** True where the estimate asks for a two-level index. */
  spills(spillBytes: number): boolean {
    return this.#estimate > spillBytes
  }

  reset(): void {
    this.#top = 0
    this.#estimate = 0
  }

  /** Notes a block by its last entry. */
  add(
    key: KeyPlace,
    seqno: number,
    block: { readonly offset: number; readonly size: number },
  ): void {
    const { shared } = this.#workspace
    const bytes = (RECORD_FIXED_BYTES + key.length + 7) & ~7
    if (this.#top + bytes > this.#capacity) this.#grow(bytes)
    const at = this.#buffer + this.#top
    shared.setU64(at, seqno)
    shared.setU64(at + 8, block.offset)
    shared.setU32(at + 16, block.size)
    shared.setU32(at + 20, key.length)
    const target = at + RECORD_FIXED_BYTES
    // Both lie on word boundaries, with room up to the next: a few words, which a call would take longer for.
    for (let i = 0; i < key.length; i += 4)
      shared.setU32(target + i, shared.getU32(key.address + i))
    this.#top += bytes
    this.#estimate += key.length + ENTRY_ESTIMATE_BYTES
  }

  /** Writes all entries as one block. */
  writeSingle(sealer: BlockSealer, restartInterval: number, compression: Compression): SealedBlock {
    const builder = this.#builder(restartInterval)
    for (let at = 0; at < this.#top; at = this.#next(at)) this.#append(builder, at)
    const block = sealer.seal(builder, BLOCK_TYPE_INDEX, compression)
    builder.dispose()
    return block
  }

  /** Writes the entries as partitions; returns their number and an index over them. */
  writePartitions(
    sealer: BlockSealer,
    restartInterval: number,
    compression: Compression,
  ): { readonly count: number; readonly top: IndexBuilder } {
    const builder = this.#builder(restartInterval)
    const top = new IndexBuilder(this.#workspace)
    let count = 0
    let estimate = 0
    for (let at = 0; at < this.#top; at = this.#next(at)) {
      this.#append(builder, at)
      estimate += this.#keyLength(at) + ENTRY_ESTIMATE_BYTES
      if (estimate < PARTITION_BYTES && this.#next(at) < this.#top) continue
      const block = sealer.seal(builder, BLOCK_TYPE_INDEX, compression)
      const address = this.#buffer + at
      const key = { address: address + RECORD_FIXED_BYTES, length: this.#keyLength(at) }
      top.add(key, this.#workspace.shared.getU64(address), block)
      count++
      estimate = 0
    }
    builder.dispose()
    return { count, top }
  }

  dispose(): void {
    this.#workspace.heap.free(this.#buffer)
  }

  #builder(restartInterval: number): BlockBuilder {
    return new BlockBuilder(this.#workspace, { bytes: 16 * 1024, restartInterval, hashRatio: 0 })
  }

  #keyLength(at: number): number {
    return this.#workspace.shared.getU32(this.#buffer + at + 20)
  }

  #next(at: number): number {
    return at + ((RECORD_FIXED_BYTES + this.#keyLength(at) + 7) & ~7)
  }

  #append(builder: BlockBuilder, at: number): void {
    const { shared } = this.#workspace
    const address = this.#buffer + at
    const add = (): number =>
      shared.kernel.index_writer_add(
        builder.address,
        address + RECORD_FIXED_BYTES,
        this.#keyLength(at),
        shared.getU64(address),
        shared.getU64(address + 8),
        shared.getU32(address + 16),
      )
    while (add() === 0) builder.grow()
  }

  #grow(bytes: number): void {
    const { shared, heap } = this.#workspace
    const larger = heap.allocate(Math.max(this.#capacity * 2, this.#top + bytes))
    shared.bytes.copyWithin(larger, this.#buffer, this.#buffer + this.#top)
    heap.free(this.#buffer)
    this.#buffer = larger
    this.#capacity = heap.sizeOf(larger)
    assert(this.#capacity >= this.#top + bytes, 'a grown index buffer has room')
  }
}
