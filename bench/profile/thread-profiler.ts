/**
 * CPU profiles of this thread and of every worker thread that runs while the profiler does, by Node's own inspector:
 * workers that start later join in, and need to know nothing of it. One process, one profiler at a time.
 */
import { type InspectorNotification, Session } from 'node:inspector'

/** The part of V8's profile format in use: a tree of frames and the samples that hit them. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** Microseconds. */
  readonly startTime: number
  readonly endTime: number
  /** Ids of nodes, and the microseconds from one sample to the next. */
  readonly samples?: readonly number[]
  readonly timeDeltas?: readonly number[]
}

export interface ProfileNode {
  readonly id: number
  readonly callFrame: CallFrame
  readonly children?: readonly number[]
}

export interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
  readonly columnNumber: number
  readonly scriptId: string
}

/** What a thread did. */
export interface ThreadProfile {
  /** `main`, or `worker` and a number. */
  readonly thread: string
  readonly profile: CpuProfile
}

/** The domains of the protocol are more than its types in Node know. */
interface WorkerSession {
  post(method: string, parameters: object, done: (error: Error | null) => void): void
  on(event: string, listener: (message: InspectorNotification<object>) => void): void
}

interface WorkerMessage {
  readonly id?: number
  readonly error?: { readonly message: string }
  readonly result?: { readonly profile?: CpuProfile }
}

/** How long a worker that is asked for its profile may take, before it is left out: one that has ended never answers. */
const PATIENCE_MS = 5000

/** A worker that answers messages of the protocol. */
class WorkerConnection {
  readonly thread: string
  readonly #post: (message: string) => void
  readonly #waiting = new Map<number, (message: WorkerMessage) => void>()
  #last = 0

  constructor(thread: string, post: (message: string) => void) {
    this.thread = thread
    this.#post = post
  }

  /** The answer; undefined where none comes. */
  ask(method: string, params: object = {}): Promise<WorkerMessage | undefined> {
    const id = ++this.#last
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), PATIENCE_MS)
      this.#waiting.set(id, (message) => {
        clearTimeout(timer)
        resolve(message)
      })
      this.#post(JSON.stringify({ id, method, params }))
    })
  }

  receive(text: string): void {
    const message = JSON.parse(text) as WorkerMessage
    if (message.id !== undefined) this.#waiting.get(message.id)?.(message)
  }

  /** Nobody is there any more. */
  end(): void {
    for (const answer of this.#waiting.values()) answer({})
    this.#waiting.clear()
  }
}

export class ThreadProfiler {
  readonly #intervalUs: number
  readonly #session = new Session()
  readonly #workers = new Map<string, WorkerConnection>()
  #workerCount = 0

  /** `intervalUs`: microseconds between two samples of a thread. */
  constructor(intervalUs: number) {
    this.#intervalUs = intervalUs
  }

  async start(): Promise<void> {
    this.#session.connect()
    const session = this.#session as unknown as WorkerSession
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      const { sessionId } = params as { sessionId: string }
      const worker = new WorkerConnection(`worker ${++this.#workerCount}`, (message) => {
        this.#post('NodeWorker.sendMessageToWorker', { sessionId, message }).catch(() =>
          worker.end(),
        )
      })
      this.#workers.set(sessionId, worker)
      void this.#begin(worker)
    })
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const { sessionId, message } = params as { sessionId: string; message: string }
      this.#workers.get(sessionId)?.receive(message)
    })
    session.on('NodeWorker.detachedFromWorker', ({ params }) => {
      const { sessionId } = params as { sessionId: string }
      this.#workers.get(sessionId)?.end()
      this.#workers.delete(sessionId)
    })
    await this.#post('NodeWorker.enable', { waitForDebuggerOnStart: false })
    await this.#post('Profiler.enable')
    await this.#post('Profiler.setSamplingInterval', { interval: this.#intervalUs })
    await this.#post('Profiler.start')
  }

  /** Ends it: the main thread first, then workers in the order in which they came. */
  async stop(): Promise<ThreadProfile[]> {
    const profiles: ThreadProfile[] = []
    const { profile } = (await this.#post('Profiler.stop')) as { profile: CpuProfile }
    profiles.push({ thread: 'main', profile })
    for (const worker of this.#workers.values()) {
      const answer = await worker.ask('Profiler.stop')
      const found = answer?.result?.profile
      if (found !== undefined) profiles.push({ thread: worker.thread, profile: found })
    }
    await this.#post('NodeWorker.disable')
    this.#session.disconnect()
    return profiles
  }

  async #begin(worker: WorkerConnection): Promise<void> {
    await worker.ask('Profiler.enable')
    await worker.ask('Profiler.setSamplingInterval', { interval: this.#intervalUs })
    await worker.ask('Profiler.start')
  }

  #post(method: string, parameters: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const post = this.#session.post.bind(this.#session) as (
        name: string,
        parameters: object,
        done: (error: Error | null, result: unknown) => void,
      ) => void
      post(method, parameters, (error, result) => (error ? reject(error) : resolve(result)))
    })
  }
}
