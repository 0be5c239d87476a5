/**
 * Acknowledged writes a second through the log, at each durability, from one writer that awaits each write and from many
 * at once. Run: `node build/bench/log.js [--num=20000] [--writers=64] [--value-size=100]`.
 *
 * The disk's own speed decides the line 'disk' with one writer; the others show what group commit makes of it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Durability, openLogged } from '../src/main/wal/index.js'
import { machine } from './macro/report.js'

export interface LogBenchOptions {
  /** Writes of each line; of 'disk' with one writer a tenth. */
  readonly num: number
  readonly writers: number
  readonly valueBytes: number
}

export interface LogBenchRow {
  readonly durability: Durability
  readonly writers: number
  readonly writesPerSecond: number
  /** Syncs for each acknowledged write. */
  readonly syncsPerWrite: number
  /** Calls of write(2) for each acknowledged write. */
  readonly callsPerWrite: number
}

async function measure(
  durability: Durability,
  writers: number,
  { num, valueBytes }: LogBenchOptions,
): Promise<LogBenchRow> {
  const folder = mkdtempSync(join(tmpdir(), 'varve-log-'))
  try {
    const db = await openLogged(folder)
    const value = Buffer.alloc(valueBytes, 'v')
    const each = Math.ceil(num / writers)
    const began = performance.now()
    const before = db.stats()
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let i = 0; i < each; i++) await db.insert(`k${writer}/${i}`, value, { durability })
      }),
    )
    const seconds = (performance.now() - began) / 1000
    const after = db.stats()
    const count = each * writers
    await db.close()
    return {
      durability,
      writers,
      writesPerSecond: count / seconds,
      syncsPerWrite: (after.syncs - before.syncs) / count,
      callsPerWrite: (after.writes - before.writes) / count,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Measures every durability, with one writer and with many. */
export async function runLogBench(options: LogBenchOptions): Promise<LogBenchRow[]> {
  const rows: LogBenchRow[] = []
  for (const durability of ['memory', 'process', 'disk'] as const) {
    for (const writers of [1, options.writers]) {
      const isSlow = durability === 'disk' && writers === 1
      const num = isSlow ? Math.ceil(options.num / 10) : options.num
      rows.push(await measure(durability, writers, { ...options, num }))
    }
  }
  return rows
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      num: { type: 'string', default: '20000' },
      writers: { type: 'string', default: '64' },
      'value-size': { type: 'string', default: '100' },
    },
  })
  const rows = await runLogBench({
    num: Number(values.num),
    writers: Number(values.writers),
    valueBytes: Number(values['value-size']),
  })
  console.log(machine())
  for (const row of rows) {
    console.log(
      `${row.durability.padEnd(8)} ${String(row.writers).padStart(3)} writers  ` +
        `${Math.round(row.writesPerSecond).toLocaleString('en-US').padStart(9)} writes/s  ` +
        `${row.syncsPerWrite.toFixed(3)} syncs  ${row.callsPerWrite.toFixed(3)} calls a write`,
    )
  }
}
