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
import {
  SPLIT_DONE,
  SPLIT_ENTRY_COUNT,
  SPLIT_REGION_BYTES,
  SPLIT_ROUND_SHIFT,
  SPLIT_ROUNDS,
  SPLIT_STATE,
  type SplitData,
  type SplitReport,
} from '../support/memtable-split.js'

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

for (const order of ['random', 'ascending', 'streams'] as RaceOrder[]) {
  t.test(`a reader thread in the midst of splits, ${order}`, async (test) => {
    const memory = new TestMemory(128)
    const { kernel, bytes } = memory
    const regions = memory.allocate(SPLIT_ROUNDS * SPLIT_REGION_BYTES)
    const scratch = memory.allocate(MEMTABLE_CURSOR_BYTES + RACE_KEY_BYTES)
    const state = new SharedArrayBuffer(8)
    const words = new Int32Array(state)
    const workerData: SplitData = { memory: memory.memory, state, regions, scratch, order }
    const reader = new Worker(new URL('../support/memtable-split-reader.js', import.meta.url), {
      workerData,
    })
    await once(reader, 'online')
    for (let round = 0; round < SPLIT_ROUNDS; round++) {
      const base = regions + round * SPLIT_REGION_BYTES
      kernel.memtable_init(base, SPLIT_REGION_BYTES)
      for (let number = 0; number < SPLIT_ENTRY_COUNT; number++) {
        const at = kernel.memtable_reserve(base, RACE_KEY_BYTES, 0)
        if (at === 0) throw new RangeError('the memtable is full')
        writeRaceKey(bytes.subarray(at, at + RACE_KEY_BYTES), number, order)
        kernel.memtable_commit(base, RACE_KEY_BYTES, 0, 0, number)
        // Pairs with the load in memtable-split-reader.ts.
        Atomics.store(words, SPLIT_STATE, (round << SPLIT_ROUND_SHIFT) | (number + 1))
      }
    }
    Atomics.store(words, SPLIT_DONE, 1) // pairs with memtable-split-reader.ts
    const [report] = (await once(reader, 'message')) as [SplitReport]
    test.same(report.failures, [], `${report.failed} of ${report.reads} reads failed`)
    test.ok(report.reads > 0)
  })
}
