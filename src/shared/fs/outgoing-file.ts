/**
 * A file that goes to the disk while its bytes are still being made: off the calling thread where the file system can, in
 * pieces, each of which is made durable before the last one is there. So what the end waits for is short. The thread that
 * makes the bytes.
 *
 * I1: `end` resolves only when every write and every sync has succeeded, the early ones too, and the last sync began after
 *     the last write.
 * I2: the file is closed once nothing of it is under way any more, whatever went wrong.
 * I3: what goes wrong off the thread is thrown by the next call.
 */
import type { SyncMode, WritableFile } from './file-system.js'

/** What is written between two syncs: large enough that few are needed, small enough that the last one is short. */
const SYNC_STEP_BYTES = 8 * 1024 * 1024

/** An early sync for less than that costs more than it saves. */
const SYNC_BYTES_MIN = 1024 * 1024

export class OutgoingFile {
  readonly #file: WritableFile
  readonly #syncMode: SyncMode | 'none'
  /** Writes and syncs under way. None of them rejects: what they fail with is kept. */
  readonly #underWay = new Set<Promise<void>>()
  #writeCount = 0
  #syncCount = 0
  /** Bytes whose write has ended, and that no sync was begun for. */
  #unsynced = 0
  #failure: { readonly error: unknown } | undefined

  /** @param syncMode `none` for a file that need not be durable */
  constructor(file: WritableFile, syncMode: SyncMode | 'none') {
    this.#file = file
    this.#syncMode = syncMode
  }

  get path(): string {
    return this.#file.path
  }

  /** Whether {@link writeLater} leaves the thread. */
  get canWriteLater(): boolean {
    return this.#file.writeLater !== undefined
  }

  /** Appends `bytes`, which are the caller's again. */
  write(bytes: Uint8Array): void {
    this.#requireSound()
    this.#file.write(bytes)
    this.#unsynced += bytes.length
    this.#syncStep()
  }

  /** Appends `bytes`, which are the caller's again when `onEnd` is called. */
  writeLater(bytes: Uint8Array, onEnd: () => void): void {
    const { writeLater } = this.#file
    if (writeLater === undefined) {
      this.write(bytes)
      onEnd()
      return
    }
    this.#requireSound()
    this.#writeCount++
    this.#start(writeLater.call(this.#file, bytes), () => {
      this.#writeCount--
      this.#unsynced += bytes.length
      onEnd()
      this.#syncStep()
    })
  }

  /** Begins to make durable what is written, where that is worth it: for when nothing is written for a while. */
  syncSoon(): void {
    const { syncLater } = this.#file
    const mode = this.#syncMode
    if (mode === 'none' || syncLater === undefined) return
    if (this.#unsynced < SYNC_BYTES_MIN || this.#failure !== undefined) return
    this.#syncCount++
    this.#unsynced = 0
    this.#start(syncLater.call(this.#file, mode), () => {
      this.#syncCount--
      this.#syncStep()
    })
  }

  /** Completes the file: all of it durable, and closed. Nothing is written any more. */
  async end(): Promise<void> {
    const { syncLater } = this.#file
    const mode = this.#syncMode
    try {
      while (this.#writeCount > 0) await Promise.race(this.#underWay)
      this.#requireSound()
      if (mode !== 'none') {
        if (syncLater === undefined) this.#file.sync(mode)
        else await syncLater.call(this.#file, mode)
      }
      if (this.#underWay.size > 0) await this.settled()
      this.#requireSound()
    } finally {
      if (this.#underWay.size > 0) await this.settled()
      this.#file.close()
    }
  }

  /** Closes the file as it is; what is under way ends first. */
  abandon(): void {
    this.#file.close()
  }

  /** Resolves when nothing is under way; never rejects. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #syncStep(): void {
    if (this.#syncCount === 0 && this.#unsynced >= SYNC_STEP_BYTES) this.syncSoon()
  }

  #start(work: Promise<void>, onEnd: () => void): void {
    const ended = work
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .then(() => {
        this.#underWay.delete(ended)
        onEnd()
      })
    this.#underWay.add(ended)
  }

  #requireSound(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
