/**
 * The point read (semantics.md 6.1) in plain TypeScript over plain lists: no index, no filter, no
 * cache. The oracle of the point-read kernel. Any thread; tests and benches only.
 */
import { compareBytes } from './memtable.js'
import { coverOf, type ReferenceRange } from './ranges.js'
import type { Version } from './version.js'

export interface ReferenceTable {
  /** In internal key order, with effective seqnos. */
  readonly versions: readonly Version[]
  /** Keys below it are not the table's any more. */
  readonly restriction: Uint8Array | undefined
}

export interface ReferenceRun {
  readonly level: number
  readonly tables: readonly ReferenceTable[]
}

export interface ReferenceState {
  /** Newest first, each in internal key order. */
  readonly memtables: readonly (readonly Version[])[]
  /** L0 newest first, then level by level. */
  readonly runs: readonly ReferenceRun[]
  /** Of memtables and tables. */
  readonly ranges: readonly ReferenceRange[]
}

/** The newest version of the key below `seqno` in one source. */
function newestOf(versions: readonly Version[], key: Uint8Array, seqno: number) {
  return versions.find((version) => {
    return version.seqno < seqno && compareBytes(version.key, key) === 0
  })
}

function newestOfRun({ tables }: ReferenceRun, key: Uint8Array, seqno: number) {
  for (const { versions, restriction } of tables) {
    if (restriction !== undefined && compareBytes(key, restriction) < 0) continue
    const found = newestOf(versions, key, seqno)
    if (found !== undefined) return found
  }
  return undefined
}

/** The version that answers a read of `key` at `seqno`; point tombstones and operands as they are. */
export function readPoint(
  state: ReferenceState,
  key: Uint8Array,
  seqno: number,
): Version | undefined {
  const found = newestVersion(state, key, seqno)
  if (found === undefined) return undefined
  return coverOf(state.ranges, key, seqno) > found.seqno ? undefined : found
}

function newestVersion(state: ReferenceState, key: Uint8Array, seqno: number): Version | undefined {
  for (const memtable of state.memtables) {
    const found = newestOf(memtable, key, seqno)
    if (found !== undefined) return found
  }
  const levels = [...new Set(state.runs.map(({ level }) => level))]
  for (const level of levels) {
    let best: Version | undefined
    for (const run of state.runs.filter((one) => one.level === level)) {
      const found = newestOfRun(run, key, seqno)
      // Runs of a level may be in any order; of equal seqnos the newer run's stays.
      if (found !== undefined && (best === undefined || found.seqno > best.seqno)) best = found
    }
    if (best !== undefined) return best
  }
  return undefined
}
