/**
 * Frozen files and directories under `test/golden/fixtures/`: where they are, and copies of them in
 * a memory file system.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FileSystem } from '../../src/shared/fs/file-system.js'

const FOLDER = fileURLToPath(new URL('../../../test/golden/fixtures/', import.meta.url))

/** The absolute path of a golden file or folder. */
export function goldenPath(name: string): string {
  return FOLDER + name
}

/**
 * Copies a golden folder, with all below it, to `target` of another file system, everything synced.
 */
export function copyGolden(name: string, fs: FileSystem, target: string): void {
  fs.makeDirectory(target)
  for (const entry of readdirSync(goldenPath(name))) {
    const source = `${name}/${entry}`
    if (statSync(goldenPath(source)).isDirectory()) {
      copyGolden(source, fs, `${target}/${entry}`)
    } else {
      const file = fs.create(`${target}/${entry}`)
      file.write(readFileSync(goldenPath(source)))
      file.sync('normal')
      file.close()
    }
  }
  fs.syncDirectory(target)
}
