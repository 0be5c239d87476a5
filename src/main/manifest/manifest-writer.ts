/**
 * The one writer of the manifest: appends a version edit to the log, or rotates to a new snapshot
 * (format-manifest-blob.md 7.5, 20). Main thread; one per open tree, under the directory lock.
 *
 *     commit(next) ─ edit fits and log is short ─→ append, fsync, (first time) fsync folder
 *                  └ else ─→ v{next} ─→ fsync ─→ fsync folder ─→ current ─→ drop the old files
 *
 *                 create / resume
 *                       │             commit fails
 *                     open ──────────────────────────→ failed (every later commit throws)
 *                       └──── close ────→ closed
 *
 * I1: when `commit` returns, the version survives a power cut; when it throws before touching the
 *     disk (VARVE_UNSUPPORTED), or the disk was full and what it took was taken off again, nothing
 *     happened; any other throw leaves memory and disk possibly apart, so the writer fails for good.
 * I2: a torn tail that was tolerated is copied aside and cut off before the first change: what is
 *     appended is read again.
 * I3: no snapshot of more than 255 runs in a level; no edit of more than 64 KiB. Whichever fits is
 *     taken.
 * I4: the log's name is synced once in the life of a writer, even if the file existed: a dead
 *     process may not have.
 */
import { assert, VarveError } from '../../shared/base/errors.js'
import { COMPARATOR_NAME_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX } from '../../shared/base/limits.js'
import { encodeFrame } from '../../shared/format/frame.js'
import type { SnapshotImage } from '../../shared/format/manifest-snapshot.js'
import { fitsTableList } from '../../shared/format/table-list.js'
import { diffVersions, encodeVersionEdit } from '../../shared/format/version-edit.js'
import {
  emptyVersion,
  type ManifestVersion,
  type TreeType,
  versionDefect,
} from '../../shared/format/version-model.js'
import { encodeSnapshot, type SnapshotSettings } from '../../shared/format/version-sections.js'
import {
  type FileSystem,
  parentPath,
  type SyncMode,
  type WritableFile,
} from '../../shared/fs/file-system.js'
import { editLogPath, snapshotPath, tablesFolder } from './directory-layout.js'
import type { RecoveredManifest } from './manifest-reader.js'
import { copyTailAside, setAside } from './quarantine.js'
import { installSnapshot, switchToSnapshot, writeSnapshot } from './snapshot-file.js'

/** Log length from which on a change rotates: 1 MiB, upstream's default. 0 rotates every time. */
export const ROTATE_BYTES_DEFAULT = 1024 * 1024

export interface ManifestWriterOptions extends SnapshotSettings {
  readonly syncMode?: SyncMode | undefined
  readonly rotateBytes?: number | undefined
}

/** Makes a folder of the tree and its names durable: itself, its parent and the parent's parent. */
export function makeDurableFolder(fs: FileSystem, path: string): void {
  fs.makeDirectory(path)
  const parent = parentPath(path)
  for (const folder of [path, parent, parentPath(parent)]) fs.syncDirectory(folder)
}

export class ManifestWriter {
  readonly #fs: FileSystem
  readonly #root: string
  readonly #options: ManifestWriterOptions
  readonly #syncMode: SyncMode
  #version: ManifestVersion
  #snapshotId: number
  #log: WritableFile | undefined
  #logBytes: number
  /** Set while a tolerated torn tail is still in the log (I2). */
  #hasTornTail: boolean
  #isLogNameDurable = false
  #failure: unknown
  /** The commit that failed has left nothing behind: a full disk, and what it took is off again. */
  #isUndone = false
  #isClosed = false

  private constructor(
    fs: FileSystem,
    root: string,
    options: ManifestWriterOptions,
    state: {
      readonly version: ManifestVersion
      readonly snapshotId: number
      readonly logBytes: number
      readonly hasTornTail: boolean
    },
  ) {
    this.#fs = fs
    this.#root = root
    this.#options = options
    this.#syncMode = options.syncMode ?? 'normal'
    this.#version = state.version
    this.#snapshotId = state.snapshotId
    this.#logBytes = state.logBytes
    this.#hasTornTail = state.hasTornTail
  }

