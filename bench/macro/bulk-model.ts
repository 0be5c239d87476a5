/**
 * Bulk ingestion of entries that stream in, in any order and some of them twice, within a memory budget: what the tree
 * holds afterwards is compared with the model, and what the process grew by with the budget. In a process of its own, whose
 * memory is nobody else's: `node build/bench/macro/bulk-model.js <entries> <budget in MiB>` prints the report as JSON.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MaintenancePool, open, packEntries } from '../../src/main/index.js'
import { KeySpace, shuffled } from './key-space.js'

const MIB = 2 ** 20

/** Sums stay below it, and are exact. */
const SUM_END = 2 ** 48

export interface BulkModelReport {
  readonly entries: number
  /** Entries of keys that came again later. */
  readonly older: number
  readonly budgetBytes: number
  /** What the resident set grew by at most, while the source was read and merged. */
  readonly grownBytes: number
  /** What is wrong; undefined where the tree equals the model. */
  readonly fault: string | undefined
}

/** One number for an entry; their sum knows no order. */
function hash(key: Uint8Array, value: Uint8Array): number {
  let h = 0x811c_9dc5
  for (const byte of key) h = Math.imul(h ^ byte, 0x0100_0193)
  for (const byte of value) h = Math.imul(h ^ byte, 0x0100_0193)
  return h >>> 0
}

export async function runBulkModel(num: number, budgetBytes: number): Promise<BulkModelReport> {
  const folder = mkdtempSync(join(tmpdir(), 'varve-bulk-model-'))
  const pool = new MaintenancePool({ threads: 2 })
  const space = new KeySpace(16, 100, 1)
  const order = shuffled(num, 7)
  let wanted = 0
  let older = 0
  /** Every tenth key comes a third of the source earlier as well, with another value. */
  function* pairs(): Generator<[Buffer, Buffer]> {
    const ahead = Math.floor(num / 3)
    for (let i = 0; i < num; i++) {
      const later = i + ahead
      if (later < num && later % 10 === 0) {
        const number = order[later] as number
        older++
        yield [space.keyCopy(number, 'sequential'), space.value(number, 1)]
      }
      const number = order[i] as number
      const [key, value] = [space.keyCopy(number, 'sequential'), space.value(number)]
      wanted = (wanted + hash(key, value)) % SUM_END
      yield [key, value]
    }
  }
  const tree = await open(folder, { pool, maintenance: 'manual' })
  try {
    let most = 0
    const look = (): void => {
      most = Math.max(most, process.memoryUsage.rss())
    }
    // The code of everything is there, and the threads are.
    await tree.bulkIngest(packEntries([[space.keyCopy(0, 'sequential'), space.value(0)]]))
    const before = process.memoryUsage.rss()
    function* watched(): Generator<Uint8Array> {
      for (const chunk of packEntries(pairs())) {
        look()
        yield chunk
      }
    }
    const timer = setInterval(look, 20)
    const { entryCount } = await tree.bulkIngest(watched(), { memoryBytes: budgetBytes })
    clearInterval(timer)
    let [found, sum] = [0, 0]
    let last: Buffer | undefined
    let fault = entryCount === num + older ? undefined : `${entryCount} entries were taken in`
    for (const [key, value] of tree) {
      if (last !== undefined && last.compare(key) >= 0) fault ??= 'keys do not ascend'
      last = key
      found++
      sum = (sum + hash(key, value)) % SUM_END
    }
    if (found !== num) fault ??= `${found} entries are there`
    if (sum !== wanted) fault ??= 'some entries are not the ones that were brought in'
    return { entries: num, older, budgetBytes, grownBytes: most - before, fault }
  } finally {
    await tree.close()
    await pool.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , num, budget] = process.argv
  console.log(JSON.stringify(await runBulkModel(Number(num), Number(budget) * MIB)))
}
