/**
 * The program that is killed: writes numbered batches into the tree in the folder of its first argument, beginning at
 * the number of its second, flushes now and then, and says each number that `flush` has acknowledged on a line of its
 * own. It never ends by itself.
 */
import { writeSync } from 'node:fs'
import { open } from '../../src/main/open.js'
import { leveled } from '../../src/main/strategies/leveled.js'
import { WriteBatch } from '../../src/main/writing/write-batch.js'
import { int64, mergeOperators } from '../../src/shared/base/merge-operator.js'
import { Random } from '../support/random.js'

/** Keys of a batch: all of them carry its number, or none does. */
export const BATCH_KEYS = 5

/** Batches whose own key stays for good; others share keys with those before them. */
export const SLOTS = 50

/** Rows that range deletes empty. */
export const ROWS = 20

export const rowKey = (row: number, i: number): string => `row${row}/${i}`
export const weakKey = (number: number): string => `weak${number}`

export const slotKey = (slot: number, i: number): string => `slot${slot}/${i}`
const numberKey = (number: number): string => `number${String(number).padStart(9, '0')}`

async function main(folder: string, first: number): Promise<never> {
  const random = new Random(first)
  const tree = await open(folder, {
    blockSize: 1024,
    strategy: leveled({ targetBytes: 16 * 1024, l0Threshold: 2 }),
    manifestLogRotateBytes: 2000,
    mergeOperator: mergeOperators.add,
    runtime: { memtableBytes: 128 * 1024 },
  })
  for (let number = first; ; number++) {
    const batch = new WriteBatch()
    for (let i = 0; i < BATCH_KEYS; i++) {
      batch.insert(slotKey(number % SLOTS, i), `${number}:${'x'.repeat(random.below(400))}`)
    }
    batch.insert(numberKey(number), String(number))
    // Every batch counts itself, starts a row of its own in place of an older one, and takes a key back.
    batch.merge('count', int64(1))
    batch.removeRange(rowKey(number % ROWS, 0), rowKey(number % ROWS, 9))
    batch.insert(rowKey(number % ROWS, number % 9), String(number))
    batch.insert(weakKey(number), '')
    if (number > 0) batch.removeWeak(weakKey(number - 1))
    if (!tree.apply(batch)) await tree.drained()
    if (!random.chance(0.1)) continue
    await tree.flush()
    writeSync(1, `${number}\n`)
  }
}

if (process.argv[1]?.endsWith('writer.js')) {
  await main(process.argv[2] as string, Number(process.argv[3]))
}
