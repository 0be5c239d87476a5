/**
 * The write path (semantics.md 5): key and value into the active memtable, the entry linked, the seqno published. Main
 * thread, synchronous, memory only.
 *
 *     room in the active memtable ─ yes ─→ write
 *        │ no
 *     write buffers left ─ yes ─→ seal, fresh memtable, flush queued ─→ write
 *        │ no
 *     VARVE_STALLED: nothing was changed
 *
 * What a write returns is the verdict of backpressure.ts.
 *
 * I1: an entry is complete before a reader can find it; its seqno is published last.
 * I2: a write that throws has changed nothing.
 */
import { rangeError, typeError, VarveError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import { KIND_MERGE_OPERAND, KIND_VALUE, MEMTABLE_ARENA_TOP } from '../../shared/kernel/layout.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'
import { requireKeyLength } from '../options.js'
import type { TreeCore } from '../tree-core.js'
import type { Memtable } from '../version/memtable.js'
import { type ByteRange, holdsKeys, prefixRangeOf } from './key-range.js'
import type { BatchEntry, BytesLike, WriteBatch } from './write-batch.js'

/** Bytes that `value` takes. */
export function byteLengthOf(value: BytesLike, what: string): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (value instanceof Uint8Array) return value.length
  throw typeError(
    `a ${what} must be a string or a Uint8Array, not ${value === null ? 'null' : typeof value}`,
  )
}

/** Copies `value` to `address`. REQUIRES: `length` is its byteLengthOf. */
export function placeBytes(
  shared: SharedMemory,
  value: BytesLike,
  address: number,
  length: number,
): void {
  if (typeof value === 'string') shared.buffer.write(value, address, length, 'utf8')
  else shared.bytes.set(value, address)
}

/** The bytes of a key, or of anything like one. */
export function bytesOf(key: BytesLike): Uint8Array {
  return typeof key === 'string' ? Buffer.from(key) : key
}

/** Bytes that an entry of a batch takes in a fresh memtable beside key and value: header, slot, hash, share of splits. */
const ENTRY_OVERHEAD_BYTES = 96

/** The same in a memtable whose leaves may all be full: every entry may split one. */
const ENTRY_OVERHEAD_WORST_BYTES = 2048

/** Tombstones of both kinds carry no value. */
function hasValue(kind: number): boolean {
  return kind === KIND_VALUE || kind === KIND_MERGE_OPERAND
}

export class Writer {
  readonly #core: TreeCore
  /** Called when a memtable was sealed. */
  readonly #onSealed: () => void

  constructor(core: TreeCore, onSealed: () => void) {
    this.#core = core
    this.#onSealed = onSealed
  }

  /** Writes one entry; false where the caller should slow down. */
  write(kind: number, key: BytesLike, value: BytesLike, seqno: number | undefined): boolean {
    const core = this.#core
    core.requireWritable()
    const keyLength = byteLengthOf(key, 'key')
    requireKeyLength(keyLength)
    core.order.requireKey?.(bytesOf(key))
    const valueLength = hasValue(kind) ? byteLengthOf(value, 'value') : 0
    const { shared } = core
    const { kernel } = shared
    let memtable = core.latest.active
    let address =
      memtable === undefined ? 0 : kernel.memtable_reserve(memtable.address, keyLength, valueLength)
    if (memtable === undefined || address === 0) {
      memtable = this.#freshRoom(keyLength, valueLength)
      address = kernel.memtable_reserve(memtable.address, keyLength, valueLength)
    }
    const number = seqno === undefined ? core.seqno.next() : requireSeqno(seqno)
    placeBytes(shared, key, address, keyLength)
    if (valueLength > 0) placeBytes(shared, value, address + keyLength, valueLength)
    kernel.memtable_commit(memtable.address, keyLength, valueLength, kind, number)
    if (seqno === undefined) core.visibleSeqno.fetchMax(number + 1)
    return !this.#core.backpressure.isThrottled
  }

  /** Writes a range delete of all keys that start with `prefix`. @throws VARVE_UNSUPPORTED where they are no range */
  writePrefix(prefix: BytesLike, seqno: number | undefined): boolean {
    const { order } = this.#core
    const range = prefixRangeOf(prefix)
    if (order.isBytes) return this.writeRange(range, seqno)
    throw new VarveError(
      'VARVE_UNSUPPORTED',
      `keys with one prefix are no range of the order ${order.name}; remove them by key, or by removeRange`,
      { details: { feature: 'removePrefix', comparator: order.name } },
    )
  }

  /** Writes a range delete; of no keys, nothing. False where the caller should slow down. */
  writeRange(range: ByteRange | undefined, seqno: number | undefined): boolean {
    const core = this.#core
    core.requireWritable()
    if (seqno !== undefined) requireSeqno(seqno)
    if (range === undefined || !holdsKeys(range, core.order))
      return !this.#core.backpressure.isThrottled
    const { kernel } = core.shared
    const [startLength, endLength] = [range.start.length, range.end.length]
    let memtable = core.latest.active
    if (
      memtable === undefined ||
      kernel.memtable_reserve(memtable.address, startLength, endLength) === 0
    ) {
      memtable = this.#freshRoom(startLength, endLength)
    }
    const number = seqno ?? core.seqno.next()
    this.#putRange(memtable, range, number)
    kernel.memtable_settle_ranges(memtable.address)
    if (seqno === undefined) core.visibleSeqno.fetchMax(number + 1)
    return !this.#core.backpressure.isThrottled
  }

