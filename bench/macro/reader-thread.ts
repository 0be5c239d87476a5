/** A thread of the workload of reader threads: attaches, reads once to be warm, says so, and reads again when told to. */
import { parentPort, workerData } from 'node:worker_threads'
import { attach, type SharedTree } from '../../src/main/index.js'
import { KeySpace, Random } from './key-space.js'
import { taste } from './ledger.js'
import { type Measurement, Meter } from './meter.js'

export interface ReaderSetup {
  readonly tree: unknown
  readonly num: number
  readonly reads: number
  readonly seed: number
  readonly keySize: number
  readonly valueSize: number
  readonly spaceSeed: number
}

export type ReaderAnswer = Measurement

const setup = workerData as ReaderSetup
const reader = await attach(setup.tree as SharedTree)
const space = new KeySpace(setup.keySize, setup.valueSize, setup.spaceSeed)

function read(): Promise<Measurement> {
  const random = new Random(setup.seed)
  return Meter.each('thread', setup.reads, () =>
    taste(reader.get(space.key(random.below(setup.num), 'sequential'))),
  )
}

parentPort?.once('message', async () => {
  const row = await read()
  await reader.detach()
  parentPort?.postMessage(row)
})
parentPort?.postMessage(await read())
