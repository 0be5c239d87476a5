/** Writes tables of plain versions with the engine's writer into a memory file system. */
import type { RangeTombstone } from '../../src/shared/format/range-tombstone.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { ADD_BLOCK_FULL, ADD_NO_SPACE, ADD_OK } from '../../src/shared/kernel/layout.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import type { Workspace } from '../../src/shared/memory/workspace.js'
import type { TableProposal } from '../../src/shared/table/table-proposal.js'
import {
  type TableEnding,
  type TableShape,
  TableWriter,
} from '../../src/shared/table/table-writer.js'
import { decodeArchive } from './decoder/archive.js'
import { place } from './workspace.js'

export const PLAIN_SHAPE: TableShape = {
  blockSize: 4096,
  restartInterval: 16,
  indexRestartInterval: 1,
  hashRatio: 0,
  compression: { kind: 'none' },
  indexCompression: { kind: 'none' },
  filter: { bits: 0, format: 'v5', isPartitioned: false },
  indexSpillBytes: 4 << 20,
  hasSeqnoBounds: false,
  hasZoneMap: false,
  initialLevel: 0,
  writerVersion: '5.7.0',
  syncMode: 'normal',
}

export interface WrittenTable {
  readonly bytes: Uint8Array
  readonly proposal: TableProposal
}

/** Adds an entry, dealing with what the writer wants meanwhile. */
export function addVersion(workspace: Workspace, writer: TableWriter, version: Version): void {
  const { kernel } = workspace.shared
  const { key, seqno, kind, value } = version
  const keyAt = place(workspace, key)
  const valueAt = place(workspace, value)
  for (;;) {
    const result = kernel.table_add_at(
      ...([writer.writerAddress, writer.sumsAddress, writer.shape.blockSize] as const),
      ...([keyAt, key.length, seqno, kind, valueAt, value.length] as const),
    )
    if (result === ADD_OK) break
    if (result === ADD_BLOCK_FULL) writer.sealBlock()
    else if (result === ADD_NO_SPACE) writer.growBlock()
    else writer.cutFilter()
  }
  workspace.heap.free(keyAt)
  workspace.heap.free(valueAt)
}

/** The whole file at `path`. */
export function readWhole(fs: MemoryFileSystem, path: string): Uint8Array {
  const file = fs.openRead(path)
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  file.close()
  return bytes
}

/** A file system that holds `bytes` at `path`. */
export function fileSystemWith(path: string, bytes: Uint8Array): MemoryFileSystem {
  const fs = new MemoryFileSystem()
  const file = fs.create(path)
  file.write(bytes)
  file.close()
  return fs
}

export function writeTable(
  workspace: Workspace,
  id: number,
  versions: readonly Version[],
  shape: Partial<TableShape> = {},
  ending: Partial<TableEnding> = {},
): WrittenTable {
  const fs = new MemoryFileSystem()
  const writer = new TableWriter(workspace, fs, { ...PLAIN_SHAPE, ...shape })
  const path = `/${id}`
  writer.start(id, path)
  for (const version of versions) addVersion(workspace, writer, version)
  const none: readonly RangeTombstone[] = []
  // Nothing in memory is under way when it has returned.
  const { table: proposal } = writer.finish({
    rangeTombstones: none,
    createdAtNs: 0n,
    ...ending,
  })
  writer.dispose()
  return { bytes: readWhole(fs, path), proposal }
}

/** Where the sections of this name begin in a table's file. */
export function sectionsOf(fs: MemoryFileSystem, path: string, name: string): number[] {
  const { sections } = decodeArchive(readWhole(fs, path), path)
  return sections.filter((section) => section.name === name).map(({ offset }) => offset)
}
