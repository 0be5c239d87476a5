/**
 * The version gate: recognises what is not a V5 tree, or not this tree, before anything on disk is
 * touched (format-manifest-blob.md 4.7, 10.1, 18). Main thread; reads only.
 *
 *     V1         a file `version`                                     VARVE_INVALID_VERSION 1
 *     V2         `segments/` with `levels` or `manifest`, no `current` VARVE_INVALID_VERSION 2
 *     V3, V4     `v{N}` is an archive ending in the "SFA!" trailer     VARVE_INVALID_VERSION 3 or 4
 *     V5         `v{N}` is a block container that says 5
 *
 * I1: a folder that holds remains of a tree, but no `current`, is never taken for empty.
 */
import { VarveError } from '../../shared/base/errors.js'
import { COMPARATOR_NAME_BYTES_MAX, LEVEL_COUNT } from '../../shared/base/limits.js'
import { ByteReader, formatError } from '../../shared/format/byte-reader.js'
import type { SnapshotReader } from '../../shared/format/manifest-snapshot.js'
import type { ManifestVersion, TreeType } from '../../shared/format/version-model.js'
import { decodeTreeType, FORMAT_VERSION } from '../../shared/format/version-sections.js'
import {
  type DirectoryEntry,
  type FileSystem,
  isMissing,
  type ReadableFile,
} from '../../shared/fs/file-system.js'
import {
  blobsFolder,
  isIgnoredName,
  isSnapshotName,
  legacyVersionPath,
  tablesFolder,
} from './directory-layout.js'

/**
 * The trailer of a sectioned archive: magic, version, checksum type, TOC checksum, TOC offset, TOC
 * length.
 */
const ARCHIVE_TRAILER_BYTES = 38
const ARCHIVE_MAGIC = 0x21_41_46_53
/**
 * A manifest archive has a handful of sections; a longer table of contents is not worth reading.
 */
const ARCHIVE_TOC_BYTES_MAX = 65_536

/** Refuses a V1 tree. */
export function refuseLegacyTree(fs: FileSystem, root: string): void {
  const path = legacyVersionPath(root)
  if (fs.exists(path)) throw invalidVersion(path, 1)
}

/** Refuses a folder without `current` that is not simply empty (I1). */
export function refuseRemains(fs: FileSystem, root: string): void {
  const entries = listIfPresent(fs, root)
  const names = new Set(entries.map((entry) => entry.name))
  if (names.has('segments') && (names.has('levels') || names.has('manifest'))) {
    throw invalidVersion(root, 2)
  }
  // Empty folders and an unreferenced `v0` are what a crash in the middle of creating a tree
  // leaves: nothing to lose.
  const isRemains = (entry: DirectoryEntry) =>
    (isSnapshotName(entry.name) && entry.name !== 'v0') ||
    ((entry.name === 'tables' || entry.name === 'blobs') && !entry.isDirectory)
  const remains =
    entries.find(isRemains)?.name ??
    [tablesFolder(root), blobsFolder(root)].find((folder) =>
      listIfPresent(fs, folder).some((entry) => !isIgnoredName(entry.name)),
    )
  if (remains === undefined) return
  throw new VarveError(
    'VARVE_IO',
    `${root} holds ${remains} but no pointer to a manifest: a lost or half-written tree. ` +
      'Repair it, or remove the folder to start anew',
    { details: { file: root, found: remains, reason: 'invalid-data', errno: null } },
  )
}

/** Throws VARVE_INVALID_VERSION where the file is a V3 or V4 manifest; else returns. */
export function refuseArchive(file: ReadableFile): void {
  const size = file.size()
  if (size < ARCHIVE_TRAILER_BYTES) return
  const origin = { file: file.path, offset: size - ARCHIVE_TRAILER_BYTES }
  const trailer = readAt(file, origin.offset, ARCHIVE_TRAILER_BYTES)
  if (new DataView(trailer.buffer).getUint32(0, true) !== ARCHIVE_MAGIC) return
  let version: number | undefined
  try {
    const reader = new ByteReader(trailer, 'archive', origin, 'VARVE_INVALID_TRAILER')
    reader.skip(22, 'the trailer')
    const offset = reader.u64('the TOC offset')
    const length = Math.min(reader.u64('the TOC length'), ARCHIVE_TOC_BYTES_MAX)
    version = archiveFormatVersion(file, readAt(file, offset, length))
  } catch {
    // An archive all the same; which version does not matter much.
  }
  throw invalidVersion(file.path, version)
}

