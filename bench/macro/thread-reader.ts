/** A thread of the benches of reader threads: attaches to the tree that it is given, and reads as it is told. */
import { parentPort, workerData } from 'node:worker_threads'
import { attach, type SharedTree, type TreeReader } from '../../src/main/index.js'
import { type KeyOrder, KeySpace, Random } from './key-space.js'
import { taste } from './ledger.js'

/** How a thread reads. */
export type ReadWay = 'get' | 'seek'

export type ThreadOrder =
  | { readonly kind: 'attach'; readonly handle: SharedTree }
  | { readonly kind: 'detach' }
  | { readonly kind: 'read'; readonly way: ReadWay; readonly operations: number }

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

/** What a thread says of its reads; both moments by the clock that all threads share. */
export interface ThreadResult {
  readonly startNs: bigint
  readonly endNs: bigint
  /** The sum of what `taste` says of each value; keys are drawn by `Random(1 + number)`. */
  readonly checksum: number
}

const SEEK_STEPS = 10

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

async function obey(told: ThreadOrder): Promise<ThreadResult | undefined> {
  if (told.kind === 'attach') reader = await attach(told.handle)
  else if (told.kind === 'detach') await reader?.detach()
  else if (reader !== undefined) {
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
