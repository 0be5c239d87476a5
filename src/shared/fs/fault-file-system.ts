/**
 * A file system that fails on purpose: it counts every call, shows it to an observer, and fails
 * those that the observer picks. For tests of error paths (fail the Nth call, N = 1, 2, 3 … until
 * the run succeeds) and, as the observer may look at the inner file system before every call, of
 * crashes between any two calls.
 *
 * I1: a failed call did nothing, except a write told to be short, which wrote exactly that many
 *     bytes.
 * I2: `close` and `release` are passed on uncounted: they make nothing durable.
 */
import { ioError } from '../base/errors.js'
import type {
  DirectoryEntry,
  DirectoryLock,
  FileSystem,
  ReadableFile,
  SyncMode,
  WritableFile,
} from './file-system.js'

/** A call that can fail. */
export type FileOperation =
  | Exclude<keyof FileSystem, 'kind' | 'readMany' | 'syncDirectoryLater'>
  | Exclude<keyof ReadableFile | keyof WritableFile, 'path' | 'close' | 'writeLater' | 'syncLater'>

/** One call about to happen. */
export interface FileCall {
  /** Which call since the file system was made; the first is 1. */
  readonly number: number
  readonly operation: FileOperation
  /** The file; the target of a rename. */
  readonly path: string
}

/** How a call fails. */
export interface Fault {
  /** What the system would say: `EIO`, `ENOSPC`, … */
  readonly errno: string
  /** Bytes that a failing `write` still writes; default none. */
  readonly writtenBytes?: number
}

/** Decides the fate of a call: a fault, or undefined to let it pass. */
export type FaultRule = (call: FileCall) => Fault | undefined

/** Fails the call of that number, and, where `sticky`, all after it. */
export function failNth(number: number, errno = 'EIO', sticky = false): FaultRule {
  return (call) =>
    call.number === number || (sticky && call.number > number) ? { errno } : undefined
}

/** Fails calls by operation and, where given, a part of the path, `times` times. */
export function failOn(
  operation: FileOperation,
  options: { readonly path?: string; readonly errno?: string; readonly times?: number } = {},
): FaultRule {
  let left = options.times ?? Number.POSITIVE_INFINITY
  return (call) => {
    if (call.operation !== operation || !call.path.includes(options.path ?? '')) return undefined
    return left-- > 0 ? { errno: options.errno ?? 'EIO' } : undefined
  }
}

/** A wrapper around another file system. */
export class FaultFileSystem implements FileSystem {
  readonly kind = 'custom'
  readonly #inner: FileSystem
  #rule: FaultRule
  #callCount = 0

  constructor(inner: FileSystem, rule: FaultRule = () => undefined) {
    this.#inner = inner
    this.#rule = rule
  }

  /** Calls so far. */
  get callCount(): number {
    return this.#callCount
  }

  /** Replaces the rule; with none, every call passes. */
  setRule(rule: FaultRule = () => undefined): void {
    this.#rule = rule
  }

  /** Counts a call and runs it, or fails it; `onFault` does what a failing call still does. */
  call<T>(
    operation: FileOperation,
    path: string,
    run: () => T,
    onFault?: (fault: Fault) => void,
  ): T {
    this.#callCount += 1
    const fault = this.#rule({ number: this.#callCount, operation, path })
    if (fault === undefined) return run()
    onFault?.(fault)
    const error = new Error(`${fault.errno}: injected`)
    throw ioError(operation, path, Object.assign(error, { code: fault.errno }))
  }

