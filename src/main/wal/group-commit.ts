/**
 * The order of writes: logged in the order of the calls, applied to the tree in the same order, each as soon as the log
 * has what its durability asks for. Whoever waits at the same time shares one write and one sync. Main thread.
 *
 *     submit ─→ buffered ── write(2) ──→ written ── fdatasync ──→ synced
 *                  │                        │                        │
 *               'memory'                'process'                  'disk'        from here on: applied, then acknowledged
 *
 * I1: a write is applied only after every write before it was applied or refused: so what memtables hold, and what a flush
 *     makes durable, is always a gap-free beginning of the log.
 * I2: a write is acknowledged only after it was applied, and applied only when it is as durable as was asked.
 * I3: what a full disk kept from being written was not applied, and is rejected; what was applied already ('memory')
 *     stays buffered for the next attempt.
 * I4: a write that the tree refuses after it was logged is said to be refused, as durably, before its caller hears of it.
 */
import { rangeError, VarveError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import type { Tree } from '../index.js'
import { applyClear, applyRecord } from './apply-record.js'
import type { LogWriter } from './log-writer.js'
import { decodeBody, RecordType } from './record.js'
import type { Appended } from './record-buffer.js'
import type { WriteRequest } from './write-request.js'

/**
 * What a write outlives once it is acknowledged: nothing, the end of the process however it ends, or the loss of power.
 */
export type Durability = 'memory' | 'process' | 'disk'

interface Pending extends Appended {
  readonly seqno: number
  readonly type: RecordType
  readonly durability: Durability
  readonly resolve: (seqno: number) => void
  readonly reject: (error: unknown) => void
}

/** Acknowledged writes by durability. */
export type Acknowledged = Record<Durability, number>

export interface GroupCommitParts {
  readonly log: LogWriter
  readonly tree: Tree
  /** True where the tree flushes by itself: a full one is waited for. */
  readonly isAutomatic: boolean
  /** Bytes that writes of durability 'memory' gather before they are written. */
  readonly bufferBytes: number
  /** How long they may wait for that, in milliseconds. */
  readonly bufferMs: number
  /** Bytes that may wait to be acknowledged. */
  readonly pendingBytesMax: number
}

/** Never read: bodies of records in memory were made by this process. */
const IN_MEMORY = { file: 'a record in memory', offset: 0 }

export class GroupCommit {
  readonly acknowledged: Acknowledged = { memory: 0, process: 0, disk: 0 }
  readonly #parts: GroupCommitParts
  #queue: Pending[] = []
  #pendingBytes = 0
  #isRunning = false
  #timer: NodeJS.Timeout | undefined
  #idleWaiters: (() => void)[] = []
  #isClosing = false
  /** Resolves when what runs alone has ended. */
  #hold: Promise<void> | undefined
  /** Who waits for the tree. */
  readonly #stalled = new Set<() => void>()

  constructor(parts: GroupCommitParts) {
    this.#parts = parts
  }

  get pendingCount(): number {
    return this.#queue.length
  }

  /** Logs and applies a write; resolves with its seqno. */
  submit(request: WriteRequest, asked: Durability): Promise<number> {
    const { log, tree, pendingBytesMax } = this.#parts
    if (this.#hold !== undefined) return this.#submitLater(request, asked, this.#hold)
    try {
      log.requireSound()
      this.#requireFits(request.payload)
      const isCrowded = this.#pendingBytes + request.length > pendingBytesMax
      if (isCrowded && this.#queue.length > 0) throw this.#tooMuchPending()
      // A full disk is told before a write is taken that could not be kept.
      if (log.bufferedBytes > pendingBytesMax) log.writeOut()
      const seqno = tree.seqno.next()
      const appended = log.append(request.type, seqno, request.length, request.fill)
      const { type } = request
      // A clear changes files at once: the log has to know of it first, whatever its caller can do without.
      const durability = type === RecordType.Clear ? 'disk' : asked
      if (durability === 'memory' && this.#queue.length === 0) {
        const answer = this.#applyAtOnce(appended, seqno)
        if (answer !== undefined) return answer
      }
      return new Promise((resolve, reject) => {
        const { body, start, end } = appended
        this.#queue.push({ body, start, end, type, seqno, durability, resolve, reject })
        this.#pendingBytes += appended.end - appended.start
        this.kick()
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Runs `work` while no write is in line: those that come meanwhile get their seqnos behind it. */
  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    while (this.#hold !== undefined) await this.#hold
    let release: () => void = () => undefined
    this.#hold = new Promise((resolve) => {
      release = resolve
    })
    try {
      await this.idle()
      return await work()
    } finally {
      this.#hold = undefined
      release()
    }
  }

  /** Something may be to do. */
  kick(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    // Not at once: whoever else writes in this turn comes along.
    queueMicrotask(() => void this.#run())
  }

  /** Resolves when every write so far is acknowledged or refused. */
  async idle(): Promise<void> {
    while (this.#isRunning) {
      await new Promise<void>((resolve) => {
        this.#idleWaiters.push(resolve)
      })
    }
  }

  /** Ends: resolves when nothing is in line. Who waits for a tree that stays full is rejected; the log has the write. */
  async finish(): Promise<void> {
    while (this.#hold !== undefined) await this.#hold
    this.#isClosing = true
    for (const wake of this.#stalled) wake()
    await this.idle()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Hands to the kernel what 'memory' writes have gathered. @throws what the log throws */
  writeOut(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#parts.log.writeOut()
  }

  /** 'memory' with nothing before it: the answer, or undefined where the write has to wait in line. */
  #applyAtOnce(appended: Appended, seqno: number): Promise<number> | undefined {
    const { log, tree, isAutomatic, bufferBytes } = this.#parts
    let isWelcome: boolean
    try {
      isWelcome = applyRecord(tree, decodeBody(appended.body, IN_MEMORY))
    } catch (error) {
      if (isAutomatic && VarveError.is(error, 'VARVE_STALLED')) return undefined
      // Nobody has seen the record yet.
      log.dropFrom(appended.start)
      throw error
    }
    this.acknowledged.memory++
    if (log.bufferedBytes >= bufferBytes) this.#tryWriteOut()
    else this.#writeOutLater()
    if (isWelcome || !isAutomatic) return Promise.resolve(seqno)
    return this.#drained().then(() => seqno)
  }

  /** Resolves when the tree takes writes gladly again, or is about to be closed. */
  async #drained(): Promise<void> {
    let wake: () => void = () => undefined
    const closing = new Promise<void>((resolve) => {
      wake = resolve
    })
    this.#stalled.add(wake)
    await Promise.race([this.#parts.tree.drained(), closing]).finally(() =>
      this.#stalled.delete(wake),
    )
  }

  /** The tree takes no more: waits until it does. Who closes it does not wait for ever. */
  async #makeRoom(): Promise<void> {
    if (!this.#isClosing) return this.#drained()
    try {
      await this.#parts.tree.flush()
    } catch (error) {
      this.#rejectAll(error)
    }
  }

  /** Takes a write whose turn comes later: its keys and values are copied now. */
  async #submitLater(
    request: WriteRequest,
    durability: Durability,
    hold: Promise<void>,
  ): Promise<number> {
    const copy = Buffer.alloc(request.length)
    request.fill(copy, 0)
    await hold
    return this.submit({ ...request, fill: (target, at) => copy.copy(target, at) }, durability)
  }

  #writeOutLater(): void {
    this.#timer ??= setTimeout(() => this.#tryWriteOut(), this.#parts.bufferMs).unref()
  }

  /** Writes what is buffered; a disk that is full is tried again later, anything else the log remembers. */
  #tryWriteOut(): void {
    const { log } = this.#parts
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (log.isSegmentFull) {
      this.kick()
      return
    }
    try {
      log.writeOut()
    } catch {
      if (log.failure === undefined) this.#writeOutLater()
      else this.kick()
    }
  }

  async #run(): Promise<void> {
    const { log } = this.#parts
    let isDiskFull = false
    do {
      try {
        // What was written before the disk was full goes on, and then the disk is tried again.
        if (!isDiskFull) {
          if (log.isSegmentFull && log.bufferedBytes > 0) await log.rotate()
          log.writeOut()
        }
        isDiskFull = false
        const waiting = this.#applyReady()
        if (waiting !== undefined) await waiting
        const head = this.#queue[0]
        if (head !== undefined && !this.#isReady(head)) await log.sync()
      } catch (error) {
        isDiskFull = VarveError.is(error, 'VARVE_STORAGE_FULL') && log.failure === undefined
        if (isDiskFull) this.#rejectUnwritten(error)
        else this.#rejectAll(log.fail('a step of the log failed', error))
      }
    } while (this.#queue.length > 0)
    this.#isRunning = false
    if (log.failure === undefined && log.bufferedBytes > 0) this.#writeOutLater()
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #isReady({ durability, end }: Pending): boolean {
    const { log } = this.#parts
    if (durability === 'memory') return true
    return end <= (durability === 'process' ? log.written : log.synced)
  }

  /** Applies what is ready, in order. Returns what has to be waited for before it can go on. */
  #applyReady(): Promise<void> | undefined {
    const { tree, isAutomatic } = this.#parts
    let done = 0
    try {
      for (const pending of this.#queue) {
        if (!this.#isReady(pending)) break
        if (pending.type === RecordType.Clear) return this.#clear(pending)
        let isWelcome: boolean
        try {
          isWelcome = applyRecord(tree, decodeBody(pending.body, IN_MEMORY))
        } catch (error) {
          if (isAutomatic && VarveError.is(error, 'VARVE_STALLED')) return this.#makeRoom()
          return this.#refuse(pending, error)
        }
        done++
        if (!isWelcome && isAutomatic) {
          return this.#drained().finally(() => this.#acknowledge(pending))
        }
        this.#acknowledge(pending)
      }
      return undefined
    } finally {
      this.#leave(done)
    }
  }

  async #clear(pending: Pending): Promise<void> {
    const { log, tree } = this.#parts
    try {
      await applyClear(tree)
    } catch (error) {
      await this.#refuse(pending, error)
      return
    }
    this.#queue = this.#queue.filter((other) => other !== pending)
    this.#pendingBytes -= pending.end - pending.start
    tree.visibleSeqno.fetchMax(pending.seqno + 1)
    this.#acknowledge(pending)
    // What was before it is gone for good: nothing of it is to be replayed.
    log.notePersisted(pending.seqno + 1)
  }

  /** The first in line was refused: no replay may apply it either. */
  async #refuse(pending: Pending, error: unknown): Promise<void> {
    const { log } = this.#parts
    try {
      log.append(RecordType.Refused, pending.seqno)
      log.writeOut()
      if (pending.durability === 'disk') await log.sync()
    } catch (cause) {
      throw log.fail('a write that the tree refused could not be taken back', cause)
    }
    this.#queue = this.#queue.filter((other) => other !== pending)
    this.#pendingBytes -= pending.end - pending.start
    pending.reject(error)
  }

  #acknowledge({ durability, resolve, seqno }: Pending): void {
    this.acknowledged[durability]++
    resolve(seqno)
  }

  /** Takes the first `count` out of the line. */
  #leave(count: number): void {
    if (count === 0) return
    for (let i = 0; i < count; i++) {
      const { start, end } = this.#queue[i] as Pending
      this.#pendingBytes -= end - start
    }
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count)
  }

  /** What was written waits on; what was not is as if it had never been said. */
  #rejectUnwritten(error: unknown): void {
    const { log } = this.#parts
    const firstUnwritten = this.#queue.findIndex(({ end }) => end > log.written)
    if (firstUnwritten < 0) return
    const rejected = this.#queue.slice(firstUnwritten)
    this.#leaveFrom(firstUnwritten)
    log.dropFrom((rejected[0] as Pending).start)
    for (const { reject } of rejected) reject(error)
  }

  #rejectAll(error: unknown): void {
    const rejected = this.#queue
    this.#leaveFrom(0)
    for (const { reject } of rejected) reject(error)
  }

  /** Takes all but the first `count` out of the line. */
  #leaveFrom(count: number): void {
    this.#queue = this.#queue.slice(0, count)
    this.#pendingBytes = this.#queue.reduce((sum, { start, end }) => sum + end - start, 0)
  }

  /** @throws RangeError for what no memtable takes */
  #requireFits(payload: number): void {
    const { memtableBytes } = this.#parts.tree.runtimeConfig
    if (payload + KEY_BYTES_MAX <= memtableBytes) return
    throw rangeError(
      `a write of ${payload} bytes does not fit a write buffer of ${memtableBytes}; raise RuntimeConfig.memtableBytes`,
    )
  }

  #tooMuchPending(): VarveError {
    return new VarveError(
      'VARVE_STALLED',
      `${this.#queue.length} writes of ${this.#pendingBytes} bytes wait for the log; await them before you write more`,
      { details: { pending: this.#queue.length, bytes: this.#pendingBytes } },
    )
  }
}
