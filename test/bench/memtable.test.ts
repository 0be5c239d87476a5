/** The memtable bench, tiny: it runs, and both structures read the same. */
import t from 'tap'
import { runTiny } from '../../bench/micro/memtable.js'

t.test('both structures add up to the same', async (test) => {
  for (const { memtable, skiplist } of runTiny()) {
    test.not(memtable, 0)
    test.equal(memtable, skiplist)
  }
})
