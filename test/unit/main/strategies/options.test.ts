/** Options of strategies outside their limits, and that the engine's own types are what they take. */
import t from 'tap'
import { dropRange } from '../../../../src/main/strategies/drop-range.js'
import { fifo } from '../../../../src/main/strategies/fifo.js'
import { leveled } from '../../../../src/main/strategies/leveled.js'
import { major } from '../../../../src/main/strategies/major.js'
import { moveDown } from '../../../../src/main/strategies/move-down.js'
import { pullDown } from '../../../../src/main/strategies/pull-down.js'
import { sizeTiered } from '../../../../src/main/strategies/size-tiered.js'
import type { StrategyVersion } from '../../../../src/main/strategies/strategy.js'
import type { Version } from '../../../../src/main/version/version.js'
import { parseLevels, printChoice } from '../../../support/level-text.js'

/** Compiles only while a version is what a strategy sees. */
const asSeen = (version: Version): StrategyVersion => version

const key = Buffer.from('k')
const wrong: Record<string, () => unknown> = {
  'no L0 threshold': () => leveled({ l0Threshold: 0 }),
  'half a table': () => leveled({ targetBytes: 0.5 }),
  'no ratio': () => leveled({ levelRatios: [] }),
  'a ratio of 0': () => leveled({ levelRatios: [10, 0] }),
  'an infinite ratio': () => leveled({ levelRatios: [Number.POSITIVE_INFINITY] }),
  'a ratio that is no number': () => leveled({ levelRatios: [Number.NaN] }),
  'a width of one run': () => sizeTiered({ minMergeWidth: 1 }),
  'a largest width of one run': () => sizeTiered({ minMergeWidth: 2, maxMergeWidth: 1 }),
  'widths the wrong way round': () => sizeTiered({ minMergeWidth: 8, maxMergeWidth: 4 }),
  'a negative percentage': () => sizeTiered({ maxSpaceAmplificationPercent: -1 }),
  'a size-tiered table of 0 bytes': () => sizeTiered({ targetBytes: 0 }),
  'a major table of 0 bytes': () => major({ targetBytes: 0 }),
  'a negative limit': () => fifo({ limit: -1 }),
  'a negative age': () => fifo({ limit: 0, ttlSeconds: -1 }),
  'an age that is no number': () => fifo({ limit: 0, ttlSeconds: Number.NaN }),
  'a move up': () => moveDown(3, 1),
  'a move to where it is': () => moveDown(3, 3),
  'a move to level 7': () => moveDown(3, 7),
  'a pull from level -1': () => pullDown(-1, 6),
  'two lower bounds': () => dropRange({ gt: key, gte: key }),
  'two upper bounds': () => dropRange({ lt: key, lte: key }),
}

for (const [what, make] of Object.entries(wrong)) {
  t.test(`${what} is refused`, async (t) => {
    t.throws(make, { name: 'RangeError', code: 'VARVE_INVALID_ARGUMENT' })
  })
}

t.test('a size ratio that makes no sense is the default', async (t) => {
  for (const sizeRatio of [-1, Number.NaN, Number.POSITIVE_INFINITY]) sizeTiered({ sizeRatio })
  t.type(asSeen, 'function')
})

t.test('target sizes reach the merge', async (t) => {
  const { version } = parseLevels('L0: [2:a-f 1M] [1:a-f 1M]')
  const state = { hidden: new Set<number>(), nowMs: 0 }
  const sizes = [
    leveled({ targetBytes: 7, eagerL0: true }),
    sizeTiered({ minMergeWidth: 2, targetBytes: 7 }),
    major({ targetBytes: 7 }),
  ].map((strategy) => {
    const choice = strategy.choose(version, state)
    return 'input' in choice ? choice.input.targetBytes : undefined
  })
  t.strictSame(sizes, [7, 7, 7])
})

t.test('keys are compared in the order of the tree', async (t) => {
  const { version } = parseLevels('L0: [2:k-g 20M]\nL6: [1:f-a 20M]')
  const reverse = (left: Uint8Array, right: Uint8Array) => Buffer.compare(right, left)
  const state = { hidden: new Set<number>(), nowMs: 0 }
  const choose = (compareKeys: typeof reverse) =>
    printChoice(leveled().choose({ ...version, compareKeys }, state))
  t.equal(choose(reverse), 'move 2 → L6 (canonical 1)')
  const dropped = dropRange({ gte: Buffer.from('k'), lte: Buffer.from('g') })
  t.equal(
    printChoice(dropped.choose({ ...version, compareKeys: reverse }, state)),
    'drop 2',
    'bounds as well',
  )
})

t.test('only leveled and size-tiered know a debt', async (t) => {
  const { version } = parseLevels('L0: [2:a-f 1M] [1:a-f 1M]')
  const others = [major(), fifo({ limit: 0 }), moveDown(0, 6), pullDown(0, 6), dropRange({})]
  for (const strategy of others) t.equal(strategy.pendingBytes(version), 0, strategy.name)
})
