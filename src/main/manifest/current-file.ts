/**
 * Reading and replacing `current`, the commit point of every new snapshot (format-manifest-blob.md
 * 3). Main thread.
 *
 * I1: `current` is replaced by rename, after the new content was synced, and the rename is synced
 *     before success.
 * I2: whatever it names was synced, name and content, before (the caller's part).
 */
import {
  CURRENT_BYTES,
  type CurrentPointer,
  decodeCurrent,
  encodeCurrent,
} from '../../shared/format/current-pointer.js'
import { type FileSystem, isMissing, type SyncMode } from '../../shared/fs/file-system.js'
import { currentPath } from './directory-layout.js'
import { replaceFile } from './replace-file.js'

/** The pointer; undefined where there is no such file. */
export function readCurrent(fs: FileSystem, root: string): CurrentPointer | undefined {
  const path = currentPath(root)
  try {
    const file = fs.openRead(path)
    try {
      const bytes = new Uint8Array(CURRENT_BYTES)
      return decodeCurrent(bytes.subarray(0, file.read(bytes, 0)), path)
    } finally {
      file.close()
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Makes `current` name another snapshot, durably (I1). */
export function replaceCurrent(
  fs: FileSystem,
  root: string,
  pointer: CurrentPointer,
  syncMode: SyncMode,
): void {
  replaceFile(fs, root, { path: currentPath(root), bytes: encodeCurrent(pointer) }, syncMode)
}
