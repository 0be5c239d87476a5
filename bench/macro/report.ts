/** Turns measurements of several rounds into medians, and prints them as a table or as JSON. */
import { cpus } from 'node:os'
import type { Measurement } from './meter.js'

type Figure = 'wallNs' | 'cpuNs' | 'allCpuNs' | 'p50Ns' | 'p99Ns' | 'bytesPerSecond'

/** The middle one; undefined where any is missing. */
export function median(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b)
  return known.length < values.length ? undefined : known[known.length >> 1]
}

/** One measurement a workload, in the order of their first round. @throws where rounds came to different results */
export function medians(measurements: readonly Measurement[]): Measurement[] {
  const byName = groupByName(measurements)
  return [...byName.values()].map((rounds) => {
    const [first] = rounds as [Measurement, ...Measurement[]]
    for (const { name, checksum } of rounds) {
      if (checksum !== first.checksum) throw new Error(`${name}: rounds came to different results`)
    }
    const of = (figure: Figure): number | undefined => median(rounds.map((each) => each[figure]))
    return {
      ...first,
      wallNs: of('wallNs') as number,
      cpuNs: of('cpuNs'),
      allCpuNs: of('allCpuNs') as number,
      p50Ns: of('p50Ns'),
      p99Ns: of('p99Ns'),
      bytesPerSecond: of('bytesPerSecond'),
    }
  })
}

function groupByName(measurements: readonly Measurement[]): Map<string, Measurement[]> {
  const groups = new Map<string, Measurement[]>()
  for (const measurement of measurements) {
    const group = groups.get(measurement.name)
    if (group === undefined) groups.set(measurement.name, [measurement])
    else group.push(measurement)
  }
  return groups
}

function whole(value: number | undefined): string {
  return value === undefined ? '-' : Math.round(value).toLocaleString('en-US')
}

/** The table of medians. */
export function formatTable(rows: readonly Measurement[]): string {
  const lines = [
    ['workload', 'ns/op', 'main cpu', 'all cpu', 'ops/s', 'p50 ns', 'p99 ns', 'MB/s', 'checksum'],
    ...rows.map((row) => [
      row.name,
      whole(row.wallNs),
      whole(row.cpuNs),
      whole(row.allCpuNs),
      whole(1e9 / row.wallNs),
      whole(row.p50Ns),
      whole(row.p99Ns),
      row.bytesPerSecond === undefined ? '-' : (row.bytesPerSecond / 1e6).toFixed(1),
      row.checksum.toString(16).padStart(8, '0'),
    ]),
  ]
  const widths = (lines[0] as string[]).map((_, i) =>
    Math.max(...lines.map((line) => (line[i] as string).length)),
  )
  return lines
    .map((line) =>
      line
        .map((cell, i) =>
          i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number),
        )
        .join('  '),
    )
    .join('\n')
}

/** One line about the machine. */
export function machine(): string {
  return `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, node ${process.version}`
}

/** Resident memory and JavaScript heap, in MiB. */
export function memoryUse(): { readonly rssMib: number; readonly heapMib: number } {
  const { rss, heapUsed } = process.memoryUsage()
  return { rssMib: Math.round(rss / 2 ** 20), heapMib: Math.round(heapUsed / 2 ** 20) }
}
