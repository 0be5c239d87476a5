/**
 * Threads that are attached to a tree as the owner sees them, made by hand: what they hold is set word by word, and a real
 * worker does the same when it is told to (sharing-worker.ts).
 */
import { Worker } from 'node:worker_threads'
import { processEnvironment } from '../../src/main/environment.js'
import type {
  AttachOptions,
  Grant,
  OwnerControl,
  SharedTree,
} from '../../src/main/sharing/protocol.js'
import { ATTACH_REQUEST, isOwnerNotice } from '../../src/main/sharing/protocol.js'
import { receiveAttach } from '../../src/main/sharing/shares.js'
import {
  callsOver,
  currentThreadId,
  type MessagePort,
  makeLine,
  type Remote,
  sendToThread,
} from '../../src/main/sharing/thread-ports.js'
import { decodeError } from '../../src/shared/base/errors.js'
import { EpochSlot } from '../../src/shared/memory/epochs.js'
import { HistoryWords } from '../../src/shared/memory/history-words.js'
import { ReaderWords, ShareWords } from '../../src/shared/memory/share-words.js'
import { SharedMemory } from '../../src/shared/memory/shared-memory.js'

/** One attached thread: what it has of the tree, and the words that it writes. */
export class HandReader {
  readonly grant: Grant
  readonly control: Remote<OwnerControl>
  readonly slot: EpochSlot
  readonly share: ShareWords
  readonly words: ReaderWords
  readonly notices: string[] = []
  readonly shared: SharedMemory
  readonly #port: MessagePort

  private constructor(
    shared: SharedMemory,
    port: MessagePort,
    control: Remote<OwnerControl>,
    grant: Grant,
  ) {
    this.shared = shared
    this.#port = port
    this.control = control
    this.grant = grant
    this.slot = new EpochSlot(shared, grant.epochs, grant.slot)
    this.share = new ShareWords(shared, grant.share)
    this.words = new ReaderWords(shared, grant.reader)
    port.on('message', (message: unknown) => {
      if (isOwnerNotice(message)) this.notices.push(message.notice)
    })
  }

  /** Attaches the calling thread, the owner's or another. */
  static async attach(handle: SharedTree, options: AttachOptions = {}): Promise<HandReader> {
    const isHere = handle.threadId === currentThreadId()
    const shared = isHere ? processEnvironment().shared : new SharedMemory(handle.memory)
    const { near, far } = makeLine()
    const control = callsOver<OwnerControl>(near)
    // Until the answer is there nothing else may keep this thread alive.
    near.ref()
    const request = { kind: ATTACH_REQUEST, shareId: handle.shareId, port: far }
    if (isHere) receiveAttach(request)
    else await sendToThread(handle.threadId, request, [far])
    const { value, error } = await control.grant(options)
    if (value !== undefined) return new HandReader(shared, near, control, value)
    near.close()
    throw decodeError(error)
  }

  /** The state that a read at `seqno`, or of what is visible, uses; 0 where it was collected. REQUIRES: inside. */
  stateAt(seqno?: number): number {
    for (;;) {
      const history = this.share.history
      const at = seqno ?? this.share.visible
      if (this.share.history === history)
        return history === 0 ? 0 : new HistoryWords(this.shared, history).stateAt(at)
    }
  }

  /** Pins a seqno as a snapshot does: its number; undefined where it was collected. */
  pin(seqno: number): number | undefined {
    for (;;) {
      const number = this.words.pin(seqno)
      const before = this.share.decided()
      this.slot.enter()
      const state = this.stateAt(seqno)
      this.slot.leave()
      if (this.share.decided() === before) {
        if (state !== 0) return number
        this.words.unpin(number)
        return undefined
      }
      this.words.unpin(number)
    }
  }

  /** As the end of its thread: the line goes dead. Resolves when that was seen here. */
  async end(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#port.once('close', () => resolve()))
    this.#port.close()
    await closed
    // The other side hears of it in a turn of its own.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  /** As a reader that is done: said over the line. */
  async detach(): Promise<void> {
    await this.control.detach()
    await this.end()
  }
}

/** Turns of the event loop until `isTrue`. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}

/** A worker that attaches and then does what it is told, by its name. */
export function sharingWorker(handle: SharedTree): Worker {
  return new Worker(new URL('./sharing-worker.js', import.meta.url), { workerData: handle })
}
