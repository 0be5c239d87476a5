/**
 * The reader thread of the memtable split race: seeks, both ways, of published keys in trees of a few leaves, so
 * that many of them meet a split half done. A scan of a large tree all but never does. Posts a SplitReport.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { instantiateKernel } from '../../src/shared/kernel/kernel.js'
import { ENTRY_KEY, MEMTABLE_CURSOR_BYTES } from '../../src/shared/kernel/layout.js'
import { RACE_KEY_BYTES, writeRaceKey } from './memtable-race.js'
import {
  SPLIT_DONE,
  SPLIT_REGION_BYTES,
  SPLIT_ROUND_SHIFT,
  SPLIT_STATE,
  type SplitData,
  type SplitReport,
} from './memtable-split.js'
import { Random } from './random.js'

const { memory, state, regions, scratch, order } = workerData as SplitData
const kernel = instantiateKernel(memory)
const bytes = new Uint8Array(memory.buffer)
const words = new Int32Array(state)
const cursor = scratch
const keyAddress = scratch + MEMTABLE_CURSOR_BYTES
const key = bytes.subarray(keyAddress, keyAddress + RACE_KEY_BYTES)
const random = new Random(1)
const failures: string[] = []
let reads = 0
let failed = 0

function fail(text: string): void {
  failed++
  if (failures.length < 5) failures.push(text)
}

/** Whether the key in scratch is that of the entry. */
function isSought(entry: number): boolean {
  if (entry === 0) return false
  for (let i = 0; i < RACE_KEY_BYTES; i++) {
    if (bytes[entry + ENTRY_KEY + i] !== key[i]) return false
  }
  return true
}

// At least one read, however late this thread gets its turn: the last round stays as it is.
while (Atomics.load(words, SPLIT_DONE) === 0 || reads === 0) {
  // Pairs with the store in memtable-race.test.ts: round and count in one word, so that they agree.
  const word = Atomics.load(words, SPLIT_STATE)
  const published = word & ((1 << SPLIT_ROUND_SHIFT) - 1)
  if (published === 0) continue
  const base = regions + (word >>> SPLIT_ROUND_SHIFT) * SPLIT_REGION_BYTES
  const newest = random.chance(0.5)
  const number = newest ? published - 1 : random.below(published)
  writeRaceKey(key, number, order)
  kernel.memtable_cursor_init(cursor, base)
  reads++
  if (!isSought(kernel.memtable_cursor_seek(cursor, keyAddress, RACE_KEY_BYTES))) {
    fail(`seek of ${number} of ${published}`)
  }
  const before = kernel.memtable_cursor_seek_before(cursor, keyAddress, RACE_KEY_BYTES)
  if (isSought(before)) fail(`seek_before of ${number} yields it`)
  // Nothing lies between an entry and the one before it, unless it was inserted just now.
  let next = kernel.memtable_cursor_next(cursor)
  for (let i = 0; i < published + 1000 && next !== 0 && !isSought(next); i++) {
    next = kernel.memtable_cursor_next(cursor)
  }
  if (!isSought(next)) fail(`next misses ${number} of ${published}`)
}
const report: SplitReport = { reads, failed, failures }
parentPort!.postMessage(report)
