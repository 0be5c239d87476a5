/**
 * A worker thread for tests of readers: attaches to the tree that it is given, answers questions about it, and hands its
 * handle on to a thread below where it is asked to.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { attach, type SharedTree, type TreeReader } from '../../src/main/index.js'
import { encodeError } from '../../src/shared/base/errors.js'
import { type Questions, readEverything, readEverythingLater } from './read-everything.js'

export interface ReaderThreadData {
  readonly handle: SharedTree
  readonly memoryBytes?: number
  /** Threads between this one and the one that reads. */
  readonly depth?: number
}

/** What the thread is asked, and under which number it answers. */
export interface ThreadQuestion {
  readonly id: number
  readonly ask: keyof typeof ANSWERS
  readonly with?: unknown
}

const data = workerData as ReaderThreadData
let reader: TreeReader | undefined
let slot: Disposable[] = []

const ANSWERS = {
  everything: (given: unknown) => readEverything(open(), given as Questions),
  later: (given: unknown) => readEverythingLater(open(), given as Questions),
  snapshot: (given: unknown) => {
    using snapshot = open().snapshot()
    return readEverything(snapshot, { ...(given as Questions), seqno: snapshot.seqno })
  },
  changes: (from: unknown) =>
    Array.from(open().scanSinceSeqno(from as number, { partial: true }), (event) =>
      JSON.stringify(event),
    ),
  trace: (key: unknown) => JSON.stringify(open().trace(key as string)),
  batch: (intervals: unknown) =>
    Array.from(open().batchRangeScan(intervals as []), (entry) => entry.map(String)),
  get: (key: unknown) => open().getString(key as string),
  size: (key: unknown) => open().get(key as string)?.length,
  /** Looks at a key until it has the value: whoever answers has seen it without a message. */
  until: ([key, value]: any) => {
    while (open().getString(key) !== value);
    return value
  },
  visible: () => open().visibleSeqno,
  hold: (count: unknown) => {
    for (let i = 0; i < Number(count); i++) slot.push(begun(open().iter()))
    return slot.length
  },
  pin: (key: unknown) => {
    const slice = open().getPinned(key as string)
    if (slice !== undefined) slot.push(slice)
    return slice?.isPinned
  },
  pins: (seqno: unknown) => {
    const snapshot = open().snapshot(seqno as number | undefined)
    slot.push(snapshot)
    return snapshot.seqno
  },
  release: () => {
    for (const one of slot) one[Symbol.dispose]()
    slot = []
  },
  write: async (writes: unknown) => {
    const { writer } = open()
    const all = (writes as [string, ...string[]][]).map(([method, ...rest]) =>
      (writer as any)[method](...rest),
    )
    return (await Promise.allSettled(all)).map((one: any) => one.value ?? one.reason.code)
  },
  metrics: async () => {
    const { tableReads, dataBlocks } = await open().metrics()
    return { tableReads, loads: dataBlocks.loads, cache: await open().cacheStats() }
  },
  isOpen: () => reader?.isOpen,
  attachAndDetach: async (count: unknown) => {
    for (let i = 0; i < Number(count); i++) {
      await using other = await attach(data.handle, { memoryBytes: 1 << 20 })
      other.len()
    }
  },
  detach: () => open().detach(),
  exit: () => process.exit(0),
  throw: () => {
    setImmediate(() => {
      throw new Error('on purpose')
    })
  },
} as const

function open(): TreeReader {
  if (reader === undefined) throw new Error('not attached')
  return reader
}

function begun<T extends Iterator<unknown> & Disposable>(iterator: T): T {
  iterator.next()
  return iterator
}

async function answer({ id, ask, with: given }: ThreadQuestion): Promise<void> {
  try {
    parentPort?.postMessage({ id, value: await (ANSWERS[ask] as any)(given) })
  } catch (error) {
    parentPort?.postMessage({ id, error: encodeError(error) })
  }
}

if (data.depth !== undefined && data.depth > 0) {
  const below = new Worker(new URL(import.meta.url), {
    workerData: { ...data, depth: data.depth - 1 },
  })
  below.on('message', (message) => parentPort?.postMessage(message))
  parentPort?.on('message', (message) => below.postMessage(message))
} else {
  const { handle, memoryBytes } = data
  try {
    reader = await attach(handle, memoryBytes === undefined ? {} : { memoryBytes })
    parentPort?.on('message', (question: ThreadQuestion) => void answer(question))
    parentPort?.postMessage({ id: 0 })
  } catch (error) {
    parentPort?.postMessage({ id: 0, error: encodeError(error) })
  }
}
