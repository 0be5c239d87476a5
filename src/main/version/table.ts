/**
 * One table of a tree as main knows it: the open file, what lives of it in the shared memory, its manifest record, and
 * who still needs it. Main thread.
 *
 * I1: the file is removed only after the change that drops it is durable and the last version that names it is gone, and
 *     only while the tree is open: later its name may be that of another table.
 */
import { assert } from '../../shared/base/errors.js'
import type { TableRecord } from '../../shared/format/version-model.js'
import type { ResidentTable } from '../../shared/table/resident-table.js'

export class Table {
  readonly record: TableRecord
  readonly path: string
  readonly resident: ResidentTable
  readonly #removeFile: (path: string) => void
  #references = 0
  #isObsolete = false

  /** @param removeFile removes an obsolete file, or leaves it to the next open */
  constructor(
    removeFile: (path: string) => void,
    path: string,
    record: TableRecord,
    resident: ResidentTable,
  ) {
    this.#removeFile = removeFile
    this.path = path
    this.record = record
    this.resident = resident
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

  acquire(): void {
    this.#references++
  }

  /** The file is not part of the tree any more: it goes with the last reference. */
  markObsolete(): void {
    this.#isObsolete = true
  }

  release(): void {
    assert(this.#references > 0, 'a table is released once for each reference')
    this.#references--
    if (this.#references > 0) return
    this.resident.table.file.close()
    this.resident.dispose()
    if (!this.#isObsolete) return
    try {
      this.#removeFile(this.path)
    } catch {
      // The manifest does not name it any more: the next open removes it as an orphan.
    }
  }
}
