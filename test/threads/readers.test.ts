/**
 * Threads that read while the owner writes, flushes, compacts, drops and clears, with a tiny cache, and end at random. A
 * few seconds here; the soak runs it for minutes. SEED=… replays what each thread does, in whatever order the machine runs
 * them.
 */
import t from 'tap'
import { Random, runSeed } from '../support/random.js'
import { runReadersRace, WRITES_MIN } from './readers-race.js'

t.setTimeout(120_000)
const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)

t.test('no read of any thread sees what its seqno does not allow', async (t) => {
  const outcome = await runReadersRace({ folder: t.testdir(), seconds: 5, readers: 4, random })
  t.same(outcome.failures, [])
  t.ok(outcome.reads > 0 && outcome.writes > WRITES_MIN)
  t.comment(JSON.stringify(outcome))
})
