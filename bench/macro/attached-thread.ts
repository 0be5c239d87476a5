/** A worker that attaches to a tree and reads, seen from the thread that tells it what to do. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ThreadData, ThreadOrder, ThreadResult } from './thread-reader.js'

const SCRIPT = new URL('./thread-reader.js', import.meta.url)

export class AttachedThread {
  readonly #worker: Worker

  constructor(data: ThreadData) {
    this.#worker = new Worker(SCRIPT, { workerData: data, execArgv: [] })
  }

  /** What came of a read; undefined of other orders. @throws what the thread threw */
  async obey(order: ThreadOrder): Promise<ThreadResult | undefined> {
    const answer = once(this.#worker, 'message')
    this.#worker.postMessage(order)
    return (await answer)[0]
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}
