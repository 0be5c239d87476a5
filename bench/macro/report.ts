/** Turns measurements of several rounds into medians, and prints them as a table. */
import { cpus, release, totalmem, type } from 'node:os'
import type { Measurement } from './meter.js'

/** The middle one; undefined where any is missing. */
export function median(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b)
  return known.length < values.length ? undefined : known[known.length >> 1]
}

/** The median round of one workload, figure by figure. @throws where rounds came to different results */
export function medianOf(rounds: readonly Measurement[]): Measurement {
  const [first] = rounds
  if (first === undefined) throw new Error('no round was measured')
  const result: Record<string, unknown> = { ...first }
  for (const { checksum } of rounds) {
    if (checksum !== first.checksum)
      throw new Error(`${first.name}: rounds came to different results`)
  }
  const figures = new Set(rounds.flatMap((round) => Object.keys(round))) as Set<keyof Measurement>
  for (const figure of figures) {
    if (figure === 'name' || figure === 'checksum') continue
    // Some figures are taken in some rounds only.
    const known = rounds.map((round) => round[figure]).filter((value) => value !== undefined)
    result[figure] = median(known)
  }
  return result as unknown as Measurement
}

/** One measurement a workload, in the order of their first round. */
export function medians(measurements: readonly Measurement[]): Measurement[] {
  const groups = new Map<string, Measurement[]>()
  for (const measurement of measurements) {
    const group = groups.get(measurement.name)
    if (group === undefined) groups.set(measurement.name, [measurement])
    else group.push(measurement)
  }
  return [...groups.values()].map(medianOf)
}

/** A whole number with thousands apart; a dash for none. */
export function whole(value: number | undefined): string {
  return value === undefined ? '-' : Math.round(value).toLocaleString('en-US')
}

/** Columns aligned: the first to the left, the others to the right. */
export function align(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, i) =>
    Math.max(...lines.map((line) => (line[i] ?? '').length)),
  )
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The same as a table of Markdown. */
export function markdown(lines: readonly (readonly string[])[]): string {
  const [head = [], ...rows] = lines
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'))
  return [row(head), row(rule), ...rows.map(row)].join('\n')
}

const HEAD = ['workload', 'ns/op', 'ops/s', 'p50', 'p99', 'p99.9', 'max', 'cpu', 'MB/s', 'checksum']

/** The table of medians. */
export function formatTable(rows: readonly Measurement[]): string {
  return align([
    HEAD,
    ...rows.map((row) => [
      row.name,
      whole(row.wallNs),
      whole(1e9 / row.wallNs),
      whole(row.p50Ns),
      whole(row.p99Ns),
      whole(row.p999Ns),
      whole(row.maxNs),
      whole(row.cpuNs),
      row.bytesPerSecond === undefined ? '-' : (row.bytesPerSecond / 1e6).toFixed(1),
      (row.checksum ?? 0).toString(16).padStart(8, '0'),
    ]),
  ])
}

/** One line about the machine. */
export function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30)
  const model = cpus()[0]?.model ?? 'unknown'
  return `${cpus().length} x ${model}, ${memory} GiB, ${type()} ${release()}, node ${process.version}`
}

/** Resident memory and JavaScript heap, in MiB. */
export function memoryUse(): { readonly rssMib: number; readonly heapMib: number } {
  const { rss, heapUsed } = process.memoryUsage()
  return { rssMib: Math.round(rss / 2 ** 20), heapMib: Math.round(heapUsed / 2 ** 20) }
}
