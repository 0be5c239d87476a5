/**
 * A super version: memtables and version of one moment, published in the shared memory as the STATE structure that the
 * point-read kernel walks (RocksDB's term). Immutable once made, but for its references. Main thread makes and frees it.
 *
 * I1: while it has a reference, its memtables, tables and the structure stay; and beyond that while another thread may see
 *     or holds it, which `retire` knows.
 */
import { assert } from '../../shared/base/errors.js'
import { publishState } from '../../shared/iterator/read-state.js'
import type { ReadView, ViewRun } from '../../shared/iterator/read-view.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import type { Retired } from './audience.js'
import type { Memtable } from './memtable.js'
import type { Version } from './version.js'

/** What a super version is made of. */
export interface SuperVersionParts {
  /** Undefined until something is written. */
  readonly active: Memtable | undefined
  /** Oldest first. */
  readonly sealed: readonly Memtable[]
  readonly version: Version
  /** Reads at this seqno and above find here all that they may see: nothing they could want was dropped. */
  readonly exactFrom: number
  /**
   * Changes below it may be gone from the tree. Below `exactFrom` where only later reads may see what came (an ingestion),
   * above it where what went changes no read (a tombstone that covered nothing any more).
   */
  readonly collectedBelow: number
}

/** An address is used again, so states have numbers as well: 0 is none. */
let nextNumber = 1

/** What becomes of one that nobody on this thread refers to any more: freed, where no other thread reads. */
export type Retire = (piece: Retired) => void

const freeAtOnce: Retire = (piece) => piece.free()

export class SuperVersion implements ReadView, SuperVersionParts, Retired {
  readonly active: Memtable | undefined
  readonly sealed: readonly Memtable[]
  readonly version: Version
  readonly exactFrom: number
  readonly collectedBelow: number
  readonly stateAddress: number
  readonly memtables: readonly number[]
  readonly runs: readonly ViewRun[]
  readonly #workspace: Workspace
  readonly #newestFirst: readonly Memtable[]
  readonly #retire: Retire
  #references = 0

  /**
   * Takes the memory that it needs, and no references yet: see {@link begin} and {@link giveUp}.
   * @throws VARVE_OUT_OF_MEMORY
   */
  constructor(workspace: Workspace, parts: SuperVersionParts, retire: Retire = freeAtOnce) {
    this.#workspace = workspace
    this.#retire = retire
    this.active = parts.active
    this.sealed = parts.sealed
    this.version = parts.version
    this.exactFrom = parts.exactFrom
    this.collectedBelow = parts.collectedBelow
    this.#newestFirst = [
      ...(parts.active === undefined ? [] : [parts.active]),
      ...[...parts.sealed].reverse(),
    ]
    this.memtables = this.#newestFirst.map((memtable) => memtable.address)
    const runs: ViewRun[] = []
    for (const [level, levelRuns] of parts.version.levels.entries()) {
      for (const run of levelRuns) runs.push({ level, tables: run.map((table) => table.resident) })
    }
    this.runs = runs
    this.stateAddress = publishState(workspace, this.memtables, runs, nextNumber++)
  }

  /** The first reference: memtables and tables stay from now on. Nothing here can fail. */
  begin(): this {
    assert(this.#references === 0, 'a super version begins once')
    this.#references = 1
    for (const memtable of this.#newestFirst) memtable.acquire()
    for (const { table } of this.version.tables()) table.acquire()
    return this
  }

  /** Instead of {@link begin}: what it was made for did not come about. */
  giveUp(): void {
    assert(this.#references === 0, 'a super version that has begun is released')
    this.#references = -1
    this.#workspace.heap.free(this.stateAddress)
  }

  /** The highest seqno of anything in it; -1 where there is nothing. */
  get highestSeqno(): number {
    let highest = -1
    for (const memtable of this.#newestFirst) {
      highest = Math.max(highest, memtable.highestSeqno ?? -1)
    }
    for (const { table } of this.version.tables()) highest = Math.max(highest, table.highestSeqno)
    return highest
  }

  acquire(): this {
    assert(this.#references > 0, 'a super version is acquired while somebody holds it')
    this.#references++
    return this
  }

  release(): void {
    assert(this.#references > 0, 'a super version is released once for each reference')
    this.#references--
    if (this.#references === 0) this.#retire(this)
  }

  /** For whoever retires it, once. REQUIRES: no thread reads it. */
  free(): void {
    assert(this.#references === 0, 'a super version is freed when nobody refers to it')
    this.#references = -1
    this.#workspace.heap.free(this.stateAddress)
    for (const { table } of this.version.tables()) table.release()
    for (const memtable of this.#newestFirst) memtable.release()
  }
}
