/**
 * Opening a tree: lock, manifest, directory, tables, clean-up, in the order that changes nothing before every check has
 * passed (format-manifest-blob.md 10). Main thread.
 */
import { assert, VarveError } from '../shared/base/errors.js'
import { type TableRecord, TreeType } from '../shared/format/version-model.js'
import type { DirectoryLock } from '../shared/fs/file-system.js'
import { processEnvironment } from './environment.js'
import { resolveFolder } from './folder.js'
import { lockPath, tablesFolder } from './manifest/directory-layout.js'
import { requireComplete, scanDirectory } from './manifest/directory-scan.js'
import { type RecoveredManifest, readManifest } from './manifest/manifest-reader.js'
import { ManifestWriter, makeDurableFolder } from './manifest/manifest-writer.js'
import { cleanUp } from './manifest/stale-files.js'
import { type OpenOptions, resolveOptions, type Settings } from './options.js'
import { abandonTables } from './scheduling/proposed-tables.js'
import { Tree } from './tree.js'
import { TreeCore } from './tree-core.js'
import { resolveCode, type TreeCode } from './user-code-options.js'
import type { Table } from './version/table.js'
import { Version } from './version/version.js'

/** What the manifest names as its writer. */
const WRITER_VERSION = 'varve 0.1.0'

/**
 * Opens the tree in the folder `path`, creating or recovering it.
 *
 * @param path the folder: a path or a file URL
 * @throws VARVE_LOCKED where another process has it open; VARVE_NOT_FOUND, VARVE_EXISTS by the options;
 *   VARVE_INVALID_VERSION, VARVE_COMPARATOR_MISMATCH, VARVE_UNRECOVERABLE and codes of damage by what is there, with
 *   nothing changed on disk
 *
 * @example
 * ```ts
 * await using tree = await open('my_db')
 * tree.insert('hello', 'world')
 * tree.getString('hello') // 'world'
 * ```
 */
export async function open(path: string | URL, options: OpenOptions = {}): Promise<Tree> {
  const settings = resolveOptions(options)
  const code = await resolveCode(options)
  const root = resolveFolder(path)
  const lock = takeLock(root, settings)
  try {
    const core = openCore(root, settings, code, lock)
    return new Tree(core)
  } catch (error) {
    lock?.release()
    throw error
  }
}

function takeLock(root: string, settings: Settings): DirectoryLock | undefined {
  const { fs } = settings
  if (!fs.exists(root)) {
    if (!settings.createIfMissing) {
      throw new VarveError(
        'VARVE_NOT_FOUND',
        `${root} does not exist; open it with createIfMissing: true`,
        {
          details: { file: root },
        },
      )
    }
    makeDurableFolder(fs, root)
  }
  // A read-only open leaves no file behind and shares the folder with whoever writes.
  if (settings.isReadOnly || !settings.directoryLock) return undefined
  return fs.lock(lockPath(root))
}

function readExisting(
  root: string,
  settings: Settings,
  comparatorName: string,
): RecoveredManifest | undefined {
  return readManifest(settings.fs, root, {
    codec: { hasher: processEnvironment().workspace.hasher },
    mode: settings.recoveryMode,
    comparatorName,
  })
}

function openCore(
  root: string,
  settings: Settings,
  code: TreeCode,
  lock: DirectoryLock | undefined,
): TreeCore {
  const { fs } = settings
  const comparatorName = code.order.name
  const recovered = readExisting(root, settings, comparatorName)
  const manifestOptions = {
    codec: { hasher: processEnvironment().workspace.hasher },
    comparatorName,
    writerVersion: WRITER_VERSION,
    syncMode: settings.syncMode,
    rotateBytes: settings.manifestLogRotateBytes,
  }
  if (recovered === undefined) {
    if (!settings.createIfMissing) {
      throw new VarveError(
        'VARVE_NOT_FOUND',
        `${root} holds no tree; open it with createIfMissing: true`,
        {
          details: { file: root },
        },
      )
    }
    const manifest = ManifestWriter.create(fs, root, TreeType.Standard, manifestOptions)
    return startCore(
      { root, settings, code, lock, manifest, nextTableId: 0 },
      emptyRecovery(manifest),
    )
  }
  if (settings.errorIfExists) {
    throw new VarveError(
      'VARVE_EXISTS',
      `${root} holds a tree already; open it without errorIfExists`,
      {
        details: { file: root },
      },
    )
  }
  requireSupported(root, recovered)
  const scan = scanDirectory(fs, root, recovered.version)
  requireComplete(scan, recovered.version, root)
  const manifest = settings.isReadOnly
    ? undefined
    : ManifestWriter.resume(fs, root, recovered, manifestOptions)
  const parts = { root, settings, code, lock, manifest, nextTableId: scan.nextTableId }
  const core = startCore(parts, recovered)
  if (manifest === undefined) return core
  try {
    if (!fs.exists(tablesFolder(root))) makeDurableFolder(fs, tablesFolder(root))
    cleanUp(fs, root, recovered, scan, settings.syncMode)
    return core
  } catch (error) {
    core.close()
    throw error
  }
}

function emptyRecovery(manifest: ManifestWriter): Pick<RecoveredManifest, 'version'> {
  return { version: manifest.version }
}

/** Trees of kinds that are not built yet are refused before anything is touched. */
function requireSupported(root: string, { version }: RecoveredManifest): void {
  if (version.treeType === TreeType.Standard && version.blobFiles.size === 0) return
  throw new VarveError(
    'VARVE_UNSUPPORTED',
    `${root} keeps values in blob files (key-value separation), which this version of varve does not read`,
    { details: { file: root, feature: 'kvSeparation' } },
  )
}

/** Makes the core and opens every table of the version; gives all of it up where one fails. */
function startCore(
  parts: ConstructorParameters<typeof TreeCore>[0],
  { version }: Pick<RecoveredManifest, 'version'>,
): TreeCore {
  const core = new TreeCore(parts)
  const opened: Table[] = []
  const openTable = (record: TableRecord): Table => {
    const table = core.openTable(record, version.restrictions.get(record.id))
    opened.push(table)
    return table
  }
  try {
    const levels = version.levels.map((runs) => runs.map((run) => run.map(openTable)))
    const { id, treeType, blobFiles, blobGcStats, restrictions } = version
    const extras = { blobFiles, blobGcStats, restrictions }
    core.start(new Version(id, treeType, levels, extras, core.order))
    assert(core.latest.version.id === version.id, 'the first version is the recovered one')
    return core
  } catch (error) {
    abandonTables(opened)
    core.close()
    throw error
  }
}
