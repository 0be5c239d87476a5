/**
 * The entries of the memtable race: what the writer inserts and the reader thread expects, computed
 * from the entry's number alone, on both sides.
 */

export const RACE_ENTRY_COUNT = 200_000
export const RACE_KEY_BYTES = 16
export const RACE_VALUE_BYTES = 40
/** Words of the shared state: entries published; 1 once the writer is done. */
export const RACE_PUBLISHED = 0
export const RACE_DONE = 1

/** How the writer orders its keys. */
export type RaceOrder = 'random' | 'ascending' | 'streams'

export interface RaceData {
  readonly memory: WebAssembly.Memory
  readonly state: SharedArrayBuffer
  readonly base: number
  readonly scratch: number
  readonly order: RaceOrder
}

/** What the reader reports. */
export interface RaceReport {
  readonly scans: number
  readonly entries: number
  readonly gets: number
  readonly failures: string[]
}

/** Writes the key of entry `number`: distinct for distinct numbers. */
export function writeRaceKey(target: Uint8Array, number: number, order: RaceOrder): void {
  target.fill(0x2e)
  const view = new DataView(target.buffer, target.byteOffset, RACE_KEY_BYTES)
  // Odd multipliers: one-to-one modulo 2^32.
  if (order === 'random') view.setUint32(4, Math.imul(number, 0x9e37_79b1) >>> 0)
  if (order === 'ascending') view.setUint32(4, number)
  if (order === 'streams') {
    view.setUint32(0, number % 16)
    view.setUint32(4, number)
  }
}

/** The number whose key this is. */
export function readRaceKey(key: Uint8Array, order: RaceOrder): number {
  const word = new DataView(key.buffer, key.byteOffset, RACE_KEY_BYTES).getUint32(4)
  // 0x9e3779b1 times this is 1 modulo 2^32.
  return order === 'random' ? Math.imul(word, 0x0e8b_2f51) >>> 0 : word
}

/** Writes the value of entry `number`: every byte says which it belongs to. */
export function writeRaceValue(target: Uint8Array, number: number): void {
  for (let i = 0; i < RACE_VALUE_BYTES; i++) target[i] = number >>> ((i & 3) * 8)
}

/** Whether a value is entry `number`'s, whole. */
export function isRaceValue(value: Uint8Array, number: number): boolean {
  for (let i = 0; i < RACE_VALUE_BYTES; i++) {
    if (value[i] !== ((number >>> ((i & 3) * 8)) & 0xff)) return false
  }
  return true
}
