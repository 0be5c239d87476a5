/**
 * Checkpoints: a second folder that opens as a tree of its own, made of hard links, reflinks or copies of the table files
 * (semantics.md 11, format-manifest-blob.md 15). Main thread; large copies run off it where the file system can.
 *
 *     mkdir ──→ flush ──→ hold the version ──→ transfer tables ──→ v{id} ──→ current ──→ let go
 *       │          any failure from here on removes the folder
 *       └─ exists: VARVE_EXISTS, nothing touched
 *
 * I1: the version is held from the moment it is chosen until `current` is durable, so none of its files is removed
 *     meanwhile, whatever compacts or clears the tree.
 * I2: table files are immutable and are only ever unlinked: a linked one can be shared with the source for good.
 * I3: `current` comes last; what a crash leaves before it refuses to open.
 */
import { VarveError } from '../shared/base/errors.js'
import { type FileSystem, parentPath, type SyncMode } from '../shared/fs/file-system.js'
import { tablesFolder } from './manifest/directory-layout.js'
import type { Scheduler } from './scheduling/scheduler.js'
import type { TreeCore } from './tree-core.js'
import type { SuperVersion } from './version/super-version.js'

/** What a checkpoint holds. */
export interface CheckpointInfo {
  readonly path: string
  /** Table files. */
  readonly sstFiles: number
  readonly blobFiles: number
  /** Lengths of the files that were transferred. */
  readonly totalBytes: number
  /** The version of the source that was captured. */
  readonly versionId: number
  /** Every write with a lower seqno is in the checkpoint; later ones may be. */
  readonly seqno: number
}

/** Bytes copied between two turns of the event loop. */
const COPY_BYTES = 1024 * 1024

/** Makes a checkpoint in the folder `target`, which must not exist. */
export async function createCheckpoint(
  core: TreeCore,
  scheduler: Scheduler,
  target: string,
): Promise<CheckpointInfo> {
  const { fs } = core
  makeTarget(fs, target)
  try {
    fs.createDirectory(tablesFolder(target))
    const seqno = core.visibleSeqno.get()
    const { active } = core.latest
    if (active !== undefined && !active.isEmpty) core.rotate()
    await scheduler.flush(0)
    const view = core.latest.acquire()
    try {
      const totalBytes = await transferTables(core, view, target)
      core.writeCheckpoint(target, view.version)
      fs.syncDirectory(parentPath(target))
      const { id, tableCount, extras } = view.version
      const blobFiles = extras.blobFiles.size
      return { path: target, sstFiles: tableCount, blobFiles, totalBytes, versionId: id, seqno }
    } finally {
      view.release()
    }
  } catch (error) {
    removeTarget(fs, target)
    throw error
  }
}

function makeTarget(fs: FileSystem, target: string): void {
  if (fs.exists(target)) {
    throw new VarveError(
      'VARVE_EXISTS',
      `${target} exists already; a checkpoint needs a folder of its own, in one that exists`,
      { details: { file: target } },
    )
  }
  if (!fs.exists(parentPath(target))) {
    throw new VarveError(
      'VARVE_NOT_FOUND',
      `${parentPath(target)} does not exist; create it first`,
      {
        details: { file: parentPath(target) },
      },
    )
  }
  fs.createDirectory(target)
}

async function transferTables(core: TreeCore, view: SuperVersion, target: string): Promise<number> {
  const { fs, settings, runtime } = core
  const transfer = new Transfer(fs, settings.syncMode, runtime.useReflinkForCheckpoint)
  const folder = tablesFolder(target)
  let bytes = 0
  for (const { table } of view.version.tables()) {
    await transfer.file(table.path, `${folder}/${table.id}`)
    bytes += table.fileBytes
  }
  fs.syncDirectory(folder)
  return bytes
}

/** Brings files over by the cheapest way that works; what failed once for lack of support is not tried again. */
class Transfer {
  readonly #fs: FileSystem
  readonly #syncMode: SyncMode
  #canClone: boolean
  #canLink: boolean

  constructor(fs: FileSystem, syncMode: SyncMode, usesReflinks: boolean) {
    this.#fs = fs
    this.#syncMode = syncMode
    this.#canClone = usesReflinks && fs.clone !== undefined
    this.#canLink = fs.link !== undefined
  }

  async file(source: string, target: string): Promise<void> {
    if (this.#canClone) {
      this.#canClone = this.#attempt(target, () => this.#fs.clone?.(source, target))
      if (this.#canClone) return this.#syncFile(target)
    }
    if (this.#canLink) {
      this.#canLink = this.#attempt(target, () => this.#fs.link?.(source, target))
      if (this.#canLink) return
    }
    if (this.#fs.copyLater !== undefined) {
      return this.#fs.copyLater(source, target, this.#syncMode)
    }
    await this.#copy(source, target)
  }

  /** True where `bring` worked. A full disk or a broken one is no lack of support, and fails the checkpoint. */
  #attempt(target: string, bring: () => void): boolean {
    try {
      bring()
      return true
    } catch (error) {
      if (!isUnsupported(error)) throw error
      this.#fs.remove(target)
      return false
    }
  }

  #syncFile(path: string): void {
    const file = this.#fs.openAppend(path)
    try {
      file.sync(this.#syncMode)
    } finally {
      file.close()
    }
  }

  async #copy(source: string, target: string): Promise<void> {
    const from = this.#fs.openRead(source)
    try {
      const to = this.#fs.create(target)
      try {
        const piece = new Uint8Array(COPY_BYTES)
        for (let offset = 0; ; ) {
          const count = from.read(piece, offset)
          if (count === 0) break
          to.write(piece.subarray(0, count))
          offset += count
          await new Promise((resolve) => setImmediate(resolve))
        }
        to.sync(this.#syncMode)
      } finally {
        to.close()
      }
    } finally {
      from.close()
    }
  }
}

/** What systems say where two folders cannot share a file. */
const UNSUPPORTED = new Set([
  'EXDEV',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EINVAL',
  'EPERM',
  'EMLINK',
  'ENOTTY',
])

function isUnsupported(error: unknown): boolean {
  return VarveError.is(error) && UNSUPPORTED.has(String(error.details['errno']))
}

/** Takes back what a failed checkpoint made: its own folder, two levels deep. */
function removeTarget(fs: FileSystem, target: string): void {
  try {
    for (const folder of [tablesFolder(target), target]) {
      if (!fs.exists(folder)) continue
      for (const { name, isDirectory } of fs.list(folder)) {
        if (!isDirectory) fs.remove(`${folder}/${name}`)
      }
      fs.removeDirectory(folder)
    }
  } catch {
    // The failure of the checkpoint is the one to report; without `current` the rest does not open.
  }
}
