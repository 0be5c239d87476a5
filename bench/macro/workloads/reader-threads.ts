/** Random gets by several threads at once, each attached to the one tree. An operation is a get of any of them. */
import { Worker } from 'node:worker_threads'
import type { VarveError } from '../../../src/main/index.js'
import { Random } from '../key-space.js'
import { type Measurement, Meter, mix } from '../meter.js'
import type { ReaderAnswer, ReaderSetup } from '../reader-thread.js'
import type { Store } from '../stores/store.js'
import { check, expected, type Job, type Workload } from './workload.js'

const SCRIPT = new URL('../reader-thread.js', import.meta.url)

/** Each thread draws keys of its own. */
const saltOf = (thread: number): number => 50 + thread

/** The next message of a thread. @throws what ended it */
function answerOf(worker: Worker): Promise<ReaderAnswer> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

async function run(name: string, threads: number, job: Job): Promise<Measurement[]> {
  const { store, space, ledger, num, reads, seed } = job
  const numbers = Array.from({ length: threads }, (_, thread) => thread)
  const workers = numbers.map((thread) => {
    const workerData: ReaderSetup = {
      ...{ tree: store.share?.(), num, reads, seed: seed + saltOf(thread) },
      ...{ keySize: space.keyBytes, valueSize: space.valueBytes, spaceSeed: seed },
    }
    return new Worker(SCRIPT, { workerData, execArgv: [] })
  })
  try {
    // Attached, and warm.
    await Promise.all(workers.map(answerOf))
    let rows: readonly Measurement[] = []
    const whole = await Meter.whole(name, async () => {
      const answers = workers.map(answerOf)
      for (const worker of workers) worker.postMessage('go')
      rows = await Promise.all(answers)
      const checksum = rows.reduce((sum, row) => mix(sum, row.checksum ?? 0), 0)
      return { operations: threads * reads, checksum }
    })
    const sums = numbers.map((thread) => {
      const random = new Random(seed + saltOf(thread))
      return expected(reads, () => ledger.taste(random.below(num))) >>> 0
    })
    check(
      whole,
      sums.reduce((sum, one) => mix(sum, one), 0),
    )
    const most = (figure: 'p50Ns' | 'p99Ns' | 'p999Ns' | 'maxNs'): number =>
      Math.max(...rows.map((row) => row[figure] ?? 0))
    return [
      {
        ...whole,
        ...{ p50Ns: most('p50Ns'), p99Ns: most('p99Ns') },
        ...{ p999Ns: most('p999Ns'), maxNs: most('maxNs') },
      },
    ]
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** Not every Node lets threads attach, nor every engine. */
function isShared(store: Store): boolean {
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
