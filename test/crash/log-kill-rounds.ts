/**
 * Starts the program that writes through the log, kills it at a random moment, and looks at what it left: every write that
 * was acknowledged as 'process' or 'disk' is there, merges once, in the state behind some write; the next round goes on
 * from it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLogged } from '../../src/main/wal/index.js'
import { LoggedModel, stateOf } from '../support/logged-program.js'
import type { Random } from '../support/random.js'
import { logOptions, logProgram } from './log-writer.js'

const WRITER = fileURLToPath(new URL('./log-writer.js', import.meta.url))

/** More writes than a killed round can have issued behind its last acknowledged one. */
const UNACKNOWLEDGED_MAX = 64

/** Runs the writer until it has acknowledged so many writes, or a while; the last number it acknowledged. */
async function runAndKill(folder: string, first: number, random: Random): Promise<number> {
  const child = spawn(process.execPath, [WRITER, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  const wanted = random.below(150)
  let said = ''
  let isKilled = false
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  // Some die while opening and replaying, others after so many acknowledgements.
  if (random.chance(0.15)) setTimeout(kill, random.below(250))
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes
    if (isKilled || said.split('\n').length <= wanted) return
    isKilled = true
    setTimeout(kill, random.below(30))
  })
  const [code, signal] = await closed
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${code ?? signal}`)
  const complete = said.slice(0, said.lastIndexOf('\n') + 1).trim()
  return complete === '' ? first : Number(complete.split('\n').at(-1))
}

/** What the rounds have seen. */
export interface LogKillReport {
  readonly rounds: number
  readonly writes: number
  readonly replayed: number
  /** Writes that were there though nobody had said so. */
  readonly unacknowledged: number
}

/** Runs `rounds` rounds in `folder`. @throws what was wrong after a kill */
export async function logKillRounds(
  folder: string,
  rounds: number,
  random: Random,
): Promise<LogKillReport> {
  const model = new LoggedModel()
  let first = 0
  let replayed = 0
  let unacknowledged = 0
  for (let round = 0; round < rounds; round++) {
    const said = await runAndKill(folder, first, random)
    while (model.writes.length < said + UNACKNOWLEDGED_MAX) logProgram(model)
    const db = await openLogged(folder, {
      ...logOptions,
      tree: { ...logOptions.tree, maintenance: 'manual' },
    })
    try {
      const count = model.countOf(stateOf(db.tree), said)
      if (count === undefined) {
        const before = model.countOf(stateOf(db.tree), 0)
        throw new Error(`${said} was acknowledged; this is the state behind write ${before}`)
      }
      if (db.recovery.cut?.writes) throw new Error('intact writes were cut off')
      replayed += db.recovery.replayed
      unacknowledged += count - said
      first = count
    } catch (error) {
      throw new Error(`round ${round}: ${(error as Error).message}`, { cause: error })
    } finally {
      // Half of them leave the work of this round to be replayed again.
      await db.close({ flush: random.chance(0.5) ? 'auto' : 'discard' })
    }
    checkFolder(join(folder, 'wal'))
  }
  return { rounds, writes: first, replayed, unacknowledged }
}

function checkFolder(wal: string): void {
  const names = existsSync(wal) ? readdirSync(wal) : []
  const foreign = names.filter((name) => !/^\d{10}\.wal$/.test(name))
  if (foreign.length > 0) throw new Error(`left behind: ${foreign.join()}`)
  // Segments go as memtables are flushed: what is left fits a few of them.
  if (names.length > 60) throw new Error(`${names.length} segments`)
}
