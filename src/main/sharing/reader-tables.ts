/**
 * The tables of a tree as an attached thread has them: their structures in the shared memory, and files that the thread
 * opens for itself when it first reads a block of them. The attached thread.
 *
 * I1: a table is known by its owner number, which no other table of the process ever has.
 * I2: a file is verified when it is opened, as by the tree itself.
 */
import type { RangeTombstone } from '../../shared/format/range-tombstone.js'
import type { DescriptorTable } from '../../shared/fs/descriptor-table.js'
import type { FileSystem } from '../../shared/fs/file-system.js'
import {
  TABLE_GLOBAL_SEQNO,
  TABLE_ID,
  TABLE_OWNER,
  TABLE_PATH,
  TABLE_PATH_LENGTH,
  TABLE_RANGES,
} from '../../shared/kernel/layout.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import type { BlockLoader } from '../../shared/table/block-loader.js'
import { TableFile, type TableFileOptions } from '../../shared/table/table-file.js'
import type { ViewTable } from '../../shared/table/view-table.js'

/** What tables are opened with. */
export interface TableOpening {
  readonly workspace: Workspace
  readonly loader: BlockLoader
  readonly descriptors: DescriptorTable
  readonly fs: FileSystem
  readonly dictionary: TableFileOptions['dictionary']
}

class ReaderTable implements ViewTable {
  readonly address: number
  readonly owner: number
  readonly globalSeqno: number
  readonly hasRangeTombstones: boolean
  readonly #opening: TableOpening
  #table: TableFile | undefined
  #rangeTombstones: readonly RangeTombstone[] | undefined

  /** REQUIRES: the state that names the table is held, or found in the epoch at hand. */
  constructor(opening: TableOpening, address: number) {
    const { shared } = opening.workspace
    this.#opening = opening
    this.address = address
    this.owner = shared.getU32(address + TABLE_OWNER)
    this.globalSeqno = shared.getU64(address + TABLE_GLOBAL_SEQNO)
    this.hasRangeTombstones = shared.getU32(address + TABLE_RANGES) !== 0
  }

  get table(): TableFile {
    this.#table ??= this.#open()
    return this.#table
  }

  get rangeTombstones(): readonly RangeTombstone[] {
    if (!this.hasRangeTombstones) return []
    const { workspace, loader } = this.#opening
    this.#rangeTombstones ??= this.table.readRangeTombstones(workspace, loader)
    return this.#rangeTombstones
  }

  /** Gives up the descriptor, if there is one. */
  close(): void {
    this.#table?.file.close()
  }

  #open(): TableFile {
    const { workspace, loader, descriptors, fs, dictionary } = this.#opening
    const { shared } = workspace
    const start = shared.getU32(this.address + TABLE_PATH)
    const end = start + shared.getU32(this.address + TABLE_PATH_LENGTH)
    const file = descriptors.file(fs, shared.buffer.utf8Slice(start, end))
    try {
      const id = shared.getU64(this.address + TABLE_ID)
      return TableFile.open(workspace, loader, file, { id, dictionary })
    } catch (error) {
      file.close()
      throw error
    }
  }
}

export class ReaderTables {
  readonly #opening: TableOpening
  readonly #tables = new Map<number, ReaderTable>()

  constructor(opening: TableOpening) {
    this.#opening = opening
  }

  /** Tables that were looked up and not closed since. */
  get count(): number {
    return this.#tables.size
  }

  /** The table whose structure lies at `address`. REQUIRES: its state is held, or found in the epoch at hand. */
  at(address: number): ViewTable {
    const owner = this.#opening.workspace.shared.getU32(address + TABLE_OWNER)
    let table = this.#tables.get(owner)
    if (table === undefined) {
      table = new ReaderTable(this.#opening, address)
      this.#tables.set(owner, table)
    }
    return table
  }

  /** Closes all but those with these owner numbers. */
  keepOnly(owners: ReadonlySet<number>): void {
    for (const [owner, table] of this.#tables) {
      if (owners.has(owner)) continue
      table.close()
      this.#tables.delete(owner)
    }
  }
}
