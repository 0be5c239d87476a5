/**
 * The soak: random programs over all option sets until a number of steps is done.
 *
 *     npm run soak -- [steps, default 200000] [only sets whose name contains this]
 *
 * SEED=… replays. Ends with exit code 1 on the first failure, after printing its reduced program.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processEnvironment } from '../../src/main/environment.js'
import { Campaign } from '../model/campaign.js'
import { OPTION_SETS, type OptionSet } from '../model/option-sets.js'
import { makeProgram } from '../model/program.js'
import { Random, runSeed } from '../support/random.js'

const [wanted = '200000', filter = ''] = process.argv.slice(2)
const stepsWanted = Number(wanted)
const seed = runSeed()
const random = new Random(seed)
const sets = OPTION_SETS.filter(({ name }) => name.includes(filter))
const folder = mkdtempSync(join(tmpdir(), 'varve-soak-'))
const campaign = new Campaign(folder)
const { heap } = processEnvironment()
console.log(`SEED=${seed}: ${stepsWanted} steps over ${sets.length} option sets`)

let steps = 0
let programs = 0
const began = performance.now()
try {
  while (steps < stepsWanted) {
    const set = sets[programs % sets.length] as OptionSet
    const program = makeProgram(random.u32(), random.pick([50, 300, 1000, 3000]))
    const heapBefore = heap.usedBytes
    const failure = await campaign.run(program, set)
    if (failure !== undefined) {
      console.log(await campaign.explain(program, set, failure))
      process.exitCode = 1
      break
    }
    if (heap.usedBytes !== heapBefore) {
      console.log(
        `${set.name}, program ${program.seed}: leaks ${heap.usedBytes - heapBefore} bytes`,
      )
      process.exitCode = 1
      break
    }
    steps += program.steps.length
    programs++
    if (programs % 50 === 0) report()
  }
} finally {
  rmSync(folder, { recursive: true })
}
report()

function report(): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${steps} steps, ${programs} programs, ${seconds} s`)
}
