/**
 * A version edit: one change of the tree, one record of the edit log (format-manifest-blob.md 7).
 * Every thread; no I/O.
 *
 *     8   new version id
 *     4   changed level count, then per level: level u8, run count u32,
 *           per run: table count u32, per table a 33-byte record (unframed)
 *     4   added blob file count, then per file a 25-byte record (unframed)
 *     4   removed blob file count, then per file its id u64
 *     4   length G of the new blob statistics; 0 = unchanged
 *     G   the complete new statistics (an empty map is 4 bytes)
 *     4   restriction count, then per restriction: table id u64, key length u32, key
 *
 * I1: consumed exactly; anything cut, surplus or unknown is VARVE_INVALID_HEADER in every recovery
 *     mode.
 * I2: applyEdit(old, diffVersions(old, new)) equals new, save restrictions of tables that are gone.
 */
import { sameBytes } from '../base/checksum.js'
import { encodeBlobGcStats, readBlobGcStats } from './blob-gc-stats.js'
import { ByteReader, type Origin } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import {
  readBlobFileRecord,
  readTableRecord,
  writeBlobFileRecord,
  writeTableRecord,
} from './manifest-record.js'
import { liveRestrictions, readRestrictions, writeRestrictions } from './restriction-list.js'
import {
  type BlobFileRecord,
  type BlobGcStats,
  byId,
  type LevelRecord,
  type ManifestVersion,
  type RunRecord,
  type TableRecord,
} from './version-model.js'

/** A level's complete new layout. */
export interface ChangedLevel {
  readonly level: number
  readonly runs: LevelRecord
}

/** The change from one version to the next. */
export interface VersionEdit {
  readonly newVersionId: number
  readonly changedLevels: readonly ChangedLevel[]
  readonly addedBlobFiles: readonly BlobFileRecord[]
  readonly removedBlobFiles: readonly number[]
  /** The complete new map; undefined where it did not change. */
  readonly blobGcStats: BlobGcStats | undefined
  readonly restrictions: ReadonlyMap<number, Uint8Array>
}

export function encodeVersionEdit(edit: VersionEdit): Uint8Array {
  const writer = new ByteWriter(1024).u64(edit.newVersionId).u32(edit.changedLevels.length)
  for (const { level, runs } of edit.changedLevels) {
    writer.u8(level).u32(runs.length)
    for (const run of runs) {
      writer.u32(run.length)
      for (const table of run) writeTableRecord(writer, table)
    }
  }
  writer.u32(edit.addedBlobFiles.length)
  for (const file of edit.addedBlobFiles) writeBlobFileRecord(writer, file)
  writer.u32(edit.removedBlobFiles.length)
  for (const id of edit.removedBlobFiles) writer.u64(id)
  const stats = edit.blobGcStats === undefined ? undefined : encodeBlobGcStats(edit.blobGcStats)
  writer.u32(stats?.length ?? 0).bytes(stats ?? new Uint8Array(0))
  writeRestrictions(writer, edit.restrictions)
  return writer.finish()
}

/** Decodes a record's payload (I1). */
export function decodeVersionEdit(payload: Uint8Array, origin: Origin): VersionEdit {
  const reader = new ByteReader(payload, 'VersionEdit', origin, 'VARVE_INVALID_HEADER')
  const newVersionId = reader.u64('the new version id')
  const changedLevels = repeat(reader.u32('the changed level count'), () => {
    const level = reader.u8('the level')
    return { level, runs: repeat(reader.u32('the run count'), () => readRun(reader)) }
  })
  const addedBlobFiles = repeat(reader.u32('the added blob file count'), () =>
    readBlobFileRecord(reader, 'VARVE_INVALID_HEADER'),
  )
  const removedBlobFiles = repeat(reader.u32('the removed blob file count'), () =>
    reader.u64('the removed blob file id'),
  )
  const blobGcStats = readStats(reader)
  const restrictions = readRestrictions(reader)
  reader.end()
  return {
    newVersionId,
    changedLevels,
    addedBlobFiles,
    removedBlobFiles,
    blobGcStats,
    restrictions,
  }
}

