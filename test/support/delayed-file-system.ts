/**
 * A file system in memory whose writes and syncs off the thread end late, in any order, a sync together with the writes
 * that ended before it was asked for: what is handed over is read only then. `SEED` replays.
 */
import type { SyncMode, WritableFile } from '../../src/shared/fs/file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import type { Random } from './random.js'

const TURNS_MAX = 6

export class DelayedFileSystem extends MemoryFileSystem {
  /** Calls off the thread that have ended. */
  readonly counts = { writes: 0, syncs: 0, folders: 0 }
  underWay = 0
  readonly #random: Random

  constructor(random: Random) {
    super()
    this.#random = random
  }

  override create(path: string): WritableFile {
    const file = super.create(path)
    let end = 0
    const append = (length: number): number => {
      const offset = end
      end += length
      return offset
    }
    return {
      path,
      write: (bytes) => file.writeAt(bytes, append(bytes.length)),
      writeAt: (bytes, offset) => file.writeAt(bytes, offset),
      writeLater: async (bytes) => {
        const offset = append(bytes.length)
        await this.#delay()
        file.writeAt(bytes, offset)
        this.counts.writes++
      },
      sync: (mode) => file.sync(mode),
      syncLater: async (mode: SyncMode) => {
        await this.#delay()
        file.sync(mode)
        this.counts.syncs++
      },
      close: () => file.close(),
    }
  }

  async syncDirectoryLater(path: string): Promise<void> {
    await this.#delay()
    this.syncDirectory(path)
    this.counts.folders++
  }

  async #delay(): Promise<void> {
    this.underWay++
    for (let turns = this.#random.below(TURNS_MAX); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.underWay--
  }
}
