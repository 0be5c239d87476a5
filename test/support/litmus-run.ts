/**
 * One owner that writes as `litmus.ts` tells, and threads that check what they read (`litmus-reader.ts`), some of which are
 * terminated at any moment and others started in their place.
 */
import { once } from 'node:events'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Cache, open, type Tree } from '../../src/main/index.js'
import { leveled } from '../../src/main/strategies/leveled.js'
import { bytesOf, keyOf, writeAt } from './litmus.js'
import type { LitmusMessage, LitmusReaderData } from './litmus-reader.js'
import type { Random } from './random.js'

export interface LitmusOptions {
  readonly folder: string
  readonly random: Random
  readonly seconds: number
  readonly readers: number
  readonly cacheBytes: number
  /** How many of the threads are terminated, on average, in a second. */
  readonly deathsPerSecond: number
}

export interface LitmusResult {
  readonly failures: readonly string[]
  readonly reads: number
  readonly writes: number
  readonly deaths: number
  readonly flushes: number
  readonly merges: number
}

/** Words that all threads share: 1 once they are to stop; how often they have read. */
const [STOP, READS] = [0, 1]

const SCRIPT = new URL('./litmus-reader.js', import.meta.url)

/** Writes the next of all; the tree clears itself, flushes and compacts by the way. */
function write(tree: Tree, seqno: number): boolean {
  if (tree.seqno.get() !== seqno) throw new Error(`the tree drew a seqno by itself before ${seqno}`)
  const next = writeAt(seqno)
  if (next !== 'clear') return tree.insert(keyOf(next.key), bytesOf(next.key, next.round))
  tree.clear()
  return true
}

class Readers {
  readonly failures: string[] = []
  readonly #data: Omit<LitmusReaderData, 'seed'>
  readonly #random: Random
  readonly #running = new Set<Worker>()
  readonly #attached = new Set<Worker>()

  constructor(data: Omit<LitmusReaderData, 'seed'>, random: Random) {
    this.#data = data
    this.#random = random
  }

  start(): void {
    const seed = this.#random.u32()
    const worker = new Worker(SCRIPT, {
      workerData: { ...this.#data, seed } satisfies LitmusReaderData,
    })
    this.#running.add(worker)
    worker.on('message', (message: LitmusMessage) => {
      if ('isAttached' in message) this.#attached.add(worker)
      else if (message.failure !== undefined)
        this.failures.push(`reader ${seed}: ${message.failure}`)
    })
    worker.on('error', (error) => this.failures.push(`reader ${seed}: ${error.stack}`))
    worker.on('exit', () => {
      this.#running.delete(worker)
      this.#attached.delete(worker)
    })
  }

  /** Ends one wherever it is, and starts another; false where there is none. */
  async replace(): Promise<boolean> {
    // Mostly those that read by now; others may be attaching.
    const among = this.#random.chance(0.9) ? this.#attached : this.#running
    if (among.size === 0) return false
    await this.#random.pick([...among]).terminate()
    this.start()
    return true
  }

  async end(): Promise<void> {
    Atomics.store(this.#data.words, STOP, 1)
    await Promise.all([...this.#running].map((worker) => once(worker, 'exit')))
  }
}

/** How much later than asked for it ends at most. */
const LATE_MS = 60_000

export async function runLitmus(options: LitmusOptions): Promise<LitmusResult> {
  const { folder, random, seconds, cacheBytes, deathsPerSecond } = options
  const cache = new Cache({ capacityBytes: cacheBytes })
  const tree = await open(folder, {
    cache,
    runtime: { memtableBytes: 128 * 1024 },
    strategy: leveled({ targetBytes: 32 * 1024, l0Threshold: 2, levelRatios: [3] }),
    blockSize: 1024,
  })
  const words = new Int32Array(new SharedArrayBuffer(8))
  const readers = new Readers({ handle: tree.share(), words }, random)
  for (let i = 0; i < options.readers; i++) readers.start()
  const end = performance.now() + 1000 * seconds
  let seqno = 0
  let deaths = 0
  let replacing: Promise<boolean> | undefined
  let nextDeath = performance.now() + 1000 / deathsPerSecond
  // On a machine that is busy elsewhere, the time alone may see none of it.
  const hasSeenAll = (): boolean => {
    const { flushes, merges } = tree.metrics().maintenance
    return Atomics.load(words, READS) > 0 && flushes > 0 && merges > 0
  }
  const last = end + LATE_MS
  while (readers.failures.length === 0) {
    const now = performance.now()
    if (now >= last || (now >= end && hasSeenAll())) break
    for (let burst = random.below(200); burst > 0; burst--) {
      if (!write(tree, seqno++)) await tree.drained()
    }
    if (random.chance(0.02)) await tree.flush()
    else if (random.chance(0.01)) await tree.majorCompact()
    else if (random.chance(0.05)) await sleep(1)
    else await setImmediate()
    if (deathsPerSecond > 0 && replacing === undefined && performance.now() > nextDeath) {
      nextDeath = performance.now() + (2 * random.below(1000)) / deathsPerSecond
      replacing = readers.replace().then((hasDied) => {
        if (hasDied) deaths++
        replacing = undefined
        return hasDied
      })
    }
  }
  await replacing
  await readers.end()
  const { flushes, merges } = tree.metrics().maintenance
  await tree.close()
  cache[Symbol.dispose]()
  return {
    failures: readers.failures,
    reads: Atomics.load(words, READS),
    writes: seqno,
    deaths,
    flushes,
    merges,
  }
}
