/**
 * The core workloads of YCSB (Cooper et al., SoCC 2010): mixes of reads, updates, inserts, scans and read-modify-writes
 * over zipfian keys, or the latest ones. Scans start at a zipfian key and take 1 to 100 rows, uniformly.
 */
import { Random } from '../key-space.js'
import { taste, tasteRow } from '../ledger.js'
import { Meter, mix, type Result, TURN } from '../meter.js'
import { Zipfian } from '../zipfian.js'
import { check, type Job, type Workload, written } from './workload.js'

interface Mix {
  readonly letter: string
  readonly summary: string
  /** Shares of operations, which add up to 1. */
  readonly read: number
  readonly update?: number
  readonly insert?: number
  readonly scan?: number
  readonly readModifyWrite?: number
  readonly isLatest?: boolean
}

const MIXES: readonly Mix[] = [
  { letter: 'a', summary: 'half reads, half updates', read: 0.5, update: 0.5 },
  { letter: 'b', summary: '95 % reads, 5 % updates', read: 0.95, update: 0.05 },
  { letter: 'c', summary: 'reads only', read: 1 },
  {
    letter: 'd',
    summary: '95 % reads of the latest, 5 % inserts',
    read: 0.95,
    insert: 0.05,
    isLatest: true,
  },
  { letter: 'e', summary: '95 % short scans, 5 % inserts', read: 0, scan: 0.95, insert: 0.05 },
  { letter: 'f', summary: 'half reads, half read-modify-writes', read: 0.5, readModifyWrite: 0.5 },
]

const SCAN_ROWS_MAX = 100
const GENERATION = 3

type Kind = 'read' | 'update' | 'insert' | 'scan' | 'readModifyWrite'

/** The operations of a mix, one after another; equal for equal seeds. */
class Operations {
  readonly #mix: Mix
  readonly #random: Random
  readonly #zipfian: Zipfian
  #end: number
  kind: Kind = 'read'
  number = 0
  rows = 0

  constructor(mix: Mix, { num, seed }: Job) {
    this.#mix = mix
    this.#random = new Random(seed + mix.letter.charCodeAt(0))
    this.#zipfian = new Zipfian(num)
    this.#end = num
  }

  draw(): void {
    const random = this.#random
    this.kind = this.#drawKind(random.unit())
    if (this.kind === 'insert') {
      this.number = this.#end++
      this.#zipfian.grow()
      return
    }
    this.number =
      this.#mix.isLatest === true ? this.#zipfian.latest(random) : this.#zipfian.scattered(random)
    if (this.kind === 'scan') this.rows = 1 + random.below(SCAN_ROWS_MAX)
  }

  #drawKind(unit: number): Kind {
    const { read, update = 0, insert = 0, scan = 0 } = this.#mix
    if (unit < read) return 'read'
    if (unit < read + update) return 'update'
    if (unit < read + update + insert) return 'insert'
    return unit < read + update + insert + scan ? 'scan' : 'readModifyWrite'
  }
}

function perform(operations: Operations, { store, space }: Job): Result {
  operations.draw()
  const { kind, number, rows } = operations
  const key = space.key(number, 'sequential')
  switch (kind) {
    case 'read': {
      const value = store.get(key)
      return value instanceof Promise ? value.then(taste) : taste(value)
    }
    case 'update':
    case 'insert':
      return written(store.put(key, space.value(number, GENERATION)))
    case 'scan': {
      let checksum = 0
      const wait = store.scan({ from: key, limit: rows }, (found, value) => {
        checksum = mix(checksum, tasteRow(found, value))
      })
      return wait === undefined ? checksum : wait.then(() => checksum)
    }
    case 'readModifyWrite': {
      const value = store.get(key)
      const write = (before: Uint8Array | undefined): Result => {
        const sum = taste(before)
        const wait = store.put(space.key(number, 'sequential'), space.value(number, GENERATION))
        return wait === undefined ? sum : wait.then(() => sum)
      }
      return value instanceof Promise ? value.then(write) : write(value)
    }
  }
}

/** What an operation must come to; what it writes is written down. */
function foresee(operations: Operations, { ledger }: Job): number {
  operations.draw()
  const { kind, number, rows } = operations
  if (kind === 'read') return ledger.taste(number)
  if (kind === 'scan') return ledger.rows(number, rows, false)
  const before = ledger.taste(number)
  ledger.set(number, GENERATION)
  return kind === 'readModifyWrite' ? before : 1
}

function ycsb(mixed: Mix): Workload {
  const name = `ycsb-${mixed.letter}`
  return {
    name,
    summary: `YCSB ${mixed.letter.toUpperCase()}: ${mixed.summary}`,
    stage: 'present',
    ...(mixed.read === 1 ? {} : { leaves: mixed.insert === undefined ? 'values' : 'keys' }),
    async run(job) {
      const operations = new Operations(mixed, job)
      const perTurn = mixed.scan === undefined ? TURN : TURN / SCAN_ROWS_MAX
      const row = await Meter.each(name, job.reads, () => perform(operations, job), perTurn)
      const again = new Operations(mixed, job)
      let checksum = 0
      for (let i = 0; i < job.reads; i++) checksum = mix(checksum, foresee(again, job))
      return [job.store.isLate === true ? { ...row, checksum: undefined } : check(row, checksum)]
    },
  }
}

export const YCSB: readonly Workload[] = MIXES.map(ycsb)
