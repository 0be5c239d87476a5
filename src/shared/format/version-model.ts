/**
 * A version: the immutable shape of the tree that the manifest describes, as plain data
 * (format-manifest-blob.md 8). Every thread; survives `structuredClone`. Never changed in place: a
 * change makes a new one.
 *
 *     version ── levels[0..6] ── runs ── tables     a run's tables ascend, without overlap
 *             ├─ blobFiles       id → XXH3-128 of the file
 *             ├─ blobGcStats     id → what of the file is dead
 *             └─ restrictions    table id → the first key of it that still counts
 *
 * I1: exactly 7 levels, every run non-empty, every table id once.
 */
import { LEVEL_COUNT } from '../base/limits.js'

/** What the manifest knows of a table. */
export interface TableRecord {
  readonly id: number
  /** XXH3-128 of the complete file. */
  readonly checksum: Uint8Array
  /** Added to every seqno stored in the file; 0 but for bulk-ingested tables. */
  readonly globalSeqno: number
}

/** A non-empty list of tables, ascending by key, without overlap. */
export type RunRecord = readonly TableRecord[]

/** A level: its runs, roughly newest first. */
export type LevelRecord = readonly RunRecord[]

/** What the manifest knows of a blob file. */
export interface BlobFileRecord {
  readonly id: number
  /** XXH3-128 of the complete file. */
  readonly checksum: Uint8Array
}

/** The dead part of a blob file. */
export interface BlobGcEntry {
  /** Dead values. */
  readonly count: number
  /** Their bytes, uncompressed. */
  readonly bytes: number
  /** Their bytes as stored. */
  readonly storedBytes: number
}

/** Dead parts by blob file id. */
export type BlobGcStats = ReadonlyMap<number, BlobGcEntry>

/** The type byte of the manifest: with or without key-value separation. */
export const TreeType = { Standard: 0, Blob: 1 } as const
export type TreeType = (typeof TreeType)[keyof typeof TreeType]

/** One version, as the manifest tells it. */
export interface ManifestVersion {
  readonly id: number
  readonly treeType: TreeType
  readonly levels: readonly LevelRecord[]
  /** Checksums by blob file id. */
  readonly blobFiles: ReadonlyMap<number, Uint8Array>
  readonly blobGcStats: BlobGcStats
  /** First valid key by table id (format-manifest-blob.md 14). */
  readonly restrictions: ReadonlyMap<number, Uint8Array>
}

/** The version of a new tree. */
export function emptyVersion(treeType: TreeType, id = 0): ManifestVersion {
  return {
    id,
    treeType,
    levels: Array.from({ length: LEVEL_COUNT }, () => []),
    blobFiles: new Map(),
    blobGcStats: new Map(),
    restrictions: new Map(),
  }
}

/** Every table with its level, level by level, run by run. */
export function* tablesOf(
  version: ManifestVersion,
): Generator<{ readonly table: TableRecord; readonly level: number }> {
  for (const [level, runs] of version.levels.entries()) {
    for (const run of runs) for (const table of run) yield { table, level }
  }
}

/** Says what is wrong with a version (I1); undefined where nothing is. */
export function versionDefect(version: ManifestVersion): string | undefined {
  if (version.levels.length !== LEVEL_COUNT) {
    return `${version.levels.length} levels instead of ${LEVEL_COUNT}`
  }
  if (version.levels.some((runs) => runs.some((run) => run.length === 0))) return 'an empty run'
  const seen = new Set<number>()
  for (const { table } of tablesOf(version)) {
    if (seen.has(table.id)) return `table ${table.id} occurs twice`
    seen.add(table.id)
  }
  return undefined
}

/**
 * The entries of a map by ascending id: the order in which we write, where the format leaves it
 * open.
 */
export function byId<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([left], [right]) => left - right)
}
