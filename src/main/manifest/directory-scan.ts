/**
 * Compares the files in `tables/` and `blobs/` with a version: what is there, what is missing, what
 * belongs to nobody (format-manifest-blob.md 10.3). Main thread; reads only.
 *
 * I1: a name that is no id aborts: such a folder is not only ours. `.DS_Store`, `._*` and
 *     sub-folders are passed over.
 * I2: the same id found twice: the first folder wins, and no other copy is ever an orphan.
 * I3: `nextTableId` and `nextBlobFileId` lie beyond every id seen, orphans included, so that no new
 *     file meets an old one.
 */
import { VarveError } from '../../shared/base/errors.js'
import { type ManifestVersion, tablesOf } from '../../shared/format/version-model.js'
import { type FileSystem, isMissing } from '../../shared/fs/file-system.js'
import { blobsFolder, isIgnoredName, parseFileId, tablesFolder } from './directory-layout.js'

/** Levels that live under another base folder. */
export interface LevelRoute {
  /** First level of the route, and the one behind its last. */
  readonly levels: readonly [from: number, to: number]
  /** The base folder; its tables are in `<path>/tables`. */
  readonly path: string
  /** Its file system; default the tree's own. */
  readonly fs?: FileSystem | undefined
}

/** A file with the file system that holds it. */
export interface LocatedFile {
  readonly id: number
  readonly path: string
  readonly fs: FileSystem
}

export interface DirectoryScan {
  /** Referenced tables by id. */
  readonly tables: ReadonlyMap<number, LocatedFile>
  readonly blobFiles: ReadonlyMap<number, LocatedFile>
  readonly orphanTables: readonly LocatedFile[]
  readonly orphanBlobFiles: readonly LocatedFile[]
  /** Further copies of referenced files (I2). */
  readonly duplicates: readonly LocatedFile[]
  readonly missingTables: readonly { readonly id: number; readonly level: number }[]
  readonly missingBlobFiles: readonly number[]
  readonly nextTableId: number
  readonly nextBlobFileId: number
}

/** The folders of tables, the root's first, each once. */
export function tablesFolders(
  fs: FileSystem,
  root: string,
  routes: readonly LevelRoute[] = [],
): { readonly fs: FileSystem; readonly path: string }[] {
  const all = [
    { fs, path: tablesFolder(root) },
    ...routes.map((route) => ({ fs: route.fs ?? fs, path: tablesFolder(route.path) })),
  ]
  const isFirst = (folder: (typeof all)[number], index: number) =>
    all.findIndex((other) => other.path === folder.path && other.fs === folder.fs) === index
  return all.filter(isFirst)
}

/**
 * Scans the folders of a tree. Missing files are reported, not thrown: see {@link requireComplete}.
 */
export function scanDirectory(
  fs: FileSystem,
  root: string,
  version: ManifestVersion,
  routes: readonly LevelRoute[] = [],
): DirectoryScan {
  const levelOf = new Map([...tablesOf(version)].map(({ table, level }) => [table.id, level]))
  const folders = tablesFolders(fs, root, routes)
  const tables = sortOut(
    folders.flatMap((folder) => listIds(folder.fs, folder.path)),
    levelOf,
  )
  const blobs = sortOut(listIds(fs, blobsFolder(root)), version.blobFiles)
  return {
    tables: tables.referenced,
    blobFiles: blobs.referenced,
    orphanTables: tables.orphans,
    orphanBlobFiles: blobs.orphans,
    duplicates: [...tables.duplicates, ...blobs.duplicates],
    missingTables: [...levelOf]
      .filter(([id]) => !tables.referenced.has(id))
      .map(([id, level]) => ({ id, level })),
    missingBlobFiles: [...version.blobFiles.keys()].filter((id) => !blobs.referenced.has(id)),
    // An empty tree that was reopened continues with table 1, as upstream does.
    nextTableId: Math.max(0, largest(levelOf.keys()), tables.maxId) + 1,
    nextBlobFileId: Math.max(largest(version.blobFiles.keys()), blobs.maxId) + 1,
  }
}

/**
 * Throws where a referenced file is missing: VARVE_ROUTE_MISMATCH if a route explains it, else
 * VARVE_UNRECOVERABLE.
 */
export function requireComplete(
  scan: DirectoryScan,
  version: ManifestVersion,
  root: string,
  routes: readonly LevelRoute[] = [],
): void {
  const { missingTables, missingBlobFiles } = scan
  if (missingTables.length > 0) {
    const isRouted = (level: number) =>
      routes.some(({ levels: [from, to] }) => level >= from && level < to)
    const explains = routes.length > 0 && missingTables.every(({ level }) => !isRouted(level))
    const expected = [...tablesOf(version)].length
    throw new VarveError(
      explains ? 'VARVE_ROUTE_MISMATCH' : 'VARVE_UNRECOVERABLE',
      `${missingTables.length} tables of ${root} are missing, ` +
        `among them table ${missingTables[0]?.id}` +
        (explains ? ': no current level route covers their levels; was one removed?' : ''),
      { details: { file: root, expected, found: expected - missingTables.length } },
    )
  }
  if (missingBlobFiles.length > 0) {
    throw new VarveError(
      'VARVE_UNRECOVERABLE',
      `${missingBlobFiles.length} blob files of ${root} are missing, ` +
        `among them ${missingBlobFiles[0]}`,
      { details: { file: root, expected: version.blobFiles.size, found: scan.blobFiles.size } },
    )
  }
}

/** The largest id, or -1; not `Math.max(...)`, whose arguments lie on the stack. */
function largest(ids: Iterable<number>): number {
  let max = -1
  for (const id of ids) if (id > max) max = id
  return max
}

interface SortedFiles {
  readonly referenced: Map<number, LocatedFile>
  readonly orphans: LocatedFile[]
  readonly duplicates: LocatedFile[]
  readonly maxId: number
}

function sortOut(files: readonly LocatedFile[], live: ReadonlyMap<number, unknown>): SortedFiles {
  const sorted: SortedFiles = {
    referenced: new Map(),
    orphans: [],
    duplicates: [],
    maxId: largest(files.map((file) => file.id)),
  }
  for (const file of files) {
    if (!live.has(file.id)) sorted.orphans.push(file)
    else if (sorted.referenced.has(file.id)) sorted.duplicates.push(file)
    else sorted.referenced.set(file.id, file)
  }
  return sorted
}

/** The files of one folder by their ids; none where the folder is missing. */
function listIds(fs: FileSystem, folder: string): LocatedFile[] {
  // Most trees have no blobs, and an error takes much longer to make than this.
  if (!fs.exists(folder)) return []
  let entries: ReturnType<FileSystem['list']>
  try {
    entries = fs.list(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
  const files: LocatedFile[] = []
  for (const { name, isDirectory } of entries) {
    if (isDirectory || isIgnoredName(name)) continue
    const path = `${folder}/${name}`
    const id = parseFileId(name)
    if (id === undefined) {
      throw new VarveError(
        'VARVE_UNRECOVERABLE',
        `${path} is no file of this engine; move it elsewhere to open the tree`,
        { details: { file: path, reason: 'foreign-file' } },
      )
    }
    if (typeof id === 'bigint') {
      throw new VarveError('VARVE_UNSUPPORTED', `${path} has an id above 2^53 - 1`, {
        details: { file: path },
      })
    }
    files.push({ id, path, fs })
  }
  return files
}
