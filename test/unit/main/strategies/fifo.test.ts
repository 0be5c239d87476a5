/** FIFO on a tree: what is too old or too much is dropped, and nothing else. */

import t from 'tap'
import { fifo, open } from '../../../../src/main/index.js'
import { auditInstalls } from '../../../support/version-audit.js'

t.test('`fifo_ttl`: by age and by size, and twice the same', async (t) => {
  let now = 1_000_000
  const tree = await open('db', { fs: 'memory', maintenance: 'manual', clock: () => now })
  const limit = 2 ** 40
  t.equal((await tree.compact(fifo({ limit, ttlSeconds: 1 }))).action, 'nothing', 'an empty tree')
  for (const key of ['a', 'b', 'c', 'd']) {
    tree.insert(key, 'v'.repeat(5_000))
    await tree.flush()
    now += 10_000
  }
  t.equal((await tree.compact(fifo({ limit }))).action, 'nothing', 'no age set')
  t.equal((await tree.compact(fifo({ limit, ttlSeconds: 0 }))).action, 'nothing')
  t.equal((await tree.compact(fifo({ limit, ttlSeconds: 60 }))).action, 'nothing', 'all are recent')
  t.equal(tree.len(), 4)
  const old = fifo({ limit, ttlSeconds: 35 })
  t.match(await tree.compact(old), { action: 'dropped', tablesIn: 1 })
  t.notOk(tree.containsKey('a'))
  t.equal((await tree.compact(old)).action, 'nothing', 'once is enough')
  const half = fifo({ limit: Math.floor((tree.diskSpace() * 2) / 3) })
  t.match(await tree.compact(half), { action: 'dropped', tablesIn: 1 })
  t.equal((await tree.compact(half)).action, 'nothing')
  t.same(
    Array.from(tree.iter(), ([key]) => String(key)),
    ['c', 'd'],
  )
  now = 0
  t.equal((await tree.compact(fifo({ limit, ttlSeconds: 1 }))).action, 'nothing', 'a clock at 0')
  await tree.close()
})

t.test('dropped by itself: what is left is always the newest, without a gap', async (t) => {
  const limit = 120_000
  const tree = await open('db', {
    ...{ fs: 'memory', compression: 'none', strategy: fifo({ limit }) },
    runtime: { memtableBytes: 128 * 1024 },
  })
  const audit = auditInstalls(tree)
  const value = 'v'.repeat(200)
  let drops = 0
  tree.on('compaction', ({ action }) => {
    if (action === 'dropped') drops++
  })
  for (let i = 0; i < 5000; i++) {
    // Each key twice, a while apart: an old value must not come back when the new one is dropped.
    tree.insert(`key ${String(i).padStart(5, '0')}`, `${value} first`)
    if (i >= 100) tree.insert(`key ${String(i - 100).padStart(5, '0')}`, `${value} second`)
    if (i % 100 === 0 && !tree.insert('turn', '')) await tree.drained()
    if (i % 250 === 0) await tree.flush()
  }
  await tree.flush()
  await tree.idle()
  t.ok(drops > 5, `${drops} drops`)
  t.ok(tree.diskSpace() <= limit)
  t.equal(audit.failure, undefined)
  const left = Array.from(tree.range({ gte: 'key ', lt: 'key!' }), ([key, text]) => ({
    number: Number(String(key).slice(4)),
    isSecond: text.toString().endsWith('second'),
  }))
  t.equal(left.at(-1)?.number, 4999)
  t.ok(left.length < 5000 && left.length > 100)
  for (const [i, { number, isSecond }] of left.entries()) {
    const expected = (left[0]?.number as number) + i
    if (number !== expected || isSecond !== number < 4900)
      t.fail(`key ${number}, second: ${isSecond}`)
  }
  await tree.close()
})
