/** The policy simulator runs, and its figures are possible and ordered as the policies promise. */
import { existsSync } from 'node:fs'
import t from 'tap'
import { plot } from '../../bench/policy/plot.js'
import { formatRows, runTiny } from '../../bench/policy/simulate.js'

t.test('every policy of the simulator serves the workload', async (t) => {
  const rows = runTiny()
  for (const row of rows) {
    t.ok(row.writeAmplification >= 1, `${row.policy}: write ${row.writeAmplification}`)
    t.ok(row.spaceAmplification >= 1, `${row.policy}: space ${row.spaceAmplification}`)
    t.ok(row.runs >= 1 && row.runs <= row.runsMax, `${row.policy}: ${row.runs} runs`)
  }
  const of = (policy: string) => rows.find((row) => row.policy === policy)!
  const [levels, tiers] = [of('leveled'), of('size-tiered')]
  t.ok(tiers.writeAmplification < levels.writeAmplification, 'tiers write less')
  t.ok(tiers.runs > levels.runs, 'and have more runs')
  t.equal(formatRows(rows).split('\n').length, rows.length + 1)
})

t.test('the same seed gives the same figures', async (t) => {
  t.strictSame(runTiny(), runTiny())
})

const hasPlotter = existsSync('node_modules/vega')
const skip = hasPlotter ? false : 'vega is not installed'

t.test('the costs over time become pictures', { skip }, async (t) => {
  const rows = runTiny()
  const pictures = await plot(rows)
  t.strictSame(
    pictures.map(([name]) => name),
    ['write', 'space', 'read'],
  )
  for (const [name, svg] of pictures) {
    t.ok(svg.startsWith('<svg'), name)
    for (const { policy } of rows) t.ok(svg.includes(policy), `${name} has a line for ${policy}`)
  }
})
