/** A thread of the threads bench: attaches to the tree that it is given, reads as it is told, says how long it took. */
import { parentPort, workerData } from 'node:worker_threads'
import { attach, type SharedTree, type TreeReader } from '../src/main/index.js'
import { KeySpace, Random } from './macro/key-space.js'

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
}

/** What a thread says of its reads; both moments by the clock that all threads share. */
export interface ThreadResult {
  readonly startNs: bigint
  readonly endNs: bigint
  readonly checksum: number
}

const SEEK_STEPS = 10

const { number, num } = workerData as ThreadData
const space = new KeySpace(16, 100, 1)
let reader: TreeReader | undefined

function read(from: TreeReader, way: ReadWay, operations: number): number {
  const random = new Random(1 + number)
  let checksum = 0
  for (let i = 0; i < operations; i++) {
    const key = space.key(random.below(num), 'random')
    if (way === 'get') {
      const value = from.get(key)
      checksum += value === undefined ? -1 : value.length + (value[7] as number)
      continue
    }
    const entries = from.range({ gte: key })
    for (let step = 0; step < SEEK_STEPS; step++) {
      const { value } = entries.next()
      if (value !== undefined) checksum += value[1].length + (value[1][7] as number)
    }
    entries.return()
  }
  return checksum
}

async function obey(order: ThreadOrder): Promise<ThreadResult | undefined> {
  if (order.kind === 'attach') reader = await attach(order.handle)
  else if (order.kind === 'detach') await reader?.detach()
  else if (reader !== undefined) {
    const startNs = process.hrtime.bigint()
    const checksum = read(reader, order.way, order.operations)
    return { startNs, endNs: process.hrtime.bigint(), checksum }
  }
  return undefined
}

parentPort?.on('message', (order: ThreadOrder) => {
  obey(order).then(
    (result) => parentPort?.postMessage(result),
    (error) => {
      throw error
    },
  )
})
