/**
 * A version as the ten sections of a manifest snapshot, and back (format-manifest-blob.md 4.6, 6).
 * Every thread; no I/O.
 *
 * I1: all ten sections are written, in the format's order, so that equal versions give equal bytes.
 * I2: what a tolerant mode left out is reported.
 */
import { VarveError } from '../base/errors.js'
import { LEVEL_COUNT } from '../base/limits.js'
import { decodeBlobGcStats, encodeBlobGcStats } from './blob-gc-stats.js'
import { decodeBlobList, encodeBlobList } from './blob-list.js'
import { formatError } from './byte-reader.js'
import type { ManifestCodec } from './manifest-block.js'
import {
  encodeSnapshotImage,
  type SnapshotImage,
  type SnapshotReader,
} from './manifest-snapshot.js'
import type { RecoveryMode, SectionLosses } from './recovery-mode.js'
import {
  decodeRestrictionList,
  encodeRestrictionList,
  liveRestrictions,
} from './restriction-list.js'
import { decodeTableList, encodeTableList } from './table-list.js'
import { type ManifestVersion, TreeType } from './version-model.js'

/** The one format version that we read and write. */
export const FORMAT_VERSION = 5

/** What snapshots name as their writer; nobody reads it back. */
export const WRITER_NAME = 'varve 0.1'

/** What a snapshot states beside the version. */
export interface SnapshotSettings {
  readonly codec: ManifestCodec
  readonly comparatorName: string
  readonly writerName?: string | undefined
  /** Fill the head mirror; default true. */
  readonly hasMirror?: boolean | undefined
}

/** The snapshot of `version`. REQUIRES: no level of more than 255 runs. */
export function encodeSnapshot(
  version: ManifestVersion,
  settings: SnapshotSettings,
): SnapshotImage {
  const { codec } = settings
  const text = (value: string) => Buffer.from(value)
  const sections = [
    { name: 'format_version', payload: Uint8Array.of(FORMAT_VERSION) },
    { name: 'crate_version', payload: text(settings.writerName ?? WRITER_NAME) },
    { name: 'tree_type', payload: Uint8Array.of(version.treeType) },
    { name: 'level_count', payload: Uint8Array.of(LEVEL_COUNT) },
    { name: 'filter_hash_type', payload: Uint8Array.of(0) },
    { name: 'comparator_name', payload: text(settings.comparatorName) },
    { name: 'tables', payload: encodeTableList(version.levels, codec.hasher) },
    { name: 'blob_files', payload: encodeBlobList(version.blobFiles, codec.hasher) },
    { name: 'blob_gc_stats', payload: encodeBlobGcStats(version.blobGcStats) },
    { name: 'restrictions', payload: encodeRestrictionList(liveRestrictions(version)) },
  ]
  return encodeSnapshotImage(sections, codec, settings.hasMirror ?? true)
}

/** A decoded version, and what a tolerant mode left out of it. */
export interface DecodedVersion {
  readonly version: ManifestVersion
  readonly losses: Readonly<Record<'tables' | 'blobFiles' | 'blobGcStats', SectionLosses>>
}

/** Decodes the version of snapshot `id`, whose metadata the version gate has passed. */
export function decodeVersion(
  reader: SnapshotReader,
  id: number,
  mode: RecoveryMode,
  codec: ManifestCodec,
): DecodedVersion {
  const options = { file: reader.path, mode, hasher: codec.hasher }
  const tables = decodeTableList(mandatory(reader, 'tables'), options)
  const blobs = decodeBlobList(mandatory(reader, 'blob_files'), options)
  const stats = decodeBlobGcStats(mandatory(reader, 'blob_gc_stats'), options)
  const restrictions = reader.has('restrictions')
    ? decodeRestrictionList(reader.section('restrictions'), reader.path)
    : new Map<number, Uint8Array>()
  return {
    version: {
      id,
      treeType: decodeTreeType(reader),
      levels: tables.levels,
      blobFiles: blobs.files,
      blobGcStats: stats.stats,
      restrictions,
    },
    losses: { tables: tables.losses, blobFiles: blobs.losses, blobGcStats: stats.losses },
  }
}

/** The stored tree type; strict in every mode. */
export function decodeTreeType(reader: SnapshotReader): TreeType {
  const type = reader.section('tree_type')[0]
  const origin = { file: reader.path, offset: 0 }
  if (type === undefined) {
    throw formatError('VARVE_INVALID_HEADER', origin, 'manifest section tree_type is empty', {
      what: 'tree_type',
    })
  }
  if (type !== TreeType.Standard && type !== TreeType.Blob) {
    throw formatError('VARVE_INVALID_TAG', origin, `invalid tree type ${type}`, {
      what: 'TreeType',
      found: type,
    })
  }
  return type
}

function mandatory(reader: SnapshotReader, name: string): Uint8Array {
  if (reader.has(name)) return reader.section(name)
  throw new VarveError('VARVE_UNRECOVERABLE', `${reader.path} lacks its section ${name}`, {
    details: { file: reader.path, section: name },
  })
}
