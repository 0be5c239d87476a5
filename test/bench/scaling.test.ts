/** The scaling bench runs tiny: every curve has a figure for every size, and becomes a picture. */
import { existsSync } from 'node:fs'
import t from 'tap'
import { CURVES, plotScaling, runScaling, scalingLines, sizesBetween } from '../../bench/scaling.js'

t.test('sizes are three to a decade', async (t) => {
  t.strictSame(sizesBetween(10, 1000), [10, 30, 100, 300, 1000])
})

t.test('every curve has a figure for every size', async (t) => {
  const rows = await runScaling({ sizes: [300, 3000], seed: 1 })
  for (const row of rows) {
    for (const curve of Object.keys(CURVES)) t.ok(row[curve as keyof typeof row] > 0, curve)
  }
  const lines = scalingLines(rows)
  t.equal(lines.length, 1 + Object.keys(CURVES).length + 2)
  if (!existsSync('node_modules/vega')) return
  for (const [name, svg] of await plotScaling(rows, ['a test'])) t.ok(svg.startsWith('<svg'), name)
})
