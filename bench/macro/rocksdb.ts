/**
 * RocksDB's own `db_bench` (Debian's `rocksdb-tools`) doing the work of the amplification bench: what it wrote, what it
 * keeps, and what a point read asks for, told by its statistics.
 */
import { runDbBench, tableBytes } from './db-bench.js'

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
  // Under universal compaction db_bench 7.8 waits for ever: what it has not merged by the end stays as it is.
  const wait = work.isUniversal ? '' : ',waitforcompaction'
  const fill = [`--benchmarks=fillrandom,flush${wait}`, `--seed=${work.seed}`]
  const written = await runDbBench([...common, ...fill])
  const read = await runDbBench([
    ...common,
    ...['--benchmarks=readrandom', `--reads=${work.reads}`, `--seed=${work.seed + 1}`],
    ...['--use_existing_db=1', '--disable_auto_compactions=1'],
  ])
  if (written === undefined || read === undefined) return undefined
  const tables = read.counter('bloom.filter.useful') + read.counter('bloom.filter.full.positive')
  const blocks = read.counter('block.cache.data.hit') + read.counter('block.cache.data.miss')
  return {
    bytesWritten: written.counter('flush.write.bytes') + written.counter('compact.write.bytes'),
    bytesStored: tableBytes(folder),
    tablesAsked: tables / work.reads,
    blocksRead: blocks / work.reads,
  }
}
