/**
 * Point reads: a key into the shared memory, one kernel call, the value out (semantics.md 6.1). Blocks that no cache
 * holds are loaded between calls. The thread that reads.
 *
 * The fast path allocates the result and nothing else. Merge operands and range tombstones leave it.
 *
 * I1: nothing here awaits, so a super version that was looked up stays for the whole read.
 */

import { VarveError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import { coveringSeqno, type ReadView } from '../../shared/iterator/read-view.js'
import {
  KIND_INDIRECTION,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_WEAK_TOMBSTONE,
  READ_ABSENT,
  READ_BYTES,
  READ_CACHE,
  READ_FOUND,
  READ_FOUND_KIND,
  READ_FOUND_SEQNO,
  READ_FOUND_VALUE,
  READ_FOUND_VALUE_LENGTH,
  READ_HAS_HASH,
  READ_KEY,
  READ_KEY_LENGTH,
  READ_LOADED,
  READ_LOADED_BYTES,
  READ_LOADED_COUNT,
  READ_MEMTABLES_DONE,
  READ_RUN,
  READ_SEQNO,
  READ_STATE,
  READ_WANTED_KIND,
  READ_WANTED_OFFSET,
  READ_WANTED_SIZE,
  READ_WANTED_TABLE,
  READ_WANTS_BLOCK,
} from '../../shared/kernel/layout.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import type { BlockProvider } from '../../shared/table/block-provider.js'
import type { ResidentTable } from '../../shared/table/resident-table.js'

/** Blocks that one read may hold outside the cache: one data block for each run of L0, and a few more. */
const LOADED_MAX = 1024

/** Resolves the operands of a key on the slow path. */
export type Resolver = (view: ReadView, key: Uint8Array, seqno: number) => Uint8Array | undefined

export class PointReader {
  readonly #workspace: Workspace
  readonly #provider: BlockProvider
  readonly #resolve: Resolver
  readonly #read: number
  readonly #key: number
  readonly #loaded: number
  /** Pieces with blocks, or a saved value, of the read at hand. */
  readonly #held: number[] = []
  /** Where the last found value lies. */
  valueAddress = 0
  valueLength = 0
  /** The value itself, where it was resolved from operands and lies nowhere in the shared memory. */
  resolved: Uint8Array | undefined

  constructor(workspace: Workspace, provider: BlockProvider, resolve: Resolver) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    this.#provider = provider
    this.#resolve = resolve
    this.#read = heap.allocate(READ_BYTES)
    this.#key = heap.allocate(KEY_BYTES_MAX + 8)
    this.#loaded = heap.allocate(READ_LOADED_BYTES * LOADED_MAX)
    shared.setU32(this.#read + READ_CACHE, provider.cache.address)
    shared.setU32(this.#read + READ_KEY, this.#key)
    shared.setU32(this.#read + READ_LOADED, this.#loaded)
  }

  /** Where a key is to be put before {@link find}; KEY_BYTES_MAX bytes. */
  get keyAddress(): number {
    return this.#key
  }

  /**
   * Looks up the key of `keyLength` bytes at {@link keyAddress}. True where it has a value, whose place is then in the
   * fields; valid until the next call.
   */
  find(view: ReadView, keyLength: number, seqno: number): boolean {
    const { shared } = this.#workspace
    const { kernel } = shared
    const read = this.#read
    shared.setU32(read + READ_STATE, view.stateAddress)
    shared.setU32(read + READ_KEY_LENGTH, keyLength)
    shared.setU64(read + READ_SEQNO, seqno)
    shared.setU32(read + READ_HAS_HASH, 0)
    shared.setU32(read + READ_RUN, 0)
    shared.setU32(read + READ_FOUND, 0)
    shared.setU32(read + READ_LOADED_COUNT, 0)
    shared.setU32(read + READ_MEMTABLES_DONE, 0)
    shared.setU32(read + READ_WANTED_TABLE, 0)
    if (this.#held.length > 0) this.#releaseHeld()
    let outcome = kernel.point_read(read)
    while (outcome === READ_WANTS_BLOCK) {
      this.#loadWanted(view)
      outcome = kernel.point_read(read)
    }
    if (outcome === READ_ABSENT) return false
    const kind = shared.getU32(read + READ_FOUND_KIND)
    if (kind === KIND_TOMBSTONE || kind === KIND_WEAK_TOMBSTONE) return false
    this.resolved = undefined
    this.valueAddress = shared.getU32(read + READ_FOUND_VALUE)
    this.valueLength = shared.getU32(read + READ_FOUND_VALUE_LENGTH)
    if (kind === KIND_MERGE_OPERAND) return this.#findResolved(view, keyLength, seqno)
    if (kind === KIND_INDIRECTION) throw unreadableIndirection()
    if (view.rangeTombstones.length === 0) return true
    const found = shared.getU64(read + READ_FOUND_SEQNO)
    return (
      coveringSeqno(view, shared.view(this.#key, keyLength), seqno, shared.order.compare) <= found
    )
  }

  /** A copy of the value found last. */
  copyValue(): Buffer {
    if (this.resolved !== undefined) return Buffer.from(this.resolved)
    const out = Buffer.allocUnsafe(this.valueLength)
    const { buffer } = this.#workspace.shared
    buffer.copy(out, 0, this.valueAddress, this.valueAddress + this.valueLength)
    return out
  }

  dispose(): void {
    const { heap } = this.#workspace
    this.#releaseHeld()
    heap.free(this.#read)
    heap.free(this.#key)
    heap.free(this.#loaded)
  }

  #findResolved(view: ReadView, keyLength: number, seqno: number): boolean {
    const key = this.#workspace.shared.copy(this.#key, keyLength)
    const value = this.#resolve(view, key, seqno)
    if (value === undefined) return false
    this.resolved = value
    this.valueLength = value.length
    return true
  }

  /** Loads the block that the read wants: into the cache, or, where that cannot hold it, into a piece for this read. */
  #loadWanted(view: ReadView): void {
    const { shared, heap } = this.#workspace
    const read = this.#read
    const address = shared.getU32(read + READ_WANTED_TABLE)
    const table = findTable(view, address)
    const kind = shared.getU32(read + READ_WANTED_KIND)
    const offset = shared.getU64(read + READ_WANTED_OFFSET)
    // Filling the cache may move what was found in it: a candidate from an earlier run of L0 is saved first.
    if (shared.getU32(read + READ_FOUND) !== 0) this.#saveFound()
    const block = this.#provider.get(table, kind, offset, shared.getU32(read + READ_WANTED_SIZE))
    if (block.isCached) return
    const copy = heap.allocate(block.length)
    this.#held.push(copy)
    shared.bytes.copyWithin(copy, block.address, block.address + block.length)
    const count = shared.getU32(read + READ_LOADED_COUNT)
    if (count >= LOADED_MAX) {
      throw new VarveError(
        'VARVE_OUT_OF_MEMORY',
        'a read met more uncacheable blocks than it can hold',
      )
    }
    const record = this.#loaded + READ_LOADED_BYTES * count
    shared.setU32(record, address)
    shared.setU32(record + 4, copy)
    shared.setU64(record + 8, offset)
    shared.setU32(read + READ_LOADED_COUNT, count + 1)
  }

  #saveFound(): void {
    const { shared, heap } = this.#workspace
    const value = shared.getU32(this.#read + READ_FOUND_VALUE)
    const length = shared.getU32(this.#read + READ_FOUND_VALUE_LENGTH)
    const copy = heap.allocate(length)
    this.#held.push(copy)
    shared.bytes.copyWithin(copy, value, value + length)
    shared.setU32(this.#read + READ_FOUND_VALUE, copy)
  }

  #releaseHeld(): void {
    for (const piece of this.#held.splice(0)) this.#workspace.heap.free(piece)
  }
}

/** The table whose structure lies at `address`. */
function findTable(view: ReadView, address: number): ResidentTable {
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
