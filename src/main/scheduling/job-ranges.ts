/**
 * What a flush or a merge is told of the range tombstones of its tree (semantics.md 18.2, 21.6). Main thread.
 *
 * I1: tables that the state names stay until the job has ended; memtables among them are the job's own.
 * I2: a range tombstone that a crash could lose is never among those by which data is dropped.
 */
import type { RangeTombstone } from '../../shared/format/range-tombstone.js'
import { publishState } from '../../shared/iterator/read-state.js'
import type { JobRanges, KeySpan } from '../../shared/jobs/jobs.js'
import type { TreeCore } from '../tree-core.js'
import type { Memtable } from '../version/memtable.js'
import type { Table } from '../version/table.js'

/** A job's range tombstones for as long as it runs. */
export class HeldRanges implements JobRanges, Disposable {
  readonly state: number
  readonly unsure: readonly RangeTombstone[]
  /** The highest seqno of a range tombstone of a table by which the job may drop something; 0 for none. */
  readonly highestSeqno: number
  readonly #core: TreeCore
  readonly #tables: readonly Table[]

  /**
   * @param own memtables that the job writes out, newest first
   * @param watermark versions at or above it are neither dropped nor folded, so younger tombstones do not matter
   */
  constructor(core: TreeCore, own: readonly Memtable[], watermark: number) {
    this.#core = core
    const isNeeded = watermark > 0
    const runs = isNeeded ? core.latest.runs.filter(({ tables }) => tables.some(hasRanges)) : []
    const memtables = isNeeded ? own.filter((one) => one.rangeTombstoneCount > 0) : []
    const named = new Set(runs.flatMap(({ tables }) => tables))
    this.#tables = [...core.latest.version.tables()]
      .map(({ table }) => table)
      .filter(({ resident }) => named.has(resident))
    this.state =
      runs.length + memtables.length === 0
        ? 0
        : publishState(
            core.workspace,
            memtables.map(({ address }) => address),
            runs,
          )
    for (const table of this.#tables) table.acquire()
    this.highestSeqno = this.#tables
      .flatMap(({ resident }) => resident.rangeTombstones)
      .reduce((most, { seqno }) => (seqno < watermark ? Math.max(most, seqno) : most), 0)
    const folds = isNeeded && core.code.mergeOperator !== undefined
    this.unsure = folds ? unflushedRanges(core, own, watermark) : []
  }

  /** What goes with the job: plain data. */
  get plain(): JobRanges {
    return { state: this.state, unsure: this.unsure }
  }

  [Symbol.dispose](): void {
    if (this.state !== 0) this.#core.workspace.heap.free(this.state)
    for (const table of this.#tables) table.release()
  }
}

function hasRanges({ rangeTombstones }: { readonly rangeTombstones: readonly unknown[] }): boolean {
  return rangeTombstones.length > 0
}

function* unflushed(core: TreeCore): Generator<Memtable> {
  const { active, sealed } = core.latest
  if (active !== undefined) yield active
  yield* sealed
}

function unflushedRanges(
  core: TreeCore,
  own: readonly Memtable[],
  watermark: number,
): RangeTombstone[] {
  return [...unflushed(core)]
    .filter((memtable) => !own.includes(memtable) && memtable.lowestSeqno < watermark)
    .flatMap(({ rangeTombstones }) => rangeTombstones.filter(({ seqno }) => seqno < watermark))
}

/** The lowest seqno of anything that no table holds. */
export function lowestUnflushed(core: TreeCore): number {
  let lowest = Number.MAX_SAFE_INTEGER
  for (const memtable of unflushed(core)) lowest = Math.min(lowest, memtable.lowestSeqno)
  return lowest
}

/** Tables outside `inputs` that reach into the keys of one of them which has range tombstones. */
export function spansOutside(core: TreeCore, inputs: readonly Table[]): KeySpan[] {
  const holders = inputs.filter(({ resident }) => hasRanges(resident))
  if (holders.length === 0) return []
  const { compare } = core.order
  const spans: KeySpan[] = []
  for (const { table } of core.latest.version.tables()) {
    if (inputs.includes(table)) continue
    const { keyMin: min, keyMax: max, lowestSeqno } = table
    const isNear = holders.some(
      ({ keyMin, keyMax }) => compare(keyMin, max) <= 0 && compare(min, keyMax) <= 0,
    )
    if (isNear) spans.push({ min, max, lowestSeqno })
  }
  return spans
}
