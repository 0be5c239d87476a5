/**
 * A published read state as an attached thread sees it: the lists that a super version has on the owner's thread, made from
 * the shared memory. The attached thread.
 *
 * I1: the lists are made while the state is held, or inside the epoch in which it was found.
 * I2: while somebody has acquired it, one word of the thread's READER names the state.
 */
import { assert } from '../../shared/base/errors.js'
import type { ViewRun } from '../../shared/iterator/read-view.js'
import {
  RUN_BYTES,
  RUN_LEVEL,
  RUN_TABLE_COUNT,
  RUN_TABLES,
  STATE_MEMTABLE_COUNT,
  STATE_MEMTABLES,
  STATE_NUMBER,
  STATE_RUN_COUNT,
  STATE_RUNS,
  TABLE_OWNER,
} from '../../shared/kernel/layout.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'
import type { HeldView } from '../reading/read-core.js'
import type { ReaderTables } from './reader-tables.js'

/** How a thread tells the owner that it needs a state for longer than a read. */
export interface StateHolds {
  /** @throws VARVE_OUT_OF_MEMORY */
  hold(view: ReaderView): number
  release(view: ReaderView, hold: number): void
}

export class ReaderView implements HeldView {
  readonly stateAddress: number
  readonly number: number
  readonly #shared: SharedMemory
  readonly #tables: ReaderTables
  readonly #holds: StateHolds
  #memtables: readonly number[] | undefined
  #runs: readonly ViewRun[] | undefined
  #references = 0
  #hold = 0

  constructor(shared: SharedMemory, tables: ReaderTables, holds: StateHolds, state: number) {
    this.stateAddress = state
    this.number = shared.getU32(state + STATE_NUMBER)
    this.#shared = shared
    this.#tables = tables
    this.#holds = holds
  }

  get memtables(): readonly number[] {
    if (this.#memtables === undefined) {
      const shared = this.#shared
      const list = shared.getU32(this.stateAddress + STATE_MEMTABLES)
      const count = shared.getU32(this.stateAddress + STATE_MEMTABLE_COUNT)
      this.#memtables = Array.from({ length: count }, (_, i) => shared.getU32(list + 4 * i))
    }
    return this.#memtables
  }

  get runs(): readonly ViewRun[] {
    this.#runs ??= this.#readRuns()
    return this.#runs
  }

  acquire(): this {
    if (this.#references === 0) this.#hold = this.#holds.hold(this)
    this.#references++
    return this
  }

  release(): void {
    assert(this.#references > 0, 'a view is released once for each reference')
    this.#references--
    if (this.#references === 0) this.#holds.release(this, this.#hold)
  }

  #readRuns(): ViewRun[] {
    const shared = this.#shared
    const records = shared.getU32(this.stateAddress + STATE_RUNS)
    const count = shared.getU32(this.stateAddress + STATE_RUN_COUNT)
    return Array.from({ length: count }, (_, i) => {
      const record = records + RUN_BYTES * i
      const tables = shared.getU32(record + RUN_TABLES)
      const length = shared.getU32(record + RUN_TABLE_COUNT)
      return {
        level: shared.getU32(record + RUN_LEVEL),
        tables: Array.from({ length }, (_, n) => this.#tables.at(shared.getU32(tables + 4 * n))),
      }
    })
  }
}

/** Adds the owner numbers of a state's tables. REQUIRES: the state is held, or found in the epoch at hand. */
export function addTableOwners(shared: SharedMemory, state: number, owners: Set<number>): void {
  let record = shared.getU32(state + STATE_RUNS)
  for (let i = shared.getU32(state + STATE_RUN_COUNT); i > 0; i--) {
    let at = shared.getU32(record + RUN_TABLES)
    for (let n = shared.getU32(record + RUN_TABLE_COUNT); n > 0; n--) {
      owners.add(shared.getU32(shared.getU32(at) + TABLE_OWNER))
      at += 4
    }
    record += RUN_BYTES
  }
}
