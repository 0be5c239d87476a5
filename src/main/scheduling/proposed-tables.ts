/**
 * What becomes of the tables that jobs propose: they are opened for an installation, or their files go. Main thread.
 *
 * I1: the file of a table that the manifest on disk may name stays; the next open knows.
 */
import type { JobResult } from '../../shared/jobs/jobs.js'
import type { TableProposal } from '../../shared/table/table-proposal.js'
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'

/** Opens all proposed tables, or none. */
export function openProposals(core: TreeCore, result: JobResult): Table[] {
  const tables: Table[] = []
  try {
    for (const { id, checksum } of result.tables) {
      tables.push(core.openTable({ id, checksum, globalSeqno: 0 }))
    }
    return tables
  } catch (error) {
    discardTables(tables)
    throw error
  }
}

/** Removes tables that were opened but that no manifest names. */
export function discardTables(tables: readonly Table[]): void {
  for (const table of tables) table.markObsolete()
  abandonTables(tables)
}

/**
 * Lets go of tables whose installation failed, and keeps their files: the manifest on disk may name them all the same.
 * The next open knows, and removes them where it does not.
 */
export function abandonTables(tables: readonly Table[]): void {
  for (const table of tables) {
    table.acquire()
    table.release()
  }
}

/** Lets go of tables whose installation failed, and of their files where the manifest surely does not name them. */
export function giveUpTables(core: TreeCore, tables: readonly Table[]): void {
  if (core.isInstallable) discardTables(tables)
  else abandonTables(tables)
}

/** Removes the files of tables that nothing names. What cannot be removed goes at the next open. */
export function removeTables(core: TreeCore, tables: readonly TableProposal[]): void {
  for (const { id } of tables) {
    try {
      core.fs.remove(`${core.tablesFolder()}/${id}`)
    } catch {
      // Nothing names it: the next open removes it.
    }
  }
}
