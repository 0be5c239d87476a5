/** A whole tree directory: the live version, every table and blob file it names, and what is visible in it. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type DecodedBlobFile, decodeBlobFile, readBlob } from './blob-file.js'
import { type Comparator, check, checkEqual, compareBytes, fail } from './bytes.js'
import {
  type Current,
  decodeCurrent,
  decodeSnapshot,
  replay,
  type Snapshot,
  type Version,
} from './manifest.js'
import { decodeEditLog, type Edit, type TableRecord } from './manifest-records.js'
import { type MergeOperator, Model, type ModelEntry, type Pair } from './model.js'
import { KIND_INDIRECTION } from './restart-block.js'
import { decodeBlobPointer, type RangeTombstone } from './side-sections.js'
import { type DecodedTable, decodeTable, type TableOptions } from './table.js'
import { boundsOf } from './table-summary.js'

export interface TreeOptions
  extends Pick<TableOptions, 'zstd' | 'dictionary' | 'decrypt' | 'compare'> {
  readonly merge?: MergeOperator | undefined
  /** Base folders of level routes, beside the tree's own. */
  readonly routes?: readonly string[] | undefined
  readonly comparatorName?: string | undefined
}

export interface TreeTable {
  readonly level: number
  readonly run: number
  readonly record: TableRecord
  readonly restriction: Uint8Array | undefined
  readonly table: DecodedTable
}

export interface DecodedTree {
  readonly current: Current
  readonly snapshot: Snapshot
  readonly edits: readonly Edit[]
  readonly version: Version
  /** Level by level, run by run, in the order of the manifest. */
  readonly tables: readonly TreeTable[]
  readonly blobFiles: ReadonlyMap<number, DecodedBlobFile>
  /** Files below `tables` and `blobs` that the live version does not name, relative to the tree. */
  readonly orphans: readonly string[]
  /** The highest effective seqno of the tables; undefined for an empty tree. */
  readonly highestSeqno: bigint | undefined
  readonly model: Model
  visible(seqno: bigint): Pair[]
}

export function decodeTree(folder: string, options: TreeOptions = {}): DecodedTree {
  const current = decodeCurrent(read(join(folder, 'current')))
  const id = current.snapshotId
  const snapshot = decodeSnapshot(read(join(folder, `v${id}`)), id, options)
  checkEqual(current.digest, snapshot.digest, 'current', 'digest')
  checkEqual(snapshot.comparatorName, options.comparatorName ?? 'default', `v${id}`, 'comparator')
  const log = join(folder, `edits-${id}`)
  const edits = existsSync(log) ? decodeEditLog(read(log), `edits-${id}`) : []
  const version = replay(snapshot, edits)
  const names = listIds(folder, options.routes ?? [])
  const tables = decodeTables(version, names.tables, options)
  checkRuns(tables, options.compare ?? compareBytes)
  if (snapshot.treeType === 'standard') {
    checkEqual(version.blobFiles.size, 0, `v${id}`, 'blob files of a standard tree')
  }
  const blobFiles = decodeBlobFiles(version, names.blobs, options)
  checkLinks(version, tables, blobFiles)
  const model = buildModel(tables, blobFiles, options)
  const seqnos = tables.map(({ table, record }) => table.meta.maxSeqno + record.globalSeqno)
  return {
    current,
    snapshot,
    edits,
    version,
    tables,
    blobFiles,
    orphans: [
      ...orphans('tables', names.tables, new Set(tables.map(({ record }) => record.id))),
      ...orphans('blobs', names.blobs, new Set(version.blobFiles.keys())),
    ],
    highestSeqno: seqnos.length === 0 ? undefined : boundsOf(seqnos).max,
    model,
    visible: (seqno) => model.visible(seqno),
  }
}

function read(path: string): Uint8Array {
  return existsSync(path) ? readFileSync(path) : fail(path, 'is missing')
}

/** The files of a folder by the id that is their name; any other name is an error. */
function idsIn(folder: string): Map<number, string> {
  const ids = new Map<number, string>()
  if (!existsSync(folder)) return ids
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const foreign = name === '.DS_Store' || name.startsWith('._')
    if (foreign || statSync(path).isDirectory()) continue
    check(/^(0|[1-9][0-9]*)$/.test(name), path, 'is not named by an id')
    ids.set(Number(name), path)
  }
  return ids
}

function listIds(folder: string, routes: readonly string[]) {
  const bases = [folder, ...routes].map((base) => idsIn(join(base, 'tables')))
  const tables = new Map(bases.reverse().flatMap((ids) => [...ids]))
  return { tables, blobs: idsIn(join(folder, 'blobs')) }
}

function orphans(kind: string, found: ReadonlyMap<number, string>, live: ReadonlySet<number>) {
  return [...found.keys()].filter((id) => !live.has(id)).map((id) => `${kind}/${id}`)
}

