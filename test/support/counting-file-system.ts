/** A file system that knows how many files are open, how many locks are held, and how files were synced: for checks. */
import type {
  DirectoryEntry,
  DirectoryLock,
  FileSystem,
  ReadableFile,
  SyncMode,
  WritableFile,
} from '../../src/shared/fs/file-system.js'

export class CountingFileSystem implements FileSystem {
  readonly kind = 'custom'
  readonly #inner: FileSystem
  openFiles = 0
  heldLocks = 0
  /** How files were synced, in order. */
  readonly syncModes: SyncMode[] = []

  constructor(inner: FileSystem) {
    this.#inner = inner
  }

  openRead(path: string): ReadableFile {
    const file = this.#inner.openRead(path)
    return {
      path,
      size: () => file.size(),
      read: (target, offset) => file.read(target, offset),
      readLater: async (target, offset) =>
        file.readLater?.(target, offset) ?? file.read(target, offset),
      close: this.#counted(() => file.close()),
    }
  }

  create(path: string): WritableFile {
    return this.#writable(this.#inner.create(path))
  }

  openAppend(path: string): WritableFile {
    return this.#writable(this.#inner.openAppend(path))
  }

  exists(path: string): boolean {
    return this.#inner.exists(path)
  }

  makeDirectory(path: string): void {
    this.#inner.makeDirectory(path)
  }

  createDirectory(path: string): void {
    this.#inner.createDirectory(path)
  }

  removeDirectory(path: string): void {
    this.#inner.removeDirectory(path)
  }

  list(path: string): DirectoryEntry[] {
    return this.#inner.list(path)
  }

  rename(source: string, target: string): void {
    this.#inner.rename(source, target)
  }

  remove(path: string): void {
    this.#inner.remove(path)
  }

  truncate(path: string, length: number): void {
    this.#inner.truncate(path, length)
  }

  availableSpace(path: string): number {
    return this.#inner.availableSpace?.(path) ?? Number.POSITIVE_INFINITY
  }

  punchHole(path: string, offset: number, length: number): void {
    if (this.#inner.punchHole === undefined) throw new Error('no holes in this file system')
    this.#inner.punchHole(path, offset, length)
  }

  canPunchHoles(path: string): boolean {
    return this.#inner.canPunchHoles?.(path) ?? false
  }

  linkCount(path: string): number {
    return this.#inner.linkCount?.(path) ?? 2
  }

  syncDirectory(path: string): void {
    this.#inner.syncDirectory(path)
  }

  lock(path: string): DirectoryLock {
    const lock = this.#inner.lock(path)
    this.heldLocks++
    let isHeld = true
    return {
      release: () => {
        if (isHeld) this.heldLocks--
        isHeld = false
        lock.release()
      },
    }
  }

  #writable(file: WritableFile): WritableFile {
    return {
      path: file.path,
      write: (bytes) => file.write(bytes),
      writeAt: (bytes, offset) => file.writeAt(bytes, offset),
      sync: (mode: SyncMode) => {
        this.syncModes.push(mode)
        file.sync(mode)
      },
      close: this.#counted(() => file.close()),
    }
  }

  #counted(close: () => void): () => void {
    this.openFiles++
    let isOpen = true
    return () => {
      if (isOpen) this.openFiles--
      isOpen = false
      close()
    }
  }
}