  openRead(path: string): ReadableFile {
    return this.call(
      'openRead',
      path,
      () => new FaultReadableFile(this, this.#inner.openRead(path)),
    )
  }

  create(path: string): WritableFile {
    return this.call('create', path, () => new FaultWritableFile(this, this.#inner.create(path)))
  }

  openAppend(path: string): WritableFile {
    return this.call(
      'openAppend',
      path,
      () => new FaultWritableFile(this, this.#inner.openAppend(path)),
    )
  }

  exists(path: string): boolean {
    return this.call('exists', path, () => this.#inner.exists(path))
  }

  makeDirectory(path: string): void {
    this.call('makeDirectory', path, () => this.#inner.makeDirectory(path))
  }

  createDirectory(path: string): void {
    this.call('createDirectory', path, () => this.#inner.createDirectory(path))
  }

  removeDirectory(path: string): void {
    this.call('removeDirectory', path, () => this.#inner.removeDirectory(path))
  }

  link(source: string, target: string): void {
    this.call('link', target, () => {
      if (this.#inner.link !== undefined) return this.#inner.link(source, target)
      const error = new Error('the inner file system has no links')
      throw ioError('link', target, Object.assign(error, { code: 'ENOTSUP' }))
    })
  }

  list(path: string): DirectoryEntry[] {
    return this.call('list', path, () => this.#inner.list(path))
  }

  rename(source: string, target: string): void {
    this.call('rename', target, () => this.#inner.rename(source, target))
  }

  remove(path: string): void {
    this.call('remove', path, () => this.#inner.remove(path))
  }

  truncate(path: string, length: number): void {
    this.call('truncate', path, () => this.#inner.truncate(path, length))
  }

  availableSpace(path: string): number {
    return this.call(
      'availableSpace',
      path,
      () => this.#inner.availableSpace?.(path) ?? Number.POSITIVE_INFINITY,
    )
  }

  punchHole(path: string, offset: number, length: number): void {
    this.call('punchHole', path, () => {
      if (this.#inner.punchHole !== undefined) return this.#inner.punchHole(path, offset, length)
      const error = new Error('the inner file system cannot punch holes')
      throw ioError('punch', path, Object.assign(error, { code: 'ENOTSUP' }))
    })
  }

  canPunchHoles(path: string): boolean {
    return this.#inner.canPunchHoles?.(path) ?? false
  }

  linkCount(path: string): number {
    // Where nobody knows, it must not look like one.
    return this.call('linkCount', path, () => this.#inner.linkCount?.(path) ?? 2)
  }

  syncDirectory(path: string): void {
    this.call('syncDirectory', path, () => this.#inner.syncDirectory(path))
  }

  /** Counted as a `syncDirectory`. */
  async syncDirectoryLater(path: string): Promise<void> {
    await this.call('syncDirectory', path, async () => {
      if (this.#inner.syncDirectoryLater === undefined) this.#inner.syncDirectory(path)
      else await this.#inner.syncDirectoryLater(path)
    })
  }

  lock(path: string): DirectoryLock {
    return this.call('lock', path, () => this.#inner.lock(path))
  }
}

class FaultReadableFile implements ReadableFile {
  readonly path: string
  readonly #owner: FaultFileSystem
  readonly #inner: ReadableFile

  constructor(owner: FaultFileSystem, inner: ReadableFile) {
    this.path = inner.path
    this.#owner = owner
    this.#inner = inner
  }

  size(): number {
    return this.#owner.call('size', this.path, () => this.#inner.size())
  }

  read(target: Uint8Array, offset: number): number {
    return this.#owner.call('read', this.path, () => this.#inner.read(target, offset))
  }

  async readLater(target: Uint8Array, offset: number): Promise<number> {
    return this.#owner.call(
      'readLater',
      this.path,
      () => this.#inner.readLater?.(target, offset) ?? this.#inner.read(target, offset),
    )
  }

  close(): void {
    this.#inner.close()
  }
}

class FaultWritableFile implements WritableFile {
  readonly path: string
  readonly #owner: FaultFileSystem
  readonly #inner: WritableFile

  constructor(owner: FaultFileSystem, inner: WritableFile) {
    this.path = inner.path
    this.#owner = owner
    this.#inner = inner
  }

  write(bytes: Uint8Array): void {
    this.#owner.call(
      'write',
      this.path,
      () => this.#inner.write(bytes),
      (fault) => this.#inner.write(bytes.subarray(0, fault.writtenBytes ?? 0)),
    )
  }

  /** Counted as a `write`. */
  async writeLater(bytes: Uint8Array): Promise<void> {
    await this.#owner.call(
      'write',
      this.path,
      async () => {
        if (this.#inner.writeLater === undefined) this.#inner.write(bytes)
        else await this.#inner.writeLater(bytes)
      },
      (fault) => this.#inner.write(bytes.subarray(0, fault.writtenBytes ?? 0)),
    )
  }

  writeAt(bytes: Uint8Array, offset: number): void {
    this.#owner.call('writeAt', this.path, () => this.#inner.writeAt(bytes, offset))
  }

  sync(mode: SyncMode): void {
    this.#owner.call('sync', this.path, () => this.#inner.sync(mode))
  }

  /** Counted as a `sync`. */
  async syncLater(mode: SyncMode): Promise<void> {
    await this.#owner.call('sync', this.path, async () => {
      if (this.#inner.syncLater === undefined) this.#inner.sync(mode)
      else await this.#inner.syncLater(mode)
    })
  }

  close(): void {
    this.#inner.close()
  }
}
