/** The bench of the log runs tiny, so that it cannot rot; and many writers share syncs. */
import t from 'tap'
import { runLogBench } from '../../bench/log.js'

t.test('every durability is measured, and group commit shows', async (t) => {
  const rows = await runLogBench({ num: 640, writers: 32, valueBytes: 20 })
  t.equal(rows.length, 6)
  for (const row of rows) t.ok(row.writesPerSecond > 0, `${row.durability} ${row.writers}`)
  const [alone, many] = rows.filter(({ durability }) => durability === 'disk')
  t.equal(alone?.syncsPerWrite, 1)
  t.ok((many?.syncsPerWrite ?? 1) < 0.2)
})
