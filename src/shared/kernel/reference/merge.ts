/**
 * The k-way merge in plain TypeScript: everything in one array, sorted. The oracle of the merge
 * kernel. Any thread; tests and benches only.
 */
import { compareVersions, type Version } from './version.js'

/** All versions of all sources, newest source first among equals; or exactly that reversed. */
export function mergeVersions(
  sources: readonly (readonly Version[])[],
  isReverse = false,
): Version[] {
  const ranked = sources.flatMap((versions, rank) =>
    versions.map((version, place) => ({ version, rank, place })),
  )
  ranked.sort(
    (a, b) => compareVersions(a.version, b.version) || a.rank - b.rank || a.place - b.place,
  )
  const merged = ranked.map(({ version }) => version)
  return isReverse ? merged.reverse() : merged
}

/** Cuts merged versions into the groups of one key each. */
export function groupByKey(merged: readonly Version[]): Version[][] {
  const groups: Version[][] = []
  for (const version of merged) {
    const group = groups[groups.length - 1]
    if (group !== undefined && Buffer.compare(group[0]!.key, version.key) === 0) group.push(version)
    else groups.push([version])
  }
  return groups
}
