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

/** Where other threads see how far a counter has come (shared/memory/share-words.ts). */
export interface SeqnoMirror {
  setVisible(seqno: number): void
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
  /** Who else is told of each value, for other threads to see: nobody, unless a tree that it belongs to is shared. */
  #mirrors: readonly SeqnoMirror[] | undefined

  /** @param start 0 … 2^53 − 1 */
  constructor(start = 0) {
    requireSeqno(start, 'the start of a sequence number counter')
    this.#value = start
  }

  /** @throws RangeError at the limit; the counter stays as it is */
  next(): number {
    if (this.#value >= MAX_SEQNO) throw rangeError('the sequence numbers are used up (2^53 - 2)')
    const value = this.#value++
    if (this.#mirrors !== undefined) this.#tell(this.#mirrors)
    return value
  }

  get(): number {
    return this.#value
  }

  set(value: number): void {
    requireSeqno(value, 'a sequence number')
    this.#value = value
    if (this.#mirrors !== undefined) this.#tell(this.#mirrors)
  }

  fetchMax(value: number): void {
    if (!(value > this.#value)) return
    this.#value = Math.min(value, MAX_SEQNO)
    if (this.#mirrors !== undefined) this.#tell(this.#mirrors)
  }

  /** Not for users: `mirror` is told the value at hand, and each one from now on, until {@link unmirror}. */
  mirror(mirror: SeqnoMirror): void {
    this.#mirrors = [...(this.#mirrors ?? []), mirror]
    mirror.setVisible(this.#value)
  }

  /** Not for users. */
  unmirror(mirror: SeqnoMirror): void {
    const rest = this.#mirrors?.filter((one) => one !== mirror)
    this.#mirrors = rest?.length === 0 ? undefined : rest
  }

  #tell(mirrors: readonly SeqnoMirror[]): void {
    for (const mirror of mirrors) mirror.setVisible(this.#value)
  }
}
