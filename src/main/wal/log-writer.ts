/**
 * The segments of an open log: appends, writes, syncs, rotates, trims. Main thread; no order of its own: who calls it
 * decides when what is written and when a write counts (group-commit.ts).
 *
 *     sound ── a write failed for want of space, what it left was cut off ──→ sound
 *       │
 *       └─ any other failed write, sync, cut or change of names ──→ failed: every later call throws the first cause
 *
 * I1: nothing is synced again after a failed sync: the kernel may have dropped the pages, and a second one would lie.
 * I2: a segment is synced whole before the next one exists: damage anywhere but in the last one is real.
 * I3: a segment goes only when every write in it lies below `persistedBelow` and a synced record or header says so.
 * I4: segments go oldest first.
 */
import type { Hasher } from '../../shared/base/checksum.js'
import { assert, VarveError } from '../../shared/base/errors.js'
import type { FileSystem, SyncMode, WritableFile } from '../../shared/fs/file-system.js'
import { type Place, RecordType } from './record.js'
import { type Appended, RecordBuffer } from './record-buffer.js'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from './segment-header.js'

/** What the log has done since it was opened. */
export interface LogCounters {
  /** Records appended, of every type. */
  records: number
  /** Bytes written to segments. */
  bytes: number
  /** Calls of write(2). */
  writes: number
  /** Calls of fdatasync, and of fsync where a call had to be synchronous. */
  syncs: number
}

/** A segment that exists. */
export interface LiveSegment {
  readonly id: number
  /** Every write in it has this seqno or a lower one. */
  highestSeqno: number
  bytes: number
}

export interface LogWriterParts {
  readonly fs: FileSystem
  readonly folder: string
  readonly hasher: Hasher
  readonly syncMode: SyncMode
  readonly segmentBytes: number
  /** Segments of earlier sessions that are still needed, oldest first. */
  readonly segments: readonly LiveSegment[]
  /** The id of the first segment of this session. */
  readonly nextId: number
  /** The highest seqno of any write in the log or in tables; -1 where there is none. */
  readonly highestSeqno: number
  readonly persistedBelow: number
}

export class LogWriter {
  readonly counters: LogCounters = { records: 0, bytes: 0, writes: 0, syncs: 0 }
  readonly #parts: LogWriterParts
  readonly #buffer: RecordBuffer
  readonly #segments: LiveSegment[]
  #file: WritableFile
  /** The log position of the first record of the current segment. */
  #segmentStart = 0
  #written = 0
  #synced = 0
  /** How far the last sync went, until a record says so; 0 where nothing is to be said. */
  #unsaidSync = 0
  #persistedBelow: number
  /** The log position of the record that says so; where it was dropped, another one is due. */
  #saidPersistedAt = 0
  #isPersistedDue = false
  #highestAppended: number
  #highestWritten: number
  #sync: Promise<void> | undefined
  #removal: Promise<void> = Promise.resolve()
  #failure: VarveError | undefined

  /** Makes the first segment of a session. @throws VARVE_IO, VARVE_STORAGE_FULL */
  constructor(parts: LogWriterParts) {
    this.#parts = parts
    this.#buffer = new RecordBuffer(parts.hasher)
    this.#segments = [...parts.segments]
    this.#persistedBelow = parts.persistedBelow
    this.#highestAppended = parts.highestSeqno
    this.#highestWritten = parts.highestSeqno
    this.#file = this.#createSegment(parts.nextId)
    this.trim()
  }

  /** The failure that ended the log; undefined while it is sound. */
  get failure(): VarveError | undefined {
    return this.#failure
  }

  get persistedBelow(): number {
    return this.#persistedBelow
  }