function decodeTables(
  version: Version,
  paths: ReadonlyMap<number, string>,
  options: TreeOptions,
): TreeTable[] {
  const decode = (record: TableRecord, level: number, run: number): TreeTable => {
    const where = `table ${record.id}`
    const bytes = read(paths.get(record.id) ?? fail(where, 'has no file'))
    const restriction = version.restrictions.get(record.id)
    const table = decodeTable(bytes, { ...options, where, tableId: record.id, restriction })
    // A restricted table may be punched, and then no longer has the bytes that were hashed.
    if (restriction === undefined) {
      checkEqual(table.checksum, record.checksum, where, 'checksum of the file')
    }
    return { level, run, record, restriction, table }
  }
  return version.levels.flatMap((runs, level) =>
    runs.flatMap((run, ordinal) => run.map((record) => decode(record, level, ordinal))),
  )
}

/** Within a run, tables ascend and their key ranges do not touch. */
function checkRuns(tables: readonly TreeTable[], compare: Comparator): void {
  tables.forEach(({ level, run, record, table }, i) => {
    const { minKey, maxKey } = table.meta
    const where = `table ${record.id}`
    check(compare(minKey, maxKey) <= 0, where, 'key range is turned around')
    const previous = tables[i - 1]
    if (previous === undefined || previous.level !== level || previous.run !== run) return
    const apart = compare(previous.table.meta.maxKey, minKey) < 0
    check(apart, where, `overlaps table ${previous.record.id} of its run in level ${level}`)
  })
}

function decodeBlobFiles(
  version: Version,
  paths: ReadonlyMap<number, string>,
  options: TreeOptions,
): Map<number, DecodedBlobFile> {
  const files = new Map<number, DecodedBlobFile>()
  for (const { id, checksum } of version.blobFiles.values()) {
    const where = `blob file ${id}`
    const bytes = read(paths.get(id) ?? fail(where, 'has no file'))
    const file = decodeBlobFile(bytes, { ...options, where, fileId: id })
    checkEqual(file.checksum, checksum, where, 'checksum of the file')
    files.set(id, file)
  }
  return files
}

/** What is dead by the statistics and what is still referenced may not exceed what a blob file holds. */
function checkLinks(
  version: Version,
  tables: readonly TreeTable[],
  blobFiles: ReadonlyMap<number, DecodedBlobFile>,
): void {
  const restricted = version.restrictions.size > 0
  for (const [id, { meta }] of blobFiles) {
    let { count, bytes, onDiskBytes } = version.gc.get(id) ?? NOTHING_DEAD
    for (const { table } of tables) {
      const link = table.linkedBlobFiles?.find((candidate) => candidate.id === id)
      count += link?.references ?? 0
      bytes += link?.bytes ?? 0
      onDiskBytes += link?.onDiskBytes ?? 0
    }
    if (restricted) continue
    const where = `blob file ${id}`
    check(count <= meta.itemCount, where, `${count} of ${meta.itemCount} blobs accounted for`)
    const total = meta.uncompressedSize
    check(bytes <= total, where, `${bytes} of ${total} value bytes accounted for`)
    check(onDiskBytes <= meta.fileSize, where, `${onDiskBytes} of ${meta.fileSize} stored bytes`)
  }
}

const NOTHING_DEAD = { count: 0, bytes: 0, onDiskBytes: 0 }

function buildModel(
  tables: readonly TreeTable[],
  blobFiles: ReadonlyMap<number, DecodedBlobFile>,
  options: TreeOptions,
): Model {
  const compare = options.compare ?? compareBytes
  const entries: ModelEntry[] = []
  const tombstones: RangeTombstone[] = []
  for (const { level, run, record, restriction, table } of tables) {
    const where = `table ${record.id}`
    const isValid = (key: Uint8Array) => restriction === undefined || compare(key, restriction) >= 0
    const rank = level === 0 ? 0 : level * 1_000_000 + run
    for (const { key, seqno, kind, value } of table.sentinel ? [] : table.entries) {
      if (!isValid(key)) continue
      const resolved =
        kind === KIND_INDIRECTION ? followPointer(blobFiles, key, value, where) : value
      entries.push({ key, seqno: seqno + record.globalSeqno, kind, value: resolved, rank })
    }
    for (const tombstone of table.rangeTombstones) {
      const start = isValid(tombstone.start) ? tombstone.start : restriction!
      if (compare(start, tombstone.end) < 0) tombstones.push({ ...tombstone, start })
    }
  }
  return new Model(entries, tombstones, compare, options.merge)
}

function followPointer(
  blobFiles: ReadonlyMap<number, DecodedBlobFile>,
  key: Uint8Array,
  value: Uint8Array,
  where: string,
): Uint8Array {
  const pointer = decodeBlobPointer(value, where)
  const file = blobFiles.get(pointer.fileId)
  if (file === undefined) fail(where, `points into blob file ${pointer.fileId}, which is not live`)
  return readBlob(file, key, pointer, where)
}
