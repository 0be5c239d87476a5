/**
 * What manifest tests share: the codec, versions to write, damage to do, and versions as comparable
 * text.
 */

import {
  emptyVersion,
  type ManifestVersion,
  type TableRecord,
  TreeType,
} from '../../src/shared/format/version-model.js'
import type { FileSystem } from '../../src/shared/fs/file-system.js'
import { slowHasher } from './slow-hasher.js'

export const codec = { hasher: slowHasher }

/** How these tests read, unless they say otherwise. */
export const readOptions = {
  codec,
  mode: 'absolute-consistency',
  comparatorName: 'default',
} as const

export function table(id: number, globalSeqno = 0): TableRecord {
  return { id, checksum: new Uint8Array(16).fill(id & 0xff), globalSeqno }
}

/** Version `id` with these runs of table ids in level 0. */
export function version(id: number, ...runs: number[][]): ManifestVersion {
  const empty = emptyVersion(TreeType.Standard, id)
  const level = runs.map((run) => run.map((tableId) => table(tableId)))
  return { ...empty, levels: [level, ...empty.levels.slice(1)] }
}

/** A version in one line per fact. */
export function describe(version: ManifestVersion): string {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const lines = [`version ${version.id} type ${version.treeType}`]
  for (const [level, runs] of version.levels.entries()) {
    const text = runs.map((run) =>
      run.map(({ id, checksum, globalSeqno }) => `${id}+${globalSeqno}:${hex(checksum)}`).join(' '),
    )
    if (runs.length > 0) lines.push(`L${level} [${text.join('] [')}]`)
  }
  for (const [id, checksum] of version.blobFiles) lines.push(`blob ${id}:${hex(checksum)}`)
  for (const [id, entry] of version.blobGcStats) lines.push(`gc ${id} ${JSON.stringify(entry)}`)
  for (const [id, key] of version.restrictions) lines.push(`restrict ${id} ${hex(key)}`)
  return lines.join('\n')
}

export function readFile(fs: FileSystem, path: string): Uint8Array {
  const file = fs.openRead(path)
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  file.close()
  return bytes
}

/** Replaces a file's content, durably. */
export function writeFile(fs: FileSystem, path: string, bytes: Uint8Array): void {
  fs.remove(path)
  const file = fs.create(path)
  file.write(bytes)
  file.sync('normal')
  file.close()
}

/** A file in memory, for readers that want one. */
export function memoryFile(bytes: Uint8Array, path = 'v0') {
  return {
    path,
    size: () => bytes.length,
    read(target: Uint8Array, offset: number): number {
      const piece = bytes.subarray(offset, offset + target.length)
      target.set(piece)
      return piece.length
    },
    close() {},
  }
}
