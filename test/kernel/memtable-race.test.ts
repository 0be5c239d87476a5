/**
 * One writer against a reader thread: no order violation, no published entry missing, no torn
 * value.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { MEMTABLE_CURSOR_BYTES } from '../../src/shared/kernel/layout.js'
import { TestMemory } from '../support/memory.js'
import {
  RACE_DONE,
  RACE_ENTRY_COUNT,
  RACE_KEY_BYTES,
  RACE_PUBLISHED,
  RACE_VALUE_BYTES,
  type RaceData,
  type RaceOrder,
  type RaceReport,
  writeRaceKey,
  writeRaceValue,
} from '../support/memtable-race.js'

const REGION_BYTES = 48 << 20

for (const order of ['random', 'ascending', 'streams'] as RaceOrder[]) {
  t.test(`a reader thread beside ${order} inserts`, async (test) => {
    const memory = new TestMemory(64)
    const { kernel, bytes } = memory
    const base = memory.allocate(REGION_BYTES)
    const scratch = memory.allocate(MEMTABLE_CURSOR_BYTES + RACE_KEY_BYTES)
    kernel.memtable_init(base, REGION_BYTES)
    const state = new SharedArrayBuffer(8)
    const words = new Int32Array(state)
    const workerData: RaceData = { memory: memory.memory, state, base, scratch, order }
    const reader = new Worker(new URL('../support/memtable-race-reader.js', import.meta.url), {
      workerData,
    })
    await once(reader, 'online')
    for (let number = 0; number < RACE_ENTRY_COUNT; number++) {
      const at = kernel.memtable_reserve(base, RACE_KEY_BYTES, RACE_VALUE_BYTES)
      if (at === 0) throw new RangeError('the memtable is full')
      writeRaceKey(bytes.subarray(at, at + RACE_KEY_BYTES), number, order)
      writeRaceValue(bytes.subarray(at + RACE_KEY_BYTES), number)
      kernel.memtable_commit(base, RACE_KEY_BYTES, RACE_VALUE_BYTES, 0, number)
      Atomics.store(words, RACE_PUBLISHED, number + 1) // pairs with memtable-race-reader.ts
    }
    Atomics.store(words, RACE_DONE, 1) // pairs with memtable-race-reader.ts
    const [report] = (await once(reader, 'message')) as [RaceReport]
    test.same(report.failures, [])
    test.ok(report.scans >= 3)
    test.comment(`${report.scans} scans, ${report.entries} entries, ${report.gets} gets`)
  })
}
