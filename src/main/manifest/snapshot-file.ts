/**
 * Writing a snapshot and making it the live one: for a new tree, a rotation, a checkpoint and a
 * repair. Main thread.
 *
 *     v{N}: zeros, body, mirror over the zeros, fsync → fsync folder → current (`current-file.ts`)
 *
 * I1: the footer at the tail is written before its mirror; a crash in between leaves a valid tail.
 * I2: up to the replacement of `current` the old manifest stays live and untouched.
 */

import type { Hasher } from '../../shared/base/checksum.js'
import { canonicalDigest } from '../../shared/format/manifest-footer.js'
import { HEAD_BYTES, type SnapshotImage } from '../../shared/format/manifest-snapshot.js'
import type { FileSystem, SyncMode } from '../../shared/fs/file-system.js'
import { replaceCurrent } from './current-file.js'
import { snapshotPath } from './directory-layout.js'

/** Writes snapshot `v{id}`, which must not exist, and points `current` at it. */
export function installSnapshot(
  fs: FileSystem,
  root: string,
  snapshot: { readonly id: number; readonly image: SnapshotImage },
  options: { readonly hasher: Hasher; readonly syncMode: SyncMode },
): void {
  writeSnapshot(fs, root, snapshot.id, snapshot.image, options.syncMode)
  switchToSnapshot(fs, root, snapshot, options)
}

/** Makes a snapshot that is durable the current one. */
export function switchToSnapshot(
  fs: FileSystem,
  root: string,
  snapshot: { readonly id: number; readonly image: SnapshotImage },
  options: { readonly hasher: Hasher; readonly syncMode: SyncMode },
): void {
  const { id, image } = snapshot
  const digest = canonicalDigest(id, image.footer, options.hasher)
  replaceCurrent(fs, root, { snapshotId: id, digest }, options.syncMode)
}

/** Writes a snapshot that nothing names yet, and makes it durable. */
export function writeSnapshot(
  fs: FileSystem,
  root: string,
  id: number,
  image: SnapshotImage,
  syncMode: SyncMode,
): void {
  const file = fs.create(snapshotPath(root, id))
  try {
    file.write(new Uint8Array(HEAD_BYTES))
    file.write(image.body)
    file.writeAt(image.head, 0)
    file.sync(syncMode)
  } finally {
    file.close()
  }
  fs.syncDirectory(root)
}
