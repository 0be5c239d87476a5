/**
 * The operating system's files, through `node:fs`, synchronously: in workers for maintenance, on
 * the reader's own thread for a block that no cache holds. The only importer of `node:fs` among the
 * file systems.
 *
 * I1: every failure leaves as {@link ioError}; a short write is continued, a write of nothing is a
 *     failure.
 * I2: a handle is closed once; a second `close` does nothing.
 */
import * as fs from 'node:fs'
import { promisify } from 'node:util'
import { ioError, VarveError } from '../base/errors.js'
import { addonRead, type DescriptorRead } from './addon-read.js'
import { type DescriptorLock, descriptorLock } from './directory-lock.js'
import type {
  DirectoryEntry,
  DirectoryLock,
  FileSystem,
  ReadableFile,
  SyncMode,
  WritableFile,
} from './file-system.js'
import { punchDescriptor } from './hole-puncher.js'

/** Behind the end of any file that we write. */
const PUNCH_PROBE_OFFSET = 2 ** 40

/** Runs one operation on `path`, giving its failure our form. */
function attempt<T>(operation: string, path: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw ioError(operation, path, error)
  }
}

/** An open descriptor and its path. */
class StdFile {
  readonly path: string
  readonly #descriptor: number
  #isOpen = true
  /** Calls under way in other threads; the descriptor stays open for them, or they would have another file's. */
  #pendingCount = 0

  constructor(path: string, descriptor: number) {
    this.path = path
    this.#descriptor = descriptor
  }

