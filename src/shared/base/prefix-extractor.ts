/**
 * Prefix extractors as users write them, the ones that ship, and what the engine makes of one: which prefixes of keys go
 * into the filters of tables, and which of them a prefix scan may ask for (semantics.md 28.2). Pure; every thread.
 *
 * I1: a scan asks for a prefix only where every key that it could yield had that prefix indexed.
 * I2: an extractor that fails costs the filter of a table, or the skipping of a scan: never data, never an answer.
 */
import { rangeError, typeError } from './errors.js'
import { isSameKey } from './key-order.js'
import { KEY_BYTES_MAX } from './limits.js'

/**
 * Tells prefixes of keys that are worth a place in filters. Tables that hold no key with a prefix are then passed over by
 * `prefix` and `containsPrefix`; results are the same with and without one.
 *
 * @example
 * ```ts
 * const tree = await open('db', { prefixExtractor: prefixExtractors.delimiter(':') })
 * tree.containsPrefix('user:42:')
 * ```
 */
export interface PrefixExtractor {
  /**
   * What tables remember it by: filters are used only under the name under which they were written, so another extractor
   * needs another name. Without one, only tables that this very object has indexed in this process are passed over.
   */
  readonly name?: string
  /** The prefixes of a key, each a beginning of it: few, the shortest first, and the same for the same key always. */
  prefixes(key: Buffer): Iterable<Uint8Array>
  /**
   * Whether every key that starts with `prefix` has it among its prefixes. Default: `prefix` has bytes, and is one of its
   * own prefixes.
   */
  isValidScanBoundary?(prefix: Buffer): boolean
}

/** How kernels find the prefixes of a key: by themselves, or by calling the extractor. Plain data. */
export type PrefixRule =
  | { readonly kind: 'fixed'; readonly bytes: number }
  | { readonly kind: 'delimiter'; readonly byte: number }
  | { readonly kind: 'code' }

/** An extractor as a tree uses it. */
export interface PrefixIndex {
  readonly name: string
  readonly rule: PrefixRule
  readonly extractor: PrefixExtractor
}

/** Delimiters of a key behind which nothing is indexed; kernels count them too (`assembly/prefix-hashes.ts`). */
const DELIMITERS_MAX = 16

/** Prefixes of one key that an extractor may give; one that gives more has not understood what they are for. */
const PREFIXES_MAX = 256

/** Longest name of an extractor, in bytes. */
const NAME_BYTES_MAX = 256

/** The rules of the extractors that ship. */
const rules = new WeakMap<PrefixExtractor, PrefixRule>()

/** Objects without a name, by the one that they got for as long as the process lives. */
const unnamed = new WeakMap<PrefixExtractor, string>()

/** The extractors that ship: kernels apply them while they write. */
export const prefixExtractors = {
  /**
   * The first `bytes` bytes of each key that has as many.
   * @throws RangeError
   */
  fixed(bytes: number): PrefixExtractor {
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > KEY_BYTES_MAX) {
      throw rangeError(`a prefix has 1 to ${KEY_BYTES_MAX} bytes, not ${bytes}`)
    }
    const extractor: PrefixExtractor = {
      name: `varve.fixed:${bytes}`,
      prefixes: (key) => (key.length < bytes ? [] : [key.subarray(0, bytes)]),
    }
    rules.set(extractor, { kind: 'fixed', bytes })
    return extractor
  },

  /**
   * Everything up to and with each delimiter, for the first 16 of a key.
   * @param delimiter one byte, or a character of one
   * @throws RangeError, TypeError
   */
  delimiter(delimiter: number | string): PrefixExtractor {
    const byte = typeof delimiter === 'string' ? byteOf(delimiter) : delimiter
    if (!Number.isInteger(byte) || byte < 0 || byte > 255) {
      throw rangeError(`a delimiter is a byte, not ${String(delimiter)}`)
    }
    const extractor: PrefixExtractor = {
      name: `varve.delimiter:${byte}`,
      prefixes(key) {
        const found: Uint8Array[] = []
        for (let i = 0; i < key.length && found.length < DELIMITERS_MAX; i++) {
          if (key[i] === byte) found.push(key.subarray(0, i + 1))
        }
        return found
      },
    }
    rules.set(extractor, { kind: 'delimiter', byte })
    return extractor
  },
} as const

/** The shipped extractor of a rule. @throws TypeError for one of code */
export function shippedExtractor(rule: PrefixRule): PrefixExtractor {
  if (rule.kind === 'fixed') return prefixExtractors.fixed(rule.bytes)
  if (rule.kind === 'delimiter') return prefixExtractors.delimiter(rule.byte)
  throw typeError('an extractor of code has a reference')
}

function byteOf(character: string): number {
  const bytes = Buffer.from(character)
  if (bytes.length !== 1) throw typeError(`a delimiter is one byte, not ${bytes.length}`)
  return bytes[0] as number
}

/** What a tree uses of an extractor. @throws TypeError, RangeError */
export function prefixIndexOf(extractor: PrefixExtractor): PrefixIndex {
  const name = extractor.name ?? nameOf(extractor)
  if (typeof name !== 'string') throw typeError('the name of a prefix extractor must be a string')
  const bytes = Buffer.byteLength(name)
  if (bytes === 0 || bytes > NAME_BYTES_MAX) {
    throw rangeError(
      `the name of a prefix extractor has 1 to ${NAME_BYTES_MAX} bytes, not ${bytes}`,
    )
  }
  return { name, rule: rules.get(extractor) ?? { kind: 'code' }, extractor }
}

/** A name that no other object has had, here or in another process. */
function nameOf(extractor: PrefixExtractor): string {
  let name = unnamed.get(extractor)
  if (name === undefined) {
    name = `unnamed:${crypto.randomUUID()}`
    unnamed.set(extractor, name)
  }
  return name
}

/** The prefixes of a key that are indexed; undefined where the extractor fails. */
export function prefixesOf({ extractor }: PrefixIndex, key: Uint8Array): Uint8Array[] | undefined {
  const found: Uint8Array[] = []
  const whole = Buffer.from(key)
  try {
    for (const prefix of extractor.prefixes(whole)) {
      if (found.length === PREFIXES_MAX) return undefined
      found.push(prefix)
    }
  } catch {
    return undefined
  }
  const isBeginning = (prefix: unknown): boolean =>
    prefix instanceof Uint8Array &&
    prefix.length > 0 &&
    prefix.length <= key.length &&
    isSameKey(prefix, key.subarray(0, prefix.length))
  return found.every(isBeginning) ? found : undefined
}

/**
 * What a scan of the keys that start with `prefix` asks filters for: the longest of its prefixes, itself at best, that
 * every key of the scan has indexed; undefined where there is none.
 */
export function probeOf(index: PrefixIndex, prefix: Uint8Array): Uint8Array | undefined {
  if (prefix.length === 0) return undefined
  const isValid = (candidate: Uint8Array): boolean => {
    const { extractor } = index
    if (extractor.isValidScanBoundary === undefined) {
      const own = prefixesOf(index, candidate) ?? []
      return own.some((one) => isSameKey(one, candidate))
    }
    try {
      return extractor.isValidScanBoundary(Buffer.from(candidate)) === true
    } catch {
      return false
    }
  }
  if (isValid(prefix)) return prefix
  return prefixesOf(index, prefix)?.findLast((one) => one.length < prefix.length && isValid(one))
}