  /** Writes a batch under one seqno, visible all at once. */
  apply(batch: WriteBatch, seqno: number | undefined): boolean {
    const core = this.#core
    core.requireWritable()
    if (batch.length === 0) return !this.#core.backpressure.isThrottled
    batch.requireUniform()
    let bytes = 0
    const lengths: number[] = []
    for (const { kind, key, value } of batch.entries) {
      const keyLength = byteLengthOf(key, 'key')
      requireKeyLength(keyLength)
      core.order.requireKey?.(bytesOf(key))
      const valueLength = hasValue(kind) ? byteLengthOf(value, 'value') : 0
      lengths.push(keyLength, valueLength)
      bytes += keyLength + valueLength + ENTRY_OVERHEAD_BYTES
    }
    const ranges = batch.ranges.filter((range) => holdsKeys(range, core.order))
    for (const { start, end } of ranges) {
      bytes += start.length + end.length + ENTRY_OVERHEAD_BYTES
    }
    const memtable = this.#batchRoom(bytes, batch.length)
    const number = seqno === undefined ? core.seqno.next() : requireSeqno(seqno)
    batch.entries.forEach((entry, i) => {
      const keyLength = lengths[2 * i] as number
      this.#put(memtable, entry, keyLength, lengths[2 * i + 1] as number, number)
    })
    // Last, so that making them quick to search takes no room from the other ones.
    for (const range of ranges) this.#putRange(memtable, range, number)
    if (ranges.length > 0) core.shared.kernel.memtable_settle_ranges(memtable.address)
    if (seqno === undefined) core.visibleSeqno.fetchMax(number + 1)
    return !this.#core.backpressure.isThrottled
  }

  /** One memtable that takes the whole batch: room for it as one large entry is room for its parts. */
  #batchRoom(bytes: number, count: number): Memtable {
    const { active } = this.#core.latest
    const { kernel } = this.#core.shared
    const worst = bytes + count * ENTRY_OVERHEAD_WORST_BYTES
    if (active !== undefined && kernel.memtable_reserve(active.address, 1, worst) !== 0)
      return active
    if (active?.isEmpty && kernel.memtable_reserve(active.address, 1, bytes) !== 0) return active
    return this.#freshRoom(1, bytes)
  }

  /** A fresh active memtable, with room for the entry. */
  #freshRoom(keyLength: number, valueLength: number): Memtable {
    const core = this.#core
    const { kernel } = core.shared
    const { active, sealed } = core.latest
    const limit = core.runtime.memtableBytes
    if (keyLength + valueLength + KEY_BYTES_MAX > limit)
      throw tooLarge(keyLength + valueLength, limit)
    if (
      active !== undefined &&
      !active.isEmpty &&
      sealed.length >= core.runtime.maxSealedMemtables
    ) {
      this.#onSealed()
      core.backpressure.noteRefusal()
      throw new VarveError(
        'VARVE_STALLED',
        `all ${sealed.length + 1} write buffers of ${core.root} are full; await tree.drained() and write again` +
          (core.lastError === undefined
            ? ''
            : ` (the last flush failed: ${core.lastError.message})`),
        { details: { sealed: sealed.length, memtableBytes: limit }, cause: core.lastError },
      )
    }
    if (core.rotate()) this.#onSealed()
    const fresh = core.latest.active as Memtable
    if (kernel.memtable_reserve(fresh.address, keyLength, valueLength) !== 0) return fresh
    throw tooLarge(keyLength + valueLength, limit)
  }

  /** REQUIRES: the memtable has room. */
  #put(
    memtable: Memtable,
    entry: BatchEntry,
    keyLength: number,
    valueLength: number,
    seqno: number,
  ): void {
    const { shared } = this.#core
    const { kernel } = shared
    const address = kernel.memtable_reserve(memtable.address, keyLength, valueLength)
    if (address === 0) throw batchDoesNotFit(shared.getU32(memtable.address + MEMTABLE_ARENA_TOP))
    placeBytes(shared, entry.key, address, keyLength)
    if (valueLength > 0) placeBytes(shared, entry.value, address + keyLength, valueLength)
    kernel.memtable_commit(memtable.address, keyLength, valueLength, entry.kind, seqno)
  }

  /** REQUIRES: the memtable has room. */
  #putRange(memtable: Memtable, { start, end }: ByteRange, seqno: number): void {
    const { shared } = this.#core
    const address = shared.kernel.memtable_reserve(memtable.address, start.length, end.length)
    if (address === 0) throw batchDoesNotFit(shared.getU32(memtable.address + MEMTABLE_ARENA_TOP))
    shared.bytes.set(start, address)
    shared.bytes.set(end, address + start.length)
    shared.kernel.memtable_commit_range(memtable.address, start.length, end.length, seqno)
  }
}

function requireSeqno(seqno: number): number {
  if (Number.isSafeInteger(seqno) && seqno >= 0 && seqno < Number.MAX_SAFE_INTEGER) return seqno
  throw rangeError(`a seqno must be an integer from 0 to 2^53 - 2, not ${seqno}`)
}

function tooLarge(bytes: number, limit: number): RangeError {
  return rangeError(
    `a write of ${bytes} bytes does not fit a write buffer of ${limit}; raise RuntimeConfig.memtableBytes`,
  )
}

function batchDoesNotFit(top: number): VarveError {
  return new VarveError(
    'VARVE_ASSERTION',
    `a batch outgrew the room that was found for it (top ${top})`,
  )
}
