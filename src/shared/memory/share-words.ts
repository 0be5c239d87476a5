/**
 * The words by which the owner of a tree tells other threads what there is to read, and they tell it what they hold
 * (kernel/layout-sharing.ts). Any thread; each word has one writer.
 *
 * I1: whoever reads takes HISTORY, then the visible seqno, then HISTORY once more, and starts over where it has changed:
 *     the owner publishes read states before it makes visible what only they hold.
 * I2: a hold is written inside the epoch in which its state was found. The owner looks at the epochs first and at the holds
 *     then: a slot that has passed has its hold written.
 * I3: a pin that was set while the owner decided what goes may have been missed: `decisionsBegun` tells, and it is set anew.
 */
import { VarveError } from '../base/errors.js'
import {
  READER_BYTES,
  READER_PINS,
  READER_PINS_MAX,
  READER_STATES,
  READER_STATES_MAX,
  SHARE_BYTES,
  SHARE_CLOSED,
  SHARE_COLLECTING,
  SHARE_HISTORY,
  SHARE_VISIBLE_HIGH_FIRST,
  SHARE_VISIBLE_HIGH_LAST,
  SHARE_VISIBLE_LOW,
} from '../kernel/layout-sharing.js'
import type { SharedMemory } from './shared-memory.js'

const TWO_32 = 4_294_967_296

/** How often a decision of the owner is waited for, 1 ms each: it takes microseconds, unless the owner is gone. */
const DECISION_WAITS_MAX = 10_000

/** SHARE: the owner of the tree writes it. */
export class ShareWords {
  readonly address: number
  readonly #words: Uint32Array
  readonly #signed: Int32Array
  readonly #base: number

  constructor(shared: SharedMemory, address: number) {
    this.address = address
    this.#words = shared.u32
    this.#signed = shared.i32
    this.#base = address >>> 2
  }

  /** The owner's: everything 0, before anybody knows the address. */
  clear(): void {
    this.#words.fill(0, this.#base, this.#base + SHARE_BYTES / 4)
  }

  /** Pairs with the store in {@link close}. */
  get isClosed(): boolean {
    return this.#load(SHARE_CLOSED) !== 0
  }

  /** The owner's, last of all that it publishes; pairs with {@link isClosed}. */
  close(): void {
    this.#store(SHARE_CLOSED, 1)
  }

  /** Address of the HISTORY at hand, 0 once closed; pairs with the store in {@link publish}. */
  get history(): number {
    return this.#load(SHARE_HISTORY)
  }

  /** The owner's: a HISTORY that is complete; pairs with the load in {@link history}. */
  publish(history: number): void {
    this.#store(SHARE_HISTORY, history)
  }

