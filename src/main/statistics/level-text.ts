/**
 * The shape of a tree as text, for people and for tests: a line a level, its runs newest first. Pure; main thread.
 *
 *     L0: [3:a-f 20M] [2:c-k 20M]         two runs of one table each
 *     L6: [0:a-c 64M, 1:d-k 64M]          one run of two tables
 *
 * A table is `id:smallest-largest size`. Sizes are bytes, or whole K, M, G (1024 each). Bytes of keys that are no letters,
 * digits or `_.:/` are `\xNN`; of long keys the beginning is shown. Levels without tables are left out.
 */
import type { StrategyRuns, StrategyTable } from '../strategies/strategy.js'

export const SIZE_UNITS = ['', 'K', 'M', 'G'] as const

/** Bytes of a key that are shown. */
const KEY_BYTES_SHOWN = 32

/** A size in its largest unit that leaves a whole number. */
export function printSize(bytes: number): string {
  let unit = 0
  let value = bytes
  while (unit < SIZE_UNITS.length - 1 && value > 0 && value % 1024 === 0) {
    value /= 1024
    unit++
  }
  return `${Math.round(value)}${SIZE_UNITS[unit]}`
}

function printKey(key: Uint8Array): string {
  const shown = Array.from(key.subarray(0, KEY_BYTES_SHOWN), (byte) => {
    const text = String.fromCharCode(byte)
    return /[\w.:/]/.test(text) ? text : `\\x${byte.toString(16).padStart(2, '0')}`
  })
  return `${shown.join('')}${key.length > KEY_BYTES_SHOWN ? '…' : ''}`
}

function printTable({ id, keyMin, keyMax, fileBytes }: StrategyTable): string {
  return `${id}:${printKey(keyMin)}-${printKey(keyMax)} ${printSize(fileBytes)}`
}

/** Writes the levels that have tables. */
export function printLevels(levels: readonly StrategyRuns[]): string {
  return levels
    .flatMap((runs, level) => {
      const texts = runs.map((run) => `[${run.map(printTable).join(', ')}]`)
      return texts.length === 0 ? [] : [`L${level}: ${texts.join(' ')}`]
    })
    .join('\n')
}
