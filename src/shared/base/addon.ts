/**
 * Our native addons, each one function that Node has no call for, or a slower one: whether it is there, and nothing about
 * what it does. Any thread.
 *
 * I1: an addon is never needed: where it was not built for this machine, its users do without.
 */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** The addon `native/<name>.c`; undefined where it was not built for this machine. */
export function loadAddon<Addon>(name: string): Addon | undefined {
  const folder = `${process.platform}-${process.arch}`
  const url = new URL(`../../../../native/build/${folder}/${name}.node`, import.meta.url)
  try {
    return createRequire(import.meta.url)(fileURLToPath(url)) as Addon
  } catch {
    return undefined
  }
}
