/**
 * Random programs of flushes and compactions over a simulated tree: strategies keep every read
 * right, also while several compactions run, and come to rest. Replay with SEED=….
 */
import t, { type Test } from 'tap'
import { leveled } from '../../../../src/main/strategies/leveled.js'
import {
  type LeveledOptions,
  leveledSettings,
} from '../../../../src/main/strategies/leveled-options.js'
import { planLevels } from '../../../../src/main/strategies/leveled-targets.js'
import { moveDown } from '../../../../src/main/strategies/move-down.js'
import { sizeTiered } from '../../../../src/main/strategies/size-tiered.js'
import type {
  CompactionChoice,
  CompactionInput,
  CompactionStrategy,
} from '../../../../src/main/strategies/strategy.js'
import { Random, runSeed } from '../../../support/random.js'
import { SimulatedTree } from '../../../support/simulated-tree.js'

const ENTRY_BYTES = 10
const PROGRAMS = 60
const STEPS = 120
const RUNNING_MAX = 3
/** More steps than a tree of this size can need to come to rest. */
const REST_MAX = 2000

/** Keys of one flush: anywhere, close together, or ascending behind all others. */
function someKeys(random: Random, step: number): number[] {
  const count = 1 + random.below(20)
  const style = random.below(3)
  const start = random.below(400)
  return Array.from({ length: count }, (_, i) => {
    if (style === 0) return random.below(400)
    return style === 1 ? start + random.below(25) : 1000 + step * 20 + i
  })
}

/** A program over one tree. */
class Program {
  readonly tree = new SimulatedTree(ENTRY_BYTES)
  readonly #random: Random
  readonly #strategy: CompactionStrategy
  readonly #running: CompactionInput[] = []

  constructor(random: Random, strategy: CompactionStrategy) {
    this.#random = random
    this.#strategy = strategy
  }

  /** Leaves several runs in deep levels, as other strategies may. */
  disturb(): void {
    const to = 1 + this.#random.below(6)
    const choice = moveDown(0, to).choose(this.tree.version, this.#state)
    const before = this.tree.version
    this.#carryOut(choice)
    try {
      this.tree.audit()
    } catch {
      // Data went below older data: the caller of moveDown must not ask for that.
      this.tree.version = before
    }
  }

  step(step: number): void {
    const action = this.#random.below(3)
    if (action === 0) this.tree.flush(someKeys(this.#random, step))
    else if (action === 1 && this.#running.length > 0) this.#finishOne()
    else if (this.#running.length < RUNNING_MAX) {
      const choice = this.#choose()
      if (choice.kind === 'merge') this.#running.push(choice.input)
      else this.#carryOut(choice)
    }
    this.tree.audit()
  }

  /** Ends what runs, then follows the strategy until it has nothing to do. */
  rest(): void {
    while (this.#running.length > 0) this.#finishOne()
    for (let i = 0; i < REST_MAX; i++) {
      const choice = this.#choose()
      if (choice.kind === 'nothing') return
      this.#carryOut(choice)
      this.tree.audit()
    }
    throw new Error('it does not come to rest')
  }

  get #state() {
    return { hidden: new Set(this.#running.flatMap(({ tableIds }) => tableIds)), nowMs: 0 }
  }

  #choose(): CompactionChoice {
    const state = this.#state
    const choice = this.#strategy.choose(this.tree.version, state)
    if ('input' in choice) {
      const { tableIds } = choice.input
      const known = new Set(this.tree.tables.map(({ id }) => id))
      if (new Set(tableIds).size !== tableIds.length) throw new Error('a table is named twice')
      if (tableIds.some((id) => !known.has(id))) throw new Error('an unknown table is named')
      if (tableIds.some((id) => state.hidden.has(id))) throw new Error('a hidden table is named')
      if (tableIds.length === 0) throw new Error('no table is named')
    }
    return choice
  }

  #finishOne(): void {
    const [input] = this.#running.splice(this.#random.below(this.#running.length), 1)
    this.tree.merge(input as CompactionInput, true)
  }

  #carryOut(choice: CompactionChoice): void {
    if (choice.kind === 'move') this.tree.move(choice.input)
    if (choice.kind === 'merge') this.tree.merge(choice.input, true)
  }
}

function runPrograms(
  t: Test,
  makeStrategy: (random: Random) => CompactionStrategy,
  disturbances: number,
  check: (tree: SimulatedTree) => void,
): void {
  const seed = runSeed()
  t.comment(`SEED=${seed}`)
  for (let i = 0; i < PROGRAMS; i++) {
    const random = new Random(seed + i)
    const program = new Program(random, makeStrategy(random))
    try {
      for (let j = 0; j < disturbances; j++) {
        program.tree.flush(someKeys(random, j))
        if (random.chance(0.7)) program.disturb()
      }
      for (let j = 0; j < STEPS; j++) program.step(j)
      program.rest()
      check(program.tree)
    } catch (error) {
      t.fail(`SEED=${seed + i}: ${error}`)
      return
    }
  }
  t.pass(`${PROGRAMS} programs`)
}

function someLeveled(
  random: Random,
): LeveledOptions & { l0Threshold: number; targetBytes: number } {
  return {
    l0Threshold: 1 + random.below(4),
    targetBytes: ENTRY_BYTES * (2 + random.below(8)),
    levelRatios: random.pick([[2], [3, 2], [10]]),
    dynamicLevelBytes: random.chance(0.3),
    multiLevel: random.chance(0.3),
    eagerL0: random.chance(0.3),
  }
}

for (const disturbances of [0, 12]) {
  t.test(`leveled, ${disturbances} moves by others before`, async (t) => {
    let options = someLeveled(new Random(0))
    const make = (random: Random) => {
      options = someLeveled(random)
      return leveled(options)
    }
    runPrograms(t, make, disturbances, ({ version }) => {
      const [l0 = [], ...deeper] = version.levels
      if (options.eagerL0 === true && l0.length > 1) throw new Error('L0 rests with several runs')
      if (l0.flat().length >= options.l0Threshold) throw new Error('L0 rests over its threshold')
      const plan = planLevels(version, new Set(), leveledSettings(options))
      const isOver = (level: number) => plan.freeBytes[level]! > plan.targets[level]!
      if ([1, 2, 3, 4, 5].some(isOver)) throw new Error('a level rests over its target')
      const isOneRun = deeper.every((runs) => runs.length <= 1)
      if (disturbances === 0 && !options.multiLevel && !isOneRun) {
        throw new Error('a level rests with several runs')
      }
    })
  })
}

t.test('size-tiered', async (t) => {
  const make = (random: Random) =>
    sizeTiered({
      minMergeWidth: 2 + random.below(3),
      maxMergeWidth: 4 + random.below(8),
      sizeRatio: random.pick([0, 0.5, 1, 3]),
      maxSpaceAmplificationPercent: random.pick([0, 50, 200]),
      targetBytes: ENTRY_BYTES * random.pick([5, 50, 5000]),
    })
  runPrograms(t, make, 0, () => {})
})
