/** Background work alone: a flush of a full buffer, a merge of all tables, an open of what was closed cleanly. */
import { shuffled } from '../key-space.js'
import { type Measurement, Meter, turn } from '../meter.js'
import { check, type Job, type Workload } from './workload.js'

/** Entries that one write buffer holds with room to spare, whichever engine's. */
export const FLUSH_ENTRIES_MAX = 300_000
const OPENS = 5

/** Fills the store; a first flush brings the worker up, which other engines' threads are from the start. */
async function load({ store, space, num, seed, ledger }: Job): Promise<void> {
  await store.put(space.key(0, 'sequential'), space.value(0))
  await store.flush?.()
  let count = 0
  for (const number of shuffled(num, seed)) {
    await store.put(space.key(number, 'sequential'), space.value(number))
    if (++count % 1000 === 0) await turn()
  }
  await store.drain()
  ledger.fill(0, num, 0)
}

export const flush: Workload = {
  name: 'flush',
  summary: 'writes a second buffer out, on one worker; bytes are those of keys and values',
  stage: 'empty',
  numMax: FLUSH_ENTRIES_MAX,
  settings: () => ({ workers: 1, isManual: true }),
  can: (store) => store.flush !== undefined,
  async run(job) {
    const { store, space, num } = job
    // The first full buffer finds memory that nobody has used, and code that nobody has run.
    await load(job)
    await store.flush?.()
    await load(job)
    const row = await Meter.whole('flush', async () => {
      await store.flush?.()
      const bytes = num * (space.keyBytes + space.valueBytes)
      return { operations: num, bytes, checksum: num }
    })
    return [row]
  },
}

export const compact: Workload = {
  name: 'compact',
  summary:
    'merges all flushed tables, on one worker, nothing compressed; bytes are those of the input',
  stage: 'empty',
  settings: () => ({ workers: 1, isUnmerged: true, compression: 'none' }),
  can: (store) => store.compact !== undefined && store.diskBytes !== undefined,
  async run(job) {
    await load(job)
    const { store, num } = job
    await store.flush?.()
    await store.idle?.()
    const row = await Meter.whole('compact', async () => {
      const bytes = store.diskBytes?.() ?? 0
      await store.compact?.()
      return { operations: num, bytes, checksum: num }
    })
    return [row]
  },
}

export const open: Workload = {
  name: 'open',
  summary: 'opens a store that was closed cleanly, and reads a key',
  stage: 'loaded',
  async run(job) {
    const opens: Measurement[] = []
    for (let i = 0; i < OPENS; i++) opens.push(check(await job.reopen(), 1))
    const [least] = opens.sort((a, b) => a.wallNs - b.wallNs)
    const middle = opens[OPENS >> 1] as Measurement
    return [{ ...middle, p50Ns: middle.wallNs, maxNs: opens.at(-1)?.wallNs, cpuNs: least?.cpuNs }]
  },
}