  protected get descriptor(): number {
    if (!this.#isOpen) throw new VarveError('VARVE_CLOSED', `${this.path} is closed`)
    return this.#descriptor
  }

  size(): number {
    return attempt('size', this.path, () => fs.fstatSync(this.descriptor).size)
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    if (this.#pendingCount === 0) this.#closeDescriptor()
  }

  /** Runs `work` on the descriptor, which is closed after it at the earliest. */
  protected async hold<T>(work: (descriptor: number) => Promise<T>): Promise<T> {
    const { descriptor } = this
    this.#pendingCount++
    try {
      return await work(descriptor)
    } finally {
      this.#pendingCount--
      if (!this.#isOpen && this.#pendingCount === 0) this.#closeDescriptor()
    }
  }

  #closeDescriptor(): void {
    attempt('close', this.path, () => fs.closeSync(this.#descriptor))
  }
}

const readFile = promisify(fs.read)

/** As {@link addonRead}, by Node's own call. */
export const plainRead: DescriptorRead = (descriptor, bytes, at, length, offset) => {
  let done = 0
  while (done < length) {
    const count = fs.readSync(descriptor, bytes, at + done, length - done, offset + done)
    if (count === 0) break
    done += count
  }
  return done
}

const readDescriptor = addonRead() ?? plainRead
const writeFile = promisify(fs.write)
const syncFile = promisify(fs.fdatasync)
const syncFolder = promisify(fs.fsync)

class StdReadableFile extends StdFile implements ReadableFile {
  read(target: Uint8Array, offset: number): number {
    return this.readInto(target, 0, target.length, offset)
  }

  readInto(memory: Uint8Array, at: number, length: number, offset: number): number {
    try {
      return readDescriptor(this.descriptor, memory, at, length, offset)
    } catch (error) {
      throw ioError('read', this.path, error)
    }
  }

  async readLater(target: Uint8Array, offset: number): Promise<number> {
    try {
      return await this.hold(async (descriptor) => {
        let done = 0
        while (done < target.length) {
          const left = target.length - done
          const { bytesRead } = await readFile(descriptor, target, done, left, offset + done)
          if (bytesRead === 0) break
          done += bytesRead
        }
        return done
      })
    } catch (error) {
      throw ioError('read', this.path, error)
    }
  }
}

class StdWritableFile extends StdFile implements WritableFile {
  #end: number

  constructor(path: string, descriptor: number, end: number) {
    super(path, descriptor)
    this.#end = end
  }

  write(bytes: Uint8Array): void {
    this.#writeAll(bytes, this.#end)
    this.#end += bytes.length
  }

  writeAt(bytes: Uint8Array, offset: number): void {
    this.#writeAll(bytes, offset)
  }

  sync(_mode: SyncMode): void {
    // On macOS libuv's fsync already asks for F_FULLFSYNC, elsewhere the modes do not differ.
    attempt('sync', this.path, () => fs.fsyncSync(this.descriptor))
  }

  async writeLater(bytes: Uint8Array): Promise<void> {
    const offset = this.#end
    this.#end += bytes.length
    try {
      await this.hold(async (descriptor) => {
        let done = 0
        while (done < bytes.length) {
          const left = bytes.length - done
          const { bytesWritten } = await writeFile(descriptor, bytes, done, left, offset + done)
          if (bytesWritten === 0) throw new Error('the system wrote nothing')
          done += bytesWritten
        }
      })
    } catch (error) {
      throw ioError('write', this.path, error)
    }
  }

  async syncLater(_mode: SyncMode): Promise<void> {
    try {
      // The length of the file is made durable by it too; only times are not.
      await this.hold((descriptor) => syncFile(descriptor))
    } catch (error) {
      throw ioError('sync', this.path, error)
    }
  }

  #writeAll(bytes: Uint8Array, offset: number): void {
    attempt('write', this.path, () => {
      let done = 0
      while (done < bytes.length) {
        const count = fs.writeSync(this.descriptor, bytes, done, bytes.length - done, offset + done)
        if (count === 0) throw new Error('the system wrote nothing')
        done += count
      }
    })
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The `std` file system. */
export class StdFileSystem implements FileSystem {
  readonly kind = 'std'
  readonly #lock: DescriptorLock | undefined

  /** `lock` names the way to flock a descriptor; without it, the best one that this machine has. */
  constructor(options: { readonly lock?: DescriptorLock } = {}) {
    this.#lock = options.lock
  }

  openRead(path: string): ReadableFile {
    return new StdReadableFile(
      path,
      attempt('open', path, () => fs.openSync(path, 'r')),
    )
  }

  create(path: string): WritableFile {
    return new StdWritableFile(
      path,
      attempt('create', path, () => fs.openSync(path, 'wx')),
      0,
    )
  }

  openAppend(path: string): WritableFile {
    return attempt('open', path, () => {
      // Not O_APPEND: with it Linux ignores the position of `writeAt`.
      const descriptor = fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o666)
      try {
        return new StdWritableFile(path, descriptor, fs.fstatSync(descriptor).size)
      } catch (error) {
        fs.closeSync(descriptor)
        throw error
      }
    })
  }

  exists(path: string): boolean {
    return attempt('stat', path, () => {
      try {
        return fs.statSync(path, { throwIfNoEntry: false }) !== undefined
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false
        throw error
      }
    })
  }

  makeDirectory(path: string): void {
    attempt('make folder', path, () => fs.mkdirSync(path, { recursive: true }))
  }

  createDirectory(path: string): void {
    attempt('make folder', path, () => fs.mkdirSync(path))
  }

  removeDirectory(path: string): void {
    attempt('remove folder', path, () => {
      try {
        fs.rmdirSync(path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    })
  }

  link(source: string, target: string): void {
    attempt('link', target, () => fs.linkSync(source, target))
  }

  clone(source: string, target: string): void {
    const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = fs.constants
    attempt('clone', target, () => {
      fs.copyFileSync(source, target, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE)
    })
  }

  async copyLater(source: string, target: string): Promise<void> {
    try {
      await fs.promises.copyFile(source, target, fs.constants.COPYFILE_EXCL)
      const copy = await fs.promises.open(target, 'r+')
      try {
        await copy.sync()
      } finally {
        await copy.close()
      }
    } catch (error) {
      throw ioError('copy', target, error)
    }
  }

  list(path: string): DirectoryEntry[] {
    return attempt('list', path, () =>
      fs
        .readdirSync(path, { withFileTypes: true, encoding: 'buffer' })
        .map((entry) => ({ bytes: entry.name as unknown as Buffer, entry }))
        .sort((left, right) => left.bytes.compare(right.bytes))
        .map(({ bytes, entry }) => ({
          name: fileName(bytes),
          isDirectory: entry.isDirectory(),
          isFile: entry.isFile(),
        })),
    )
  }

  rename(source: string, target: string): void {
    attempt('rename', source, () => fs.renameSync(source, target))
  }

  async removeLater(path: string): Promise<void> {
    try {
      await fs.promises.unlink(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw ioError('remove', path, error)
    }
  }

  remove(path: string): void {
    attempt('remove', path, () => {
      try {
        fs.unlinkSync(path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    })
  }

  truncate(path: string, length: number): void {
    attempt('truncate', path, () => fs.truncateSync(path, length))
  }

  punchHole(path: string, offset: number, length: number): void {
    attempt('punch', path, () => {
      const descriptor = fs.openSync(path, 'r+')
      try {
        punchDescriptor(descriptor, offset, length)
      } finally {
        fs.closeSync(descriptor)
      }
    })
  }

  canPunchHoles(path: string): boolean {
    try {
      // Far behind the end there is nothing to lose.
      this.punchHole(path, PUNCH_PROBE_OFFSET, 4096)
      return true
    } catch {
      return false
    }
  }

  linkCount(path: string): number {
    return attempt('stat', path, () => fs.statSync(path).nlink)
  }

  availableSpace(path: string): number {
    return attempt('ask for the space of', path, () => {
      const { bavail, bsize } = fs.statfsSync(path)
      return bavail * bsize
    })
  }

  syncDirectory(path: string): void {
    // Windows cannot open folders for syncing; its file systems journal their entries.
    if (process.platform === 'win32') return
    attempt('sync folder', path, () => {
      const descriptor = fs.openSync(path, 'r')
      try {
        fs.fsyncSync(descriptor)
      } finally {
        fs.closeSync(descriptor)
      }
    })
  }

  async syncDirectoryLater(path: string): Promise<void> {
    if (process.platform === 'win32') return
    try {
      const descriptor = fs.openSync(path, 'r')
      try {
        await syncFolder(descriptor)
      } finally {
        fs.closeSync(descriptor)
      }
    } catch (error) {
      throw ioError('sync folder', path, error)
    }
  }

  lock(path: string): DirectoryLock {
    const method = this.#lock ?? descriptorLock()
    const descriptor = attempt('open', path, () =>
      fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666),
    )
    let isHeld = false
    try {
      isHeld = attempt('lock', path, () => method.tryLock(descriptor))
    } finally {
      if (!isHeld) fs.closeSync(descriptor)
    }
    if (!isHeld) {
      throw new VarveError('VARVE_LOCKED', `${path} is locked: the folder is open elsewhere`, {
        details: { file: path },
      })
    }
    const file = new StdFile(path, descriptor)
    return { release: () => file.close() }
  }
}

function fileName(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw new Error(`the file name ${JSON.stringify(bytes.toString('latin1'))} is not UTF-8`)
  }
}