  /**
   * The visible seqno. Its words are loaded in the other order than {@link setVisible} stores them, so equal high words
   * frame a low word that belongs to them.
   */
  get visible(): number {
    for (;;) {
      const high = this.#load(SHARE_VISIBLE_HIGH_LAST)
      const low = this.#load(SHARE_VISIBLE_LOW)
      if (this.#load(SHARE_VISIBLE_HIGH_FIRST) === high) return high * TWO_32 + low
    }
  }

  /** The owner's; pairs with the loads in {@link visible}. */
  setVisible(seqno: number): void {
    const high = Math.floor(seqno / TWO_32)
    // Its own words: nobody else writes them, so they are looked at without a barrier.
    const isHigher = this.#words[this.#base + (SHARE_VISIBLE_HIGH_FIRST >>> 2)] !== high
    if (isHigher) this.#store(SHARE_VISIBLE_HIGH_FIRST, high)
    this.#store(SHARE_VISIBLE_LOW, seqno % TWO_32)
    if (isHigher) this.#store(SHARE_VISIBLE_HIGH_LAST, high)
  }

  /**
   * The owner's: decides what of the history goes. Pins that are set meanwhile may not be seen; pairs with the loads in
   * {@link decided}.
   */
  decide<T>(decision: () => T): T {
    const before = this.#load(SHARE_COLLECTING)
    this.#store(SHARE_COLLECTING, before + 1)
    try {
      return decision()
    } finally {
      this.#store(SHARE_COLLECTING, before + 2)
      Atomics.notify(this.#signed, this.#base + (SHARE_COLLECTING >>> 2))
    }
  }

  /**
   * How many decisions there were, once none is being taken: the same number before and after something was looked up
   * tells that no decision missed a pin that was set before. Pairs with the stores in {@link decide}.
   * @throws VARVE_CLOSED where the owner died while it decided
   */
  decided(): number {
    const at = this.#base + (SHARE_COLLECTING >>> 2)
    for (let waits = 0; waits < DECISION_WAITS_MAX; waits++) {
      const word = Atomics.load(this.#words, at)
      if (word % 2 === 0) return word
      Atomics.wait(this.#signed, at, word | 0, 1)
    }
    throw new VarveError('VARVE_CLOSED', 'the thread that owns this tree is gone')
  }

  /** Pairs as its callers say. */
  #load(field: number): number {
    return Atomics.load(this.#words, this.#base + (field >>> 2))
  }

  /** Pairs as its callers say. */
  #store(field: number, value: number): void {
    Atomics.store(this.#words, this.#base + (field >>> 2), value)
  }
}

/** READER: an attached thread writes it; the owner reads it, and clears it when the thread is gone. */
export class ReaderWords {
  readonly address: number
  readonly #words: Uint32Array
  readonly #pins: number
  readonly #states: number

  constructor(shared: SharedMemory, address: number) {
    this.address = address
    this.#words = shared.u32
    this.#pins = (address + READER_PINS) >>> 2
    this.#states = (address + READER_STATES) >>> 2
  }

  /**
   * The owner's, before the thread knows the address and once it is gone: it pins and holds nothing. Pairs with the loads in
   * {@link pinned} and {@link holds}.
   */
  clear(): void {
    for (let word = 0; word < READER_BYTES / 4; word++) {
      Atomics.store(this.#words, (this.address >>> 2) + word, 0)
    }
  }

  /**
   * The thread's own: pins a seqno: its number for {@link unpin}. Only {@link ShareWords.decided} tells whether the owner
   * has seen it.
   * @throws VARVE_OUT_OF_MEMORY where the thread pins too many already
   */
  pin(seqno: number): number {
    const number = this.#free(this.#pins, 2, READER_PINS_MAX, 'snapshots')
    const word = this.#pins + 2 * number
    // High word first: who looks in between sees a lower seqno, and collects less. Pairs with the loads in `pinned`.
    Atomics.store(this.#words, word + 1, Math.floor((seqno + 1) / TWO_32))
    Atomics.store(this.#words, word, (seqno + 1) % TWO_32)
    return number
  }

  /** The thread's own; pairs with the loads in {@link pinned}. */
  unpin(number: number): void {
    const word = this.#pins + 2 * number
    Atomics.store(this.#words, word, 0)
    Atomics.store(this.#words, word + 1, 0)
  }

  /** The owner's: the seqnos that the thread pins; pairs with the stores in {@link pin}. */
  *pinned(): Generator<number, undefined> {
    for (let number = 0; number < READER_PINS_MAX; number++) {
      const word = this.#pins + 2 * number
      const high = Atomics.load(this.#words, word + 1)
      const value = high * TWO_32 + Atomics.load(this.#words, word)
      if (value > 0) yield value - 1
    }
    return undefined
  }

  /**
   * The thread's own: holds a state beyond the epoch: its number for {@link release}. REQUIRES: inside the epoch in which
   * the state was found, or the state is held already. Pairs with the load in {@link holds}.
   * @throws VARVE_OUT_OF_MEMORY where the thread holds too many already
   */
  hold(state: number): number {
    const number = this.#free(this.#states, 1, READER_STATES_MAX, 'read states')
    Atomics.store(this.#words, this.#states + number, state)
    return number
  }

  /** The thread's own; pairs with the load in {@link holds}. */
  release(number: number): void {
    Atomics.store(this.#words, this.#states + number, 0)
  }

  /** The owner's, after the epochs have passed; pairs with the store in {@link hold}. */
  holds(state: number): boolean {
    for (let number = 0; number < READER_STATES_MAX; number++) {
      if (Atomics.load(this.#words, this.#states + number) === state) return true
    }
    return false
  }

  #free(start: number, stride: number, count: number, what: string): number {
    // Words of this thread alone, so that a plain look is enough.
    for (let number = 0; number < count; number++) {
      const word = start + stride * number
      const isFree = this.#words[word] === 0 && (stride === 1 || this.#words[word + 1] === 0)
      if (isFree) return number
    }
    throw new VarveError(
      'VARVE_OUT_OF_MEMORY',
      `this thread holds ${count} ${what} already; dispose some first`,
      { details: { limit: count } },
    )
  }
}