  /**
   * Creates a tree in a folder that `readManifest` found empty: its table folders, `v0` and
   * `current`. What an earlier attempt left is taken over.
   */
  static create(
    fs: FileSystem,
    root: string,
    treeType: TreeType,
    options: ManifestWriterOptions & { readonly tablesFolders?: readonly string[] | undefined },
  ): ManifestWriter {
    checkComparatorName(options.comparatorName)
    for (const folder of options.tablesFolders ?? [tablesFolder(root)]) {
      makeDurableFolder(fs, folder)
    }
    makeDurableFolder(fs, root)
    // An unreferenced v0 holds nothing; an old log beside the new snapshot would be replayed on it.
    fs.remove(snapshotPath(root, 0))
    const oldLog = editLogPath(root, 0)
    if (fs.exists(oldLog)) setAside(fs, root, oldLog, 'edits-0')
    const version = emptyVersion(treeType)
    installSnapshot(
      fs,
      root,
      { id: version.id, image: encodeSnapshot(version, options) },
      { hasher: options.codec.hasher, syncMode: options.syncMode ?? 'normal' },
    )
    return new ManifestWriter(fs, root, options, {
      version,
      snapshotId: 0,
      logBytes: 0,
      hasTornTail: false,
    })
  }

  /** Continues after a recovered manifest. Touches nothing before the first commit. */
  static resume(
    fs: FileSystem,
    root: string,
    recovered: RecoveredManifest,
    options: ManifestWriterOptions,
  ): ManifestWriter {
    checkComparatorName(options.comparatorName)
    return new ManifestWriter(fs, root, options, {
      version: recovered.version,
      snapshotId: recovered.snapshotId,
      logBytes: recovered.log.goodBytes,
      hasTornTail: recovered.log.torn !== undefined,
    })
  }

  /** The last committed version. */
  get version(): ManifestVersion {
    return this.#version
  }

  /** The live snapshot: `v{snapshotId}` must not be removed. */
  get snapshotId(): number {
    return this.#snapshotId
  }

  /** The current length of the edit log. */
  get logBytes(): number {
    return this.#logBytes
  }

  /** What made the writer fail, if anything did. */
  get failure(): unknown {
    return this.#failure
  }

