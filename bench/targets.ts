/**
 * What must be reached: how much better than whom varve has to be, workload by workload. Ratios of one round each, of which
 * the median counts: what disturbs a machine for a while disturbs both sides of a round.
 */
import { NATIVE } from './macro/contestants.js'
import type { Measurement } from './macro/meter.js'
import { median } from './macro/report.js'

export const OWN = 'varve'

/** Nanoseconds of the Rust crate (coordinode-lsm-tree 5.7, native, one thread), measured apart on a machine like this. */
const CRATE = {
  insert: 2050,
  insertMaintained: 3350,
  readrandom: 4000,
  readmissing: 1130,
  readseq: 283,
  /** Bytes a second of input: the middle of 56 to 71 MB/s. */
  compact: 64e6,
} as const

/** Engines that run in Node beside varve. */
const NODE_PEERS = ['classic-level', 'lmdb', 'better-sqlite3', 'rocksdb (npm)']

/** What is compared with: an engine, the best of several, another workload of varve's own, a figure known, or a limit. */
type Against =
  | { readonly engines: readonly string[] }
  | { readonly workload: string }
  | { readonly figure: number; readonly name: string }
  | { readonly limit: number }

export interface Target {
  readonly part: string
  readonly workload: string
  readonly figure: keyof Measurement
  /** Nanoseconds, amplification and the like; else more is better. */
  readonly isLessBetter: boolean
  readonly against: Against
  readonly factor: number
}

function target(
  part: string,
  workloads: string,
  against: Against,
  factor: number,
  figure: keyof Measurement = 'wallNs',
): Target[] {
  const isLessBetter = figure !== 'bytesPerSecond'
  return workloads
    .split(' ')
    .map((workload) => ({ part, workload, figure, isLessBetter, against, factor }))
}

const native: Against = { engines: [NATIVE] }
const best: Against = { engines: NODE_PEERS }
const lmdb: Against = { engines: ['lmdb'] }
const level: Against = { engines: ['classic-level'] }
const crate = (figure: number): Against => ({ figure, name: 'coordinode' })

export const TARGETS: readonly Target[] = [
  ...target('main', 'fillrandom overwrite', native, 3),
  ...target('main', 'fillrandom overwrite', best, 2),
  ...target('main', 'fillrandom', crate(CRATE.insert), 1.5),
  ...target('main', 'fillrandom+idle', crate(CRATE.insertMaintained), 1.5),
  ...target('main', 'fillseq', native, 1),
  ...target('main', 'readrandom readmissing', native, 2),
  ...target('main', 'readrandom readmissing', lmdb, 1.2),
  ...target('main', 'readrandom', crate(CRATE.readrandom), 1.5),
  ...target('main', 'readmissing', crate(CRATE.readmissing), 1.5),
  ...target('main', 'readrandom-small-cache', native, 1),
  ...target('main', 'readseq readreverse', lmdb, 3),
  ...target('main', 'readseq readreverse', level, 10),
  ...target('main', 'readseq', crate(CRATE.readseq), 1),
  ...target('main', 'seekrandom multiget readwhilewriting', native, 2),
  ...target('main', 'bulkingest-2 bulkingest-pairs-2', { engines: [`${NATIVE}: fillseq`] }, 1),
  ...target('main', 'bulkingest-2', { workload: 'bulkingest-1' }, 1.6),
  ...target('main', 'threads-2', { workload: 'threads-1' }, 1.8),
  ...target('merge', 'compact', crate(CRATE.compact), 5, 'bytesPerSecond'),
  ...target('merge', 'compact', native, 2, 'bytesPerSecond'),
  ...target('merge', 'flush', native, 2, 'bytesPerSecond'),
  ...target('steady', 'fillrandom+idle', native, 2),
  ...target('steady', 'fillrandom', { limit: 20 }, 1, 'loopP999Ms'),
  // An r-bit filter has one false positive in 2^r, and takes 1.05 r bits a key at most; Bloom's take 1.44 r at best.
  ...target('main', 'readmissing', native, 1 / 0.7, 'filterOverhead'),
  ...target(
    'main',
    'readmissing',
    { figure: 1, name: 'the bits that the rate needs' },
    1 / 1.05,
    'filterOverhead',
  ),
  ...target('main', 'open', level, 1),
  ...target(
    'steady',
    'fillrandom-plain+idle',
    { engines: [`${NATIVE}: fillrandom+idle`] },
    1,
    'writeAmplification',
  ),
  ...target(
    'steady',
    'fillrandom-plain+idle',
    { engines: [`${NATIVE}: fillrandom+idle`] },
    1,
    'spaceAmplification',
  ),
]

/** Rounds of one engine and one workload. */
export type RoundsOf = (
  part: string,
  engine: string,
  workload: string,
) => readonly Measurement[] | undefined

export interface Verdict {
  readonly workload: string
  readonly figure: keyof Measurement
  readonly against: string
  readonly factor: number
  /** Medians of both; and of the rounds' ratios, above 1 where varve is better. */
  readonly own: number | undefined
  readonly other: number | undefined
  readonly ratio: number | undefined
  /** Undefined where one side was not measured. */
  readonly isMet: boolean | undefined
}

const HUNDRED = 100

export function judge(roundsOf: RoundsOf): Verdict[] {
  return TARGETS.map((target) => {
    const { part, workload, figure, isLessBetter, against, factor } = target
    const own = roundsOf(part, OWN, workload)
    const ownFigures = figuresOf(own, figure)
    const others = othersOf(target, roundsOf)
    const pairs = ownFigures.flatMap((value, round) => {
      const other = others.figures[round] ?? others.figures[0]
      return other === undefined ? [] : [isLessBetter ? other / value : value / other]
    })
    const ratio = median(pairs)
    // A target is met at the precision that it is told with.
    const isMet =
      ratio === undefined ? undefined : Math.round(ratio * HUNDRED) / HUNDRED >= factor - 0.005
    return {
      ...{ workload, figure, factor, ratio, isMet },
      against: 'limit' in against ? `below ${against.limit}` : others.name,
      own: median(ownFigures),
      other: median(others.figures),
    }
  })
}

function figuresOf(
  rounds: readonly Measurement[] | undefined,
  figure: keyof Measurement,
): number[] {
  return (rounds ?? []).flatMap((round) => {
    const value = round[figure]
    return typeof value === 'number' ? [value] : []
  })
}

function othersOf(
  { part, workload, figure, against, isLessBetter }: Target,
  roundsOf: RoundsOf,
): { readonly name: string; readonly figures: readonly number[] } {
  if ('limit' in against) return { name: '', figures: [against.limit] }
  if ('workload' in against) {
    const { workload: other } = against
    return { name: other, figures: figuresOf(roundsOf(part, OWN, other), figure) }
  }
  if ('figure' in against) return { name: against.name, figures: [against.figure] }
  const known = against.engines.flatMap((name) => {
    const [engine, other = workload] = name.split(': ') as [string, string?]
    const figures = figuresOf(roundsOf(part, engine, other), figure)
    return figures.length === 0 ? [] : [{ name: engine, figures, middle: median(figures) ?? 0 }]
  })
  known.sort((a, b) => (isLessBetter ? a.middle - b.middle : b.middle - a.middle))
  const [first] = known
  return (
    first ?? { name: against.engines.map((name) => name.split(':')[0]).join(', '), figures: [] }
  )
}
