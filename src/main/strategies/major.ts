/**
 * Major compaction: everything becomes one run in the last level (semantics.md 17.4). Pure; main
 * thread. Not run by itself: it reads and writes the whole tree.
 */
import { integerOption } from './options.js'
import { type CompactionStrategy, idsOf, isBusy, NOTHING, tablesIn } from './strategy.js'

export interface MajorOptions {
  /** Length in bytes at which the next table starts. At least 1; unlimited by default. */
  readonly targetBytes?: number
}

/**
 * Merges all tables of all levels into the last level; does nothing while any of them is being
 * compacted.
 *
 * @param options table size; see {@link MajorOptions}
 * @throws RangeError where `targetBytes` is not an integer of at least 1
 * @example
 * ```ts
 * await tree.compact(major({ targetBytes: 64 * 1024 * 1024 }))
 * ```
 */
export function major(options: MajorOptions = {}): CompactionStrategy {
  const unlimited = Number.MAX_SAFE_INTEGER
  const targetBytes = integerOption('targetBytes', options.targetBytes ?? unlimited, 1)
  return {
    name: 'major',
    choose(version, { hidden }) {
      const tables = version.levels.flatMap(tablesIn)
      if (tables.length === 0 || isBusy(tables, hidden)) return NOTHING
      const destination = version.levels.length - 1
      const tableIds = idsOf(tables)
      return {
        kind: 'merge',
        input: { tableIds, destination, canonicalLevel: destination, targetBytes },
      }
    },
    pendingBytes: () => 0,
  }
}
