/**
 * Sequence numbers: who hands them out, and up to where they are visible (semantics.md 3.2). Main thread.
 */
import { rangeError } from '../shared/base/errors.js'
import { MAX_SEQNO } from '../shared/base/limits.js'

/** A source of sequence numbers; strictly ascending over `next`. May be shared by several trees. */
export interface SequenceNumberGenerator {
  /** The number at hand; the next call gives a higher one. */
  next(): number
  /** What `next` would give. */
  get(): number
  /** Overrides it, even backwards. */
  set(value: number): void
  /** Raises it to `value` at least. */
  fetchMax(value: number): void
}

/** @throws RangeError where `value` is no sequence number */
export function requireSeqno(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw rangeError(`${what} must be an integer from 0 to 2^53 - 1, not ${value}`)
  }
}

/**
 * The default generator: counts up from a start.
 *
 * @example
 * ```ts
 * const seqno = new SequenceNumberCounter()
 * seqno.next() // 0
 * seqno.get() // 1
 * ```
 */
export class SequenceNumberCounter implements SequenceNumberGenerator {
  #value: number

  /** @param start 0 … 2^53 − 1 */
  constructor(start = 0) {
    requireSeqno(start, 'the start of a sequence number counter')
    this.#value = start
  }

  /** @throws RangeError at the limit; the counter stays as it is */
  next(): number {
    if (this.#value >= MAX_SEQNO) throw rangeError('the sequence numbers are used up (2^53 - 2)')
    return this.#value++
  }

  get(): number {
    return this.#value
  }

  set(value: number): void {
    requireSeqno(value, 'a sequence number')
    this.#value = value
  }

  fetchMax(value: number): void {
    if (!(value > this.#value)) return
    this.#value = Math.min(value, MAX_SEQNO)
  }
}
