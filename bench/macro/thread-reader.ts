/** A thread of the benches of reader threads: attaches to the tree that it is given, and reads as it is told. */
import { parentPort, workerData } from 'node:worker_threads'
import { attach, type SharedTree, type TreeReader } from '../../src/main/index.js'
import { Histogram } from './histogram.js'
import { type KeyOrder, KeySpace, Random } from './key-space.js'
import { taste } from './ledger.js'

/** How a thread reads. */
export type ReadWay = 'get' | 'seek'

export type ThreadOrder =
  | { readonly kind: 'attach'; readonly handle: SharedTree }
  | { readonly kind: 'detach' }
  | {
      readonly kind: 'read'
      readonly way: ReadWay
      readonly operations: number
      /** What each get found is wanted, not the sum alone, and how long one in {@link SAMPLE_EVERY} took. */
      readonly isTold?: boolean
    }

export interface ThreadData {
  /** Which one of the threads: each reads keys of its own choice. */
  readonly number: number
  readonly num: number
  readonly keySize: number
  readonly valueSize: number
  /** Of the values. */
  readonly seed: number
  readonly order: KeyOrder
}

/** Nanoseconds of one operation. */
export interface Latencies {
  readonly p50Ns: number | undefined
  readonly p99Ns: number | undefined
  readonly p999Ns: number | undefined
  readonly maxNs: number | undefined
}

/** What a thread says of its reads; both moments by the clock that all threads share. */
export interface ThreadResult {
  readonly startNs: bigint
  readonly endNs: bigint
  /** The sum of what `taste` says of each value; keys are drawn by `Random(1 + number)`. */
  readonly checksum: number
  /** What `taste` says of each value in turn, and percentiles, where they were wanted. */
  readonly tastes?: Int32Array
  readonly latencies?: Latencies
}

const SEEK_STEPS = 10
/** Of gets that are told, one in so many is timed. */
const SAMPLE_EVERY = 31

const { number, num, keySize, valueSize, seed, order } = workerData as ThreadData
const space = new KeySpace(keySize, valueSize, seed)
let reader: TreeReader | undefined

function read(from: TreeReader, way: ReadWay, operations: number): number {
  const random = new Random(1 + number)
  let checksum = 0
  for (let i = 0; i < operations; i++) {
    const key = space.key(random.below(num), order)
    if (way === 'get') {
      checksum += taste(from.get(key))
      continue
    }
    const entries = from.range({ gte: key })
    for (let step = 0; step < SEEK_STEPS; step++) {
      const { value } = entries.next()
      if (value !== undefined) checksum += taste(value[1])
    }
    entries.return()
  }
  return checksum
}

/** Gets whose results are kept in `tastes`; some are timed. The sum of the results. */
function readAndTell(from: TreeReader, tastes: Int32Array, samples: Histogram): number {
  const random = new Random(1 + number)
  let checksum = 0
  for (let i = 0; i < tastes.length; i++) {
    const start = i % SAMPLE_EVERY === 0 ? performance.now() : 0
    const found = taste(from.get(space.key(random.below(num), order)))
    if (start !== 0) samples.record((performance.now() - start) * 1e6)
    tastes[i] = found
    checksum += found
  }
  return checksum
}

/** Reads, and tells all of it. */
function tell(from: TreeReader, operations: number): ThreadResult {
  const tastes = new Int32Array(operations)
  const samples = new Histogram()
  const startNs = process.hrtime.bigint()
  const checksum = readAndTell(from, tastes, samples)
  const endNs = process.hrtime.bigint()
  const latencies = {
    p50Ns: samples.percentile(0.5),
    p99Ns: samples.percentile(0.99),
    p999Ns: samples.percentile(0.999),
    maxNs: samples.max,
  }
  return { startNs, endNs, checksum, tastes, latencies }
}

async function obey(told: ThreadOrder): Promise<ThreadResult | undefined> {
  if (told.kind === 'attach') reader = await attach(told.handle)
  else if (told.kind === 'detach') await reader?.detach()
  else if (reader !== undefined) {
    if (told.isTold === true) return tell(reader, told.operations)
    const startNs = process.hrtime.bigint()
    const checksum = read(reader, told.way, told.operations)
    return { startNs, endNs: process.hrtime.bigint(), checksum }
  }
  return undefined
}

parentPort?.on('message', (told: ThreadOrder) => {
  obey(told).then(
    (result) => parentPort?.postMessage(result),
    (error) => {
      throw error
    },
  )
})
