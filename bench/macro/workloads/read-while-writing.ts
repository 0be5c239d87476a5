/**
 * Random reads by one thread while another writes at random as fast as it can, as db_bench's workload of that name does. An
 * operation is a read. The writer is the tree's own thread, the reader one that is attached to it.
 */
import { setImmediate } from 'node:timers/promises'
import type { SharedTree } from '../../../src/main/index.js'
import { AttachedThread } from '../attached-thread.js'
import { Random } from '../key-space.js'
import { taste } from '../ledger.js'
import { type Measurement, Meter, TURN } from '../meter.js'
import type { ThreadOrder, ThreadResult } from '../thread-reader.js'
import { isShared } from './reader-threads.js'
import { type Job, type Workload, written } from './workload.js'

const NAME = 'readwhilewriting'
const GENERATION = 2

/** Writes until it is told to stop; how many it wrote. */
async function write({ store, space, num }: Job, random: Random, end: AbortSignal) {
  let count = 0
  while (!end.aborted) {
    for (let i = 0; i < TURN; i++) {
      const number = random.below(num)
      const wait = written(
        store.put(space.key(number, 'sequential'), space.value(number, GENERATION)),
      )
      if (typeof wait !== 'number') await wait
    }
    count += TURN
    await setImmediate()
  }
  return count
}

/** @throws where a read found anything but the value from before or the one written since, or where nothing was written */
function checkReads({ space, ledger, num }: Job, { tastes }: ThreadResult, writes: number): void {
  const random = new Random(1)
  for (const found of tastes ?? []) {
    const number = random.below(num)
    if (found !== ledger.taste(number) && found !== taste(space.value(number, GENERATION)))
      throw new Error(`${NAME} found a value that key ${number} never had`)
  }
  if (writes === 0) throw new Error(`${NAME} wrote nothing`)
}

async function run(job: Job): Promise<Measurement[]> {
  const { store, space, ledger, num, reads, seed } = job
  const { keyBytes: keySize, valueBytes: valueSize } = space
  const data = { number: 0, num, keySize, valueSize, seed, order: 'sequential' } as const
  const thread = new AttachedThread(data)
  const read: ThreadOrder = { kind: 'read', way: 'get', operations: reads, isTold: true }
  const end = new AbortController()
  const random = new Random(seed + 41)
  try {
    await thread.obey({ kind: 'attach', handle: store.share?.() as SharedTree })
    // Code is compiled for each thread.
    await thread.obey(read)
    const writing = write(job, random, end.signal)
    let result: ThreadResult | undefined
    const row = await Meter.whole(NAME, async () => {
      result = await thread.obey(read)
      return { operations: reads, checksum: reads }
    })
    end.abort()
    const writes = await writing
    await thread.obey({ kind: 'detach' })
    checkReads(job, result as ThreadResult, writes)
    const writerAgain = new Random(seed + 41)
    for (let i = 0; i < writes; i++) ledger.set(writerAgain.below(num), GENERATION)
    return [{ ...row, ...result?.latencies }]
  } finally {
    end.abort()
    await thread.end()
  }
}

export const readwhilewriting: Workload = {
  name: NAME,
  summary: 'gets at random by one thread, while another writes at random',
  stage: 'present',
  leaves: 'values',
  isWarmed: false,
  can: isShared,
  run,
}
