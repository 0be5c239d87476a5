// A process that writes is killed again and again: what it had acknowledged is there, whole, each time. SEED=… replays.
import { join } from 'node:path'
import t from 'tap'
import { Random, runSeed } from '../support/random.js'
import { killRounds } from './kill-rounds.js'

const ROUNDS = 20

t.setTimeout(180_000)

t.test('killed at random moments', { timeout: 170_000 }, async (t) => {
  const seed = runSeed()
  t.comment(`SEED=${seed}`)
  const report = await killRounds(join(t.testdir(), 'db'), ROUNDS, new Random(seed))
  t.ok(report.batches > ROUNDS, JSON.stringify(report))
})
