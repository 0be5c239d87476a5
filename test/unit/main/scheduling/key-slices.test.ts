/** Cutting keys into slices: no gap, no overlap, about equal parts. */
import t from 'tap'
import { sliceKeys, WHOLE } from '../../../../src/main/scheduling/key-slices.js'
import { Random, runSeed } from '../../../support/random.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)

const sample = (key: string, bytes = 1) => ({ key: Buffer.from(key), bytes })
const textOf = (slices: ReturnType<typeof sliceKeys>): string =>
  slices.map(({ after, upTo }) => `(${after ?? ''}..${upTo ?? ''}]`).join(' ')

t.test('cases', async (t) => {
  const abcd = [...'abcd'].map((key) => sample(key))
  t.equal(textOf(sliceKeys(abcd, 2, Buffer.compare)), '(..b] (b..]')
  t.equal(textOf(sliceKeys(abcd, 4, Buffer.compare)), '(..a] (a..b] (b..c] (c..]')
  t.equal(
    textOf(sliceKeys(abcd, 9, Buffer.compare)),
    '(..a] (a..b] (b..c] (c..]',
    'never the largest',
  )
  t.same(sliceKeys(abcd, 1, Buffer.compare), [WHOLE])
  t.same(sliceKeys([], 4, Buffer.compare), [WHOLE])
  t.same(sliceKeys([sample('a'), sample('a')], 4, Buffer.compare), [WHOLE], 'one key alone')
  t.equal(
    textOf(sliceKeys([sample('a', 90), sample('b'), sample('c', 9)], 2, Buffer.compare)),
    '(..a] (a..]',
  )
})

t.test('any samples, in any order', async (t) => {
  const random = new Random(seed)
  for (let round = 0; round < 300; round++) {
    const compare = random.pick([
      Buffer.compare,
      (a: Uint8Array, b: Uint8Array) => Buffer.compare(b, a),
    ])
    const samples = Array.from({ length: random.below(40) }, () =>
      sample(`k${random.below(20)}`, random.below(100)),
    )
    const parts = 1 + random.below(8)
    const slices = sliceKeys(samples, parts, compare)
    const isChained = slices.every(({ after, upTo }, i) => {
      const isAscending = after === undefined || upTo === undefined || compare(after, upTo) < 0
      return isAscending && after === slices[i - 1]?.upTo
    })
    if (!isChained || slices.length > parts || slices.at(-1)?.upTo !== undefined)
      t.fail(textOf(slices))
  }
  t.pass('all of them chain')
})
