/**
 * Gathers one index entry for each data block, and writes the index when the data is complete: one level, or two where
 * it outgrew the spill threshold (format-table.md 11). The thread of the actor.
 *
 * An entry waits as a record (INDEX_ENTRY in kernel/layout.ts) in one growing buffer: about 1 % of the data.
 */
import { assert } from '../base/errors.js'
import type { Compression } from '../format/compression.js'
import {
  BLOCK_TYPE_INDEX,
  INDEX_ENTRY_KEY,
  INDEX_ENTRY_KEY_LENGTH,
  INDEX_ENTRY_OFFSET,
  INDEX_ENTRY_SEQNO,
  INDEX_ENTRY_SIZE,
} from '../kernel/layout.js'
import type { Workspace } from '../memory/workspace.js'
import { BlockBuilder } from './block-builder.js'
import type { BlockSealer, SealedBlock } from './block-sealer.js'

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
  #count = 0
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
    this.#count = 0
    this.#estimate = 0
  }

  /** Notes a block by its last entry. */
  add(
    key: KeyPlace,
    seqno: number,
    block: { readonly offset: number; readonly size: number },
  ): void {
    const { shared } = this.#workspace
    const bytes = (INDEX_ENTRY_KEY + key.length + 7) & ~7
    if (this.#top + bytes > this.#capacity) this.#grow(bytes)
    const at = this.#buffer + this.#top
    shared.setU64(at + INDEX_ENTRY_SEQNO, seqno)
    shared.setU64(at + INDEX_ENTRY_OFFSET, block.offset)
    shared.setU32(at + INDEX_ENTRY_SIZE, block.size)
    shared.setU32(at + INDEX_ENTRY_KEY_LENGTH, key.length)
    const target = at + INDEX_ENTRY_KEY
    // Both lie on word boundaries, with room up to the next: a few words, which a call would take longer for.
    for (let i = 0; i < key.length; i += 4)
      shared.setU32(target + i, shared.getU32(key.address + i))
    this.#top += bytes
    this.#count++
    this.#estimate += key.length + ENTRY_ESTIMATE_BYTES
  }

  /** Writes all entries as one block. */
  writeSingle(sealer: BlockSealer, restartInterval: number, compression: Compression): SealedBlock {
    const { kernel } = this.#workspace.shared
    // An entry is hardly ever longer than its record.
    const builder = this.#builder(restartInterval, this.#top, this.#count)
    const end = this.#buffer + this.#top
    let at = this.#buffer
    for (;;) {
      at = kernel.index_writer_add_all(builder.address, at, end)
      if (at === end) break
      builder.grow()
    }
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
      const key = { address: address + INDEX_ENTRY_KEY, length: this.#keyLength(at) }
      top.add(key, this.#workspace.shared.getU64(address + INDEX_ENTRY_SEQNO), block)
      count++
      estimate = 0
    }
    builder.dispose()
    return { count, top }
  }

  dispose(): void {
    this.#workspace.heap.free(this.#buffer)
  }

  #builder(restartInterval: number, entryBytes = 0, entries = 0): BlockBuilder {
    const bytes = entryBytes + 16 * 1024
    return new BlockBuilder(this.#workspace, { bytes, entries, restartInterval, hashRatio: 0 })
  }

  #keyLength(at: number): number {
    return this.#workspace.shared.getU32(this.#buffer + at + INDEX_ENTRY_KEY_LENGTH)
  }

  #next(at: number): number {
    return at + ((INDEX_ENTRY_KEY + this.#keyLength(at) + 7) & ~7)
  }

  #append(builder: BlockBuilder, at: number): void {
    const { shared } = this.#workspace
    const address = this.#buffer + at
    const add = (): number =>
      shared.kernel.index_writer_add(
        builder.address,
        address + INDEX_ENTRY_KEY,
        this.#keyLength(at),
        shared.getU64(address + INDEX_ENTRY_SEQNO),
        shared.getU64(address + INDEX_ENTRY_OFFSET),
        shared.getU32(address + INDEX_ENTRY_SIZE),
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
