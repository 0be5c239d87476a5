/** What the two sides of the memtable split race share; see memtable-split-reader.ts. */
import type { RaceOrder } from './memtable-race.js'

export const SPLIT_ROUNDS = 1500
export const SPLIT_ENTRY_COUNT = 400
export const SPLIT_REGION_BYTES = 65_536
/** Words of the shared state: `round << SPLIT_ROUND_SHIFT | entries published`; 1 at the end. */
export const SPLIT_STATE = 0
export const SPLIT_DONE = 1
export const SPLIT_ROUND_SHIFT = 10

export interface SplitData {
  readonly memory: WebAssembly.Memory
  readonly state: SharedArrayBuffer
  /** SPLIT_ROUNDS regions, one behind the other: a reader may still be in an old one. */
  readonly regions: number
  readonly scratch: number
  readonly order: RaceOrder
}

export interface SplitReport {
  readonly reads: number
  readonly failed: number
  readonly failures: string[]
}
