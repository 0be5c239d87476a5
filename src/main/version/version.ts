/**
 * An immutable version of a tree: levels of runs of tables, and the pure steps from one to the next
 * (format-manifest-blob.md 8). Main thread.
 *
 * I1: a run is not empty, ascends by key, and its tables do not overlap.
 * I2: runs of a level are newest first where they overlap.
 */
import { BYTE_ORDER, type CompareKeys, type KeyOrder } from '../../shared/base/key-order.js'
import type { ManifestVersion, TreeType } from '../../shared/format/version-model.js'
import type { Table } from './table.js'

export type Run = readonly Table[]
export type Level = readonly Run[]

/** What a version holds beside its tables; carried along untouched until a change names it. */
export type VersionExtras = Pick<ManifestVersion, 'blobFiles' | 'blobGcStats' | 'restrictions'>

/** Repacks a level into as few runs as possible (format-manifest-blob.md 8.1). */
export function packRuns(runs: Level, compare: CompareKeys): Level {
  if (runs.length <= 1) return runs
  const packed: Table[][] = []
  for (const run of [...runs].reverse()) {
    for (const table of [...run].reverse()) {
      // The oldest run that it may go to lies in front of all that it overlaps: behind one of those it would be taken for
      // older data.
      const overlapped = packed.findIndex((members) => overlapsAny(members, table, compare))
      const home = packed[(overlapped < 0 ? packed.length : overlapped) - 1]
      if (home === undefined) {
        packed.unshift([table])
      } else {
        home.push(table)
        home.sort((a, b) => compare(a.keyMin, b.keyMin))
      }
    }
  }
  return packed
}

function overlapsAny(members: readonly Table[], table: Table, compare: CompareKeys): boolean {
  return members.some(
    ({ keyMin, keyMax }) =>
      compare(keyMin, table.keyMax) <= 0 && compare(table.keyMin, keyMax) <= 0,
  )
}

export class Version {
  readonly id: number
  readonly treeType: TreeType
  readonly levels: readonly Level[]
  readonly extras: VersionExtras
  /** Tables in L0: every write asks. */
  readonly l0TableCount: number
  /** Highest seqno of anything in a table; -1 where there is none. */
  readonly highestSeqno: number
  readonly #order: KeyOrder

  constructor(
    id: number,
    treeType: TreeType,
    levels: readonly Level[],
    extras: VersionExtras,
    order: KeyOrder = BYTE_ORDER,
  ) {
    this.id = id
    this.#order = order
    this.treeType = treeType
    this.levels = levels
    this.extras = extras
    let highest = -1
    for (const { table } of this.tables()) highest = Math.max(highest, table.highestSeqno)
    this.highestSeqno = highest
    this.l0TableCount = (levels[0] ?? []).reduce((sum, run) => sum + run.length, 0)
  }

  /** The order of the tree's keys. */
  get compareKeys(): CompareKeys {
    return this.#order.compare
  }

  /** Every table with its level. */
  *tables(): Generator<{ readonly table: Table; readonly level: number }> {
    for (const [level, runs] of this.levels.entries()) {
      for (const run of runs) for (const table of run) yield { table, level }
    }
  }

  get tableCount(): number {
    return [...this.tables()].length
  }

  level(level: number): Level {
    return this.levels[level] ?? []
  }

  /** The table of id `id`, where the version has it. */
  find(id: number): { readonly table: Table; readonly level: number } | undefined {
    for (const place of this.tables()) if (place.table.id === id) return place
    return undefined
  }

  /** After a flush: each new table becomes a run of its own in front of L0. */
  withFlushed(tables: readonly Table[]): Version {
    const fresh = tables.map((table) => [table])
    return this.#with((runs, level) => (level === 0 ? this.#pack([...fresh, ...runs]) : runs))
  }

  /** After a merge: inputs go, outputs form one run of the destination level. */
  withMerged(inputs: ReadonlySet<number>, outputs: Run, destination: number): Version {
    return this.#with((runs, level) => {
      const kept = without(runs, inputs)
      if (level !== destination || outputs.length === 0) return this.#pack(kept)
      return this.#pack(level === 0 ? [...kept, outputs] : [outputs, ...kept])
    })
  }

  /**
   * After a slice of a merge: inputs that are used up go, of the others `restricted` holds what is left, each in the place
   * of the whole one; outputs form one run of the destination level.
   */
  withSlice(
    consumed: ReadonlySet<number>,
    restricted: ReadonlyMap<number, Table>,
    outputs: Run,
    destination: number,
  ): Version {
    const next = this.#with((runs, level) => {
      const kept = without(runs, consumed).map((run) =>
        run.map((table) => restricted.get(table.id) ?? table),
      )
      if (level !== destination || outputs.length === 0) return this.#pack(kept)
      return this.#pack(level === 0 ? [...kept, outputs] : [outputs, ...kept])
    })
    const restrictions = new Map(this.extras.restrictions)
    for (const id of consumed) restrictions.delete(id)
    for (const [id, { restriction }] of restricted) {
      if (restriction !== undefined) restrictions.set(id, restriction)
    }
    const { id, treeType, levels, extras } = next
    return new Version(id, treeType, levels, { ...extras, restrictions }, this.#order)
  }

  /** After a trivial move: the tables form one run at the front of the destination level. */
  withMoved(ids: ReadonlySet<number>, destination: number): Version {
    const moved = [...this.tables()]
      .filter(({ table }) => ids.has(table.id))
      .map(({ table }) => table)
      .sort((a, b) => this.compareKeys(a.keyMin, b.keyMin))
    return this.#with((runs, level) => {
      const kept = without(runs, ids)
      return this.#pack(level === destination ? [moved, ...kept] : kept)
    })
  }

  /** After dropping tables whole. */
  withDropped(ids: ReadonlySet<number>): Version {
    return this.#with((runs) => this.#pack(without(runs, ids)))
  }

  /** The empty version that follows. */
  cleared(): Version {
    const levels = this.levels.map(() => [])
    const extras = { blobFiles: new Map(), blobGcStats: new Map(), restrictions: new Map() }
    return new Version(this.id + 1, this.treeType, levels, extras, this.#order)
  }

  /** The same as plain data for the manifest. */
  toManifest(): ManifestVersion {
    return {
      id: this.id,
      treeType: this.treeType,
      levels: this.levels.map((runs) => runs.map((run) => run.map((table) => table.record))),
      blobFiles: this.extras.blobFiles,
      blobGcStats: this.extras.blobGcStats,
      restrictions: this.#liveRestrictions(),
    }
  }

  #pack(runs: Level): Level {
    return packRuns(runs, this.compareKeys)
  }

  #liveRestrictions(): ReadonlyMap<number, Uint8Array> {
    const live = new Set([...this.tables()].map(({ table }) => table.id))
    return new Map([...this.extras.restrictions].filter(([id]) => live.has(id)))
  }

  #with(change: (runs: Level, level: number) => Level): Version {
    const { id, treeType, extras } = this
    return new Version(id + 1, treeType, this.levels.map(change), extras, this.#order)
  }
}

function without(runs: Level, ids: ReadonlySet<number>): Level {
  return runs
    .map((run) => run.filter((table) => !ids.has(table.id)))
    .filter((run) => run.length > 0)
}
