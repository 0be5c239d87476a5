// Runs were packed by putting each table into the oldest run that it does not overlap, even behind a run that it does
// overlap: in levels of several runs, an older value then hid a newer one.
import t from 'tap'
import type { Table } from '../../src/main/version/table.js'
import { packRuns } from '../../src/main/version/version.js'
import { parseLevels, printLevels } from '../support/level-text.js'

function packed(level: string): string {
  const { version } = parseLevels(`L3: ${level}`)
  const runs = version.levels[3] as unknown as readonly (readonly Table[])[]
  const levels = [packRuns(runs, Buffer.compare)]
  return printLevels(levels).replace('L0: ', '')
}

t.test('a table stays in front of all that it overlaps', async (t) => {
  const chain = '[3:g-m 1M] [2:e-k 1M] [1:a-f 1M]'
  t.equal(packed(chain), chain)
  t.equal(
    packed('[4:x-z 1M] [3:g-m 1M] [2:e-k 1M] [1:a-f 1M]'),
    '[3:g-m 1M] [2:e-k 1M] [1:a-f 1M, 4:x-z 1M]',
  )
  t.equal(packed('[3:g-m 1M] [2:a-b 1M] [1:c-d 1M]'), '[2:a-b 1M, 1:c-d 1M, 3:g-m 1M]')
  t.equal(packed('[3:a-b 1M] [2:e-k 1M] [1:a-f 1M]'), '[3:a-b 1M, 2:e-k 1M] [1:a-f 1M]')
})
