/**
 * A process is killed in the middle of bulk ingestions: of each, all is there or nothing, and no file that nothing names is
 * left after the next open. SEED=… replays.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { open } from '../../src/main/open.js'
import { Random, runSeed } from '../support/random.js'
import { bulkKey, KEYS } from './bulk-writer.js'

const WRITER = fileURLToPath(new URL('./bulk-writer.js', import.meta.url))

const ROUNDS = 10

t.setTimeout(180_000)

/** Runs the writer until so many ingestions are done, and a little longer; the last one that it told of. */
async function runAndKill(folder: string, first: number, random: Random): Promise<number> {
  const child = spawn(process.execPath, [WRITER, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  const wanted = 1 + random.below(3)
  let said = ''
  let isDue = false
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes
    if (isDue || said.split('\n').length <= wanted) return
    isDue = true
    // Somewhere in the next one: gathering, sorting, merging or installing.
    setTimeout(() => child.kill('SIGKILL'), random.below(120))
  })
  const [code, signal] = await closed
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${code ?? signal}`)
  const complete = said.slice(0, said.lastIndexOf('\n') + 1).trim()
  return Number(complete.split('\n').at(-1))
}

t.test('killed at random moments', { timeout: 170_000 }, async (t) => {
  const seed = runSeed()
  t.comment(`SEED=${seed}`)
  const random = new Random(seed)
  const folder = join(t.testdir(), 'db')
  let next = 0
  for (let round = 0; round < ROUNDS; round++) {
    const told = await runAndKill(folder, next, random)
    const tree = await open(folder, { maintenance: 'manual' })
    const values = [...tree.prefix('bulk')].map(([key, value]) => `${key} ${value}`)
    const generation = Number(tree.getString(bulkKey(0))?.split(':')[0])
    t.ok(generation === told || generation === told + 1, `${told} was told, ${generation} is there`)
    t.equal(values.length, KEYS)
    const isOne = values.every((one, i) => one.startsWith(`${bulkKey(i)} ${generation}:`))
    t.ok(isOne, `all of them are of generation ${generation}`)
    await tree.idle()
    const files = readdirSync(join(folder, 'tables')).length
    t.equal(files, tree.tableCount(), 'no file is left')
    await tree.close()
    next = generation + 1
  }
})
