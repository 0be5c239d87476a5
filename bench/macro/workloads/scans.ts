/** Reads of many rows: all of them, forwards and backwards; a few from a random key on; those of a prefix. */
import { Random } from '../key-space.js'
import { tasteRow } from '../ledger.js'
import { type Measurement, Meter, mix, type Result, TURN } from '../meter.js'
import type { ScanOptions, Store } from '../stores/store.js'
import { check, expected, type Job, type Workload } from './workload.js'

export const SEEK_STEPS = 10
/** The keys that share all but their last byte of the number. */
const PREFIX_KEYS = 256

/** The checksum of a scan's rows. */
function scanned(store: Store, options: ScanOptions): Result {
  let checksum = 0
  const wait = store.scan(options, (key, value) => {
    checksum = mix(checksum, tasteRow(key, value))
  })
  return wait === undefined ? checksum : wait.then(() => checksum)
}

/** Every row; an operation is a row. */
async function readAll(name: string, job: Job, isReverse: boolean): Promise<Measurement[]> {
  const { store, ledger, space, num } = job
  const row = await Meter.whole(name, async () => {
    let operations = 0
    let checksum = 0
    await store.scan({ isReverse }, (key, value) => {
      operations++
      checksum = mix(checksum, tasteRow(key, value))
    })
    return { operations, checksum, bytes: operations * (space.keyBytes + space.valueBytes) }
  })
  const first = isReverse ? ledger.end - 1 : 0
  return [check(row, ledger.rows(first, num, isReverse))]
}

export const readseq: Workload = {
  name: 'readseq',
  summary: 'every row, in order',
  stage: 'loaded',
  isWarmed: true,
  run: (job) => readAll('readseq', job, false),
}

export const readreverse: Workload = {
  name: 'readreverse',
  summary: 'every row, backwards',
  stage: 'loaded',
  isWarmed: true,
  run: (job) => readAll('readreverse', job, true),
}

export const seekrandom: Workload = {
  name: 'seekrandom',
  summary: `opens an iterator at a random key and reads ${SEEK_STEPS} rows`,
  stage: 'loaded',
  isWarmed: true,
  async run({ store, space, ledger, num, reads, seed }) {
    const seeks = Math.max(1, Math.floor(reads / SEEK_STEPS))
    const random = new Random(seed + 3)
    const seek = (): Result =>
      scanned(store, {
        from: space.key(random.below(num), 'sequential'),
        limit: SEEK_STEPS,
      })
    const row = await Meter.each('seekrandom', seeks, seek, TURN / SEEK_STEPS)
    const again = new Random(seed + 3)
    return [
      check(
        row,
        expected(seeks, () => ledger.rows(again.below(num), SEEK_STEPS, false)),
      ),
    ]
  },
}

export const prefixscan: Workload = {
  name: 'prefixscan',
  summary: `every row of a prefix that ${PREFIX_KEYS} keys share`,
  stage: 'loaded',
  isWarmed: true,
  async run({ store, space, ledger, num, reads, seed }) {
    const scans = Math.max(1, Math.floor(reads / PREFIX_KEYS))
    const prefixes = Math.ceil(num / PREFIX_KEYS)
    const random = new Random(seed + 6)
    const bound = (prefix: number): Buffer =>
      space.keyCopy(prefix * PREFIX_KEYS, 'sequential').subarray(0, 8)
    const scan = (): Result => {
      const prefix = random.below(prefixes)
      return scanned(store, { from: bound(prefix), to: bound(prefix + 1) })
    }
    const row = await Meter.each('prefixscan', scans, scan, Math.ceil(TURN / PREFIX_KEYS))
    const again = new Random(seed + 6)
    return [
      check(
        row,
        expected(scans, () => ledger.rows(again.below(prefixes) * PREFIX_KEYS, PREFIX_KEYS, false)),
      ),
    ]
  },
}
