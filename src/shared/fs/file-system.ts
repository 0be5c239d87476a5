/**
 * The only door to the disk: what the engine asks of a file system. Every method is synchronous and
 * runs on the thread that calls it: in workers for maintenance, on the reader's own thread for a
 * block that no cache holds.
 *
 * I1: a failed call throws VARVE_IO (VARVE_STORAGE_FULL where the disk is full) naming the file;
 *     `isMissing` tells a missing file from other failures.
 * I2: nothing is durable before `WritableFile.sync`, and no directory entry before `syncDirectory`
 *     of its folder.
 * I3: an open handle outlives the removal or replacement of its path.
 * I4: a question that cannot be answered throws: `exists` is false only where the path is surely
 *     missing.
 */

/**
 * How hard a sync is: `normal` is fsync; `full` is the platform's strongest barrier (they differ on
 * macOS only).
 */
export type SyncMode = 'normal' | 'full'

/** A file open for reading at any offset. */
export interface ReadableFile {
  readonly path: string
  /** The file's length in bytes, now. */
  size(): number
  /**
   * Reads at `offset` into all of `target`, as far as the file goes; returns the bytes read. Never
   * short but at the end.
   */
  read(target: Uint8Array, offset: number): number
  /**
   * The same into `length` bytes of `memory` from `at` on, for whoever reads many small pieces into one memory: no view of
   * each is made. Where it is missing, {@link read} is called.
   */
  readInto?(memory: Uint8Array, at: number, length: number, offset: number): number
  /**
   * The same off the calling thread, which waiting for the disk would hold up; `target` is the read's until it has ended.
   * A file that is closed meanwhile ends its reads first. Where it is missing, {@link read} is called.
   */
  readLater?(target: Uint8Array, offset: number): Promise<number>
  close(): void
}

/** One read of a batch; see {@link ReadableFile.read}. */
export interface ReadRequest {
  readonly file: ReadableFile
  readonly offset: number
  readonly target: Uint8Array
}

/** A file being written front to back. */
export interface WritableFile {
  readonly path: string
  /** Appends all of `bytes`, or throws (and may then have written a part of them). */
  write(bytes: Uint8Array): void
  /**
   * The same off the calling thread: what is appended after the call goes behind it. `bytes` are the call's until it has
   * ended; several may be under way. Where it is missing, {@link write} is called.
   */
  writeLater?(bytes: Uint8Array): Promise<void>
  /** Overwrites at `offset`, inside what has been written already (the manifest's head mirror). */
  writeAt(bytes: Uint8Array, offset: number): void
  /** Makes content and length durable. */
  sync(mode: SyncMode): void
  /**
   * The same off the calling thread, for every write that had ended before the call. Where it is missing, {@link sync} is
   * called.
   */
  syncLater?(mode: SyncMode): Promise<void>
  /** What is under way off the calling thread ends first. */
  close(): void
}

/** A held directory lock; gone when released or when the process ends, however it ends. */
export interface DirectoryLock {
  release(): void
}

/** One entry of a folder. */
export interface DirectoryEntry {
  readonly name: string
  readonly isDirectory: boolean
  /** A regular file: neither a folder nor a link, socket or the like. */
  readonly isFile: boolean
}

/** A file system. Paths are absolute; `/` separates. */
export interface FileSystem {
  /**
   * Which kind it is; jobs for worker threads name it, and only `std` and `io_uring` can run there.
   */
  readonly kind: 'std' | 'memory' | 'io_uring' | 'custom'
  openRead(path: string): ReadableFile
  /**
   * Several reads of its own files in one call: what each read. Where it is missing, they are read one by one.
   */
  readMany?(requests: readonly ReadRequest[]): number[]
  /** Creates a file that must not exist yet. */
  create(path: string): WritableFile
  /**
   * Opens for writing behind what is there, creating the file where it does not exist. One writer a
   * file.
   */
  openAppend(path: string): WritableFile
  exists(path: string): boolean
  /** Creates the folder and its missing parents. */
  makeDirectory(path: string): void
  /** Creates a folder that must not exist yet, in one that must: of two callers at once one succeeds. */
  createDirectory(path: string): void
  /** Removes an empty folder; a missing one is no error. */
  removeDirectory(path: string): void
  /**
   * The entries of a folder in byte order of their names; throws where it is missing or a name is
   * not UTF-8.
   */
  list(path: string): DirectoryEntry[]
  /** Renames a file, replacing the target where it exists, as one step. */
  rename(source: string, target: string): void
  /** Removes a file; a missing one is no error. */
  remove(path: string): void
  /**
   * The same off the calling thread, which removing a large file may hold up for a tenth of a second. Where it is missing,
   * {@link remove} is called.
   */
  removeLater?(path: string): Promise<void>
  /**
   * Gives a file that nobody writes to a second name. Throws where the file system cannot, or not between these two
   * folders; where it is missing, files are copied.
   */
  link?(source: string, target: string): void
  /** Makes a copy that shares the blocks of the original (a reflink). Throws as {@link link} does. */
  clone?(source: string, target: string): void
  /**
   * Copies a file to a name that must not exist yet, and makes the copy durable, off the calling thread. Where it is
   * missing, the calling thread copies.
   */
  copyLater?(source: string, target: string, mode: SyncMode): Promise<void>
  /** Cuts a file to `length` bytes; durable only after a `sync` of the file. */
  truncate(path: string, length: number): void
  /**
   * Bytes that can still be written on the volume of an existing file or folder; infinite where nothing bounds them. Where
   * it is missing, nobody knows.
   */
  availableSpace?(path: string): number
  /**
   * Gives the space of a piece of a file back; its length stays, and what is read there is zeros. Only with
   * {@link linkCount}: a file that has another name must keep its content. Where either is missing, files stay as they are.
   */
  punchHole?(path: string, offset: number, length: number): void
  /** Whether {@link punchHole} works on the volume of this file. */
  canPunchHoles?(path: string): boolean
  /** Names that a file has. */
  linkCount?(path: string): number
  /** Makes the entries of a folder durable: what was created, renamed and removed in it. */
  syncDirectory(path: string): void
  /** The same off the calling thread. Where it is missing, {@link syncDirectory} is called. */
  syncDirectoryLater?(path: string): Promise<void>
  /**
   * Takes the exclusive advisory lock on the file `path`, creating it: VARVE_LOCKED where another
   * holds it.
   */
  lock(path: string): DirectoryLock
}

/** True when `error` says that the file or folder does not exist. */
export function isMissing(error: unknown): boolean {
  const details = (error as { details?: { errno?: unknown } } | null)?.details
  return details?.errno === 'ENOENT'
}

/** The folder that holds `path`. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}
