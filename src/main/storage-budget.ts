/**
 * Whether there is room on the disk, and in the quota, for what is in memory and more (semantics.md 22.3). Main thread.
 *
 * I1: bytes in use are summed once for each version; the disk is asked again after a new version, a change of settings, or
 *     a second.
 * I2: a question that the disk does not answer is no full disk.
 */
import { VarveError } from '../shared/base/errors.js'
import type { FileSystem } from '../shared/fs/file-system.js'
import type { Settings } from './options.js'
import type { RuntimeConfig } from './runtime-config.js'
import type { SuperVersion } from './version/super-version.js'

/** What of a tree is looked at. */
interface StoredTree {
  readonly root: string
  readonly fs: FileSystem
  readonly latest: SuperVersion
  readonly runtime: RuntimeConfig
  readonly settings: Pick<Settings, 'clock'>
}

/** The disk's answer is good for so long. */
const PROBE_MS = 1000

/** Kept free whatever the memtables hold. */
const RESERVED_BYTES_MIN = 1024 * 1024

/** How things stand. */
export interface StorageState {
  /** Bytes of the tree's files. */
  readonly usedBytes: number
  /** Bytes that they may take; infinite where nothing bounds them. */
  readonly limitBytes: number
  /** Bytes kept free for what is in memory. */
  readonly reservedBytes: number
}

export class StorageBudget {
  readonly #tree: StoredTree
  #versionId: number | undefined
  #usedBytes = 0
  #freeBytes: number | undefined
  #probedAtMs = 0

  constructor(tree: StoredTree) {
    this.#tree = tree
  }

  /** Bytes of the latest version's files. */
  get usedBytes(): number {
    const { version } = this.#tree.latest
    if (version.id !== this.#versionId) {
      this.#versionId = version.id
      this.#freeBytes = undefined
      this.#usedBytes = 0
      for (const { table } of version.tables()) this.#usedBytes += table.storedBytes
    }
    return this.#usedBytes
  }

  /** Bytes that the tree's volume has left; infinite where nobody knows. */
  get freeBytes(): number {
    const nowMs = this.#tree.settings.clock()
    const age = nowMs - this.#probedAtMs
    // A clock that was set back tells nothing.
    if (this.#freeBytes === undefined || age >= PROBE_MS || age < 0) {
      this.#freeBytes = this.#probe()
      this.#probedAtMs = nowMs
    }
    return this.#freeBytes
  }

  get state(): StorageState {
    const { runtime, latest } = this.#tree
    const { usedBytes } = this
    const quota = runtime.storageLimitBytes ?? Number.POSITIVE_INFINITY
    const memtables =
      latest.active === undefined ? latest.sealed : [...latest.sealed, latest.active]
    const inMemory = memtables.reduce((sum, memtable) => sum + memtable.dataBytes, 0)
    return {
      usedBytes,
      limitBytes: Math.min(quota, this.freeBytes + usedBytes),
      reservedBytes: Math.max(Math.floor((inMemory * 9) / 8), RESERVED_BYTES_MIN),
    }
  }

  /** What is over the budget; undefined where nothing is, or where nobody asked for it to be watched. */
  excess(): StorageState | undefined {
    if (!this.#tree.runtime.storageAdmissionCheck) return undefined
    const { state } = this
    return state.usedBytes + state.reservedBytes > state.limitBytes ? state : undefined
  }

  /** @throws VARVE_STORAGE_FULL */
  requireRoom(): void {
    const excess = this.excess()
    if (excess === undefined) return
    const { usedBytes, limitBytes, reservedBytes } = excess
    throw new VarveError(
      'VARVE_STORAGE_FULL',
      `${this.#tree.root} takes ${usedBytes} of ${limitBytes} bytes and needs ${reservedBytes} for what is in memory; ` +
        'free disk space, delete and compact, or raise RuntimeConfig.storageLimitBytes',
      { details: { file: this.#tree.root, used: usedBytes, limit: limitBytes, reservedBytes } },
    )
  }

  /** Settings have changed, or space was given back: everything is asked anew. */
  forget(): void {
    this.#freeBytes = undefined
    this.#versionId = undefined
  }

  #probe(): number {
    const { fs, root } = this.#tree
    try {
      return fs.availableSpace?.(root) ?? Number.POSITIVE_INFINITY
    } catch {
      return Number.POSITIVE_INFINITY
    }
  }
}
