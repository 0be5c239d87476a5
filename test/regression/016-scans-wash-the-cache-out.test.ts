// A scan pins each block that it had loaded, and the lookup for the pin counted as a use: every block that was scanned once
// looked as if it had been read twice, moved to the part of the cache that is kept, and drove out what was hot.
import t from 'tap'
import { Cache, open } from '../../src/main/index.js'

t.test('what is read again and again outlasts scans of everything', async (t) => {
  using cache = new Cache({ capacityBytes: 2 << 20 })
  const tree = await open('db', {
    fs: 'memory',
    maintenance: 'manual',
    compression: 'none',
    cache,
  })
  for (let i = 0; i < 100_000; i++) tree.insert(`key${i}`, 'v'.repeat(100))
  await tree.flush()
  const hot = Array.from({ length: 100 }, (_, i) => `key${i * 997}`)
  const readHot = (): void => {
    for (const key of hot) if (tree.get(key) === undefined) t.fail(key)
  }
  for (let round = 0; round < 4; round++) readHot()
  let loads = 0
  for (let round = 0; round < 5; round++) {
    for (const _ of tree.range({ values: false }));
    const before = tree.metrics().dataBlocks.loads
    for (let again = 0; again < 4; again++) readHot()
    loads += tree.metrics().dataBlocks.loads - before
  }
  t.ok(loads < 150, `${loads} of 500 hot blocks had to be loaded again`)
  await tree.close()
})