function readRun(reader: ByteReader): RunRecord {
  return repeat(reader.u32('the table count'), () =>
    readTableRecord(reader, 'VARVE_INVALID_HEADER'),
  )
}

function readStats(reader: ByteReader): BlobGcStats | undefined {
  const length = reader.u32('the length of the blob statistics')
  if (length === 0) return undefined
  const { origin } = reader
  const bytes = reader.bytes(length, 'the blob statistics')
  const inner = new ByteReader(bytes, 'VersionEdit', origin, 'VARVE_INVALID_HEADER')
  const stats = readBlobGcStats(inner)
  inner.end()
  return stats
}

/** `count` items, made one by one: a false count runs out of bytes, not of memory. */
function repeat<T>(count: number, make: () => T): T[] {
  const items: T[] = []
  for (let i = 0; i < count; i++) items.push(make())
  return items
}

/** The version that an edit makes of `version`. Empty runs vanish. */
export function applyEdit(version: ManifestVersion, edit: VersionEdit): ManifestVersion {
  const levels = [...version.levels]
  for (const { level, runs } of edit.changedLevels) {
    while (levels.length <= level) levels.push([])
    levels[level] = runs.filter((run) => run.length > 0)
  }
  const blobFiles = new Map(version.blobFiles)
  for (const id of edit.removedBlobFiles) blobFiles.delete(id)
  for (const { id, checksum } of edit.addedBlobFiles) blobFiles.set(id, checksum)
  return {
    id: edit.newVersionId,
    treeType: version.treeType,
    levels,
    blobFiles,
    blobGcStats: edit.blobGcStats ?? version.blobGcStats,
    restrictions:
      edit.restrictions.size === 0
        ? version.restrictions
        : new Map([...version.restrictions, ...edit.restrictions]),
  }
}

/** The edit that leads from `old` to `next` (I2). */
export function diffVersions(old: ManifestVersion, next: ManifestVersion): VersionEdit {
  const changedLevels: ChangedLevel[] = []
  for (const [level, runs] of next.levels.entries()) {
    if (!sameLevel(old.levels[level] ?? [], runs)) changedLevels.push({ level, runs })
  }
  const isAdded = ([id, checksum]: [number, Uint8Array]) => {
    const before = old.blobFiles.get(id)
    return before === undefined || !sameBytes(before, checksum)
  }
  return {
    newVersionId: next.id,
    changedLevels,
    addedBlobFiles: byId(next.blobFiles)
      .filter(isAdded)
      .map(([id, checksum]) => ({ id, checksum })),
    removedBlobFiles: byId(old.blobFiles)
      .map(([id]) => id)
      .filter((id) => !next.blobFiles.has(id)),
    blobGcStats: sameStats(old.blobGcStats, next.blobGcStats) ? undefined : next.blobGcStats,
    restrictions: liveRestrictions(next),
  }
}

function sameLevel(left: LevelRecord, right: LevelRecord): boolean {
  return left.length === right.length && left.every((run, i) => sameRun(run, right[i] ?? []))
}

function sameRun(left: RunRecord, right: RunRecord): boolean {
  return left.length === right.length && left.every((table, i) => sameTable(table, right[i]))
}

function sameTable(left: TableRecord, right: TableRecord | undefined): boolean {
  return (
    right !== undefined &&
    left.id === right.id &&
    left.globalSeqno === right.globalSeqno &&
    sameBytes(left.checksum, right.checksum)
  )
}

function sameStats(left: BlobGcStats, right: BlobGcStats): boolean {
  if (left === right) return true
  if (left.size !== right.size) return false
  for (const [id, entry] of left) {
    const other = right.get(id)
    if (other === undefined || other.count !== entry.count) return false
    if (other.bytes !== entry.bytes || other.storedBytes !== entry.storedBytes) return false
  }
  return true
}
