/**
 * What the fields of RuntimeConfig may hold: kinds and limits of each, and what goes together (semantics.md 15). Pure; main
 * thread.
 *
 * I1: a check gives back a value of its own, frozen: what the caller later does to the one it gave changes nothing.
 */
import { rangeError, typeError, VarveError } from '../shared/base/errors.js'
import { MAX_SEQNO } from '../shared/base/limits.js'
import { MEMTABLE_BYTES_MAX } from '../shared/kernel/layout.js'

/** Checks a value of the field `name`; gives what is to be kept of it. @throws TypeError, RangeError */
type Check = (name: string, value: unknown, fallback: unknown) => unknown

/** Smallest memtable: room for one of the largest keys, and for tests to fill it quickly. */
const MEMTABLE_BYTES_MIN = 128 * 1024

const CONCURRENCY_MAX = 64
const PRIORITY_MAX = 100
const SLOWDOWN_MS_MAX = 60_000

const flag: Check = (name, value) => {
  if (typeof value === 'boolean') return value
  throw typeError(`${name} must be true or false, not ${value}`)
}

function integer(least: number, most = MAX_SEQNO): Check {
  return (name, value) => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value
    }
    throw rangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`)
  }
}

function number(least: number, most: number): Check {
  return (name, value) => {
    if (typeof value === 'number' && value >= least && value <= most) return value
    throw rangeError(`${name} must be a number from ${least} to ${most}, not ${value}`)
  }
}

function optional(check: Check): Check {
  return (name, value, fallback) => (value === undefined ? undefined : check(name, value, fallback))
}

/** One of the words, or an object of the one key that a check is given for. */
function choice(words: readonly string[], forms: Readonly<Record<string, Check>> = {}): Check {
  return (name, value, fallback) => {
    if (words.includes(value as string)) return value
    if (typeof value === 'object' && value !== null) {
      const [[key, part] = ['', undefined], ...others] = Object.entries(value)
      const check = forms[key]
      if (check !== undefined && others.length === 0) {
        return Object.freeze({ [key]: check(`${name}.${key}`, part, fallback) })
      }
    }
    const all = [
      ...words.map((word) => `'${word}'`),
      ...Object.keys(forms).map((key) => `{ ${key} }`),
    ]
    throw typeError(`${name} must be ${all.join(' or ')}`)
  }
}

function pair(first: Check, second: Check): Check {
  return (name, value, fallback) => {
    if (!Array.isArray(value) || value.length !== 2) throw typeError(`${name} must be two numbers`)
    return Object.freeze([first(name, value[0], fallback), second(name, value[1], fallback)])
  }
}

/** An object of known parts; what is left out is as in the default. */
function parts(checks: Readonly<Record<string, Check>>): Check {
  return (name, value, fallback) => {
    if (typeof value !== 'object' || value === null) throw typeError(`${name} must be an object`)
    const kept: Record<string, unknown> = { ...(fallback as object) }
    for (const [part, given] of Object.entries(value)) {
      const check = Object.hasOwn(checks, part) ? checks[part] : undefined
      if (check === undefined) throw typeError(`${name} has no part ${part}`)
      if (given !== undefined) kept[part] = check(`${name}.${part}`, given, undefined)
    }
    return Object.freeze(kept)
  }
}

const priority = integer(0, PRIORITY_MAX)
const concurrency = integer(1, CONCURRENCY_MAX)
const algorithm = choice(['xxh3-64', 'xxh3-low32', 'crc32c'])
const share = number(0, 1)

/** A check for every field. */
export const CHECKS = {
  memtableBytes: integer(MEMTABLE_BYTES_MIN, MEMTABLE_BYTES_MAX),
  maxSealedMemtables: concurrency,
  flushConcurrency: concurrency,
  compactionConcurrency: concurrency,
  compactionThreads: concurrency,
  subcompactionMinBytes: integer(0),
  compactionRateLimit: integer(0),
  jobPriorities: parts({
    flush: priority,
    ingest: priority,
    l0: priority,
    levels: priority,
    blobGc: priority,
    scrub: priority,
  }),
  backpressure: parts({
    l0Slowdown: integer(1),
    l0Stop: integer(1),
    bytesSlowdown: integer(1),
    bytesStop: integer(1),
    maxSlowdownMs: number(0, SLOWDOWN_MS_MAX),
  }),
  retainFrom: integer(0),
  storageAdmissionCheck: flag,
  storageLimitBytes: optional(integer(0)),
  tightSpaceCompaction: flag,
  indexPartitionSpillThreshold: integer(0),
  useReflinkForCheckpoint: flag,
  seqnoInIndex: flag,
  zoneMap: flag,
  disableCowOnSstFiles: flag,
  blockChecksumAlgo: algorithm,
  kvChecksumAlgo: algorithm,
  kvChecksums: choice(['off', 'all-levels'], {
    perLevel: integer(0, 255),
    perTable: pair(integer(0), integer(0)),
  }),
  kvChecksumComputePoint: choice(['at-block-compile', 'at-insert']),
  manifestFooterMirror: flag,
  manifestKvChecksums: flag,
  pageEcc: flag,
  dataBlockEccOverride: optional(flag),
  kvChecksumsEccOverride: optional(flag),
  eccScheme: choice(['secded'], {
    xor: integer(0, 255),
    reedSolomon: pair(integer(0, 255), integer(0, 255)),
  }),
  eccGranularity: choice(['block', 'page']),
  autoHeal: flag,
  columnar: flag,
  deleteStrategy: choice(['copy-on-write', 'merge-on-read'], { adaptive: integer(0, 100) }),
  scrubIntervalMs: integer(0),
  scrubRateLimit: integer(0),
  blobGc: parts({ stalenessThreshold: share, ageCutoff: share }),
} as const satisfies Readonly<Record<string, Check>>

/** The fields that {@link requireSoundEcc} looks at. */
interface EccFields {
  readonly pageEcc: boolean
  readonly dataBlockEccOverride: boolean | undefined
  readonly kvChecksumsEccOverride: boolean | undefined
  readonly kvChecksumComputePoint: string
}

/**
 * What the format's rules say of parity and of digests at insert, in their order. This version can neither, so the rules
 * for schemes and granularity, which hold while parity is on, are never reached.
 * @throws VARVE_UNSUPPORTED
 */
export function requireSoundEcc(config: EccFields): void {
  const { pageEcc, dataBlockEccOverride, kvChecksumsEccOverride } = config
  if (pageEcc || (dataBlockEccOverride ?? pageEcc) || (kvChecksumsEccOverride ?? pageEcc)) {
    throw new VarveError(
      'VARVE_UNSUPPORTED',
      'RuntimeConfig turns ECC on, which this version of varve cannot write; leave pageEcc and the two overrides out',
      { details: { feature: 'pageEcc' } },
    )
  }
  if (config.kvChecksumComputePoint === 'at-insert') {
    throw new VarveError(
      'VARVE_UNSUPPORTED',
      'RuntimeConfig.kvChecksumComputePoint: this version of varve has no digests at insert; leave it out',
      { details: { feature: 'kvChecksumComputePoint' } },
    )
  }
}
