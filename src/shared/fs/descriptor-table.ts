/**
 * Keeps a bounded number of table files open for reading, and opens the other ones again when they are read. One per
 * thread: descriptors are not shared. Trees may share one.
 *
 * I1: at most `capacity` files are open, whatever is read; the one used longest ago closes first.
 */
import { rangeError } from '../base/errors.js'
import type { FileSystem, ReadableFile } from './file-system.js'

/** Files that stay open where nothing else is said. */
export const DESCRIPTOR_CAPACITY_DEFAULT = 256

/** A file that stands for a path and is opened when it is read. */
export class DescribedFile implements ReadableFile {
  readonly path: string
  readonly fs: FileSystem
  readonly #table: DescriptorTable
  readonly #name: string

  constructor(table: DescriptorTable, fs: FileSystem, path: string, name: string) {
    this.#table = table
    this.fs = fs
    this.path = path
    this.#name = name
  }

  /** Files that its table keeps open at once. */
  get capacity(): number {
    return this.#table.capacity
  }

  /** The file itself; good until another one is opened. */
  open(): ReadableFile {
    return this.#table.acquire(this.fs, this.path, this.#name)
  }

  size(): number {
    return this.open().size()
  }

  read(target: Uint8Array, offset: number): number {
    return this.open().read(target, offset)
  }

  readInto(memory: Uint8Array, at: number, length: number, offset: number): number {
    const file = this.open()
    if (file.readInto !== undefined) return file.readInto(memory, at, length, offset)
    return file.read(memory.subarray(at, at + length), offset)
  }

  async readLater(target: Uint8Array, offset: number): Promise<number> {
    const file = this.open()
    return file.readLater?.(target, offset) ?? file.read(target, offset)
  }

  /** Closes the descriptor, if there is one. */
  close(): void {
    this.#table.evict(this.#name)
  }
}

export class DescriptorTable {
  readonly capacity: number
  /** Reads whose file was open, and those that opened one. */
  hits = 0
  misses = 0
  /** Open files, the one used longest ago first. */
  readonly #open = new Map<string, ReadableFile>()
  /** Paths mean something in their file system only: each one in use gets a number. */
  readonly #systems = new Map<FileSystem, number>()
  /** The last one of {@link DescriptorTable.#open}, by its name: it need not be moved there. */
  #newestName: string | undefined
  #newest: ReadableFile | undefined

  /** @param capacity files that may be open at once, at least 1 */
  constructor(capacity: number = DESCRIPTOR_CAPACITY_DEFAULT) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw rangeError(`a descriptor table holds 1 file or more, not ${capacity}`)
    }
    this.capacity = capacity
  }

  /** Files open now. */
  get size(): number {
    return this.#open.size
  }

  /** A file that stands for `path` and opens it when it is read. Closing it closes the descriptor, if there is one. */
  file(fs: FileSystem, path: string): ReadableFile {
    const system = this.#systems.get(fs) ?? this.#systems.size
    this.#systems.set(fs, system)
    return new DescribedFile(this, fs, path, `${system}:${path}`)
  }

  /** Closes all descriptors; files are opened again when they are read. */
  close(): void {
    for (const name of [...this.#open.keys()]) this.evict(name)
  }

  /** For {@link DescribedFile}. */
  evict(name: string): void {
    const file = this.#open.get(name)
    if (file === undefined) return
    this.#open.delete(name)
    if (name === this.#newestName) this.#note(undefined, undefined)
    file.close()
  }

  /** For {@link DescribedFile}. */
  acquire(fs: FileSystem, path: string, name: string): ReadableFile {
    if (name === this.#newestName && this.#newest !== undefined) {
      this.hits++
      return this.#newest
    }
    const open = this.#open.get(name)
    if (open !== undefined) {
      this.hits++
      this.#open.delete(name)
      this.#open.set(name, open)
      this.#note(name, open)
      return open
    }
    const file = fs.openRead(path)
    this.misses++
    this.#open.set(name, file)
    this.#note(name, file)
    if (this.#open.size > this.capacity) {
      const [oldest] = this.#open.keys()
      if (oldest !== undefined) this.evict(oldest)
    }
    return file
  }

  #note(name: string | undefined, file: ReadableFile | undefined): void {
    this.#newestName = name
    this.#newest = file
  }
}
