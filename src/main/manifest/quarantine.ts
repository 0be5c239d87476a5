/**
 * Setting files aside instead of deleting them: into `repair-quarantine/` beside their folder, as
 * repair does. Main thread.
 *
 * I1: nothing in the quarantine is ever overwritten or removed by the engine.
 */
import { VarveError } from '../../shared/base/errors.js'
import type { FileSystem, SyncMode, WritableFile } from '../../shared/fs/file-system.js'
import { quarantineFolder } from './directory-layout.js'

/** Files of one name that the quarantine takes; more is a fault that repeats at every open. */
const SAME_NAME_MAX = 1000

/** Bytes copied at once. */
const COPY_BYTES = 65_536

/**
 * Moves a file into the quarantine of `base` under `name`, or `name.1`, …; returns where it went.
 */
export function setAside(fs: FileSystem, base: string, source: string, name: string): string {
  const folder = quarantineFolder(base)
  fs.makeDirectory(folder)
  const target = freePath(fs, `${folder}/${name}`)
  fs.rename(source, target)
  fs.syncDirectory(folder)
  return target
}

/** Copies the bytes of a file from `offset` to its end into the quarantine of `base`, durably. */
export function copyTailAside(
  fs: FileSystem,
  base: string,
  tail: { readonly source: string; readonly offset: number; readonly name: string },
  syncMode: SyncMode,
): string {
  const folder = quarantineFolder(base)
  fs.makeDirectory(folder)
  const target = freePath(fs, `${folder}/${tail.name}`)
  const file = fs.create(target)
  try {
    copyTail(fs, tail, file)
    file.sync(syncMode)
  } finally {
    file.close()
  }
  fs.syncDirectory(folder)
  fs.syncDirectory(base)
  return target
}

function copyTail(
  fs: FileSystem,
  { source, offset }: { readonly source: string; readonly offset: number },
  target: WritableFile,
): void {
  const file = fs.openRead(source)
  try {
    const bytes = new Uint8Array(COPY_BYTES)
    for (let at = offset; ; at += bytes.length) {
      const count = file.read(bytes, at)
      target.write(bytes.subarray(0, count))
      if (count < bytes.length) return
    }
  } finally {
    file.close()
  }
}

function freePath(fs: FileSystem, path: string): string {
  if (!fs.exists(path)) return path
  for (let i = 1; i < SAME_NAME_MAX; i++) if (!fs.exists(`${path}.${i}`)) return `${path}.${i}`
  throw new VarveError('VARVE_IO', `${path} was set aside too often; look into its folder`, {
    details: { file: path, errno: 'EEXIST' },
  })
}
