/**
 * Gathers the prefixes of a table's keys and builds its prefix filter. Kernels find the prefixes of the shipped extractors
 * by themselves; for other ones they leave the keys here, a buffer at a time. The thread of the actor.
 *
 * I1: the filter has every prefix of every key, or there is none: what cannot be kept costs the filter, not the table.
 */

import { type PrefixIndex, prefixesOf } from '../base/prefix-extractor.js'
import { encodePrefixFilter } from '../format/prefix-filter.js'
import {
  PREFIX_CODE,
  PREFIX_DELIMITER,
  PREFIX_FIXED,
  PREFIX_NONE,
  PREFIXES_MAX,
  TABLE_SUMS_PREFIX_HASHES,
  TABLE_SUMS_PREFIX_HASHES_CAPACITY,
  TABLE_SUMS_PREFIX_HASHES_COUNT,
  TABLE_SUMS_PREFIX_KEYS,
  TABLE_SUMS_PREFIX_KEYS_CAPACITY,
  TABLE_SUMS_PREFIX_KEYS_TOP,
  TABLE_SUMS_PREFIX_PARAMETER,
  TABLE_SUMS_PREFIX_RULE,
} from '../kernel/layout-sums.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'

/** Prefixes that a fresh builder has room for. */
const HASHES_FIRST = 4096

/** Distinct prefixes of one table at most, 3 MiB of hashes: a table with more has no prefix filter. */
const HASHES_MAX = 384 * 1024

/** Keys that wait for an extractor: the longest one fits, and many of the usual length. */
const KEYS_BYTES = 128 * 1024

/** The compact filter takes fingerprints of so many bits. */
const BITS_MAX = 32

export class PrefixFilterBuilder {
  readonly #workspace: Workspace
  readonly #index: PrefixIndex
  readonly #bits: number
  readonly #sums: number
  readonly #keys: number
  #hashes: number
  #capacity = HASHES_FIRST

