/**
 * RocksDB's own `db_bench` (Debian's `rocksdb-tools`): runs it, and reads what it prints and what RocksDB notes in its LOG.
 * The LOG tells when each flush and compaction began and ended and how many bytes each table has, at no cost.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** How often memory is looked at: the system forgets it when the process ends. */
const LOOK_MS = 50

/** A benchmark's line, and the percentiles below it where a histogram was asked for. */
export interface DbBenchLine {
  readonly nanoseconds: number
  readonly seconds: number
  readonly operations: number
  readonly p50Ns?: number
  readonly p99Ns?: number
  readonly p999Ns?: number
  readonly maxNs?: number
}

export interface DbBenchRun {
  /** The last line of each benchmark. */
  readonly lines: ReadonlyMap<string, DbBenchLine>
  /** A counter of its statistics, by its name without the prefix. */
  counter(name: string): number
  /** The most memory that was resident. */
  readonly rssBytes: number | undefined
}

/** Runs `db_bench`; undefined where it is not installed. @throws where it fails */
export async function runDbBench(flags: readonly string[]): Promise<DbBenchRun | undefined> {
  const child = spawn('db_bench', flags, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let complaint = ''
  let rssBytes: number | undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    // Its progress goes there as well.
    complaint = (complaint + text).slice(-2000)
  })
  const watch = setInterval(() => {
    rssBytes = residentBytes(child.pid) ?? rssBytes
  }, LOOK_MS)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    if (code !== 0) throw new Error(`db_bench ended with ${code}: ${complaint}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  } finally {
    clearInterval(watch)
  }
  return { lines: parseLines(output), counter: (name) => counterOf(output, name), rssBytes }
}

/** The most that a process had resident so far; undefined where the system does not tell. */
function residentBytes(pid: number | undefined): number | undefined {
  try {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return found === null ? undefined : Number(found[1]) * 1024
  } catch {
    return undefined
  }
}

const LINE = /^(\w+) +: +([\d.]+) micros\/op [\d.]+ ops\/sec ([\d.]+) seconds (\d+) operations/
const PERCENTILES = /^Percentiles: P50: ([\d.]+) P75: [\d.]+ P99: ([\d.]+) P99\.9: ([\d.]+)/
const MAX = /Max: (\d+)$/

function parseLines(output: string): Map<string, DbBenchLine> {
  const lines = new Map<string, DbBenchLine>()
  let name = ''
  const extend = (figures: Partial<DbBenchLine>): void => {
    const line = lines.get(name)
    if (line !== undefined) lines.set(name, { ...line, ...figures })
  }
  for (const text of output.split(/[\n\r]/)) {
    const line = LINE.exec(text)
    if (line !== null) {
      name = line[1] as string
      const [seconds, operations] = [Number(line[3]), Number(line[4])]
      const nanoseconds = Number(line[2]) * 1000
      lines.set(name, { nanoseconds, seconds, operations })
    }
    const max = MAX.exec(text)
    if (max !== null) extend({ maxNs: Number(max[1]) * 1000 })
    const percentiles = PERCENTILES.exec(text)
    if (percentiles === null) continue
    const [p50Ns, p99Ns, p999Ns] = percentiles.slice(1).map((one) => Number(one) * 1000)
    extend({ p50Ns: p50Ns as number, p99Ns: p99Ns as number, p999Ns: p999Ns as number })
  }
  return lines
}

function counterOf(output: string, name: string): number {
  const match = new RegExp(`^rocksdb\\.${name.replaceAll('.', '\\.')} COUNT : (\\d+)`, 'm')
  const found = match.exec(output)
  if (found === null) throw new Error(`db_bench tells nothing of ${name}`)
  return Number(found[1])
}

/** An event of RocksDB's LOG. */
export interface RocksEvent {
  readonly event: string
  readonly time_micros: number
  readonly job: number
  readonly file_size?: number
  readonly flush_reason?: string
  readonly input_data_size?: number
  readonly compaction_time_micros?: number
  readonly table_properties?: { readonly filter_size?: number; readonly num_entries?: number }
}

/** All events of a folder, oldest first. */
export function eventsOf(folder: string): RocksEvent[] {
  const events = readdirSync(folder)
    .filter((name) => name === 'LOG' || name.startsWith('LOG.old'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
    .flatMap((line) => {
      const at = line.indexOf('EVENT_LOG_v1 ')
      return at < 0 ? [] : [JSON.parse(line.slice(at + 13)) as RocksEvent]
    })
  return events.sort((a, b) => a.time_micros - b.time_micros)
}

/** Bytes of the tables that a folder holds. */
export function tableBytes(folder: string): number {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sst'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

/** Bytes of all tables that were written there. */
export function bytesWrittenIn(events: readonly RocksEvent[]): number {
  return events
    .filter(({ event }) => event === 'table_file_creation')
    .reduce((sum, { file_size }) => sum + (file_size ?? 0), 0)
}