  get segmentCount(): number {
    return this.#segments.length
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Bytes appended and not written. */
  get bufferedBytes(): number {
    return this.#buffer.length
  }

  /** Up to which log position records were handed to the kernel. */
  get written(): number {
    return this.#written
  }

  /** Up to which log position records are on disk. */
  get synced(): number {
    return this.#synced
  }

  get isSegmentFull(): boolean {
    return this.#current.bytes >= this.#parts.segmentBytes
  }

  /** Appends a record to the buffer. @throws the failure of the log */
  append(
    type: RecordType,
    seqno: number,
    length = 0,
    fill?: (target: Buffer, at: number) => void,
  ): Appended {
    this.requireSound()
    if (this.#unsaidSync > 0) this.#saySynced()
    this.counters.records++
    const appended = this.#buffer.append(type, seqno, length, this.#placeOf, fill)
    if (type <= RecordType.Clear) {
      this.#highestAppended = seqno
      this.#current.highestSeqno = seqno
    }
    return appended
  }

  /**
   * Hands what is buffered to the kernel.
   * @throws VARVE_STORAGE_FULL where there was no room: nothing was written, what is buffered stays
   * @throws VARVE_IO and the log has failed
   */
  writeOut(): void {
    this.requireSound()
    if (this.#isPersistedDue) this.#sayPersisted()
    const pieces = this.#buffer.pieces()
    if (pieces.length === 0) return
    try {
      for (const piece of pieces) {
        this.counters.writes++
        this.#file.write(piece)
      }
    } catch (error) {
      this.#cutBack(error)
      throw error
    }
    const bytes = this.#buffer.length
    this.#current.bytes += bytes
    this.counters.bytes += bytes
    this.#written += bytes
    this.#highestWritten = this.#highestAppended
    this.#buffer.taken()
  }

  /** Drops what is buffered from the log position `position` on. REQUIRES: nothing of it was applied. */
  dropFrom(position: number): void {
    this.#buffer.dropFrom(position)
    if (this.#saidPersistedAt >= position) this.#isPersistedDue = true
  }

  /** Makes everything written so far durable, off this thread; calls share one sync. */
  async sync(): Promise<void> {
    const target = this.#written
    while (this.#synced < target) {
      this.requireSound()
      this.#sync ??= this.#syncOnce().finally(() => {
        this.#sync = undefined
      })
      await this.#sync
    }
  }

  /** The same at once, on this thread. */
  syncNow(): void {
    this.requireSound()
    if (this.#synced >= this.#written) return
    this.counters.syncs++
    try {
      this.#file.sync(this.#parts.syncMode)
    } catch (error) {
      throw this.fail('a sync of the log failed', error)
    }
    this.#noteSynced(this.#written)
  }

  /** Goes on in a new segment. What is buffered goes along. @throws VARVE_STORAGE_FULL and nothing has changed */
  async rotate(): Promise<void> {
    // Others may write meanwhile.
    while (this.#synced < this.#written) await this.sync()
    this.requireSound()
    const { id } = this.#current
    const oldStart = this.#segmentStart
    const from = this.#placeIn(id, oldStart)
    const previous = this.#file
    this.#file = this.#createSegment(id + 1)
    this.#segmentStart = this.#written
    this.#unsaidSync = 0
    this.#buffer.rebind(from, this.#placeOf)
    this.#letGo(previous)
    this.trim()
  }

  /** Notes that every write below `seqno` is in tables: said by a synced record before any segment goes. */
  notePersisted(seqno: number): void {
    if (seqno <= this.#persistedBelow) return
    this.#persistedBelow = seqno
    this.#isPersistedDue = true
    this.writeOut()
    this.syncNow()
    this.trim()
  }

  /** Removes segments that nobody needs, in the background. */
  trim(): void {
    const removed: string[] = []
    while (this.#segments.length > 1) {
      const [oldest] = this.#segments
      if (oldest === undefined || oldest.highestSeqno >= this.#persistedBelow) break
      removed.push(`${this.#parts.folder}/${segmentName(oldest.id)}`)
      this.#segments.shift()
    }
    if (removed.length > 0) this.#removal = this.#removal.then(() => this.#remove(removed))
  }

  /** Closes the files. Nothing is written. */
  async close(): Promise<void> {
    await this.#sync?.catch(() => undefined)
    await this.#removal
    this.#file.close()
  }

  /** Ends the log: the first failure stays. Returns what later calls throw. */
  fail(what: string, cause: unknown): VarveError {
    this.#failure ??= new VarveError(
      'VARVE_IO',
      `${what}, so ${this.#parts.folder} takes no more writes; close it and open it again ` +
        `(${cause instanceof Error ? cause.message : String(cause)})`,
      { details: { file: this.#parts.folder }, cause },
    )
    return this.#failure
  }

  /** @throws the failure of the log */
  requireSound(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  get #current(): LiveSegment {
    const current = this.#segments.at(-1)
    assert(current !== undefined, 'an open log has a segment')
    return current
  }

  readonly #placeOf = (position: number): Place =>
    this.#placeIn(this.#current.id, this.#segmentStart)(position)

  #placeIn(segmentId: number, start: number): (position: number) => Place {
    return (position) => ({ segmentId, offset: SEGMENT_HEADER_BYTES + position - start })
  }

  #sayPersisted(): void {
    this.#isPersistedDue = false
    this.#saidPersistedAt = this.append(RecordType.Persisted, this.#persistedBelow).start
  }

  /** A record of its own says how far back from it the durable part ends. */
  #saySynced(): void {
    const distance = this.#buffer.end - this.#unsaidSync
    this.#unsaidSync = 0
    this.counters.records++
    this.#buffer.append(RecordType.Synced, distance, 0, this.#placeOf)
  }

  async #syncOnce(): Promise<void> {
    const file = this.#file
    const target = this.#written
    const { syncMode } = this.#parts
    this.counters.syncs++
    try {
      if (file.syncLater === undefined) file.sync(syncMode)
      else await file.syncLater(syncMode)
    } catch (error) {
      throw this.fail('a sync of the log failed', error)
    }
    this.#noteSynced(target)
  }

  #noteSynced(position: number): void {
    if (position <= this.#synced) return
    this.#synced = position
    this.#unsaidSync = position
  }

  /** Makes the segment `id`, its name and its header durable. */
  #createSegment(id: number): WritableFile {
    const { fs, folder, hasher, syncMode } = this.#parts
    const path = `${folder}/${segmentName(id)}`
    const header = {
      id,
      firstSeqno: this.#highestWritten + 1,
      persistedBelow: this.#persistedBelow,
      previousBytes: this.#segments.at(-1)?.bytes ?? 0,
    }
    let file: WritableFile | undefined
    try {
      file = fs.create(path)
      file.write(encodeSegmentHeader(header, hasher))
    } catch (error) {
      file?.close()
      this.#removeUnborn(path, error)
      throw error
    }
    try {
      file.sync(syncMode)
      fs.syncDirectory(folder)
    } catch (error) {
      file.close()
      throw this.fail('a new segment of the log could not be made durable', error)
    }
    this.#isPersistedDue = false
    this.#segments.push({ id, highestSeqno: this.#highestAppended, bytes: SEGMENT_HEADER_BYTES })
    return file
  }

  /** A segment without a header: it goes, or the log has failed. */
  #removeUnborn(path: string, cause: unknown): void {
    try {
      this.#parts.fs.remove(path)
    } catch (error) {
      throw this.fail('a new segment of the log could not be made, nor removed', error)
    }
    if (!VarveError.is(cause, 'VARVE_STORAGE_FULL')) {
      throw this.fail('a new segment of the log could not be made', cause)
    }
  }

  /** Takes back what a failed write has left; where that fails too, or for any reason but space, the log has failed. */
  #cutBack(cause: unknown): void {
    if (!VarveError.is(cause, 'VARVE_STORAGE_FULL')) {
      throw this.fail('a write to the log failed', cause)
    }
    const { fs } = this.#parts
    const { path } = this.#file
    try {
      fs.truncate(path, this.#current.bytes)
      // A fresh handle: the old one stands behind what was cut off.
      const previous = this.#file
      this.#file = fs.openAppend(path)
      this.#letGo(previous)
    } catch (error) {
      throw this.fail('what a full disk left of a write to the log could not be cut off', error)
    }
  }

  /** Closes a file when no sync of it runs. */
  #letGo(file: WritableFile): void {
    const sync = this.#sync
    if (sync === undefined) file.close()
    else void sync.catch(() => undefined).finally(() => file.close())
  }

  /** What cannot be removed now is removed by the next open. */
  async #remove(paths: readonly string[]): Promise<void> {
    const { fs, folder } = this.#parts
    try {
      for (const path of paths) {
        if (fs.removeLater === undefined) fs.remove(path)
        else await fs.removeLater(path)
        fs.syncDirectory(folder)
      }
    } catch {
      // The log is complete with it, too.
    }
  }
}
