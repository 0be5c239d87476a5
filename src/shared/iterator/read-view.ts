/**
 * What a read at one moment looks at: memtables and runs, newest first. Every kind of read takes one; whoever made it
 * keeps its memory alive. Plain references, no behaviour.
 */
import type { ViewTable } from '../table/view-table.js'

/** One run: its tables ascending by key, and the level it belongs to. */
export interface ViewRun {
  readonly level: number
  readonly tables: readonly ViewTable[]
}

export interface ReadView {
  /** Address of the published STATE structure with the same content; 0 where nothing but every version is read. */
  readonly stateAddress: number
  /** Memtable addresses, newest first. */
  readonly memtables: readonly number[]
  /** Runs in the order in which a point read asks them: L0 newest first, then level by level. */
  readonly runs: readonly ViewRun[]
}
