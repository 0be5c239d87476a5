/**
 * Random writes and random reads by turns, in one thread, as db_bench's workload of that name does at 50 % reads. Each of
 * the two is an operation.
 */
import { Random } from '../key-space.js'
import { taste } from '../ledger.js'
import { Meter, mix } from '../meter.js'
import { check, type Workload, written } from './workload.js'

const GENERATION = 2

export const readrandomwriterandom: Workload = {
  name: 'readrandomwriterandom',
  summary: 'writes and gets at random by turns, in one thread',
  stage: 'present',
  leaves: 'values',
  isWarmed: false,
  async run({ store, space, ledger, num, reads, seed }) {
    const writer = new Random(seed + 41)
    const reader = new Random(seed + 42)
    const row = await Meter.each('readrandomwriterandom', 2 * reads, (i) => {
      if (i % 2 === 0) {
        const number = writer.below(num)
        return written(store.put(space.key(number, 'sequential'), space.value(number, GENERATION)))
      }
      const value = store.get(space.key(reader.below(num), 'sequential'))
      return value instanceof Promise ? value.then(taste) : taste(value)
    })
    const writerAgain = new Random(seed + 41)
    const readerAgain = new Random(seed + 42)
    let checksum = 0
    for (let i = 0; i < reads; i++) {
      ledger.set(writerAgain.below(num), GENERATION)
      checksum = mix(mix(checksum, 1), ledger.taste(readerAgain.below(num)))
    }
    // Engines that gather writes may answer from before them: what is read is chance then.
    return [store.isLate === true ? { ...row, checksum: undefined } : check(row, checksum)]
  },
}
