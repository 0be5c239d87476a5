/**
 * A tree without files: tables are lists of keys and seqnos, and the levels change by the real
 * steps of `Version`. For strategies: carries out what they choose and checks that no read changes.
 * Every entry is a plain value of the same size.
 *
 * I1: `audit` throws where reading any key by the engine's rule (highest seqno in L0, then the
 *     first run that has it) gives another version than the newest.
 * I2: `merge` throws where a table left out holds a version between two that the merge joins.
 */

import type { CompactionInput, StrategyTable } from '../../src/main/strategies/strategy.js'
import type { Table } from '../../src/main/version/table.js'
import { Version, type VersionExtras } from '../../src/main/version/version.js'
import { LEVEL_COUNT } from '../../src/shared/base/limits.js'

function keyBytes(key: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(key)
  return bytes
}

/** Keys are u32; `seqnos[i]` is the seqno of `keys[i]`. */
export class SimulatedTable implements StrategyTable {
  readonly id: number
  readonly keys: Uint32Array
  readonly seqnos: Float64Array
  readonly keyMin: Uint8Array
  readonly keyMax: Uint8Array
  readonly fileBytes: number
  readonly createdAtMs: number
  readonly lowestSeqno: number
  readonly highestSeqno: number

  constructor(id: number, keys: Uint32Array, seqnos: Float64Array, entryBytes: number) {
    this.id = id
    this.keys = keys
    this.seqnos = seqnos
    this.keyMin = keyBytes(keys[0] as number)
    this.keyMax = keyBytes(keys[keys.length - 1] as number)
    this.fileBytes = keys.length * entryBytes
    this.createdAtMs = id
    this.lowestSeqno = seqnos.reduce((a, b) => Math.min(a, b))
    this.highestSeqno = seqnos.reduce((a, b) => Math.max(a, b))
  }

  /** The seqno of a key's entry. */
  seqnoOf(key: number): number | undefined {
    let low = 0
    let high = this.keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.keys[middle] as number) < key) low = middle + 1
      else high = middle
    }
    return this.keys[low] === key ? this.seqnos[low] : undefined
  }
}

/** Entries by key; of several versions the newest stays. */
function newestByKey(tables: readonly SimulatedTable[]): [keys: Uint32Array, seqnos: Float64Array] {
  const newest = new Map<number, number>()
  for (const { keys, seqnos } of tables) {
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as number
      newest.set(key, Math.max(newest.get(key) ?? 0, seqnos[i] as number))
    }
  }
  const keys = Uint32Array.from(newest.keys()).sort()
  return [keys, Float64Array.from(keys, (key) => newest.get(key) as number)]
}

const NO_EXTRAS: VersionExtras = {
  blobFiles: new Map(),
  blobGcStats: new Map(),
  restrictions: new Map(),
}

export class SimulatedTree {
  readonly entryBytes: number
  version = new Version(0, 0, new Array(LEVEL_COUNT).fill([]), NO_EXTRAS)
  /** Bytes written so far. */
  flushedBytes = 0
  mergedBytes = 0
  moves = 0
  merges = 0
  readonly #newest = new Map<number, number>()
  #nextId = 0
  #nextSeqno = 1

  constructor(entryBytes: number) {
    this.entryBytes = entryBytes
  }

  /** Keys ever written. */
  get keyCount(): number {
    return this.#newest.size
  }

  get tables(): SimulatedTable[] {
    return [...this.version.tables()].map(({ table }) => asSimulated(table))
  }

  /** A new table in L0; of keys given twice the last counts. */
  flush(keys: readonly number[]): void {
    const newest = new Map(keys.map((key) => [key, this.#nextSeqno++]))
    for (const [key, seqno] of newest) this.#newest.set(key, seqno)
    const ascending = Uint32Array.from(newest.keys()).sort()
    const seqnos = Float64Array.from(ascending, (key) => newest.get(key) as number)
    const table = this.#table(ascending, seqnos)
    this.flushedBytes += table.fileBytes
    this.version = this.version.withFlushed([asTable(table)])
  }

  move(input: CompactionInput): void {
    this.moves++
    this.version = this.version.withMoved(new Set(input.tableIds), input.destination)
  }

  merge(input: CompactionInput, checkFolding = false): void {
    const ids = new Set(input.tableIds)
    const inputs = this.tables.filter(({ id }) => ids.has(id))
    if (checkFolding) this.#checkFolding(inputs)
    const [keys, seqnos] = newestByKey(inputs)
    const outputs: SimulatedTable[] = []
    const length = Math.max(1, Math.ceil(input.targetBytes / this.entryBytes))
    for (let from = 0; from < keys.length; from += length) {
      outputs.push(this.#table(keys.slice(from, from + length), seqnos.slice(from, from + length)))
    }
    this.merges++
    this.mergedBytes += outputs.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
    this.version = this.version.withMerged(ids, outputs.map(asTable), input.destination)
  }

  /** Checks I1, and that runs ascend without overlap. */
  audit(): void {
    for (const [level, runs] of this.version.levels.entries()) {
      for (const run of runs) {
        run.reduce((left, right) => {
          const isDisjoint = Buffer.compare(left.keyMax, right.keyMin) < 0
          if (!isDisjoint) throw new Error(`a run of L${level} overlaps itself`)
          return right
        })
      }
    }
    const found = this.#readAll()
    for (const [key, seqno] of this.#newest) {
      if (found.get(key) === seqno) continue
      throw new Error(`key ${key} reads as of seqno ${found.get(key)} instead of ${seqno}`)
    }
  }

  #table(keys: Uint32Array, seqnos: Float64Array): SimulatedTable {
    return new SimulatedTable(this.#nextId++, keys, seqnos, this.entryBytes)
  }

  /** What a read of each key finds. */
  #readAll(): Map<number, number> {
    const [l0 = [], ...deeper] = this.version.levels
    const [keys, seqnos] = newestByKey(l0.flat().map(asSimulated))
    const found = new Map(Array.from(keys, (key, i) => [key, seqnos[i] as number]))
    for (const table of deeper.flat(2).map(asSimulated)) {
      table.keys.forEach((key, i) => {
        if (!found.has(key)) found.set(key, table.seqnos[i] as number)
      })
    }
    return found
  }

  #checkFolding(inputs: readonly SimulatedTable[]): void {
    const others = this.tables.filter((table) => !inputs.includes(table))
    for (const key of new Set(inputs.flatMap(({ keys }) => [...keys]))) {
      const versions = inputs.flatMap((table) => table.seqnoOf(key) ?? [])
      const [oldest, newest] = [Math.min(...versions), Math.max(...versions)]
      for (const table of others) {
        const seqno = table.seqnoOf(key)
        if (seqno === undefined || seqno < oldest || seqno > newest) continue
        throw new Error(`key ${key}: seqno ${seqno} is left out between ${oldest} and ${newest}`)
      }
    }
  }
}

/** `Version` asks of a table only what a simulated one has. */
function asTable(table: SimulatedTable): Table {
  return table as unknown as Table
}

function asSimulated(table: Table): SimulatedTable {
  return table as unknown as SimulatedTable
}
