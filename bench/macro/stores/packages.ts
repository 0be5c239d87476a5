/** Finds the engines of other packages, which `npm install --prefix bench/peers` brings and nothing else needs. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The sources lie beside `build`. */
const peersFolder = fileURLToPath(new URL('../../../../bench/peers/', import.meta.url))

/** The package's exports; undefined where it is not installed, or not built for this machine. */
export function optional(name: string): unknown {
  if (!existsSync(join(peersFolder, 'node_modules', name))) return undefined
  try {
    return createRequire(join(peersFolder, 'package.json'))(name)
  } catch {
    return undefined
  }
}
