/**
 * A file system in memory: for in-memory trees and for tests. It keeps apart what is there and what
 * is durable, and can clone itself as after a power cut. On the thread that made it; jobs for
 * worker threads cannot name it.
 *
 * I1: a crash clone holds every synced byte of every file whose name was synced, and nothing else
 *     for sure.
 * I2: errors are those of the operating system's file system: same code, same `errno`.
 */
import { ioError, VarveError } from '../base/errors.js'
import {
  type DirectoryEntry,
  type DirectoryLock,
  type FileSystem,
  parentPath,
  type ReadableFile,
  type WritableFile,
} from './file-system.js'
import { type CrashOptions, MemoryFile, MemoryFolder } from './memory-file.js'

/** The space of a file system: how much there is, and how much its files take. */
class Volume {
  readonly root: MemoryFolder
  capacityBytes: number

  constructor(root: MemoryFolder, capacityBytes: number) {
    this.root = root
    this.capacityBytes = capacityBytes
  }

  /** Counted anew each time: it is asked where there is a limit only. A file of two names counts once. */
  get availableBytes(): number {
    if (this.capacityBytes === Number.POSITIVE_INFINITY) return this.capacityBytes
    const files = new Set<MemoryFile>()
    const collect = (folder: MemoryFolder): void => {
      for (const node of folder.entries.values()) {
        if (node instanceof MemoryFile) files.add(node)
        else collect(node)
      }
    }
    collect(this.root)
    let used = 0
    for (const file of files) used += file.length - file.punchedBytes
    return Math.max(0, this.capacityBytes - used)
  }
}

/** An open file of either direction. */
class MemoryHandle implements ReadableFile, WritableFile {
  readonly path: string
  readonly #volume: Volume
  readonly #file: MemoryFile
  #end: number
  #isOpen = true

  constructor(path: string, volume: Volume, file: MemoryFile) {
    this.path = path
    this.#volume = volume
    this.#file = file
    this.#end = file.length
  }

  size(): number {
    return this.#open().length
  }

  read(target: Uint8Array, offset: number): number {
    return this.#open().read(target, offset)
  }

  write(bytes: Uint8Array): void {
    this.writeAt(bytes, this.#end)
    this.#end += bytes.length
  }

  writeAt(bytes: Uint8Array, offset: number): void {
    const file = this.#open()
    const growth = offset + bytes.length - file.length
    if (growth > 0 && growth > this.#volume.availableBytes) {
      throw failure('write', this.path, 'ENOSPC')
    }
    file.write(bytes, offset)
  }

  sync(): void {
    this.#open().sync()
  }

  close(): void {
    this.#isOpen = false
  }

  #open(): MemoryFile {
    if (!this.#isOpen) throw new VarveError('VARVE_CLOSED', `${this.path} is closed`)
    return this.#file
  }
}

/** The `memory` file system. */
export class MemoryFileSystem implements FileSystem {
  readonly kind = 'memory'
  readonly #root: MemoryFolder
  readonly #volume: Volume
  #canPunch = true
  #punchedBytes = 0

  /** @param options.capacityBytes what all files may take together; default no limit */
  constructor(
    options: { readonly capacityBytes?: number } = {},
    /** Not for users. */
    root = new MemoryFolder(),
  ) {
    this.#root = root
    this.#volume = new Volume(root, options.capacityBytes ?? Number.POSITIVE_INFINITY)
  }

  /** Changes what all files may take together; what is there stays. */
  setCapacity(bytes: number): void {
    this.#volume.capacityBytes = bytes
  }

