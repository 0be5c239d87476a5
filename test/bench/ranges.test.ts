/** The bench of range tombstones, tiny: it runs, and none of them hides what is newer. */
import t from 'tap'
import { compareRanges } from '../../bench/micro/ranges.js'

t.test('all trees give the same', async (t) => {
  const figures = [...(await compareRanges(300, 50, 1)).values()]
  t.equal(figures.length, 5)
  const [first = 0, ...others] = figures.map(({ found }) => found)
  t.ok(first > 0)
  for (const found of others) t.equal(found, first)
})
