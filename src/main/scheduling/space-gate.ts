/**
 * Whether there is room for what a merge writes, before its inputs can go (semantics.md 22.5). Main thread.
 *
 * I1: where nobody asked for it, every merge is admitted.
 * I2: a merge of several runs is whole or not at all: a part of it could bring older data in front of newer.
 */
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'

/** Kept free on the disk by merges. */
const RESERVED_BYTES = 1024 * 1024

/** Bytes that merges may write now; infinite where nothing bounds them. */
export function freeBytes(core: TreeCore): number {
  const quota = core.runtime.storageLimitBytes ?? Number.POSITIVE_INFINITY
  let used = 0
  for (const { table } of core.latest.version.tables()) used += table.storedBytes
  return Math.max(0, Math.min(quota - used, diskBytes(core)))
}

function diskBytes({ fs, root }: TreeCore): number {
  let available: number
  try {
    available = fs.availableSpace?.(root) ?? Number.POSITIVE_INFINITY
  } catch {
    // A question that is not answered is no full disk.
    return Number.POSITIVE_INFINITY
  }
  return available > RESERVED_BYTES ? available - RESERVED_BYTES : available
}

const bytesOf = (tables: readonly Table[]): number =>
  tables.reduce((sum, { liveBytes }) => sum + liveBytes, 0)

/** The tables to be merged now: all of them, two neighbours of one run, or undefined where there is no room. */
export function admitMerge(core: TreeCore, tables: readonly Table[]): readonly Table[] | undefined {
  if (!core.runtime.storageAdmissionCheck) return tables
  const free = freeBytes(core)
  return bytesOf(tables) <= free ? tables : neighboursThatFit(core, tables, free)
}

/** Of tables that are all of one run, the smallest two that lie side by side in it. */
function neighboursThatFit(
  core: TreeCore,
  tables: readonly Table[],
  free: number,
): readonly Table[] | undefined {
  const runs = core.latest.version.levels.flat()
  const run = runs.find((one) => tables.every((table) => one.includes(table)))
  if (run === undefined) return undefined
  const pairs = run
    .map((table, i) => [table, run[i + 1]] as const)
    .filter((pair): pair is readonly [Table, Table] =>
      pair.every((one) => one !== undefined && tables.includes(one)),
    )
    .sort((a, b) => bytesOf(a) - bytesOf(b))
  return pairs.find((pair) => bytesOf(pair) <= free)
}
