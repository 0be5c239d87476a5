/**
 * RocksDB's own `db_bench` (Debian's `rocksdb-tools`) doing the work of the amplification bench: what it wrote, what it
 * keeps, and what a point read asks for, told by its statistics.
 */
import { execFile } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface RocksWork {
  readonly num: number
  readonly reads: number
  readonly seed: number
  readonly writeBufferBytes: number
  readonly cacheBytes: number
  /** Tiered ("universal") instead of leveled. */
  readonly isUniversal: boolean
}

export interface RocksFigures {
  readonly bytesWritten: number
  readonly bytesStored: number
  /** Per point read: tables whose filter was asked, data blocks that were read, from the cache or not. */
  readonly tablesAsked: number
  readonly blocksRead: number
}

/** Runs the work in `folder`; undefined where `db_bench` is not installed. */
export async function runRocks(folder: string, work: RocksWork): Promise<RocksFigures | undefined> {
  const common = [
    ...[`--db=${folder}`, `--num=${work.num}`, '--key_size=16', '--value_size=100', '--threads=1'],
    ...['--disable_wal=1', '--compression_type=none', '--bloom_bits=10', '--statistics=1'],
    ...[`--cache_size=${work.cacheBytes}`, `--write_buffer_size=${work.writeBufferBytes}`],
    `--compaction_style=${work.isUniversal ? 1 : 0}`,
  ]
  try {
    // Under universal compaction db_bench 7.8 waits for ever: what it has not merged by the end stays as it is.
    const wait = work.isUniversal ? '' : ',waitforcompaction'
    const fill = [`--benchmarks=fillrandom,flush${wait}`, `--seed=${work.seed}`]
    const written = await statisticsOf([...common, ...fill])
    const read = await statisticsOf([
      ...common,
      ...['--benchmarks=readrandom', `--reads=${work.reads}`, `--seed=${work.seed + 1}`],
      ...['--use_existing_db=1', '--disable_auto_compactions=1'],
    ])
    const tables = read('bloom.filter.useful') + read('bloom.filter.full.positive')
    const blocks = read('block.cache.data.hit') + read('block.cache.data.miss')
    return {
      bytesWritten: written('flush.write.bytes') + written('compact.write.bytes'),
      bytesStored: readdirSync(folder)
        .filter((name) => name.endsWith('.sst'))
        .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0),
      tablesAsked: tables / work.reads,
      blocksRead: blocks / work.reads,
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Runs `db_bench`: its counters by name, without their prefix. */
async function statisticsOf(flags: readonly string[]): Promise<(name: string) => number> {
  const { stdout } = await run('db_bench', flags, { maxBuffer: 64 * 2 ** 20 })
  return (name) => {
    const match = new RegExp(`^rocksdb\\.${name.replaceAll('.', '\\.')} COUNT : (\\d+)`, 'm')
    const found = match.exec(stdout)
    if (found === null) throw new Error(`db_bench tells nothing of ${name}`)
    return Number(found[1])
  }
}
