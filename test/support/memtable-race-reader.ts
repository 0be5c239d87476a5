/**
 * The reader thread of the memtable race: ordered scans both ways and point reads, without pause,
 * while the test's main thread inserts. Posts a RaceReport when the writer is done.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { instantiateKernel } from '../../src/shared/kernel/kernel.js'
import { ENTRY_KEY, ENTRY_SEQNO, MEMTABLE_CURSOR_BYTES } from '../../src/shared/kernel/layout.js'
import {
  isRaceValue,
  RACE_DONE,
  RACE_KEY_BYTES,
  RACE_PUBLISHED,
  RACE_VALUE_BYTES,
  type RaceData,
  type RaceReport,
  readRaceKey,
  writeRaceKey,
} from './memtable-race.js'
import { Random } from './random.js'

const { memory, state, base, scratch, order } = workerData as RaceData
const kernel = instantiateKernel(memory)
const bytes = new Uint8Array(memory.buffer)
const view = new DataView(memory.buffer)
const words = new Int32Array(state)
const cursor = scratch
const keyAddress = scratch + MEMTABLE_CURSOR_BYTES
const key = bytes.subarray(keyAddress, keyAddress + RACE_KEY_BYTES)
const random = new Random(1)
const failures: string[] = []
let scans = 0
let entries = 0
let gets = 0

/** Checks an entry whole. RETURNS: its number. */
function check(entry: number): number {
  const keyStart = entry + ENTRY_KEY
  const valueStart = keyStart + RACE_KEY_BYTES
  const number = readRaceKey(bytes.subarray(keyStart, valueStart), order)
  if (!isRaceValue(bytes.subarray(valueStart, valueStart + RACE_VALUE_BYTES), number)) {
    failures.push(`entry ${number} has a torn value`)
  }
  if (Number(view.getBigUint64(entry + ENTRY_SEQNO, true)) !== number) {
    failures.push(`entry ${number} has another's seqno`)
  }
  return number
}

/** One scan of everything; every entry published before it must come, in order. */
function scan(forward: boolean): void {
  // Pairs with the store in memtable-race.test.ts.
  const published = Atomics.load(words, RACE_PUBLISHED)
  let previous = ''
  let seen = 0
  let entry = forward ? kernel.memtable_cursor_first(cursor) : kernel.memtable_cursor_last(cursor)
  while (entry !== 0) {
    const text = Buffer.from(
      bytes.subarray(entry + ENTRY_KEY, entry + ENTRY_KEY + RACE_KEY_BYTES),
    ).toString('latin1')
    if (previous !== '' && (forward ? text <= previous : text >= previous)) {
      failures.push('order')
    }
    previous = text
    if (check(entry) < published) seen++
    entries++
    entry = forward ? kernel.memtable_cursor_next(cursor) : kernel.memtable_cursor_prev(cursor)
  }
  if (seen !== published) failures.push(`a scan saw ${seen} of ${published} published entries`)
  scans++
}

/** Point reads and seeks of published keys. */
function read(): void {
  // Pairs with the store in memtable-race.test.ts.
  const published = Atomics.load(words, RACE_PUBLISHED)
  for (let i = 0; i < 2000 && published > 0; i++) {
    // Half of them among the newest, where the writer is.
    const number = random.chance(0.5)
      ? random.below(published)
      : Math.max(0, published - 1 - random.below(100))
    writeRaceKey(key, number, order)
    const found = kernel.memtable_get(base, keyAddress, RACE_KEY_BYTES, number + 1)
    if (found === 0 || check(found) !== number) failures.push(`get missed entry ${number}`)
    const sought = kernel.memtable_cursor_seek(cursor, keyAddress, RACE_KEY_BYTES)
    if (sought !== found) failures.push(`seek missed entry ${number}`)
    gets++
  }
}

kernel.memtable_cursor_init(cursor, base)
// The load pairs with the store in memtable-race.test.ts.
do {
  read()
  scan(scans % 2 === 0)
} while (Atomics.load(words, RACE_DONE) === 0 && failures.length === 0)
scan(true)
scan(false)
const report: RaceReport = { scans, entries, gets, failures: failures.slice(0, 10) }
parentPort!.postMessage(report)
