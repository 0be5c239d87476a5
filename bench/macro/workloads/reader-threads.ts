/** Random gets by several threads at once, each attached to the one tree. An operation is a get of any of them. */
import type { SharedTree, VarveError } from '../../../src/main/index.js'
import { AttachedThread } from '../attached-thread.js'
import { Random } from '../key-space.js'
import { type Measurement, Meter } from '../meter.js'
import type { Store } from '../stores/store.js'
import type { ThreadOrder } from '../thread-reader.js'
import { check, type Job, type Workload } from './workload.js'

async function run(name: string, threads: number, job: Job): Promise<Measurement[]> {
  const { store, space, ledger, num, reads, seed } = job
  const pool = Array.from({ length: threads }, (_, number) => {
    const { keyBytes: keySize, valueBytes: valueSize } = space
    return new AttachedThread({ number, num, keySize, valueSize, seed, order: 'sequential' })
  })
  const read: ThreadOrder = { kind: 'read', way: 'get', operations: reads }
  const all = (order: ThreadOrder) => Promise.all(pool.map((thread) => thread.obey(order)))
  try {
    await all({ kind: 'attach', handle: store.share?.() as SharedTree })
    // Code is compiled for each thread.
    await all(read)
    const row = await Meter.whole(name, async () => {
      const results = await all(read)
      const checksum = results.reduce((sum, result) => sum + (result?.checksum ?? 0), 0)
      return { operations: threads * reads, checksum }
    })
    let checksum = 0
    for (let number = 0; number < threads; number++) {
      const random = new Random(1 + number)
      for (let i = 0; i < reads; i++) checksum += ledger.taste(random.below(num))
    }
    await all({ kind: 'detach' })
    return [check(row, checksum)]
  } finally {
    await Promise.all(pool.map((thread) => thread.end()))
  }
}

/** Not every Node lets threads attach, nor every engine. */
export function isShared(store: Store): boolean {
  try {
    return store.share?.() !== undefined
  } catch (error) {
    if ((error as VarveError).code === 'VARVE_UNSUPPORTED') return false
    throw error
  }
}

export function readerThreads(threads: number): Workload {
  const name = `threads-${threads}`
  return {
    name,
    summary: `random gets by ${threads} attached ${threads === 1 ? 'thread' : 'threads'} at once`,
    stage: 'loaded',
    isWarmed: true,
    can: isShared,
    run: (job) => run(name, threads, job),
  }
}
