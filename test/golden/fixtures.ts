/** Finds the golden fixtures: those of the repository and, where they are at hand, the complete set. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')

/** The repository's own fixtures, before any other. */
export const goldenFolder = join(repository, 'test/golden/fixtures')

/** Every folder of fixtures there is: the repository's, the environment's, and one beside the repository. */
export function fixtureFolders(): string[] {
  const beside = join(repository, '../shared/fixtures')
  const named = process.env['VARVE_FIXTURES']
  const all = [goldenFolder, ...(named ? [resolve(named)] : []), resolve(beside)]
  return [...new Set(all)].filter((folder) => existsSync(folder))
}

/** The subfolders of a folder, sorted; none where it does not exist. */
export function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name))
    .sort()
}

/** The lines of a text file, which may be stored compressed, without its last line break. */
export function linesOf(path: string): string[] {
  const packed = `${path}.gz`
  const bytes = existsSync(packed) ? gunzipSync(readFileSync(packed)) : readFileSync(path)
  const text = bytes.toString('utf8')
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}
