/**
 * The exclusive `flock(2)` on an open descriptor: what two engines, ours or the Rust crate's,
 * exclude each other with. Main thread only. Node has no flock, so there are two ways to it: our
 * small native addon, and the system's `flock` command run on the inherited descriptor.
 *
 * I1: the lock belongs to the open file description. It goes with our descriptor, however the
 *     process ends; the command may end long before. A second open of the same file, in this
 *     process too, has a description of its own and is refused.
 * I2: an existing LOCK file means nothing; only a held lock does.
 */
import { spawnSync } from 'node:child_process'
import { getSystemErrorName } from 'node:util'
import { loadAddon } from '../base/addon.js'
import { VarveError } from '../base/errors.js'

/** One way to lock a descriptor. */
export interface DescriptorLock {
  readonly name: 'addon' | 'command'
  /**
   * Takes the exclusive lock without waiting: false where another holds it; throws where locking
   * fails.
   */
  tryLock(descriptor: number): boolean
}

/** The addon's one function: flock(LOCK_EX | LOCK_NB); 0, or the errno. */
interface FlockAddon {
  flock(descriptor: number): number
}

/**
 * Exit code by which `flock -n` answers contention (util-linux and busybox alike); others are
 * failures of its own.
 */
const CONTENDED_EXIT = 1

/** The command answers at once; a machine that takes this long has other troubles. */
const COMMAND_TIMEOUT_MS = 10_000

/** The way through the native addon; undefined where it was not built for this machine. */
export function addonLock(): DescriptorLock | undefined {
  const addon = loadAddon<FlockAddon>('flock')
  if (addon === undefined) return undefined
  return {
    name: 'addon',
    tryLock(descriptor) {
      const errno = addon.flock(descriptor)
      if (errno === 0) return true
      const code = getSystemErrorName(-errno)
      if (code === 'EAGAIN' || code === 'EWOULDBLOCK') return false
      throw Object.assign(new Error(`flock: ${code}`), { code })
    },
  }
}

/** The way through the system's `flock` command; `command` is another one for tests. */
export function commandLock(command = 'flock'): DescriptorLock {
  return {
    name: 'command',
    tryLock(descriptor) {
      const { error, status, signal } = spawnSync(command, ['-n', '-x', '3'], {
        stdio: ['ignore', 'ignore', 'ignore', descriptor],
        timeout: COMMAND_TIMEOUT_MS,
      })
      if (error !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') {
        throw unsupported()
      }
      if (error !== undefined) throw error
      if (status === 0) return true
      if (status === CONTENDED_EXIT) return false
      throw new Error(`the flock command ended with ${signal ?? `exit code ${status}`}`)
    },
  }
}

let best: DescriptorLock | undefined

/** The best way that this machine has: the addon, else the command. */
export function descriptorLock(): DescriptorLock {
  best ??= addonLock() ?? commandLock()
  return best
}

function unsupported(): VarveError {
  return new VarveError(
    'VARVE_UNSUPPORTED',
    'this machine has neither the native addon nor the flock command to lock a folder with; ' +
      'open with directoryLock: false and make sure that one process at a time has it open',
    { details: { option: 'directoryLock' } },
  )
}
