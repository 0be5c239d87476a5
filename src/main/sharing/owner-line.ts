/**
 * An attached thread's line to the owner of the tree: calls and their answers, and what the owner tells by itself. The
 * attached thread.
 *
 *     open ── the owner's side is gone, or `close` ──→ closed: calls that wait, and all later ones, say VARVE_CLOSED
 *
 * I1: the line keeps its thread alive exactly while a call waits for its answer.
 */
import { decodeError, VarveError } from '../../shared/base/errors.js'
import { type Answer, isOwnerNotice, type OwnerControl, type OwnerNotice } from './protocol.js'
import { callsOver, type MessagePort, type Remote } from './thread-ports.js'

/** What to do when the owner speaks: `'gone'` where its side of the line is closed. */
export type NoticeListener = (notice: OwnerNotice['notice'] | 'gone') => void

export class OwnerLine {
  readonly #root: string
  readonly #port: MessagePort
  readonly #control: Remote<OwnerControl>
  /** Ends the calls that wait. */
  readonly #waiting = new Set<(error: Error) => void>()
  #listener: NoticeListener | undefined
  #isClosed = false

  /** @param root of the tree, for errors */
  constructor(port: MessagePort, root: string) {
    this.#root = root
    this.#port = port
    this.#control = callsOver<OwnerControl>(port)
    port.on('close', () => this.#closed())
    port.on('message', (message: unknown) => {
      if (isOwnerNotice(message)) this.#listener?.(message.notice)
    })
    port.unref()
  }

  /** One listener, which stays. One that comes late is told that the owner's side is gone. */
  listen(listener: NoticeListener): void {
    this.#listener = listener
    if (this.#isClosed) listener('gone')
  }

  /** What came of a call. @throws what the owner failed with; VARVE_CLOSED where it is gone */
  async call<T>(ask: (control: Remote<OwnerControl>) => Promise<Answer<T>>): Promise<T> {
    const { value, error } = await this.waitFor(() => ask(this.#control))
    if (error !== undefined) throw decodeError(error)
    return value as T
  }

  /** Keeps the thread alive until the owner has done something. @throws VARVE_CLOSED where it is gone */
  async waitFor<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw this.#goneError()
    let reject: (error: Error) => void = () => undefined
    const gone = new Promise<never>((_, refuse) => {
      reject = refuse
    })
    if (this.#waiting.size === 0) this.#port.ref()
    this.#waiting.add(reject)
    try {
      return await Promise.race([ask(), gone])
    } finally {
      this.#waiting.delete(reject)
      if (this.#waiting.size === 0) this.#port.unref()
    }
  }

  /** Hangs up. A second call does nothing. */
  close(): void {
    this.#port.close()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const reject of this.#waiting) reject(this.#goneError())
    this.#listener?.('gone')
  }

  #goneError(): VarveError {
    return new VarveError('VARVE_CLOSED', `${this.#root} is closed, or this thread is not attached`)
  }
}
