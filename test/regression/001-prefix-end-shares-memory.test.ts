/** A string prefix became a Buffer, whose `slice` is a view: computing the upper bound moved the lower one along. */
import t from 'tap'
import { open } from '../../src/main/index.js'

t.test('a string prefix finds its keys, in memory and in tables', async (t) => {
  const tree = await open('/prefix', { fs: 'memory' })
  for (const key of ['ab', 'ab/1', 'ab/2', 'ab0', 'b']) tree.insert(key, key)
  const keys = (): string[] => [...tree.prefix('ab/')].map(([key]) => key.toString())
  t.same(keys(), ['ab/1', 'ab/2'])
  await tree.flush()
  t.same(keys(), ['ab/1', 'ab/2'])
  await tree.close()
})
