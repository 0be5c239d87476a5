/** The token bucket and the pause that merges look at, by a clock of the test's own. */
import t from 'tap'
import { PACE_BYTES } from '../../../../src/shared/kernel/layout-jobs.js'
import { Pace } from '../../../../src/shared/memory/pace.js'
import { SharedMemory } from '../../../../src/shared/memory/shared-memory.js'

const SECOND = 1_000_000_000n
const shared = SharedMemory.create(1 << 20)

/** A pace with its clock. */
function make(rate: number): { pace: Pace; pass: (seconds: number) => void } {
  let now = 5n * SECOND
  const address = 4096 + PACE_BYTES
  const pace = new Pace(shared, address, () => now)
  pace.reset()
  pace.setRate(rate)
  return { pace, pass: (seconds) => (now += BigInt(seconds * 1e9)) }
}

t.test('one second of bytes is there at first, and comes back with time', async (t) => {
  const { pace, pass } = make(1000)
  t.equal(pace.waitMs, 0)
  pace.charge(1000)
  t.equal(pace.waitMs, 0, 'the bucket is empty, and nothing is owed')
  pace.charge(50)
  t.equal(pace.waitMs, 50)
  pass(0.03)
  t.equal(pace.waitMs, 20)
  pass(0.02)
  t.equal(pace.waitMs, 0)
  pass(100)
  pace.charge(1001)
  t.equal(pace.waitMs, 1, 'it never holds more than a second of bytes')
})

t.test('a charge larger than the bucket is a debt, waited for in slices', async (t) => {
  const { pace, pass } = make(1000)
  pace.charge(10_000)
  t.equal(pace.waitMs, 100)
  pass(8.95)
  t.equal(pace.waitMs, 50)
  pass(0.05)
  t.equal(pace.waitMs, 0)
})

t.test('a new rate counts for what is owed already', async (t) => {
  const { pace } = make(1)
  pace.charge(101)
  t.equal(pace.waitMs, 100)
  pace.setRate(2000)
  t.equal(pace.bytesPerSecond, 2000)
  t.equal(pace.waitMs, 0, 'a hundred and one bytes are missing in a bucket of two thousand')
  pace.charge(1899)
  t.equal(pace.waitMs, 0)
  pace.charge(20)
  t.equal(pace.waitMs, 10)
  pace.setRate(0)
  pace.charge(1e12)
  t.equal(pace.waitMs, 0, 'no limit')
  pace.setRate(10)
  t.equal(pace.waitMs, 0, 'nothing is owed from before')
})

t.test('the pause goes before the rate, and each change is one to wake up for', async (t) => {
  const { pace } = make(0)
  const before = pace.changes
  pace.setPaused(true)
  t.ok(pace.isPaused)
  t.equal(pace.waitMs, 100)
  pace.setPaused(false)
  t.equal(pace.waitMs, 0)
  pace.setRate(5)
  pace.setRate(5)
  pace.wake()
  t.equal(pace.changes - before, 4, 'the same rate again is no change')
  pace.wait(60_000, before)
  t.pass('returned at once')
})
