/**
 * Point reads: a key into the shared memory, one kernel call, the value out (semantics.md 6.1). Blocks that no cache
 * holds are loaded between calls. The thread that reads.
 *
 * The fast path allocates the result and nothing else. Merge operands leave it.
 *
 * I1: nothing here awaits, so a super version that was looked up stays for the whole read.
 */

import { VarveError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import {
  GIVEN_BROKEN,
  GIVEN_RAW,
  GIVEN_RESIDENT,
  KIND_INDIRECTION,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_WEAK_TOMBSTONE,
  READ_ABSENT,
  READ_BYTES,
  READ_CACHE,
  READ_COUNTERS,
  READ_FOUND,
  READ_FOUND_KIND,
  READ_FOUND_SEQNO,
  READ_FOUND_TABLE,
  READ_FOUND_VALUE,
  READ_FOUND_VALUE_LENGTH,
  READ_GIVEN,
  READ_GIVEN_FORM,
  READ_HASH,
  READ_KEY,
  READ_WANTED_KIND,
  READ_WANTED_OFFSET,
  READ_WANTED_SIZE,
  READ_WANTED_TABLE,
  READ_WANTS_BLOCK,
  TABLE_OWNER,
  TABLE_SEQNO_MAX,
  WANTED_DATA,
} from '../../shared/kernel/layout.js'
import {
  ROW_CACHE_HASH_BITS,
  ROW_CACHE_KEY,
  ROW_CACHE_KEY_LENGTH,
  ROW_CACHE_KIND,
  ROW_CACHE_OFFSETS,
  ROW_CACHE_SEQNO,
  ROW_CACHE_VALUE_LENGTH,
} from '../../shared/kernel/layout-metrics.js'
import { GrowingBuffer, type Workspace } from '../../shared/memory/workspace.js'
import type { WantedBlock } from '../../shared/table/block-fetch.js'
import type { BlockProvider, ProvidedBlock } from '../../shared/table/block-provider.js'
import type { ViewTable } from '../../shared/table/view-table.js'

/** Resolves the operands of a key on the slow path. */
export type Resolver = (view: ReadView, key: Uint8Array, seqno: number) => Uint8Array | undefined

/** What became of a read. */
export type Verdict = 'absent' | 'value' | 'operand'

/** Longer rows are not kept: their blocks are little longer. */
const ROW_BYTES_MAX = 16 * 1024

export class PointReader {
  readonly provider: BlockProvider
  readonly #workspace: Workspace
  readonly #resolve: Resolver
  readonly #read: number
  readonly #key: number
  /** Where a row is made that the cache is to keep; undefined where it keeps none. */
  readonly #row: GrowingBuffer | undefined
  /** A piece with a value that was saved from the cache, of the read at hand; 0 for none. */
  #saved = 0
  /** Where the last found value lies. */
  valueAddress = 0
  valueLength = 0
  /** The value itself, where it was resolved from operands and lies nowhere in the shared memory. */
  resolved: Uint8Array | undefined

  constructor(workspace: Workspace, provider: BlockProvider, resolve: Resolver) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    this.provider = provider
    this.#resolve = resolve
    this.#read = heap.allocate(READ_BYTES)
    this.#key = heap.allocate(KEY_BYTES_MAX + 8)
    this.#row = provider.cache.hasRows ? new GrowingBuffer(heap, 4096) : undefined
    shared.setU32(this.#read + READ_CACHE, provider.cache.address)
    shared.setU32(this.#read + READ_COUNTERS, provider.countersAddress)
    shared.setU32(this.#read + READ_KEY, this.#key)
  }

  /** Where a key is to be put before {@link find}; KEY_BYTES_MAX bytes. */
  get keyAddress(): number {
    return this.#key
  }

  /** The READ structure of {@link find}, as it was left. */
  get readAddress(): number {
    return this.#read
  }

  /**
   * Looks up the key of `keyLength` bytes at {@link keyAddress}. True where it has a value, whose place is then in the
   * fields; valid until the next call.
   */
  find(view: ReadView, keyLength: number, seqno: number): boolean {
    const { kernel } = this.#workspace.shared
    const read = this.#read
    let outcome = this.begin(view, keyLength, seqno)
    while (outcome === READ_WANTS_BLOCK) {
      this.#loadWanted(view)
      outcome = kernel.point_read(read)
    }
    const verdict = this.judge(read, outcome)
    if (verdict === 'operand') return this.#findResolved(view, keyLength, seqno)
    if (verdict === 'absent') return false
    if (this.#row !== undefined) this.#keepRow(this.#row, keyLength, seqno)
    return true
  }

  /** The first part of {@link find}: as far as memory goes. Returns what the kernel does. */
  begin(view: ReadView, keyLength: number, seqno: number): number {
    if (this.#saved !== 0) this.#releaseSaved()
    const { kernel } = this.#workspace.shared
    return kernel.point_read_begin(this.#read, view.stateAddress, keyLength, seqno)
  }

  /**
   * What a READ that came to its end means. With a value its place is in the fields, valid until a block is loaded; an
   * operand is the caller's to resolve.
   */
  judge(read: number, outcome: number): Verdict {
    if (outcome === READ_ABSENT) return 'absent'
    const { shared } = this.#workspace
    const kind = shared.getU32(read + READ_FOUND_KIND)
    if (kind === KIND_TOMBSTONE || kind === KIND_WEAK_TOMBSTONE) return 'absent'
    this.resolved = undefined
    this.valueAddress = shared.getU32(read + READ_FOUND_VALUE)
    this.valueLength = shared.getU32(read + READ_FOUND_VALUE_LENGTH)
    if (kind === KIND_MERGE_OPERAND) return 'operand'
    if (kind === KIND_INDIRECTION) throw unreadableIndirection()
    return 'value'
  }

  /** The block that a READ wants. */
  wanted(read: number, view: ReadView): WantedBlock {
    const { shared } = this.#workspace
    return {
      table: findTable(view, shared.getU32(read + READ_WANTED_TABLE)),
      kind: shared.getU32(read + READ_WANTED_KIND),
      offset: shared.getU64(read + READ_WANTED_OFFSET),
      size: shared.getU32(read + READ_WANTED_SIZE),
    }
  }

  /**
   * Filling the cache may move what was found in it: copies a READ's candidate, from an earlier run of L0, to a piece that
   * is the caller's to free. 0 where there is none, or where it is `saved`, such a piece already.
   */
  save(read: number, saved: number): number {
    const { shared, heap } = this.#workspace
    if (shared.getU32(read + READ_FOUND) === 0) return 0
    const value = shared.getU32(read + READ_FOUND_VALUE)
    if (value === saved) return 0
    const length = shared.getU32(read + READ_FOUND_VALUE_LENGTH)
    const copy = heap.allocate(length)
    shared.bytes.copyWithin(copy, value, value + length)
    shared.setU32(read + READ_FOUND_VALUE, copy)
    return copy
  }

  /** A copy of the value found last. */
  copyValue(): Buffer {
    if (this.resolved !== undefined) return Buffer.from(this.resolved)
    return this.#workspace.shared.copy(this.valueAddress, this.valueLength)
  }

  dispose(): void {
    const { heap } = this.#workspace
    this.#releaseSaved()
    this.#row?.dispose()
    heap.free(this.#read)
    heap.free(this.#key)
  }

  /** Has the cache keep what was found, where that is the newest version of its key in its table. */
  #keepRow(row: GrowingBuffer, keyLength: number, seqno: number): void {
    const { shared } = this.#workspace
    const read = this.#read
    const table = shared.getU32(read + READ_FOUND_TABLE)
    const length = ROW_CACHE_KEY + keyLength + this.valueLength
    if (table === 0 || length > ROW_BYTES_MAX) return
    if (seqno <= shared.getU64(table + TABLE_SEQNO_MAX)) return
    row.reserve(length)
    const { address } = row
    const key = address + ROW_CACHE_KEY
    shared.setU64(address + ROW_CACHE_SEQNO, shared.getU64(read + READ_FOUND_SEQNO))
    shared.setU32(address + ROW_CACHE_KIND, shared.getU32(read + READ_FOUND_KIND))
    shared.setU32(address + ROW_CACHE_KEY_LENGTH, keyLength)
    shared.setU32(address + ROW_CACHE_VALUE_LENGTH, this.valueLength)
    shared.bytes.copyWithin(key, this.#key, this.#key + keyLength)
    const { valueAddress } = this
    shared.bytes.copyWithin(key + keyLength, valueAddress, valueAddress + this.valueLength)
    const high = shared.getU32(read + READ_HASH + 4) % 2 ** (ROW_CACHE_HASH_BITS - 32)
    const offset = ROW_CACHE_OFFSETS + high * 2 ** 32 + shared.getU32(read + READ_HASH)
    const owner = shared.getU32(table + TABLE_OWNER)
    const kept = this.provider.cache.insertRow(owner, offset, address, length)
    // What was found may be gone: the row has it, too.
    this.valueAddress = (kept === 0 ? address : kept) + ROW_CACHE_KEY + keyLength
  }

  #findResolved(view: ReadView, keyLength: number, seqno: number): boolean {
    const key = this.#workspace.shared.copy(this.#key, keyLength)
    const value = this.#resolve(view, key, seqno)
    if (value === undefined) return false
    this.resolved = value
    this.valueLength = value.length
    return true
  }

  /** Loads the block that the read wants, into the cache where that can hold it. */
  #loadWanted(view: ReadView): void {
    const read = this.#read
    const copy = this.save(read, this.#saved)
    if (copy !== 0) {
      this.#releaseSaved()
      this.#saved = copy
    }
    const { table, kind, offset, size } = this.wanted(read, view)
    this.give(read, this.provide(read, table, kind, offset, size))
  }

  /**
   * Provides a block that a READ wants: raw where it is a data block that comes from the disk, unless that was given and
   * found to be malformed: then whoever makes a resident block of it tells why. @throws the codes of damage
   */
  provide(
    read: number,
    table: ViewTable,
    kind: number,
    offset: number,
    size: number,
    bytes?: Uint8Array,
  ): ProvidedBlock {
    const isBroken = this.#workspace.shared.getU32(read + READ_GIVEN_FORM) === GIVEN_BROKEN
    if (kind === WANTED_DATA && !isBroken) return this.provider.point(table, offset, size, bytes)
    return (
      this.provider.find(table, kind, offset) ?? this.provider.put(table, kind, offset, size, bytes)
    )
  }

  /** Sets the block that a READ is to go on with. */
  give(read: number, block: ProvidedBlock): void {
    const { shared } = this.#workspace
    shared.setU32(read + READ_GIVEN, block.address)
    shared.setU32(read + READ_GIVEN_FORM, block.isRaw ? GIVEN_RAW : GIVEN_RESIDENT)
  }

  #releaseSaved(): void {
    if (this.#saved !== 0) this.#workspace.heap.free(this.#saved)
    this.#saved = 0
  }
}

/** The table whose structure lies at `address`. */
function findTable(view: ReadView, address: number): ViewTable {
  for (const run of view.runs) {
    for (const table of run.tables) if (table.address === address) return table
  }
  throw new VarveError('VARVE_ASSERTION', 'a read wants a block of a table that it does not see')
}

function unreadableIndirection(): VarveError {
  return new VarveError(
    'VARVE_UNSUPPORTED',
    'this value lies in a blob file, which this version of varve does not read',
    {
      details: { feature: 'kvSeparation' },
    },
  )
}
