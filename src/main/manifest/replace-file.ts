/**
 * Replacing a small file as a whole: written beside it under a temporary name, synced, renamed. Main thread.
 *
 * I1: a crash leaves the old content or the new one; on return it is the new one, durably.
 */
import { VarveError } from '../../shared/base/errors.js'
import type { FileSystem, SyncMode } from '../../shared/fs/file-system.js'

/** Numbers the temporary files of this process. */
let sequence = 0

/**
 * Temporary names that earlier crashes may have left, at most; more means that something else is
 * wrong.
 */
const TEMPORARY_NAMES_MAX = 10_000

/** Makes `bytes` the content of a file in the folder `root`. */
export function replaceFile(
  fs: FileSystem,
  root: string,
  file: { readonly path: string; readonly bytes: Uint8Array },
  syncMode: SyncMode,
): void {
  const temporary = writeTemporary(fs, root, file.bytes, syncMode)
  try {
    fs.rename(temporary, file.path)
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
