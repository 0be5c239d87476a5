/**
 * One tree that a thread writes, maintains, clears and cuts pieces out of, while others read it; each thing that is read
 * is held against what its seqno allows. Threads are terminated in the middle of whatever they do, and new ones come.
 *
 * Every key has a generation, which rises by one with each write, and a value that tells key and generation in each of its
 * words. A reader knows of the writer only what lies in a few shared words: up to where it has begun to write and up to
 * where it has ended, for each key.
 *
 *     writer:  begun[key] = g    insert(key, value(key, g))    ended[key] = g
 *     reader:  low = ended[key]  ── get ──→ g                  high = begun[key]        low <= g <= high
 *
 * I1: a value is whole: all of its words name its key and one generation.
 * I2: what is read lies between what had ended before the read began and what had begun when it ended; nothing goes back.
 * I3: a snapshot reads the same again and again, point by point and in ranges.
 * I4: in the end no memory, no thread and no file is left over.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { processEnvironment } from '../../src/main/environment.js'
import { Cache, open, type Tree } from '../../src/main/index.js'
import type { Random } from '../support/random.js'

/** Keys that are overwritten for ever; keys of `log`, which come and go whole; and those of the part that is cleared. */
export const RACE_KEYS = 400

/** Words for each key: the generation that was begun, and the one that has ended. Then those of all threads. */
export const RACE_BEGUN = 0
export const RACE_ENDED = RACE_KEYS
/** How often the tree was cleared: begun and ended. A read that spans a change of either knows less. */
export const RACE_CLEARS_BEGUN = 2 * RACE_KEYS
export const RACE_CLEARS_ENDED = RACE_CLEARS_BEGUN + 1
export const RACE_STOP = RACE_CLEARS_BEGUN + 2
export const RACE_READS = RACE_CLEARS_BEGUN + 3
export const RACE_WORDS = RACE_CLEARS_BEGUN + 4

export interface ReadersRaceData {
  readonly handle: ReturnType<Tree['share']>
  readonly words: SharedArrayBuffer
  readonly seed: number
  readonly memoryBytes: number
}

export interface RaceOptions {
  readonly folder: string
  readonly seconds: number
  readonly readers: number
  readonly random: Random
}

export interface RaceOutcome {
  readonly reads: number
  readonly writes: number
  readonly clears: number
  readonly terminated: number
  readonly failures: readonly string[]
}

export const raceKey = (number: number): string => `key${String(number).padStart(5, '0')}`

/** Bytes of a value: they differ by generation, so that a torn one would show in its length, too. */
const lengthOf = (number: number, generation: number): number =>
  8 * (2 + ((number * 7 + generation * 13) % 60))

export function raceValue(number: number, generation: number): Buffer {
  const value = Buffer.alloc(lengthOf(number, generation))
  for (let at = 0; at < value.length; at += 8) {
    value.writeUInt32LE(number, at)
    value.writeUInt32LE(generation, at + 4)
  }
  return value
}

/** The generation of a value that is key `number`'s, whole; or what is wrong with it. */
export function generationOf(number: number, value: Uint8Array): number | string {
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  if (value.length < 16) return `a value of ${value.length} bytes`
  const generation = view.getUint32(4, true)
  if (value.length !== lengthOf(number, generation)) return `a value of a wrong length`
  for (let at = 0; at < value.length; at += 8) {
    if (view.getUint32(at, true) !== number) return `a value of key ${view.getUint32(at, true)}`
    if (view.getUint32(at + 4, true) !== generation) return 'a torn value'
  }
  return generation
}

/** The writer's side. */
class Race {
  readonly failures: string[] = []
  writes = 0
  clears = 0
  terminated = 0
  readonly #tree: Tree
  readonly #options: RaceOptions
  readonly #buffer = new SharedArrayBuffer(4 * RACE_WORDS)
  readonly #words = new Int32Array(this.#buffer)
  readonly #workers = new Set<Worker>()
  #isOver = false

  constructor(tree: Tree, options: RaceOptions) {
    this.#tree = tree
    this.#options = options
    for (let i = 0; i < RACE_KEYS; i++) this.#write(i)
  }

