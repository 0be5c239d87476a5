/**
 * Reads a piece of an open file by `pread(2)` through our native addon, without what Node puts around that call. Any thread.
 *
 * It changes nothing but how long a read takes: where the addon was not built, `fs.readSync` does the same.
 */
import { getSystemErrorName } from 'node:util'
import { loadAddon } from '../base/addon.js'

/** Reads at `offset` into `length` bytes of `bytes` from `at` on, as far as the file goes; the bytes read. */
export type DescriptorRead = (
  descriptor: number,
  bytes: Uint8Array,
  at: number,
  length: number,
  offset: number,
) => number

/** The addon's one function; the bytes read, or the negative errno. */
interface ReadAddon {
  readonly read: DescriptorRead
}

/**
 * The way through the addon, which throws errors with a `code`, as `fs.readSync` does; undefined where it was not built for
 * this machine.
 */
export function addonRead(): DescriptorRead | undefined {
  const addon = loadAddon<ReadAddon>('read')
  if (addon === undefined) return undefined
  const { read } = addon
  return (descriptor, bytes, at, length, offset) => {
    const count = read(descriptor, bytes, at, length, offset)
    if (count >= 0) return count
    const code = getSystemErrorName(count)
    throw Object.assign(new Error(`read: ${code}`), { code })
  }
}
