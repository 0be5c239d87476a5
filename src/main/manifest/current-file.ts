/**
 * Reading and replacing `current`, the commit point of every new snapshot (format-manifest-blob.md
 * 3). Main thread.
 *
 * I1: `current` is replaced by rename, after the new content was synced, and the rename is synced
 *     before success.
 * I2: whatever it names was synced, name and content, before (the caller's part).
 */
import { VarveError } from '../../shared/base/errors.js'
import {
  CURRENT_BYTES,
  type CurrentPointer,
  decodeCurrent,
  encodeCurrent,
} from '../../shared/format/current-pointer.js'
import { type FileSystem, isMissing, type SyncMode } from '../../shared/fs/file-system.js'
import { currentPath } from './directory-layout.js'

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

/** Numbers the temporary files of this process. */
let sequence = 0

/**
 * Temporary names that earlier crashes may have left, at most; more means that something else is
 * wrong.
 */
const TEMPORARY_NAMES_MAX = 10_000

/** Makes `current` name another snapshot, durably (I1). */
export function replaceCurrent(
  fs: FileSystem,
  root: string,
  pointer: CurrentPointer,
  syncMode: SyncMode,
): void {
  const temporary = writeTemporary(fs, root, encodeCurrent(pointer), syncMode)
  try {
    fs.rename(temporary, currentPath(root))
  } catch (error) {
    removeQuietly(fs, temporary)
    throw error
  }
  fs.syncDirectory(root)
}

function writeTemporary(
  fs: FileSystem,
  root: string,
  bytes: Uint8Array,
  syncMode: SyncMode,
): string {
  for (let i = 0; i < TEMPORARY_NAMES_MAX; i++) {
    const path = `${root}/.tmp_${process.pid}_${sequence++}`
    try {
      const file = fs.create(path)
      try {
        file.write(bytes)
        file.sync(syncMode)
      } finally {
        file.close()
      }
      return path
    } catch (error) {
      if (VarveError.is(error) && error.details['errno'] === 'EEXIST') continue
      removeQuietly(fs, path)
      throw error
    }
  }
  throw new VarveError('VARVE_IO', `${root} is full of temporary files of earlier crashes`, {
    details: { file: root, errno: 'EEXIST' },
  })
}

function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.remove(path)
  } catch {
    // The failure that brought us here is the one to report.
  }
}
