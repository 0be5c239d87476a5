// Random programs on a tree and on a sorted map: every answer must be the same, under every option set. SEED=… replays.
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { runSeed } from '../support/random.js'
import { Campaign } from './campaign.js'
import { OPTION_SETS } from './option-sets.js'
import { makeProgram } from './program.js'

const STEPS_EACH = 600
const ROUNDS = 2

const seed = runSeed()
t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

const campaign = new Campaign(t.testdir())
const { heap } = processEnvironment()
const heapAtStart = heap.usedBytes

for (const [i, set] of OPTION_SETS.entries()) {
  t.test(`\`prop_btreemap_oracle\`: ${set.name}`, { timeout: 60_000 }, async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const program = makeProgram((seed + 1000 * i + round) >>> 0, STEPS_EACH)
      const failure = await campaign.run(program, set)
      if (failure === undefined) {
        t.equal(heap.usedBytes, heapAtStart, 'the shared memory is given back')
        continue
      }
      t.comment(await campaign.explain(program, set, failure))
      t.fail(`SEED=${seed}: ${failure.error.message}`)
      return
    }
  })
}
