// A process that writes through the log is killed again and again: what it had acknowledged is there, once. SEED=… replays.
import { join } from 'node:path'
import t from 'tap'
import { Random, runSeed } from '../support/random.js'
import { logKillRounds } from './log-kill-rounds.js'

const ROUNDS = 20

t.setTimeout(180_000)

t.test('killed at random moments, the log replays', { timeout: 170_000 }, async (t) => {
  const seed = runSeed()
  t.comment(`SEED=${seed}`)
  const report = await logKillRounds(join(t.testdir(), 'db'), ROUNDS, new Random(seed))
  t.comment(JSON.stringify(report))
  t.ok(report.writes > 10 * ROUNDS && report.replayed > 0, JSON.stringify(report))
})
