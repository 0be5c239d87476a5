/**
 * Runs the strategy transcripts of `test/scripts/`. `define` sets the shape (support/level-text.ts);
 * `choose <strategy> option=value …` and `pending <strategy> …` ask about it. `now=` is the clock in
 * milliseconds; a list is `10/5`; keys are text. `hint <ids>` queues tables for `eccHeal`, `hints` lists them.
 */
import { readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { dropRange } from '../../src/main/strategies/drop-range.js'
import { eccHeal, type HealHints } from '../../src/main/strategies/ecc-heal.js'
import { fifo } from '../../src/main/strategies/fifo.js'
import { leveled } from '../../src/main/strategies/leveled.js'
import { major } from '../../src/main/strategies/major.js'
import { moveDown } from '../../src/main/strategies/move-down.js'
import { pullDown } from '../../src/main/strategies/pull-down.js'
import { sizeTiered } from '../../src/main/strategies/size-tiered.js'
import type { CompactionStrategy } from '../../src/main/strategies/strategy.js'
import {
  type LevelShape,
  parseLevels,
  parseSize,
  printChoice,
  printLevels,
  printSize,
} from '../support/level-text.js'
import { runTranscript, type Step } from '../support/transcript.js'

const folder = resolve(dirname(fileURLToPath(import.meta.url)), '../../../test/scripts')

/** Options of every strategy together; each takes what it knows. */
function optionsOf({ options }: Step): any {
  const values = [...options].map(([name, value]) => {
    if (name === 'levelRatios') return [name, value.split('/').map(Number)]
    if (value === 'true' || value === 'false') return [name, value === 'true']
    if (/^[gl]te?$/.test(name)) return [name, Buffer.from(value)]
    return [name, /[KMG]$/.test(value) ? parseSize(value) : Number(value)]
  })
  return Object.fromEntries(values)
}

/** Ids of the tables that eccHeal is to rewrite: `hint` sets them, `hints` tells what is left. */
let hints: number[] = []
const queue: HealHints = {
  take: () => hints.shift(),
  putBack: (id) => void hints.push(id),
}

function strategyOf(step: Step): CompactionStrategy {
  const [, name = '', ...levels] = step.command.split(' ')
  const options = optionsOf(step)
  const [from = 0, to = 0] = levels.map(Number)
  const makers: Record<string, () => CompactionStrategy> = {
    leveled: () => leveled(options),
    sizeTiered: () => sizeTiered(options),
    fifo: () => fifo(options),
    major: () => major(options),
    moveDown: () => moveDown(from, to),
    pullDown: () => pullDown(from, to),
    dropRange: () => dropRange(options),
    eccHeal: () => (hints.length === 0 ? eccHeal() : eccHeal(queue, options)),
  }
  const make = makers[name]
  if (make === undefined) throw new SyntaxError(`line ${step.line}: no strategy ${name}`)
  return make()
}

for (const subject of readdirSync(folder).filter((name) => !name.includes('.'))) {
  const names = readdirSync(join(folder, subject)).filter((name) => name.endsWith('.txt'))
  for (const name of names.sort()) {
    t.test(`${subject}/${basename(name, '.txt')}`, async (t) => {
      let shape: LevelShape = parseLevels('')
      const execute = (step: Step): string => {
        if (step.command === 'define') {
          shape = parseLevels(step.input)
          return printLevels(shape.version.levels)
        }
        if (step.command === 'hints') return hints.join(' ')
        if (step.command.startsWith('hint ')) {
          hints = step.command.split(' ').slice(1).map(Number)
          return hints.join(' ')
        }
        const strategy = strategyOf(step)
        if (step.command.startsWith('pending'))
          return printSize(strategy.pendingBytes(shape.version))
        const nowMs = Number(step.options.get('now') ?? 0)
        return printChoice(strategy.choose(shape.version, { hidden: shape.hidden, nowMs }))
      }
      runTranscript(join(folder, subject, name), execute, (actual, step) => {
        t.equal(actual, step.expected, `line ${step.line}: ${step.command}`)
      })
    })
  }
}
