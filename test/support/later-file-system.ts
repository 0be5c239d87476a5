/**
 * A file system in memory whose reads can be watched and held back: for tests of reads that must not wait for the disk.
 */
import type { ReadableFile, ReadRequest } from '../../src/shared/fs/file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

export class LaterFileSystem extends MemoryFileSystem {
  /** True: a read on the calling thread throws. */
  forbidsReads = false
  /** True: reads off it wait for {@link release}. */
  isHeld = false
  /** Reads on the calling thread, reads off it, calls of `readMany` and the reads in them. */
  readonly counts = { read: 0, later: 0, many: 0, inMany: 0 }
  /** Files that are open. */
  openFiles = 0
  #waiting: (() => void)[] = []

  override openRead(path: string): ReadableFile {
    const file = super.openRead(path)
    const read = (target: Uint8Array, offset: number): number => {
      if (this.forbidsReads) throw new Error(`${path} was read on the calling thread`)
      this.counts.read++
      return file.read(target, offset)
    }
    this.openFiles++
    let isOpen = true
    return {
      path,
      size: () => file.size(),
      read,
      readLater: async (target, offset) => {
        this.counts.later++
        if (this.isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve))
        return file.read(target, offset)
      },
      close: () => {
        if (isOpen) this.openFiles--
        isOpen = false
      },
    }
  }

  /** Reads that wait. */
  get waitingCount(): number {
    return this.#waiting.length
  }

  /** Lets the reads that wait go on; those to come as well, unless they are held again. */
  release(): void {
    this.isHeld = false
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** The same, with a call for many reads. */
export class BatchFileSystem extends LaterFileSystem {
  readMany(requests: readonly ReadRequest[]): number[] {
    this.counts.many++
    this.counts.inMany += requests.length
    return requests.map(({ file, target, offset }) => file.read(target, offset))
  }
}
