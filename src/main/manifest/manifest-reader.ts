/**
 * Reads the manifest of a folder: `current` → `v{N}` → version gate → `edits-{N}`
 * (format-manifest-blob.md 3.2, 10.1, 10.3). Main thread; reads only, so it serves read-only opens,
 * checks and tools alike.
 *
 * I1: either a version that passed every check, or an error, or undefined where there surely is no
 *     tree.
 * I2: `isComplete` is false where a tolerant mode left anything out; nothing may be deleted on the
 *     word of such a version.
 */
import { describeDigest, sameBytes } from '../../shared/base/checksum.js'
import { VarveError } from '../../shared/base/errors.js'
import { LEVEL_COUNT } from '../../shared/base/limits.js'
import { formatError } from '../../shared/format/byte-reader.js'
import type { CurrentPointer } from '../../shared/format/current-pointer.js'
import type { ManifestCodec } from '../../shared/format/manifest-block.js'
import { canonicalDigest } from '../../shared/format/manifest-footer.js'
import { SnapshotReader } from '../../shared/format/manifest-snapshot.js'
import type { RecoveryMode } from '../../shared/format/recovery-mode.js'
import { liveRestrictions } from '../../shared/format/restriction-list.js'
import {
  type ManifestVersion,
  type TreeType,
  versionDefect,
} from '../../shared/format/version-model.js'
import { type DecodedVersion, decodeVersion } from '../../shared/format/version-sections.js'
import { type FileSystem, isMissing, type ReadableFile } from '../../shared/fs/file-system.js'
import { readCurrent } from './current-file.js'
import { currentPath, editLogPath, snapshotPath } from './directory-layout.js'
import { type EditLogState, replayEditLog } from './edit-log-reader.js'
import {
  checkMetadata,
  checkTreeType,
  refuseArchive,
  refuseLegacyTree,
  refuseRemains,
} from './version-gate.js'

export interface ManifestReadOptions {
  readonly codec: ManifestCodec
  readonly mode: RecoveryMode
  readonly comparatorName: string
  /** What the tree must be; undefined takes either. */
  readonly treeType?: TreeType | undefined
}

/** The manifest of an existing tree. */
export interface RecoveredManifest {
  readonly version: ManifestVersion
  /** The live snapshot; the version's own id may lie beyond it. */
  readonly snapshotId: number
  readonly log: EditLogState
  readonly losses: DecodedVersion['losses']
  /** True where nothing at all was left out (I2). */
  readonly isComplete: boolean
}

/**
 * Reads the manifest; undefined where `root` is missing or empty, so that a tree may be created
 * there.
 */
export function readManifest(
  fs: FileSystem,
  root: string,
  options: ManifestReadOptions,
): RecoveredManifest | undefined {
  refuseLegacyTree(fs, root)
  const pointer = readCurrent(fs, root)
  if (pointer === undefined) {
    refuseRemains(fs, root)
    return undefined
  }
  const base = readSnapshot(fs, root, pointer, options)
  const logPath = editLogPath(root, pointer.snapshotId)
  const { version, log } = replayEditLog(fs, logPath, base.version, {
    mode: options.mode,
    hasher: options.codec.hasher,
  })
  const recovered = normalize(version, log.recordCount > 0 ? logPath : base.path)
  if (options.treeType !== undefined) checkTreeType(recovered, options.treeType, root)
  const isShortened = Object.values(base.losses).some(
    (losses) => losses.isShortened || losses.recordsDropped > 0,
  )
  return {
    version: recovered,
    snapshotId: pointer.snapshotId,
    log,
    losses: base.losses,
    isComplete: !isShortened && log.torn === undefined,
  }
}

function readSnapshot(
  fs: FileSystem,
  root: string,
  pointer: CurrentPointer,
  options: ManifestReadOptions,
): DecodedVersion & { readonly path: string } {
  const path = snapshotPath(root, pointer.snapshotId)
  const file = openSnapshot(fs, root, path)
  try {
    const reader = openFooter(file, options.codec)
    const found = canonicalDigest(pointer.snapshotId, reader.footer, options.codec.hasher)
    if (!sameBytes(found, pointer.digest)) {
      throw formatError(
        'VARVE_CHECKSUM_MISMATCH',
        { file: currentPath(root), offset: 8 },
        `the pointer does not belong to ${path}`,
        { expected: describeDigest(pointer.digest), found: describeDigest(found) },
      )
    }
    checkMetadata(reader, options.comparatorName)
    const decoded = decodeVersion(reader, pointer.snapshotId, options.mode, options.codec)
    return { ...decoded, path }
  } finally {
    file.close()
  }
}

function openSnapshot(fs: FileSystem, root: string, path: string): ReadableFile {
  try {
    return fs.openRead(path)
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new VarveError(
      'VARVE_MANIFEST_INVALID',
      `${currentPath(root)} names ${path}, which does not exist`,
      { details: { file: path, reason: 'footer-invalid' }, cause: error },
    )
  }
}

/** The snapshot's footer; where there is none, an older format gets its own error. */
function openFooter(file: ReadableFile, codec: ManifestCodec): SnapshotReader {
  try {
    return new SnapshotReader(file, codec)
  } catch (error) {
    const isDamage =
      VarveError.is(error, 'VARVE_MANIFEST_INVALID') || VarveError.is(error, 'VARVE_UNRECOVERABLE')
    if (isDamage) refuseArchive(file)
    throw error
  }
}

/** Seven levels, live restrictions, no table twice: the version as the engine relies on it. */
function normalize(version: ManifestVersion, file: string): ManifestVersion {
  const levels = [...version.levels]
  while (levels.length < LEVEL_COUNT) levels.push([])
  while (levels.length > LEVEL_COUNT && levels.at(-1)?.length === 0) levels.pop()
  const normalized = { ...version, levels, restrictions: liveRestrictions(version) }
  const defect = versionDefect(normalized)
  if (defect === undefined) return normalized
  throw new VarveError('VARVE_MANIFEST_INVALID', `${file} describes ${defect}`, {
    details: { file, reason: 'version-invalid', what: defect },
  })
}
