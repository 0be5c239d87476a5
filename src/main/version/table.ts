/**
 * One table of a tree as main knows it: the open file, what lives of it in the shared memory, its manifest record, and
 * who still needs it. Main thread.
 *
 * I1: while it has a reference, its file and memory stay; what becomes of the file then is its life's to know.
 */
import { assert } from '../../shared/base/errors.js'
import type { TableRecord } from '../../shared/format/version-model.js'
import type { ResidentTable } from '../../shared/table/resident-table.js'
import type { TableFileLife } from './table-file-life.js'

/** What a table is made of. */
export interface TableParts {
  readonly path: string
  readonly record: TableRecord
  readonly resident: ResidentTable
  /** Shared with other views of the same file. */
  readonly life: TableFileLife
  /** Bytes at the beginning of the file that this view has no use for; 0 for a whole table. */
  readonly consumedBytes: number
}

export class Table {
  readonly record: TableRecord
  readonly path: string
  readonly resident: ResidentTable
  readonly life: TableFileLife
  readonly consumedBytes: number
  #references = 0

  constructor({ path, record, resident, life, consumedBytes }: TableParts) {
    this.path = path
    this.record = record
    this.resident = resident
    this.life = life
    this.consumedBytes = consumedBytes
  }

  get id(): number {
    return this.record.id
  }

  /** Smallest and largest key that the table may answer for, both inclusive. */
  get keyMin(): Uint8Array {
    return this.resident.table.meta.keyMin
  }

  get keyMax(): Uint8Array {
    return this.resident.table.meta.keyMax
  }

  /** Length of the file. */
  get fileBytes(): number {
    return this.resident.table.fileBytes
  }

  /** What of the shared memory stays taken while it is open: index and filter. */
  get memoryBytes(): number {
    return this.resident.indexBytes + this.resident.filterBytes
  }

  /** When the file was written, in milliseconds since 1970. */
  get createdAtMs(): number {
    return Number(this.resident.table.meta.createdAtNs / 1_000_000n)
  }

  /** Lowest effective seqno, range tombstones included. */
  get lowestSeqno(): number {
    const { rangeTombstones, table } = this.resident
    const entries = table.meta.seqnoMin + this.record.globalSeqno
    return rangeTombstones.reduce((least, { seqno }) => Math.min(least, seqno), entries)
  }

  /** Highest effective seqno, range tombstones included. */
  get highestSeqno(): number {
    return this.resident.seqnoMax
  }

  /** Keys below it are not this table's any more. */
  get restriction(): Uint8Array | undefined {
    return this.resident.placement.restriction
  }

  /** What the file takes on the disk. */
  get storedBytes(): number {
    return this.fileBytes - this.life.punchedBytes
  }

  /** What is left to be read of it. */
  get liveBytes(): number {
    return this.fileBytes - this.consumedBytes
  }

  acquire(): void {
    this.#references++
    if (this.#references === 1) this.life.acquire(this.consumedBytes)
  }

  /** The file is not part of the tree any more: it goes with the last reference. */
  markObsolete(): void {
    this.life.markObsolete()
  }

  release(): void {
    assert(this.#references > 0, 'a table is released once for each reference')
    this.#references--
    if (this.#references > 0) return
    this.resident.table.file.close()
    this.resident.dispose()
    this.life.release(this.consumedBytes)
  }
}
