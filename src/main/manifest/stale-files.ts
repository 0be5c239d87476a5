/**
 * Cleaning up after crashes: files that no manifest refers to (format-manifest-blob.md 10.4, 24.1).
 * Main thread, once per writable open, after every check has passed.
 *
 * I1: never delete on suspicion. If the manifest was read only in part, or there are orphans and no
 *     edit log (a lost log looks just like that), files are set aside in `repair-quarantine/`, not
 *     deleted.
 * I2: the manifest that condemns the files is made durable first: its writer may have died before
 *     its sync.
 * I3: only exact names are touched: `v{N}`, `edits-{N}`, and ids in `tables/` and `blobs/`.
 */
import type { FileSystem, SyncMode } from '../../shared/fs/file-system.js'
import { parentPath } from '../../shared/fs/file-system.js'
import { editLogPath, isEditLogName, isSnapshotName } from './directory-layout.js'
import type { DirectoryScan, LocatedFile } from './directory-scan.js'
import type { RecoveredManifest } from './manifest-reader.js'
import { setAside } from './quarantine.js'

/** What a clean-up did. */
export interface CleanupReport {
  readonly removed: readonly string[]
  /** Where suspicious files went. */
  readonly setAside: readonly string[]
  /** Why nothing was deleted; undefined where the manifest was beyond doubt. */
  readonly suspicion: string | undefined
}

/** Removes, or sets aside, what the recovered manifest does not refer to. */
export function cleanUp(
  fs: FileSystem,
  root: string,
  recovered: RecoveredManifest,
  scan: DirectoryScan,
  syncMode: SyncMode = 'normal',
): CleanupReport {
  const manifests = staleManifests(fs, root, recovered.snapshotId)
  const orphans = [...scan.orphanTables, ...scan.orphanBlobFiles]
  const suspicion = suspicionOf(recovered, orphans)
  const removed: string[] = []
  const aside: string[] = []
  if (manifests.length + orphans.length > 0) settleManifest(fs, root, recovered, syncMode)
  for (const path of manifests) {
    const name = path.slice(root.length + 1)
    if (suspicion !== undefined) aside.push(setAside(fs, root, path, name))
    else removed.push(removeFile(fs, path))
  }
  for (const { fs: owner, path, id } of orphans) {
    const folder = parentPath(path)
    const kind = folder.slice(folder.lastIndexOf('/') + 1)
    if (suspicion === undefined) removed.push(removeFile(owner, path))
    else aside.push(setAside(owner, parentPath(folder), path, `${kind}-${id}`))
  }
  return { removed, setAside: aside, suspicion }
}

/** Snapshots and logs in the root that are not the live ones. */
function staleManifests(fs: FileSystem, root: string, snapshotId: number): string[] {
  const live = new Set([`v${snapshotId}`, `edits-${snapshotId}`])
  return fs
    .list(root)
    .filter(({ name, isFile }) => isFile && (isSnapshotName(name) || isEditLogName(name)))
    .filter(({ name }) => !live.has(name))
    .map(({ name }) => `${root}/${name}`)
}

function suspicionOf(
  recovered: RecoveredManifest,
  orphans: readonly LocatedFile[],
): string | undefined {
  if (!recovered.isComplete) return 'the manifest was read only in part'
  if (orphans.length > 0 && !recovered.log.isPresent) {
    return 'there is no edit log, which might have told about these files'
  }
  return undefined
}

/** Makes durable what was read (I2): the log's content, and the names in the root. */
function settleManifest(
  fs: FileSystem,
  root: string,
  recovered: RecoveredManifest,
  syncMode: SyncMode,
): void {
  if (recovered.log.isPresent) {
    const log = fs.openAppend(editLogPath(root, recovered.snapshotId))
    try {
      log.sync(syncMode)
    } finally {
      log.close()
    }
  }
  fs.syncDirectory(root)
}

function removeFile(fs: FileSystem, path: string): string {
  fs.remove(path)
  return path
}
