// A power cut before every sync, rename and remove of flushes, compactions, clears and openings: the tree reopens at a
// moment that is not before the last acknowledged one. SEED=… replays.
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { Random, runSeed } from '../support/random.js'
import { simulateCrashes } from './crash-simulation.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
t.setTimeout(120_000)

const { heap } = processEnvironment()
const heapAtStart = heap.usedBytes

for (let round = 0; round < 3; round++) {
  t.test(`\`fault_injection_recovery\`: program ${round}`, { timeout: 60_000 }, async (t) => {
    const report = await simulateCrashes(new Random((seed + round) >>> 0), 30)
    t.ok(report.disks > 100 && report.old > 10, JSON.stringify(report))
    t.equal(heap.usedBytes, heapAtStart, 'the shared memory is given back')
  })
}
