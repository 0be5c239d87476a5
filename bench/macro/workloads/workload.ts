/**
 * What a workload is: a name that people know from db_bench or YCSB, what it wants to find, and work that is timed and
 * whose results are checked.
 */
import type { KeySpace } from '../key-space.js'
import type { Ledger } from '../ledger.js'
import { type Measurement, mix } from '../meter.js'
import type { Store, StoreSettings } from '../stores/store.js'

/**
 * - empty: a fresh store
 * - loaded: every key with its first value, written in random order, all merged
 * - present: every key with whatever value
 */
export type Stage = 'empty' | 'loaded' | 'present'

export interface Job {
  readonly store: Store
  readonly space: KeySpace
  readonly ledger: Ledger
  /** Entries. */
  readonly num: number
  /** Operations of workloads that read. */
  readonly reads: number
  readonly seed: number
  /** Closes the store, opens it again and reads a key: the time from there on. The job's store is closed afterwards. */
  reopen(): Promise<Measurement>
}

export interface Workload {
  readonly name: string
  /** One line for the list of them. */
  readonly summary: string
  readonly stage: Stage
  /** Only the first so many entries: more would not fit what it is about. */
  readonly numMax?: number
  /** The store is not what it was afterwards: some values are others, or keys are gone or new. */
  readonly leaves?: 'values' | 'keys'
  /** Runs once before, untimed, so that caches are as full as they get. */
  readonly isWarmed?: boolean
  /** How the store is opened where it is not as usual; `dataBytes` are those of all keys and values. */
  settings?(dataBytes: number): Partial<StoreSettings>
  /** False for a store that lacks what it needs. */
  can?(store: Store): boolean
  /** @throws where the results are not what they must be */
  run(job: Job): Promise<readonly Measurement[]>
}

/** @throws where work came to something else than it must have */
export function check(measurement: Measurement, expected: number): Measurement {
  if (measurement.checksum !== expected >>> 0)
    throw new Error(
      `${measurement.name} came to ${measurement.checksum?.toString(16)}, not ${(expected >>> 0).toString(16)}`,
    )
  return measurement
}

/** The checksum of `count` operations whose results are told by `result`, in their order. */
export function expected(count: number, result: (i: number) => number): number {
  let checksum = 0
  for (let i = 0; i < count; i++) checksum = mix(checksum, result(i))
  return checksum
}

/** The number of a write for the checksum, whether it has to be waited for or not. */
export function written(wait: undefined | Promise<void>): number | Promise<number> {
  return wait === undefined ? 1 : wait.then(() => 1)
}
