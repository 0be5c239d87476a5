/** The micro benches run, tiny, and their contenders agree: a kernel, its twin, and what else does the same. */
import t from 'tap'
import { FAMILIES, runMicro } from '../../bench/micro/run.js'

const EFFORT = { scale: 0.001, rounds: 1 }

for (const name of FAMILIES.keys()) {
  t.test(`${name}: every contender runs and finds what the others find`, async (t) => {
    const rows = await runMicro(EFFORT, [name])
    // Nothing may be there to compare with, but then for all.
    t.ok(rows.length > 0 || name === 'zstd')
    for (const { subject, contender, nanoseconds } of rows) {
      if (!(nanoseconds > 0)) t.fail(`${subject}, ${contender}: ${nanoseconds} ns`)
    }
    const digests = new Map<string, number>()
    for (const { subject, contender, digest } of rows) {
      t.equal(digests.get(subject) ?? digest, digest, `${subject}, ${contender}`)
      digests.set(subject, digest)
    }
  })
}

t.test('a family that is none is refused', async (t) => {
  await t.rejects(runMicro(EFFORT, ['sums']), /no family sums/)
})
