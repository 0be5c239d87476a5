/**
 * The kinds of values that options take: what JavaScript callers may get wrong and the compiler tells TypeScript ones.
 * Checked before anything is opened. Pure; main thread.
 */
import { rangeError, typeError } from '../shared/base/errors.js'

/** What an option must be, in words and as a test. */
interface Check {
  readonly what: string
  readonly isMet: (value: unknown) => boolean
}

const BOOLEAN: Check = {
  what: 'true or false',
  isMet: (value) => typeof value === 'boolean',
}

const FUNCTION: Check = {
  what: 'a function',
  isMet: (value) => typeof value === 'function',
}

function oneOf(...names: readonly string[]): Check {
  return {
    what: names.map((name) => `'${name}'`).join(' or '),
    isMet: (value) => names.includes(value as string),
  }
}

/** An object by what it can do: its class may come from another copy of this package. */
function having(what: string, ...methods: readonly string[]): Check {
  return {
    what,
    isMet: (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function'),
  }
}

const GENERATOR = having('a SequenceNumberGenerator', 'next', 'get', 'set', 'fetchMax')

const CHECKS: Readonly<Record<string, Check>> = {
  createIfMissing: BOOLEAN,
  errorIfExists: BOOLEAN,
  readOnly: BOOLEAN,
  directoryLock: BOOLEAN,
  expectPointReadHits: BOOLEAN,
  clock: FUNCTION,
  beforeFlush: FUNCTION,
  maintenance: oneOf('auto', 'manual'),
  syncMode: oneOf('normal', 'full'),
  cache: having('a Cache', 'attach', 'detach', 'stats'),
  descriptorTable: having('a DescriptorTable', 'file', 'close'),
  strategy: having('a CompactionStrategy', 'choose', 'pendingBytes'),
  pool: having('a MaintenancePool', 'run', 'close'),
  seqno: GENERATOR,
  visibleSeqno: GENERATOR,
}

/**
 * Refuses options of the wrong kind, and what is none of the `known` ones; an option that is undefined has its default.
 * @throws TypeError, RangeError
 */
export function checkOptionKinds(options: unknown, known: Readonly<Record<string, unknown>>): void {
  if (typeof options !== 'object' || options === null) {
    throw typeError(`options must be an object, not ${options === null ? 'null' : typeof options}`)
  }
  const given = options as Readonly<Record<string, unknown>>
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(known, name)) throw typeError(`there is no option ${name}`)
    const check = Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined
    const value = given[name]
    if (check === undefined || value === undefined || check.isMet(value)) continue
    throw typeError(`${name} must be ${check.what}`)
  }
  const rotateBytes = given['manifestLogRotateBytes'] ?? 0
  if (typeof rotateBytes !== 'number') throw typeError('manifestLogRotateBytes must be a number')
  if (!Number.isInteger(rotateBytes) || rotateBytes < 0) {
    throw rangeError(`manifestLogRotateBytes must be an integer of 0 or more, not ${rotateBytes}`)
  }
}