  /**
   * The file system as it might be found after a power cut at this moment. The original goes on
   * undisturbed.
   */
  crashClone(options: CrashOptions): MemoryFileSystem {
    return new MemoryFileSystem(this.#volume, this.#root.crash(options))
  }

  openRead(path: string): ReadableFile {
    return new MemoryHandle(path, this.#volume, this.#file('open', path))
  }

  create(path: string): WritableFile {
    const { folder, name } = this.#place('create', path)
    if (folder.entries.has(name)) throw failure('create', path, 'EEXIST')
    const file = new MemoryFile()
    folder.entries.set(name, file)
    return new MemoryHandle(path, this.#volume, file)
  }

  openAppend(path: string): WritableFile {
    const { folder, name } = this.#place('open', path)
    return folder.entries.has(name)
      ? new MemoryHandle(path, this.#volume, this.#file('open', path))
      : this.create(path)
  }

  exists(path: string): boolean {
    return this.#find(path) !== undefined
  }

  makeDirectory(path: string): void {
    let folder = this.#root
    for (const name of segments(path)) {
      let next = folder.entries.get(name)
      if (next instanceof MemoryFile) throw failure('make folder', path, 'EEXIST')
      if (next === undefined) {
        next = new MemoryFolder()
        folder.entries.set(name, next)
      }
      folder = next
    }
  }

  createDirectory(path: string): void {
    const { folder, name } = this.#place('make folder', path)
    if (folder.entries.has(name)) throw failure('make folder', path, 'EEXIST')
    folder.entries.set(name, new MemoryFolder())
  }

  removeDirectory(path: string): void {
    const node = this.#find(path)
    if (node === undefined) return
    if (node instanceof MemoryFile) throw failure('remove folder', path, 'ENOTDIR')
    if (node.entries.size > 0) throw failure('remove folder', path, 'ENOTEMPTY')
    const { folder, name } = this.#place('remove folder', path)
    folder.entries.delete(name)
  }

  link(source: string, target: string): void {
    const file = this.#file('link', source)
    const { folder, name } = this.#place('link', target)
    if (folder.entries.has(name)) throw failure('link', target, 'EEXIST')
    folder.entries.set(name, file)
  }

  list(path: string): DirectoryEntry[] {
    return [...this.#folder('list', path).entries]
      .map(([name, node]) => ({ bytes: Buffer.from(name), name, node }))
      .sort((left, right) => left.bytes.compare(right.bytes))
      .map(({ name, node }) => ({
        name,
        isDirectory: node instanceof MemoryFolder,
        isFile: node instanceof MemoryFile,
      }))
  }

  rename(source: string, target: string): void {
    const from = this.#place('rename', source)
    const to = this.#place('rename', target)
    const node = from.folder.entries.get(from.name)
    if (node === undefined) throw failure('rename', source, 'ENOENT')
    if (to.folder.entries.get(to.name) instanceof MemoryFolder) {
      throw failure('rename', source, 'EISDIR')
    }
    from.folder.entries.delete(from.name)
    to.folder.entries.set(to.name, node)
  }

  remove(path: string): void {
    const node = this.#find(path)
    if (node === undefined) return
    if (node instanceof MemoryFolder) throw failure('remove', path, 'EISDIR')
    const { folder, name } = this.#place('remove', path)
    folder.entries.delete(name)
  }

  truncate(path: string, length: number): void {
    this.#file('truncate', path).truncate(length)
  }

  punchHole(path: string, offset: number, length: number): void {
    if (!this.#canPunch) throw failure('punch', path, 'EOPNOTSUPP')
    this.#file('punch', path).punch(offset, length)
    this.#punchedBytes += length
  }

  canPunchHoles(): boolean {
    return this.#canPunch
  }

  /** Makes {@link punchHole} work, which is the default, or fail as on a file system that has no holes. */
  setPunchHoleSupported(isSupported: boolean): void {
    this.#canPunch = isSupported
  }

  /** Lengths of all pieces that were punched so far. */
  get punchedBytes(): number {
    return this.#punchedBytes
  }

  linkCount(path: string): number {
    return countNames(this.#root, this.#file('stat', path))
  }

  availableSpace(path: string): number {
    if (this.#find(path) === undefined) throw failure('ask for the space of', path, 'ENOENT')
    return this.#volume.availableBytes
  }

  syncDirectory(path: string): void {
    this.#folder('sync folder', path).sync()
  }

  lock(path: string): DirectoryLock {
    this.openAppend(path).close()
    const file = this.#file('lock', path)
    if (file.isLocked) {
      throw new VarveError('VARVE_LOCKED', `${path} is locked: the folder is open elsewhere`, {
        details: { file: path },
      })
    }
    file.isLocked = true
    let isHeld = true
    return {
      release: () => {
        if (isHeld) file.isLocked = false
        isHeld = false
      },
    }
  }

  #find(path: string): MemoryFile | MemoryFolder | undefined {
    let node: MemoryFile | MemoryFolder | undefined = this.#root
    for (const name of segments(path)) {
      if (!(node instanceof MemoryFolder)) return undefined
      node = node.entries.get(name)
    }
    return node
  }

  #file(operation: string, path: string): MemoryFile {
    const node = this.#find(path)
    if (node === undefined) throw failure(operation, path, 'ENOENT')
    if (node instanceof MemoryFolder) throw failure(operation, path, 'EISDIR')
    return node
  }

  #folder(operation: string, path: string): MemoryFolder {
    const node = this.#find(path)
    if (node === undefined) throw failure(operation, path, 'ENOENT')
    if (node instanceof MemoryFile) throw failure(operation, path, 'ENOTDIR')
    return node
  }

  /** The folder that holds, or will hold, `path`, and the name in it. */
  #place(operation: string, path: string): { folder: MemoryFolder; name: string } {
    const name = segments(path).at(-1)
    const folder = this.#find(parentPath(path))
    if (name === undefined) throw failure(operation, path, 'EISDIR')
    if (folder === undefined) throw failure(operation, path, 'ENOENT')
    if (folder instanceof MemoryFile) throw failure(operation, path, 'ENOTDIR')
    return { folder, name }
  }
}

function countNames(folder: MemoryFolder, file: MemoryFile): number {
  let count = 0
  for (const node of folder.entries.values()) {
    if (node === file) count++
    else if (node instanceof MemoryFolder) count += countNames(node, file)
  }
  return count
}

function segments(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '' && segment !== '.')
}

/** The failure that the operating system would report. */
function failure(operation: string, path: string, code: string): VarveError {
  return ioError(operation, path, Object.assign(new Error(code), { code }))
}