  get reads(): number {
    return Atomics.load(this.#words, RACE_READS)
  }

  async run(): Promise<void> {
    const { seconds, readers, random } = this.#options
    for (let i = 0; i < readers; i++) this.#startReader()
    const end = performance.now() + seconds * 1000
    const last = end + LATE_MS
    while (this.failures.length === 0) {
      const now = performance.now()
      if (now >= last || (now >= end && this.reads > 0 && this.writes > WRITES_MIN)) break
      for (let i = random.below(200); i > 0; i--) this.#write(random.below(RACE_KEYS))
      await this.#maintain()
      if (random.chance(0.02)) await this.#terminateOne()
      await setImmediate()
    }
    this.#isOver = true
    Atomics.store(this.#words, RACE_STOP, 1)
    while (this.#workers.size > 0) await setImmediate()
  }

  #write(number: number): void {
    const words = this.#words
    const generation = Atomics.add(words, RACE_BEGUN + number, 1) + 1
    this.#tree.insert(raceKey(number), raceValue(number, generation))
    Atomics.store(words, RACE_ENDED + number, generation)
    this.writes++
  }

  async #maintain(): Promise<void> {
    const tree = this.#tree
    const { random } = this.#options
    const choice = random.below(40)
    if (choice < 4) await tree.flush()
    else if (choice < 6) tree.rotateMemtable()
    else if (choice < 8) await tree.compact()
    else if (choice < 9) await tree.majorCompact()
    else if (choice < 11) {
      // A part of the keys that nobody checks: whole tables of it go.
      for (let i = 0; i < 50; i++) tree.insert(`old${random.below(1000)}`, Buffer.alloc(100, i))
      await tree.flush()
      await tree.dropRange({ gte: 'old', lt: 'olf' })
    } else if (choice < 12) tree.removeRange('old', 'olf')
    else if (choice < 13 && random.chance(0.2)) await this.#clear()
    await tree.drained()
  }

  /** Drops everything and writes it anew. Readers allow for keys that are not there from the first word to the last. */
  async #clear(): Promise<void> {
    Atomics.add(this.#words, RACE_CLEARS_BEGUN, 1)
    await this.#tree.clear()
    this.clears++
    for (let i = 0; i < RACE_KEYS; i++) this.#write(i)
    Atomics.add(this.#words, RACE_CLEARS_ENDED, 1)
  }

  #startReader(): void {
    const { random } = this.#options
    const workerData: ReadersRaceData = {
      handle: this.#tree.share(),
      words: this.#buffer,
      seed: random.u32(),
      memoryBytes: 1 << 20,
    }
    const worker = new Worker(new URL('./readers-race-thread.js', import.meta.url), { workerData })
    this.#workers.add(worker)
    worker.on('message', (failure: string) => this.failures.push(failure))
    worker.on('error', (error) => this.failures.push(String((error as Error).stack)))
    worker.on('exit', () => this.#workers.delete(worker))
  }

  async #terminateOne(): Promise<void> {
    const worker = this.#options.random.pick([...this.#workers])
    await worker.terminate()
    this.terminated++
    if (!this.#isOver) this.#startReader()
  }
}

function openTables(folder: string): number {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(folder)
    } catch {
      return false
    }
  }).length
}

/** What a race sees at least, also on a machine that is busy elsewhere; and how much later it ends for that at most. */
export const WRITES_MIN = 400
const LATE_MS = 60_000

/** Runs the race for so many seconds, or until something is wrong. */
export async function runReadersRace(options: RaceOptions): Promise<RaceOutcome> {
  const { folder } = options
  const { heap, epochs } = processEnvironment()
  const [used, files] = [heap.usedBytes, openTables(folder)]
  const cache = new Cache({ capacityBytes: options.random.pick([128, 256, 1024]) * 1024 })
  const tree = await open(folder, {
    cache,
    blockSize: 512,
    filterPartitioning: options.random.chance(0.5),
    runtime: { memtableBytes: 256 * 1024 },
  })
  const race = new Race(tree, options)
  await race.run()
  while (epochs.readerCount > 0) await setImmediate()
  await tree.close()
  cache[Symbol.dispose]()
  const failures = [...race.failures]
  if (heap.usedBytes !== used) failures.push(`${heap.usedBytes - used} bytes of memory are left`)
  if (openTables(folder) !== files) failures.push(`${openTables(folder) - files} files are open`)
  const { reads, writes, clears, terminated } = race
  return { reads, writes, clears, terminated, failures }
}
