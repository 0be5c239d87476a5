/**
 * The soak: random programs over all option sets, power cuts in simulation, a process that is killed, and threads that read
 * a tree while it changes.
 *
 *     npm run soak -- [steps, default 200000] [crash programs, default 50] [kill rounds, default 200]
 *                     [seconds of races, default 120]
 *
 * Crash programs and kill rounds are run on a tree alone, and as many on one with a log.
 *
 * SEED=… replays. Ends with exit code 1 on the first failure, after printing its reduced program.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processEnvironment } from '../../src/main/environment.js'
import { killRounds } from '../crash/kill-rounds.js'
import { logKillRounds } from '../crash/log-kill-rounds.js'
import { Campaign } from '../model/campaign.js'
import { OPTION_SETS, type OptionSet } from '../model/option-sets.js'
import { makeProgram } from '../model/program.js'
import { simulateCrashes } from '../simulation/crash-simulation.js'
import { simulateLogCrashes } from '../simulation/log-crash.js'
import { Random, runSeed } from '../support/random.js'
import { runReadersRace } from '../threads/readers-race.js'

/** Seconds of one race, over one tree. */
const RACE_SECONDS_EACH = 20

/** Kill rounds in one folder, before a fresh one: a tree that grows for ever only gets slower. */
const ROUNDS_EACH = 20

const [stepsWanted = 200_000, crashPrograms = 50, rounds = 200, raceSeconds = 120] = process.argv
  .slice(2)
  .map(Number)
const seed = runSeed()
const folder = mkdtempSync(join(tmpdir(), 'varve-soak-'))
const began = performance.now()
const { heap } = processEnvironment()

function report(what: string): void {
  console.log(`${((performance.now() - began) / 1000).toFixed(1)} s: ${what}`)
}

async function runPrograms(random: Random): Promise<void> {
  const campaign = new Campaign(folder)
  let steps = 0
  for (let programs = 1; steps < stepsWanted; programs++) {
    const set = OPTION_SETS[programs % OPTION_SETS.length] as OptionSet
    const program = makeProgram(random.u32(), random.pick([50, 300, 1000, 3000]))
    const heapBefore = heap.usedBytes
    const failure = await campaign.run(program, set)
    if (failure !== undefined) throw new Error(await campaign.explain(program, set, failure))
    if (heap.usedBytes !== heapBefore) {
      throw new Error(`${set.name}, program ${program.seed}: ${heap.usedBytes - heapBefore} leaked`)
    }
    steps += program.steps.length
    if (programs % 50 === 0 || steps >= stepsWanted) report(`${steps} steps, ${programs} programs`)
  }
}

async function runSimulations(random: Random): Promise<void> {
  let disks = 0
  for (let program = 1; program <= crashPrograms; program++) {
    const programSeed = random.u32()
    try {
      disks += (await simulateCrashes(new Random(programSeed), 30)).disks
      disks += (await simulateLogCrashes(new Random(programSeed), 15)).disks
    } catch (error) {
      throw new Error(`crash program of seed ${programSeed}`, { cause: error })
    }
    if (program % 10 === 0) report(`${program} crash programs, ${disks} disks`)
  }
}

async function runKills(random: Random): Promise<void> {
  for (let done = 0; done < rounds; done += ROUNDS_EACH) {
    const root = join(folder, `kill-${done}`)
    const count = Math.min(ROUNDS_EACH, rounds - done)
    const { batches } = await killRounds(root, count, random)
    rmSync(root, { recursive: true, force: true })
    const logged = await logKillRounds(root, count, random)
    rmSync(root, { recursive: true, force: true })
    report(
      `${done + count} kill rounds, the last ones to ${batches} batches; with a log ${JSON.stringify(logged)}`,
    )
  }
}

async function runRaces(random: Random): Promise<void> {
  for (let done = 0; done < raceSeconds; done += RACE_SECONDS_EACH) {
    const root = join(folder, `race-${done}`)
    const seconds = Math.min(RACE_SECONDS_EACH, raceSeconds - done)
    const outcome = await runReadersRace({ folder: root, seconds, readers: 4, random })
    rmSync(root, { recursive: true, force: true })
    if (outcome.failures.length > 0) throw new Error(outcome.failures.join('\n'))
    report(`${done + seconds} seconds of readers beside a writer, ${JSON.stringify(outcome)}`)
  }
}

console.log(`SEED=${seed}: ${stepsWanted} steps over ${OPTION_SETS.length} option sets`)
try {
  await runPrograms(new Random(seed))
  await runSimulations(new Random(seed))
  await runKills(new Random(seed))
  await runRaces(new Random(seed))
} catch (error) {
  console.error(`SEED=${seed}`, error)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
