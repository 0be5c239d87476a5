/** Reads of single keys: there or absent, everywhere or in few places, cached or not, one or many at once. */
import { Random } from '../key-space.js'
import { taste } from '../ledger.js'
import { filterFigures, Meter, type Result, TURN } from '../meter.js'
import { check, expected, type Job, type Workload } from './workload.js'

/** Part of the keys that are read often. */
const HOT_SHARE = 0.01
const MULTIGET_KEYS = 100
/** The small cache holds this part of the data. */
const SMALL_CACHE_SHARE = 1 / 4
/** Entries that one write buffer holds with room to spare. */
const MEMTABLE_ENTRIES_MAX = 200_000

type Value = Uint8Array | undefined

const tasted = (value: Value | Promise<Value>): Result =>
  value instanceof Promise ? value.then(taste) : taste(value)

async function reads(name: string, job: Job, salt: number, end: number) {
  const { store, space, ledger, reads: count, seed } = job
  const random = new Random(seed + salt)
  const row = await Meter.each(name, count, () =>
    tasted(store.get(space.key(random.below(end), 'sequential'))),
  )
  const again = new Random(seed + salt)
  return [
    check(
      row,
      expected(count, () => ledger.taste(again.below(end))),
    ),
  ]
}

export const readrandom: Workload = {
  name: 'readrandom',
  summary: 'gets of keys drawn at random, blocks cached',
  stage: 'loaded',
  isWarmed: true,
  run: (job) => reads('readrandom', job, 1, job.num),
}

export const readrandomSmallCache: Workload = {
  ...readrandom,
  name: 'readrandom-small-cache',
  summary: 'the same with a cache of a quarter of the data',
  settings: (dataBytes) => ({
    cacheBytes: Math.ceil(Math.max(2 ** 20, dataBytes * SMALL_CACHE_SHARE)),
  }),
  run: (job) => reads('readrandom-small-cache', job, 1, job.num),
}

export const readhot: Workload = {
  name: 'readhot',
  summary: 'gets from one in a hundred keys',
  stage: 'loaded',
  isWarmed: true,
  run: (job) => reads('readhot', job, 5, Math.max(1, Math.floor(job.num * HOT_SHARE))),
}

export const readmemtable: Workload = {
  name: 'readmemtable',
  summary: 'gets of what is still in the write buffer',
  stage: 'empty',
  numMax: MEMTABLE_ENTRIES_MAX,
  settings: () => ({ isManual: true }),
  async run(job) {
    const { store, space, num, ledger } = job
    for (let i = 0; i < num; i++) await store.put(space.key(i, 'sequential'), space.value(i))
    ledger.fill(0, num, 0)
    return reads('readmemtable', job, 1, num)
  },
}

export const readmissing: Workload = {
  name: 'readmissing',
  summary: 'gets of absent keys that lie between those that are there',
  stage: 'loaded',
  isWarmed: true,
  async run({ store, space, num, reads: count, seed }) {
    const random = new Random(seed + 2)
    const before = store.filterAnswers?.()
    const row = await Meter.each('readmissing', count, () =>
      tasted(store.get(space.missingKey(random.below(num)))),
    )
    check(
      row,
      expected(count, () => -1),
    )
    const after = store.filterAnswers?.()
    if (before === undefined || after === undefined) return [row]
    const passed = after.passed - before.passed
    return [{ ...row, ...filterFigures(store.filterBits?.(num), passed, after.kept - before.kept) }]
  },
}

export const multiget: Workload = {
  name: 'multiget',
  summary: `gets of ${MULTIGET_KEYS} keys at once; an operation is a key`,
  stage: 'loaded',
  isWarmed: true,
  can: (store) => store.multiGet !== undefined,
  async run({ store, space, num, ledger, reads: count, seed }) {
    const batches = Math.max(1, Math.floor(count / MULTIGET_KEYS))
    const random = new Random(seed + 4)
    const tasteAll = (values: readonly Value[]): number =>
      values.reduce((sum, value) => sum + taste(value), 0)
    const wanted = Array.from({ length: batches }, () =>
      Array.from({ length: MULTIGET_KEYS }, () => random.below(num)),
    )
    // A user has the keys of a batch; making them is no part of reading.
    const keys = wanted.map((numbers) =>
      numbers.map((number) => space.keyCopy(number, 'sequential')),
    )
    const read = (i: number): Result => {
      const values = store.multiGet?.(keys[i] as Buffer[]) ?? []
      return values instanceof Promise ? values.then(tasteAll) : tasteAll(values)
    }
    const row = await Meter.each('multiget', batches, read, TURN / MULTIGET_KEYS)
    check(
      row,
      expected(batches, (i) =>
        (wanted[i] as number[]).reduce((sum, number) => sum + ledger.taste(number), 0),
      ),
    )
    // Latencies stay those of a batch.
    const perKey = (figure: number | undefined): number | undefined =>
      figure === undefined ? undefined : figure / MULTIGET_KEYS
    return [
      {
        ...row,
        operations: batches * MULTIGET_KEYS,
        wallNs: row.wallNs / MULTIGET_KEYS,
        cpuNs: perKey(row.cpuNs),
        allCpuNs: perKey(row.allCpuNs),
      },
    ]
  },
}
