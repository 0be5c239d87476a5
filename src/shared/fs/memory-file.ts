/**
 * What a memory file system is made of: files and folders that know, beside what they hold now,
 * what would surely survive a power cut. Owned by {@link MemoryFileSystem}, on its thread.
 *
 * I1: `durable` changes only in `sync`. Bytes of it are never overwritten in place: they are copied
 *     first.
 * I2: a folder's `durable` names are those at its last sync.
 */

/** What a power cut does to the unsynced: the chance of surviving, and the dice. */
export interface CrashOptions {
  /** The share of unsynced files, names and sectors that survive, 0 to 1. */
  readonly keepUnsynced: number
  /** A uniform number in [0, 1). */
  readonly random: () => number
}

/** A disk writes whole sectors: the grain by which an unsynced write is torn. */
const SECTOR_BYTES = 512

/** The grain by which space is given back. */
const PAGE_BYTES = 4096

const EMPTY = new Uint8Array(0)

/** A file's bytes. */
export class MemoryFile {
  #buffer: Uint8Array = EMPTY
  #length = 0
  #durable: Uint8Array = EMPTY
  /** Pages without space. */
  readonly #holes = new Set<number>()
  /** True while a directory lock on this file is held. */
  isLocked = false

  get length(): number {
    return this.#length
  }

  read(target: Uint8Array, offset: number): number {
    const piece = this.#buffer.subarray(
      Math.min(offset, this.#length),
      Math.min(offset + target.length, this.#length),
    )
    target.set(piece)
    return piece.length
  }

  /** Bytes of the length that take no space. */
  get punchedBytes(): number {
    return Math.min(this.#length, this.#holes.size * PAGE_BYTES)
  }

  /** Zeroes a piece and gives the space of its whole pages back. What is durable of it may survive a power cut. */
  punch(offset: number, length: number): void {
    const end = Math.min(offset + length, this.#length)
    if (end <= offset) return
    this.write(new Uint8Array(end - offset), offset)
    const last = Math.floor(end / PAGE_BYTES)
    for (let page = Math.ceil(offset / PAGE_BYTES); page < last; page++) this.#holes.add(page)
  }

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length
    if (this.#holes.size > 0) {
      for (let page = Math.floor(offset / PAGE_BYTES); page * PAGE_BYTES < end; page++) {
        this.#holes.delete(page)
      }
    }
    // A write behind the end zeroes the gap, so it begins at the end.
    const start = Math.min(offset, this.#length)
    const overwritesDurable =
      start < this.#durable.length && this.#durable.buffer === this.#buffer.buffer
    if (end > this.#buffer.length || overwritesDurable) {
      const grown = new Uint8Array(Math.max(end, Math.min(2 * this.#length, end + (64 << 20)), 64))
      grown.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = grown
    }
    this.#buffer.fill(0, start, offset)
    this.#buffer.set(bytes, offset)
    this.#length = Math.max(this.#length, end)
  }

  truncate(length: number): void {
    if (length > this.#length) this.write(new Uint8Array(length - this.#length), this.#length)
    this.#length = length
  }

  sync(): void {
    this.#durable = this.#buffer.subarray(0, this.#length)
  }

  /** This file after a power cut: synced bytes for sure, of the others whole, no or torn pieces. */
  crash({ keepUnsynced, random }: CrashOptions): MemoryFile {
    const survivor = new MemoryFile()
    const live = this.#buffer.subarray(0, this.#length)
    const old = this.#durable
    const isTorn = keepUnsynced > 0 && keepUnsynced < 1 && random() < 0.5
    if (!isTorn) {
      survivor.write(random() < keepUnsynced ? live : old, 0)
    } else {
      const shorter = Math.min(live.length, old.length)
      const span = Math.max(live.length, old.length) - shorter
      const torn = new Uint8Array(shorter + Math.floor(random() * (span + 1)))
      for (let start = 0; start < torn.length; start += SECTOR_BYTES) {
        // A sector is the new one or the old one; one that never was written reads as zeros.
        const source = random() < keepUnsynced ? live : old
        torn.set(source.subarray(start, Math.min(start + SECTOR_BYTES, torn.length)), start)
      }
      survivor.write(torn, 0)
    }
    survivor.sync()
    return survivor
  }
}

/** A folder's names. */
export class MemoryFolder {
  readonly entries = new Map<string, MemoryFile | MemoryFolder>()
  #durable: ReadonlyMap<string, MemoryFile | MemoryFolder> = new Map()

  sync(): void {
    this.#durable = new Map(this.entries)
  }

  /**
   * This folder after a power cut: every name that changed since the last sync is the new one or
   * the old one.
   */
  crash(options: CrashOptions): MemoryFolder {
    const survivor = new MemoryFolder()
    for (const name of new Set([...this.#durable.keys(), ...this.entries.keys()])) {
      const now = this.entries.get(name)
      const before = this.#durable.get(name)
      const isKept = now === before || options.random() < options.keepUnsynced
      const node = isKept ? now : before
      if (node !== undefined) survivor.entries.set(name, node.crash(options))
    }
    survivor.sync()
    return survivor
  }
}
