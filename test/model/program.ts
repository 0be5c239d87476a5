/**
 * Seeded random programs: plain data, made before anything runs, so that any subset of the steps is a program too and
 * a failing one can be reduced. Each step is an operation and four numbers that the runner reads as it needs.
 */
import { Random } from '../support/random.js'

/** Every kind of step, with how often it comes where no weight is switched off. */
const WEIGHTS = {
  insert: 60,
  remove: 18,
  removeWeak: 6,
  merge: 18,
  removeRange: 5,
  removePrefix: 2,
  batch: 8,
  hold: 3,
  publish: 3,
  get: 20,
  getInto: 3,
  multiGet: 3,
  pinned: 4,
  getLater: 2,
  multiGetLater: 2,
  rangeLater: 2,
  guards: 2,
  seekable: 4,
  batchRanges: 2,
  trace: 1,
  contains: 6,
  containsPrefix: 3,
  range: 8,
  prefix: 5,
  doubleEnded: 4,
  edges: 3,
  count: 2,
  bareRead: 6,
  snapshotOpen: 3,
  snapshotRead: 6,
  snapshotScan: 2,
  snapshotDispose: 2,
  iteratorOpen: 3,
  iteratorStep: 8,
  iteratorDispose: 1,
  rotate: 2,
  flush: 3,
  flushInBackground: 1,
  compact: 3,
  compactInBackground: 1,
  majorCompact: 1,
  clear: 0.25,
  dropAll: 0.15,
  ingest: 1,
  bulkIngest: 0.6,
  checkpoint: 0.3,
  reopen: 0.6,
  runtime: 1,
  idle: 0.5,
  fill: 0.5,
  checkAll: 0.5,
} as const

export type StepKind = keyof typeof WEIGHTS

export type Step = readonly [kind: StepKind, a: number, b: number, c: number, d: number]

export interface Program {
  readonly seed: number
  readonly keys: readonly Buffer[]
  readonly steps: readonly Step[]
}

/** The largest number of a step. */
export const STEP_RANGE = 1 << 30

const KINDS = Object.keys(WEIGHTS) as StepKind[]

/** What no program can do without: it would test nothing. */
const ALWAYS: readonly StepKind[] = ['insert', 'get']

/** Keys with shared prefixes, zero and 0xff bytes, and rarely one of the longest kind. */
function makeKeys(random: Random): Buffer[] {
  const count = random.pick([3, 20, 120, 400])
  const prefixes = Array.from({ length: 1 + random.below(4) }, () =>
    Buffer.from(random.pick(['', 'user:', 'a/b/c/d/', '\u0000', 'ÿ', 'key-with-a-long-prefix-'])),
  )
  const isBinary = random.chance(0.5)
  const hasHuge = random.chance(0.15)
  const keys = new Map<string, Buffer>()
  for (let i = 0; keys.size < count && i < 20 * count; i++) {
    const key = Buffer.concat([random.pick(prefixes), tail(random, isBinary)])
    if (key.length > 0) keys.set(key.toString('latin1'), key)
  }
  if (hasHuge) {
    for (const length of [65_535, 65_534, 40_000]) {
      const key = Buffer.alloc(length, random.pick([0, 97, 255]))
      key[length - 1] = random.below(256)
      keys.set(key.toString('latin1'), key)
    }
  }
  return [...keys.values()]
}

function tail(random: Random, isBinary: boolean): Buffer {
  if (!isBinary) return Buffer.from(String(random.below(1000)))
  return Buffer.from(
    Array.from({ length: random.below(5) }, () => random.pick([0, 0, 1, 127, 254, 255, 255])),
  )
}

/** A program of `length` steps. Swarm: each program switches some kinds of steps off, and prefers some. */
export function makeProgram(seed: number, length: number): Program {
  const random = new Random(seed)
  const keys = makeKeys(random)
  const weights = KINDS.map((kind) => {
    if (!ALWAYS.includes(kind) && random.chance(0.25)) return 0
    return WEIGHTS[kind] * random.pick([0.3, 1, 1, 1, 3])
  })
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const draw = (): StepKind => {
    let at = (random.u32() / 2 ** 32) * total
    for (const [i, weight] of weights.entries()) {
      at -= weight
      if (at < 0) return KINDS[i] as StepKind
    }
    return 'get'
  }
  const number = (): number => random.below(STEP_RANGE)
  const steps = Array.from({ length }, (): Step => [draw(), number(), number(), number(), number()])
  return { seed, keys, steps }
}

/**
 * True for the keys that programs delete by `removeWeak` and by range only, and insert only where they are not there: what
 * `removeWeak` asks of its caller.
 */
export function isWeakKey(key: Uint8Array): boolean {
  return key.reduce((sum, byte) => sum + byte, 0) % 5 === 0
}

/** The bytes of a value: told by two numbers. Mostly short, sometimes several blocks, rarely huge. */
export function makeValue(size: number, tag: number): Buffer {
  const random = new Random(tag)
  const kind = size % 100
  const span = Math.floor(size / 100)
  let length = span % 40
  if (kind < 8) length = 0
  else if (kind < 20) length = span % 700
  else if (kind < 24) length = span % 12_000
  else if (kind === 99 && span % 3 === 0) length = span % 60_000
  const value = Buffer.alloc(length, random.u32() & 0xff)
  const isNoise = tag % 3 === 0
  for (let i = 0; i < length; i += isNoise ? 1 : 17) value[i] = random.u32() & 0xff
  return value
}

/** How a program failed, and on which step. */
export interface Failure {
  readonly step: number
  readonly error: Error
}

/** What two runs must share to have failed in the same way: the first words of the message. */
function kindOf({ error }: Failure): string {
  return error.message.replace(/[\d<,].*/s, '').slice(0, 16)
}

/**
 * Takes steps out of a failing program as long as it fails, halves first. `run` gives the failure of a program, or
 * undefined; `attempts` bounds how often it is asked.
 */
export async function reduce(
  program: Program,
  failure: Failure,
  run: (program: Program) => Promise<Failure | undefined>,
  attempts = 150,
): Promise<{ readonly program: Program; readonly failure: Failure }> {
  let best = { program: { ...program, steps: program.steps.slice(0, failure.step + 1) }, failure }
  let left = attempts
  const kind = kindOf(failure)
  for (let size = Math.ceil(best.program.steps.length / 2); size >= 1 && left > 0; ) {
    let isReduced = false
    for (let start = 0; start < best.program.steps.length && left > 0; left--) {
      const steps = best.program.steps.toSpliced(start, size)
      const failed = steps.length === 0 ? undefined : await run({ ...program, steps })
      if (failed === undefined || kindOf(failed) !== kind) {
        start += size
      } else {
        best = { program: { ...program, steps: steps.slice(0, failed.step + 1) }, failure: failed }
        isReduced = true
      }
    }
    if (!isReduced) {
      if (size === 1) break
      size = Math.ceil(size / 2)
    }
  }
  return best
}

/** A program as text to paste into a regression test. */
export function describeProgram(program: Program): string {
  const keys = program.keys.map((key) =>
    key.length > 40 ? `(${key.length} bytes of ${key[0]} … ${key.at(-1)})` : key.toString('hex'),
  )
  const steps = program.steps.map((step) => `  ${JSON.stringify(step)},`).join('\n')
  return `seed ${program.seed}\nkeys [${keys.join(' ')}]\nsteps [\n${steps}\n]`
}
