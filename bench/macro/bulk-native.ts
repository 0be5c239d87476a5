/** Native RocksDB's `fillseq`: what bulk ingestion in order is compared with. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runDbBench } from './db-bench.js'

/** Entries a second, of each round; none where `db_bench` is not installed. */
export async function runNative(num: number, rounds: number): Promise<number[]> {
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const folder = mkdtempSync(join(tmpdir(), 'varve-fillseq-'))
    try {
      const run = await runDbBench([
        ...['--benchmarks=fillseq', `--num=${num}`, `--db=${folder}`],
        ...['--key_size=16', '--value_size=100', '--disable_wal=1', '--compression_type=none'],
      ])
      const line = run?.lines.get('fillseq')
      if (line !== undefined) rates.push(line.operations / line.seconds)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return rates
}
