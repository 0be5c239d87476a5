/**
 * Gives the blocks of a piece of an open file back to the file system, by `fallocate(2)` through our native addon: Node
 * has no call for it. Any thread.
 */
import { getSystemErrorName } from 'node:util'
import { loadAddon } from '../base/addon.js'

/** The addon's one function; 0, or the errno. */
interface PunchAddon {
  punch(descriptor: number, offset: number, length: number): number
}

let addon: PunchAddon | undefined
let isLoaded = false

/** @throws an error with a `code`: ENOSYS where the addon was not built for this machine, EOPNOTSUPP as the file system says */
export function punchDescriptor(descriptor: number, offset: number, length: number): void {
  if (!isLoaded) {
    isLoaded = true
    // Where there is none, files keep their blocks.
    addon = loadAddon('punch')
  }
  const code = addon === undefined ? 'ENOSYS' : errorName(addon.punch(descriptor, offset, length))
  if (code !== undefined) throw Object.assign(new Error(`fallocate: ${code}`), { code })
}

function errorName(errno: number): string | undefined {
  return errno === 0 ? undefined : getSystemErrorName(-errno)
}