  /**
   * Makes `next` the durable version (I1). Synchronous, so nothing comes between "persisted" and
   * the caller's swap. REQUIRES: every file that `next` refers to is synced, and so is its folder.
   */
  commit(next: ManifestVersion): void {
    if (this.#isClosed) throw new VarveError('VARVE_CLOSED', `${this.#root} is closed`)
    this.requireSound()
    assert(next.id > this.#version.id, 'version ids ascend')
    assert(next.treeType === this.#version.treeType, 'a tree keeps its type')
    const defect = versionDefect(next)
    assert(defect === undefined, `a version is sound: ${defect}`)
    const edit = encodeVersionEdit(diffVersions(this.#version, next))
    // Whatever cannot be encoded fails here, before the disk is touched.
    const image = this.#mustRotate(next, edit.length)
      ? encodeSnapshot(next, this.#options)
      : undefined
    this.#isUndone = false
    try {
      if (this.#hasTornTail) this.#cutTornTail()
      if (image === undefined) this.#append(edit)
      else this.#rotate(next.id, image)
    } catch (error) {
      if (!this.#isUndone) this.#failure = error
      throw error
    }
    this.#version = next
  }

  /**
   * Writes `version` as the only snapshot of another folder, with `current` last: the end of a checkpoint
   * (format-manifest-blob.md 15). REQUIRES: the files that it names are durable in that folder.
   * @throws VARVE_UNSUPPORTED where a level has more runs than a snapshot can hold
   */
  writeCheckpoint(folder: string, version: ManifestVersion): void {
    if (!fitsTableList(version.levels)) {
      throw new VarveError(
        'VARVE_UNSUPPORTED',
        `a level of ${this.#root} has more than 255 runs, which no snapshot can hold; compact first`,
        { details: { file: this.#root } },
      )
    }
    installSnapshot(
      this.#fs,
      folder,
      { id: version.id, image: encodeSnapshot(version, this.#options) },
      { hasher: this.#options.codec.hasher, syncMode: this.#syncMode },
    )
  }

  /** @throws VARVE_IO where an earlier commit failed: no later one will succeed */
  requireSound(): void {
    if (this.#failure !== undefined) throw this.#failedError()
  }

  close(): void {
    this.#isClosed = true
    this.#log?.close()
    this.#log = undefined
  }

  #mustRotate(next: ManifestVersion, editBytes: number): boolean {
    const fitsLog = editBytes <= FRAME_PAYLOAD_BYTES_MAX
    const isLong = this.#logBytes >= (this.#options.rotateBytes ?? ROTATE_BYTES_DEFAULT)
    if (fitsLog && !isLong) return false
    const path = snapshotPath(this.#root, next.id)
    // A file of that name is a stray that was spared at open; it is not ours to overwrite.
    if (fitsTableList(next.levels) && !this.#fs.exists(path)) return true
    if (fitsLog) return false
    throw new VarveError(
      'VARVE_UNSUPPORTED',
      `the change to version ${next.id} of ${this.#root} needs a record of ${editBytes} bytes, ` +
        `at most ${FRAME_PAYLOAD_BYTES_MAX} fit, and no snapshot can be written: either a level ` +
        `has more than 255 runs (compact first), or ${path} is in the way`,
      { details: { file: path, limit: FRAME_PAYLOAD_BYTES_MAX, found: editBytes } },
    )
  }

  #append(edit: Uint8Array): void {
    const frame = encodeFrame(edit, this.#options.codec.hasher)
    const path = editLogPath(this.#root, this.#snapshotId)
    try {
      this.#log ??= this.#fs.openAppend(path)
      this.#log.write(frame)
    } catch (error) {
      this.#isUndone = this.#cutBack(path) && VarveError.is(error, 'VARVE_STORAGE_FULL')
      throw error
    }
    this.#log.sync(this.#syncMode)
    if (!this.#isLogNameDurable) this.#fs.syncDirectory(this.#root)
    this.#isLogNameDurable = true
    this.#logBytes += frame.length
  }

  /**
   * A full disk took a part of a record: takes it off again, so that the next open finds no torn tail. True where it is
   * off for sure. The next record opens the file anew: this one's position is behind what is gone.
   */
  #cutBack(path: string): boolean {
    const log = this.#log
    this.#log = undefined
    try {
      if (log === undefined) return true
      this.#fs.truncate(path, this.#logBytes)
      log.sync(this.#syncMode)
      return true
    } catch {
      // The failed write is the one to report; a torn tail is what recovery modes are for.
      return false
    } finally {
      log?.close()
    }
  }

  #rotate(id: number, image: SnapshotImage): void {
    const { hasher } = this.#options.codec
    try {
      writeSnapshot(this.#fs, this.#root, id, image, this.#syncMode)
    } catch (error) {
      this.#isUndone = VarveError.is(error, 'VARVE_STORAGE_FULL') && this.#removeStray(id)
      throw error
    }
    switchToSnapshot(this.#fs, this.#root, { id, image }, { hasher, syncMode: this.#syncMode })
    const old = this.#snapshotId
    this.#log?.close()
    this.#log = undefined
    this.#snapshotId = id
    this.#logBytes = 0
    this.#isLogNameDurable = false
    for (const path of [editLogPath(this.#root, old), snapshotPath(this.#root, old)]) {
      try {
        this.#fs.remove(path)
      } catch {
        // Stale from here on; the next open sweeps it.
      }
    }
  }

  /** Removes a snapshot that nothing names; true where it is gone. */
  #removeStray(id: number): boolean {
    try {
      this.#fs.remove(snapshotPath(this.#root, id))
      return true
    } catch {
      return false
    }
  }

  /** Cuts a tolerated torn tail off the log, keeping a copy (I2). */
  #cutTornTail(): void {
    const path = editLogPath(this.#root, this.#snapshotId)
    const offset = this.#logBytes
    const name = `edits-${this.#snapshotId}-${offset}`
    copyTailAside(this.#fs, this.#root, { source: path, offset, name }, this.#syncMode)
    this.#fs.truncate(path, offset)
    this.#log = this.#fs.openAppend(path)
    this.#log.sync(this.#syncMode)
    this.#hasTornTail = false
  }

  #failedError(): VarveError {
    return new VarveError(
      'VARVE_IO',
      `an earlier write to the manifest of ${this.#root} failed; reopen the tree to go on`,
      {
        details: { file: this.#root, reason: 'manifest-failed', errno: null },
        cause: this.#failure,
      },
    )
  }
}

function checkComparatorName(name: string): void {
  const length = Buffer.byteLength(name)
  if (length > COMPARATOR_NAME_BYTES_MAX) {
    throw new VarveError(
      'VARVE_INVALID_ARGUMENT',
      `the comparator name has ${length} bytes, at most ${COMPARATOR_NAME_BYTES_MAX} can be stored`,
      { details: { option: 'comparator', limit: COMPARATOR_NAME_BYTES_MAX, found: length } },
    )
  }
}
