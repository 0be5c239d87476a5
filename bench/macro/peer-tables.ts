/** The tables of the peer bench: engines side by side, their latencies and memory, the targets beside what was reached. */
import type { PeerRow } from '../peers.js'
import type { Verdict } from '../targets.js'
import type { Measurement } from './meter.js'
import { medianOf, whole } from './report.js'

/** Medians by part, workload and engine, in the order in which they were run. */
export function mediansByEngine(
  rows: readonly PeerRow[],
): Map<string, ReadonlyMap<string, Measurement>> {
  const rounds = new Map<string, Map<string, PeerRow[]>>()
  for (const row of rows) {
    const key = `${row.part}: ${row.name}`
    const engines = rounds.get(key) ?? new Map<string, PeerRow[]>()
    rounds.set(key, engines)
    engines.set(row.engine, [...(engines.get(row.engine) ?? []), row])
  }
  return new Map(
    Array.from(rounds, ([key, engines]) => [
      key,
      new Map(Array.from(engines, ([engine, list]) => [engine, medianOf(list)])),
    ]),
  )
}

/** Nanoseconds an operation, and how many times varve's. */
export function peerLines(rows: readonly PeerRow[]): string[][] {
  const engines = [...new Set(rows.map(({ engine }) => engine))]
  const lines = [['ns/op (times varve)', ...engines]]
  for (const [key, found] of mediansByEngine(rows)) {
    const own = found.get('varve')
    lines.push([
      key,
      ...engines.map((engine) => {
        const row = found.get(engine)
        if (row === undefined) return '-'
        const times = own === undefined ? '' : ` (${(row.wallNs / own.wallNs).toFixed(2)})`
        return `${whole(row.wallNs)}${engine === 'varve' ? '' : times}`
      }),
    ])
  }
  return lines
}

const microseconds = (nanoseconds: number | undefined): string =>
  nanoseconds === undefined ? '-' : (nanoseconds / 1000).toFixed(1)
const mib = (bytes: number | undefined): string =>
  bytes === undefined ? '-' : (bytes / 2 ** 20).toFixed(0)
const fixed = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(2))

/** Everything else that is measured. */
export function detailLines(rows: readonly PeerRow[]): string[][] {
  const lines = [
    [
      ...['workload, engine', 'p50 us', 'p99 us', 'p99.9 us', 'max us', 'loop p99.9 ms'],
      ...['loop max ms', 'RSS MiB', 'written MiB', 'write amp', 'space amp', 'MB/s'],
    ],
  ]
  for (const [key, found] of mediansByEngine(rows)) {
    for (const [engine, row] of found) {
      lines.push([
        `${key}, ${engine}`,
        ...[row.p50Ns, row.p99Ns, row.p999Ns, row.maxNs].map(microseconds),
        ...[fixed(row.loopP999Ms), fixed(row.loopMaxMs), mib(row.rssBytes), mib(row.bytesWritten)],
        ...[fixed(row.writeAmplification), fixed(row.spaceAmplification)],
        row.bytesPerSecond === undefined ? '-' : (row.bytesPerSecond / 1e6).toFixed(1),
      ])
    }
  }
  return lines
}

const UNITS: Readonly<Partial<Record<keyof Measurement, (value: number) => string>>> = {
  wallNs: (value) => `${whole(value)} ns`,
  bytesPerSecond: (value) => `${(value / 1e6).toFixed(0)} MB/s`,
  loopP999Ms: (value) => `${value.toFixed(1)} ms`,
  filterOverhead: (value) => `filter of ${value.toFixed(3)} r bits`,
  writeAmplification: (value) => `writes ${value.toFixed(2)} x`,
  spaceAmplification: (value) => `stores ${value.toFixed(2)} x`,
}

const VERDICT_HEAD = ['workload', 'varve', 'against', 'it', 'ratio', 'target', 'met']

/** The cells of one target: what was reached beside it. */
function verdictCells(verdict: Verdict): string[] {
  const { workload, figure, against, factor, own, other, ratio, isMet } = verdict
  const shown = (value: number | undefined): string =>
    value === undefined ? '-' : (UNITS[figure]?.(value) ?? String(value))
  return [
    workload,
    shown(own),
    against,
    shown(other),
    ratio === undefined ? '-' : ratio.toFixed(2),
    factor.toFixed(2),
    isMet === undefined ? 'not measured' : isMet ? 'met' : 'NOT MET',
  ]
}

/** Every target, and what was reached beside it. */
export function verdictLines(verdicts: readonly Verdict[]): string[][] {
  return [VERDICT_HEAD, ...verdicts.map(verdictCells)]
}