function archiveFormatVersion(file: ReadableFile, toc: Uint8Array): number | undefined {
  const reader = new ByteReader(toc, 'archive', { file: file.path, offset: 0 }, 'VARVE_IO')
  reader.skip(4, 'the magic')
  const count = reader.u32('the section count')
  for (let i = 0; i < count; i++) {
    const offset = reader.u64('the section offset')
    reader.u64('the section length')
    const name = Buffer.from(reader.bytes(reader.u16('the name length'), 'the name')).toString()
    if (name === 'format_version') return readAt(file, offset, 1)[0]
  }
  return undefined
}

/**
 * Checks what a snapshot says about itself, in the format's order (format-manifest-blob.md 4.7).
 */
export function checkMetadata(reader: SnapshotReader, comparatorName: string): void {
  const origin = { file: reader.path, offset: 0 }
  const invalidHeader = (what: string) =>
    formatError('VARVE_INVALID_HEADER', origin, `invalid manifest section ${what}`, { what })
  const version = reader.section('format_version')[0]
  if (version === undefined) throw invalidHeader('format_version')
  if (version < 1 || version > FORMAT_VERSION) throw invalidVersion(reader.path, version)
  decodeTreeType(reader)
  if (reader.section('level_count')[0] !== LEVEL_COUNT) throw invalidHeader('level_count')
  const hashType = reader.section('filter_hash_type')
  if (hashType.length !== 1 || hashType[0] !== 0) throw invalidHeader('filter_hash_type')
  const stored = storedComparatorName(reader)
  if (version !== FORMAT_VERSION) throw invalidVersion(reader.path, version)
  if (stored !== comparatorName) {
    throw new VarveError(
      'VARVE_COMPARATOR_MISMATCH',
      `${reader.path} was written under comparator "${stored}", opened with "${comparatorName}"`,
      { details: { file: reader.path, stored, supplied: comparatorName } },
    )
  }
}

function storedComparatorName(reader: SnapshotReader): string {
  if (!reader.has('comparator_name')) return 'default'
  const origin = { file: reader.path, offset: 0 }
  const bytes = reader.section('comparator_name')
  if (bytes.length > COMPARATOR_NAME_BYTES_MAX) {
    throw formatError(
      'VARVE_DECOMPRESSED_SIZE',
      origin,
      `comparator name of ${bytes.length} bytes, at most ${COMPARATOR_NAME_BYTES_MAX} are allowed`,
      { declared: bytes.length, limit: COMPARATOR_NAME_BYTES_MAX },
    )
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw formatError(
      'VARVE_INVALID_HEADER',
      origin,
      'the comparator name is not UTF-8',
      { what: 'comparator_name' },
      cause,
    )
  }
}

/**
 * Refuses a tree of the other type: opened with key-value separation but written without, or the
 * reverse.
 */
export function checkTreeType(version: ManifestVersion, requested: TreeType, root: string): void {
  if (version.treeType === requested) return
  const [stored, asked] = [version.treeType, requested].map((type) =>
    type === 0 ? 'without key-value separation' : 'with key-value separation',
  )
  throw new VarveError('VARVE_UNRECOVERABLE', `${root} was written ${stored}, opened ${asked}`, {
    details: { file: root, what: 'tree_type', expected: requested, found: version.treeType },
  })
}

function invalidVersion(path: string, version: number | undefined): VarveError {
  return new VarveError(
    'VARVE_INVALID_VERSION',
    `${path} is of format version ${version ?? '3 or 4'}; ` +
      `this engine reads version ${FORMAT_VERSION} only`,
    { details: { file: path, version: version ?? null, expected: FORMAT_VERSION } },
  )
}

function readAt(file: ReadableFile, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, file.read(bytes, offset))
}

function listIfPresent(fs: FileSystem, path: string): DirectoryEntry[] {
  try {
    return fs.list(path)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
