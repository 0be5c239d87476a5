// A logged tree cut off before every call: 'process' survives the process, 'disk' the power, merges count once. SEED=…
import t from 'tap'
import { Random, runSeed } from '../support/random.js'
import { simulateLogCrashes } from './log-crash.js'

t.setTimeout(180_000)

t.test('`fault_injection_recovery`: the log after every crash', { timeout: 170_000 }, async (t) => {
  const seed = runSeed()
  t.comment(`SEED=${seed}`)
  const random = new Random(seed)
  let disks = 0
  let cuts = 0
  let replayed = 0
  for (let program = 0; program < 6; program++) {
    const report = await simulateLogCrashes(new Random(random.u32()), 12)
    disks += report.disks
    cuts += report.cuts
    replayed += report.replayed
  }
  t.comment(`${disks} disks, ${cuts} of them cut off, ${replayed} writes replayed`)
  t.ok(disks > 500 && cuts > 10 && replayed > 1000)
})
