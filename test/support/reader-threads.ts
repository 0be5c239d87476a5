/** The test's side of `reader-thread.ts`: starts threads that read a tree, and asks them. */
import { Worker } from 'node:worker_threads'
import type { SharedTree } from '../../src/main/index.js'
import { decodeError } from '../../src/shared/base/errors.js'
import type { ReaderThreadData, ThreadQuestion } from './reader-thread.js'

export class ReaderThread implements AsyncDisposable {
  readonly worker: Worker
  readonly #waiting = new Map<
    number,
    { resolve: (value: any) => void; reject: (e: Error) => void }
  >()
  #next = 1

  private constructor(worker: Worker) {
    this.worker = worker
    worker.on('message', ({ id, value, error }) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(decodeError(error))
    })
    worker.on('error', (error) => this.#fail(error as Error))
    worker.on('exit', () => this.#fail(new Error('the thread is gone')))
  }

  /** @throws what attaching fails with */
  static async start(
    handle: SharedTree,
    options: Omit<ReaderThreadData, 'handle'> = {},
  ): Promise<ReaderThread> {
    const workerData: ReaderThreadData = { handle, ...options }
    const thread = new ReaderThread(
      new Worker(new URL('./reader-thread.js', import.meta.url), { workerData }),
    )
    try {
      await thread.#answer(0)
    } catch (error) {
      await thread.worker.terminate()
      throw error
    }
    return thread
  }

  ask<T = any>(ask: ThreadQuestion['ask'], given?: unknown): Promise<T> {
    const id = this.#next++
    const answer = this.#answer(id)
    this.worker.postMessage({ id, ask, with: given } satisfies ThreadQuestion)
    return answer
  }

  /** Ends the thread as it is. */
  async terminate(): Promise<void> {
    await this.worker.terminate()
  }

  /** Asks for something that ends the thread, and waits until it has. */
  async end(how: 'exit' | 'throw'): Promise<void> {
    const ended = new Promise((resolve) => this.worker.once('exit', resolve))
    this.ask(how).catch(() => undefined)
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate()
  }

  #answer(id: number): Promise<any> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
    })
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
