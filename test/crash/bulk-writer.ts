/**
 * The program that is killed in the middle of bulk ingestions: brings in the same keys again and again, in another order
 * and with another generation each time, and says each generation that is there on a line of its own. It never ends by
 * itself.
 */
import { writeSync } from 'node:fs'
import { packEntries } from '../../src/main/ingestion/packed-entries.js'
import { open } from '../../src/main/open.js'
import { MaintenancePool } from '../../src/main/scheduling/maintenance-pool.js'
import { leveled } from '../../src/main/strategies/leveled.js'

/** A prime, so that any step through them comes to all of them. */
export const KEYS = 7919

export const bulkKey = (i: number): string => `bulk${String(i).padStart(5, '0')}`

async function main(folder: string, first: number): Promise<never> {
  const pool = new MaintenancePool({ threads: 2 })
  const tree = await open(folder, {
    pool,
    strategy: leveled({ targetBytes: 256 * 1024, l0Threshold: 2 }),
    runtime: { memtableBytes: 128 * 1024 },
  })
  for (let generation = first; ; generation++) {
    const pairs = function* (): Generator<readonly [string, string]> {
      for (let i = 0; i < KEYS; i++) {
        const key = bulkKey((i * (generation + 3)) % KEYS)
        // Some come twice; the last one counts.
        if (i % 5 === 0) yield [key, 'older']
        yield [key, `${generation}:${'x'.repeat(60)}`]
      }
    }
    const source = generation % 2 === 0 ? pairs() : packEntries(pairs(), { chunkBytes: 10_000 })
    await tree.bulkIngest(source, { memoryBytes: 256 * 1024 })
    writeSync(1, `${generation}\n`)
  }
}

if (process.argv[1]?.endsWith('bulk-writer.js')) {
  await main(process.argv[2] as string, Number(process.argv[3]))
}
