/**
 * Random reads while as many random writes go on, in one thread: a write, then a read. An operation is a read, and its time
 * holds that of the write as well.
 */
import { Random } from '../key-space.js'
import { taste } from '../ledger.js'
import { Meter, mix } from '../meter.js'
import { check, type Workload } from './workload.js'

const GENERATION = 2

export const readwhilewriting: Workload = {
  name: 'readwhilewriting',
  summary: 'gets at random, each after a write at random',
  stage: 'present',
  leaves: 'values',
  isWarmed: false,
  async run({ store, space, ledger, num, reads, seed }) {
    const writer = new Random(seed + 41)
    const reader = new Random(seed + 42)
    const row = await Meter.each('readwhilewriting', reads, () => {
      const number = writer.below(num)
      const wait = store.put(space.key(number, 'sequential'), space.value(number, GENERATION))
      const read = reader.below(num)
      if (wait === undefined) {
        const value = store.get(space.key(read, 'sequential'))
        return value instanceof Promise ? value.then(taste) : taste(value)
      }
      return wait.then(async () => taste(await store.get(space.key(read, 'sequential'))))
    })
    const writerAgain = new Random(seed + 41)
    const readerAgain = new Random(seed + 42)
    let checksum = 0
    for (let i = 0; i < reads; i++) {
      ledger.set(writerAgain.below(num), GENERATION)
      checksum = mix(checksum, ledger.taste(readerAgain.below(num)))
    }
    // Engines that gather writes may answer from before them: only the number of reads is certain then.
    return [store.isLate === true ? row : check(row, checksum)]
  },
}
