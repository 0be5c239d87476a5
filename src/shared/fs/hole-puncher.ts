/**
 * Gives the blocks of a piece of an open file back to the file system, by `fallocate(2)` through our native addon: Node
 * has no call for it. Any thread.
 */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { getSystemErrorName } from 'node:util'

/** The addon's one function; 0, or the errno. */
interface PunchAddon {
  punch(descriptor: number, offset: number, length: number): number
}

const ADDON_PATH = fileURLToPath(
  new URL(
    `../../../../native/build/${process.platform}-${process.arch}/punch.node`,
    import.meta.url,
  ),
)

let addon: PunchAddon | undefined
let isLoaded = false

/** @throws an error with a `code`: ENOSYS where the addon was not built for this machine, EOPNOTSUPP as the file system says */
export function punchDescriptor(descriptor: number, offset: number, length: number): void {
  if (!isLoaded) {
    isLoaded = true
    try {
      addon = createRequire(import.meta.url)(ADDON_PATH) as PunchAddon
    } catch {
      // Not built for this machine: files keep their blocks.
    }
  }
  const code = addon === undefined ? 'ENOSYS' : errorName(addon.punch(descriptor, offset, length))
  if (code !== undefined) throw Object.assign(new Error(`fallocate: ${code}`), { code })
}

function errorName(errno: number): string | undefined {
  return errno === 0 ? undefined : getSystemErrorName(-errno)
}