  /** @param sums the TABLE_SUMS of the table writer */
  constructor(workspace: Workspace, index: PrefixIndex, bits: number, sums: number) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    this.#index = index
    this.#bits = Math.min(bits, BITS_MAX)
    this.#sums = sums
    this.#hashes = heap.allocate(8 * HASHES_FIRST)
    this.#keys = index.rule.kind === 'code' ? heap.allocate(KEYS_BYTES) : 0
    shared.setU32(sums + TABLE_SUMS_PREFIX_KEYS, this.#keys)
    shared.setU32(sums + TABLE_SUMS_PREFIX_KEYS_CAPACITY, this.#keys === 0 ? 0 : KEYS_BYTES)
    this.reset()
  }

  /** Readies the sums for the next table. */
  reset(): void {
    const { shared } = this.#workspace
    const { rule } = this.#index
    const [kind, parameter] =
      rule.kind === 'fixed'
        ? [PREFIX_FIXED, rule.bytes]
        : rule.kind === 'delimiter'
          ? [PREFIX_DELIMITER, rule.byte]
          : [PREFIX_CODE, 0]
    shared.setU32(this.#sums + TABLE_SUMS_PREFIX_RULE, kind)
    shared.setU32(this.#sums + TABLE_SUMS_PREFIX_PARAMETER, parameter)
    this.#place()
  }

  /** Distinct prefixes so far, as hashes in the shared memory; undefined where they could not be kept. */
  get hashes(): { readonly address: number; readonly count: number } | undefined {
    this.#drainKeys()
    if (this.#isLost) return undefined
    this.#compact()
    return { address: this.#hashes, count: this.#count }
  }

  /** Makes room for the prefixes of a further key. */
  makeRoom(): void {
    this.#drainKeys()
    if (!this.#isLost && this.#count + PREFIXES_MAX > this.#capacity) this.#grow(PREFIXES_MAX)
  }

  /** The payload of the section; undefined where there is no filter. */
  build(): Uint8Array | undefined {
    const found = this.hashes
    if (found === undefined) return undefined
    const { shared, heap } = this.#workspace
    const { kernel } = shared
    const { address, count } = found
    const capacity = kernel.ribbon_size_max(count, this.#bits)
    const scratchBytes = kernel.ribbon_scratch_bytes(count)
    const out = new GrowingBuffer(heap, capacity)
    const scratch = new GrowingBuffer(heap, scratchBytes)
    const length = kernel.ribbon_build(
      address,
      count,
      this.#bits,
      out.address,
      capacity,
      scratch.address,
      scratchBytes,
    )
    const filter = length < 0 ? undefined : shared.copy(out.address, length)
    out.dispose()
    scratch.dispose()
    return filter === undefined ? undefined : encodePrefixFilter(this.#index.name, filter)
  }

  dispose(): void {
    const { heap } = this.#workspace
    heap.free(this.#hashes)
    if (this.#keys !== 0) heap.free(this.#keys)
  }

  get #isLost(): boolean {
    return this.#workspace.shared.getU32(this.#sums + TABLE_SUMS_PREFIX_RULE) === PREFIX_NONE
  }

  get #count(): number {
    return this.#workspace.shared.getU32(this.#sums + TABLE_SUMS_PREFIX_HASHES_COUNT)
  }

  set #count(count: number) {
    this.#workspace.shared.setU32(this.#sums + TABLE_SUMS_PREFIX_HASHES_COUNT, count)
  }

  /** Gives the filter of this table up: its keys are not looked at any more. */
  #lose(): void {
    this.#workspace.shared.setU32(this.#sums + TABLE_SUMS_PREFIX_RULE, PREFIX_NONE)
  }

  /** Has the extractor find the prefixes of the keys that wait. */
  #drainKeys(): void {
    const { shared } = this.#workspace
    const top = shared.getU32(this.#sums + TABLE_SUMS_PREFIX_KEYS_TOP)
    shared.setU32(this.#sums + TABLE_SUMS_PREFIX_KEYS_TOP, 0)
    let last: readonly Uint8Array[] = []
    for (let at = this.#keys; at < this.#keys + top && !this.#isLost; ) {
      const length = shared.buffer.readUInt16LE(at)
      const key = shared.copy(at + 2, length)
      at += 2 + length
      const prefixes = prefixesOf(this.#index, key)
      if (prefixes === undefined) {
        this.#lose()
        return
      }
      for (const [i, prefix] of prefixes.entries()) {
        const before = last[i]
        const isRepeated = before?.length === prefix.length && Buffer.compare(before, prefix) === 0
        if (!isRepeated) this.#add(prefix)
      }
      last = prefixes
    }
  }

  #add(prefix: Uint8Array): void {
    if (this.#count === this.#capacity) this.#grow(1)
    if (this.#isLost) return
    const { shared, hasher } = this.#workspace
    hasher.hash64Into(prefix, shared.bytes, this.#hashes + 8 * this.#count)
    this.#count++
  }

  /** Leaves out repeats; takes twice the room where that does not help, and gives up where there is too much. */
  #grow(needed: number): void {
    this.#compact()
    if (this.#count + needed <= this.#capacity / 2) return
    if (this.#capacity === HASHES_MAX) {
      if (this.#count + needed > this.#capacity) this.#lose()
      return
    }
    const { shared, heap } = this.#workspace
    const old = this.#hashes
    this.#capacity = Math.min(this.#capacity * 2, HASHES_MAX)
    this.#hashes = heap.allocate(8 * this.#capacity)
    shared.bytes.copyWithin(this.#hashes, old, old + 8 * this.#count)
    heap.free(old)
    this.#place()
  }

  #place(): void {
    const { shared } = this.#workspace
    shared.setU32(this.#sums + TABLE_SUMS_PREFIX_HASHES, this.#hashes)
    shared.setU32(this.#sums + TABLE_SUMS_PREFIX_HASHES_CAPACITY, this.#capacity)
  }

  /** Sorts the hashes and leaves out repeats. */
  #compact(): void {
    const count = this.#count
    const { memory } = this.#workspace.shared
    const hashes = new BigUint64Array(memory.buffer, this.#hashes, count).sort()
    const words = new Uint32Array(memory.buffer, this.#hashes, 2 * count)
    let kept = 0
    for (let i = 0; i < count; i++) {
      const isRepeated =
        kept > 0 && words[2 * i] === words[2 * kept - 2] && words[2 * i + 1] === words[2 * kept - 1]
      if (!isRepeated) hashes[kept++] = hashes[i] as bigint
    }
    this.#count = kept
  }
}
