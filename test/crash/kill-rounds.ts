/**
 * Starts the writer, kills it at a random moment, and looks at what it left: everything that `flush` acknowledged is
 * there, no batch is there in part, no foreign file is, and the next round goes on from it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from '../../src/main/open.js'
import type { Tree } from '../../src/main/tree.js'
import { mergeOperators, readInt64 } from '../../src/shared/base/merge-operator.js'
import type { Random } from '../support/random.js'
import { BATCH_KEYS, ROWS, rowKey, SLOTS, slotKey, weakKey } from './writer.js'

const WRITER = fileURLToPath(new URL('./writer.js', import.meta.url))

/** Runs the writer until it has acknowledged so many flushes and a little longer; the last number it acknowledged. */
async function runAndKill(folder: string, first: number, random: Random): Promise<number> {
  const child = spawn(process.execPath, [WRITER, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  const wanted = random.below(25)
  let said = ''
  let isKilled = false
  const kill = (): void => {
    isKilled = true
    child.kill('SIGKILL')
  }
  // Some die while opening, others after so many acknowledgements, and then at any moment of what follows.
  if (wanted === 0) setTimeout(kill, random.below(150))
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes
    const lines = said.split('\n').length - 1
    if (wanted > 0 && lines >= wanted && !isKilled) {
      isKilled = true
      setTimeout(kill, random.below(20))
    }
  })
  const [code, signal] = await closed
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${code ?? signal}`)
  const complete = said.slice(0, said.lastIndexOf('\n') + 1).trim()
  return complete === '' ? first - 1 : Number(complete.split('\n').at(-1))
}

/** The highest number in the tree, after every check. */
function checkTree(tree: Tree, acknowledged: number): number {
  const numbers = [...tree.prefix('number')].map(([, value]) => Number(value))
  const highest = numbers.at(-1) ?? -1
  if (highest < acknowledged)
    throw new Error(`${acknowledged} was acknowledged, ${highest} is there`)
  numbers.forEach((number, i) => {
    if (number !== i) throw new Error(`number ${i} is missing`)
  })
  for (let slot = 0; slot < Math.min(SLOTS, highest + 1); slot++) {
    // The highest number that went into this slot.
    const wanted = highest - ((((highest - slot) % SLOTS) + SLOTS) % SLOTS)
    for (let i = 0; i < BATCH_KEYS; i++) {
      const found = tree.getString(slotKey(slot, i))?.split(':')[0]
      if (found !== String(wanted)) throw new Error(`slot ${slot}: ${found}, not ${wanted}`)
    }
  }
  checkKinds(tree, highest)
  return highest
}

/** What merges, range deletes and weak deletes of the batches up to `highest` leave. */
function checkKinds(tree: Tree, highest: number): void {
  const counted = tree.get('count')
  if (counted === undefined) {
    if (highest < 0) return
    throw new Error('the count is missing')
  }
  if (Number(readInt64(counted)) !== highest + 1) {
    throw new Error(`${readInt64(counted)} batches were counted, ${highest + 1} are there`)
  }
  for (let row = 0; row < Math.min(ROWS, highest + 1); row++) {
    const wanted = highest - ((((highest - row) % ROWS) + ROWS) % ROWS)
    const found = Array.from(tree.prefix(`row${row}/`), ([key, value]) => `${key} ${value}`)
    if (found.join() !== `${rowKey(row, wanted % 9)} ${wanted}`) {
      throw new Error(`row ${row} holds ${found.join()}, not ${wanted}`)
    }
  }
  const weak = Array.from(tree.prefix('weak'), ([key]) => String(key))
  if (weak.join() !== weakKey(highest)) throw new Error(`weakly deleted keys: ${weak.join()}`)
}

/** Temporary pointer files stay by the format; orphans beside a manifest without a log are set aside, not removed. */
function checkFolder(folder: string, tree: Tree): void {
  const names = readdirSync(folder).filter(
    (name) =>
      !/^(current|LOCK|seqno-mark|tables|repair-quarantine|v\d+|edits-\d+|\.tmp_\d+_\d+)$/.test(
        name,
      ),
  )
  if (names.length > 0) throw new Error(`left behind: ${names.join(', ')}`)
  const tables = readdirSync(join(folder, 'tables')).length
  if (tables !== tree.tableCount()) {
    throw new Error(`${tables} files for ${tree.tableCount()} tables`)
  }
}

/** What the rounds have seen. */
export interface KillReport {
  readonly rounds: number
  readonly batches: number
  /** Batches that were there though nobody had said so. */
  readonly unacknowledged: number
}

/** Runs `rounds` rounds in `folder`. @throws what was wrong after a kill */
export async function killRounds(
  folder: string,
  rounds: number,
  random: Random,
): Promise<KillReport> {
  let highest = -1
  let unacknowledged = 0
  for (let round = 0; round < rounds; round++) {
    const said = await runAndKill(folder, highest + 1, random)
    const wasThere = existsSync(folder)
    const tree = await open(folder, { maintenance: 'manual', mergeOperator: mergeOperators.add })
    try {
      const found = checkTree(tree, said)
      if (found < highest) throw new Error(`${highest} was there before, now ${found} is the last`)
      if (wasThere) checkFolder(folder, tree)
      unacknowledged += found - said
      highest = found
    } catch (error) {
      throw new Error(`round ${round}: ${(error as Error).message}`, { cause: error })
    } finally {
      await tree.close()
    }
  }
  return { rounds, batches: highest + 1, unacknowledged }
}
